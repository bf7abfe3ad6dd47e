"""What an event of a player's log must be, and its way to segments.

Each format says what its events mean (`Found`); sessionise makes segments of them, and those
are checked like every other segment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from engagement.formats import schema, segments
from engagement.formats.columns import Instants, instants
from engagement.formats.container import File
from engagement.formats.grid import Grid
from engagement.formats.rows import check_future, check_titles
from engagement.formats.title_map import mapped_title
from engagement.formats.values import (
    EXAMPLES,
    Catalogue,
    Landed,
    Mask,
    Options,
    Quarantined,
    Reading,
    Rejects,
    Verdicts,
)
from engagement.pipeline.sessionise import (
    Act,
    Event,
    Rules,
    Segment,
    sessionise,
    sessions_by_silence,
)


@dataclass(slots=True)
class Found:
    """One event as the log has it. `when` is its time as text; numbers that could not be read
    are NaN.

    `videos` are the names the log has for the video, the surest first; none means that the
    event is said of the whole session. `key` is the event's own id, by which a second delivery
    is told.
    """

    line: int
    when: str | None
    session: str | None
    viewer: str | None
    videos: tuple[str, ...]
    act: Act
    position: float | None = None
    to: float | None = None
    rate: float | None = None
    duration: float | None = None
    ad: bool | None = None
    clock: float | None = None
    order: int = 0
    key: str | None = None
    device: str | None = None
    territory: str | None = None
    region: str | None = None


@dataclass
class Log:
    """The events of one file: those of playback, how many others, and what was no event."""

    events: list[Found] = field(default_factory=list)
    others: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)


def land(
    format: str,
    file: File,
    log: Log,
    rules: Rules,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
) -> Landed:
    """The segments of a log. rows_read and the rejects count events, as the log has them."""
    found = log.events
    verdicts = Verdicts(np.array([e.line for e in found], np.int64))
    verdicts.refuse_outside(log.broken, "bad_value")
    videos = {e.videos[0] for e in found if e.videos}
    if options.title is not None and len(videos) > 1:
        raise Quarantined(
            f"--title names one title, but the log plays {len(videos)} videos; give each a line "
            f"in titles.map.csv, such as '{file.name},{min(videos)},<title_id>'"
        )
    when = instants(pa.array([e.when for e in found], pa.string()))
    titles = [_title(file, e.videos, options, catalogue, reading) for e in found]
    _check(verdicts, found, when, reading)
    named = np.array([title is not None for title in titles], bool)
    if named.any():
        _check_titles(verdicts, titles, named, catalogue)
    rows = pa.table({"row": np.arange(len(found))})
    kept = verdicts.landed("segments", format, rows, {}).table["row"].to_pylist()
    events, copies = _events(found, kept, titles, when)
    played, notes = sessionise(events, rules)
    grid = _grid(played, found)
    notes.update(events=len(found), other_events=log.others, repeated_events=copies)
    landed = segments.land(format, grid, options, catalogue, reading, dict(notes))
    landed.rows_read = verdicts.rows_read + log.others
    landed.rejected = _together(verdicts.rejected(), landed.rejected)
    return landed


def _title(
    file: File, videos: Sequence[str], options: Options, catalogue: Catalogue, reading: Reading
) -> str | None:
    """--title, else what titles.map.csv has for the video, else the video's name itself."""
    if not videos:
        return None
    if options.title is not None:
        return options.title
    for video in videos:
        mapped = mapped_title(file.name, video, reading)
        if mapped is not None:
            return mapped
    for video in videos:
        if video in catalogue.runtimes:
            return video
    return mapped_title(file.name, "", reading) or videos[0]


def _check(verdicts: Verdicts, found: Sequence[Found], when: Instants, reading: Reading) -> None:
    verdicts.refuse(when.missing, "no_time", lambda row: "the event has no time")
    verdicts.refuse(
        when.malformed, "bad_value", lambda row: f"its time is {str(found[row].when)[:40]!r}"
    )
    check_future(verdicts, "its time", when, reading)
    nobody = np.array([not e.session and not e.viewer for e in found], bool)
    verdicts.refuse(nobody, "bad_value", lambda row: "neither a session nor a viewer is named")
    for name in ("position", "to", "rate"):
        _check_number(verdicts, name, [getattr(e, name) for e in found])


def _check_number(verdicts: Verdicts, name: str, numbers: Sequence[float | None]) -> None:
    values = np.array([0.0 if n is None else n for n in numbers], float)
    verdicts.refuse(np.isnan(values), "bad_value", lambda row: f"its {name} is no number")
    verdicts.refuse(
        ~((values >= 0) & (values <= schema.LONGEST_S)),
        "out_of_range",
        lambda row: f"its {name} is {values[row]:g}",
    )


def _check_titles(
    verdicts: Verdicts, titles: Sequence[str | None], named: Mask, catalogue: Catalogue
) -> None:
    """Events of the whole session have no title to check: they take any that is known."""
    unnamed = np.array([title == "" for title in titles], bool)
    verdicts.refuse(unnamed, "unknown_title", lambda row: "the log does not name its video")
    known = next((t for t in titles if t in catalogue.runtimes), None)
    stand_in = known if known is not None else next(t for t in titles if t is not None)
    column = [title if title is not None else stand_in for title in titles]
    check_titles(verdicts, pa.array(column, pa.string()), catalogue)


def _events(
    found: Sequence[Found], kept: Sequence[int], titles: Sequence[str | None], when: Instants
) -> tuple[list[Event], int]:
    """The good events once each, `line` being their row, and how many were delivered again."""
    lost = [row for row in kept if not found[row].session]
    moments = [(found[row].viewer or "", int(when.us[row])) for row in lost]
    sessions = dict(zip(lost, sessions_by_silence(moments), strict=True))
    seen: set[object] = set()
    events: list[Event] = []
    everywhere: list[int] = []  # of the viewer's app, whatever it plays
    of_viewer: dict[str, set[str]] = {}
    for row in kept:
        one = found[row]
        at, session = int(when.us[row]), one.session or sessions[row]
        key = one.key or (session, at, titles[row], one.act, one.position, one.to, one.order)
        if key in seen:
            continue
        seen.add(key)
        if one.session is None and titles[row] is None:
            everywhere.append(row)
            continue
        of_viewer.setdefault(one.viewer or "", set()).add(session)
        events.append(_event(one, row, at, session, titles[row]))
    for row in everywhere:
        one = found[row]
        for session in sorted(of_viewer.get(one.viewer or "", ())):
            events.append(_event(one, row, int(when.us[row]), session, None))
    return events, len(kept) - len(seen)


def _event(one: Found, row: int, at: int, session: str, title: str | None) -> Event:
    return Event(
        line=row,
        at=at,
        session_id=session,
        viewer_id=one.viewer or "",
        title_id=title,
        act=one.act,
        position=one.position,
        to=one.to,
        rate=one.rate,
        duration=one.duration,
        ad=one.ad,
        clock=one.clock,
        order=one.order,
    )


def _grid(played: Sequence[Segment], found: Sequence[Found]) -> Grid:
    begun = [found[s.line] for s in played]
    started = pa.array([s.started_at for s in played], pa.int64())
    columns = {
        "session_id": pa.array([s.session_id for s in played], pa.string()),
        "viewer_id": pa.array([s.viewer_id for s in played], pa.string()),
        "title_id": pa.array([s.title_id for s in played], pa.string()),
        "started_at": started.cast(pa.timestamp("us", tz="UTC")),
        "from_s": pa.array([s.from_s for s in played], pa.float64()),
        "to_s": pa.array([s.to_s for s in played], pa.float64()),
        "device": pa.array([e.device for e in begun], pa.string()),
        "territory": pa.array([e.territory for e in begun], pa.string()),
        "region": pa.array([e.region for e in begun], pa.string()),
    }
    return Grid(columns, np.array([e.line for e in begun], np.int64))


def _together(*parts: dict[str, Rejects]) -> dict[str, Rejects]:
    rows: Counter[str] = Counter()
    examples: dict[str, list[dict[str, int | str]]] = {}
    for part in parts:
        for reason, rejects in part.items():
            rows[reason] += rejects.rows
            examples[reason] = [*examples.get(reason, []), *rejects.examples][:EXAMPLES]
    return {reason: Rejects(rows[reason], examples[reason]) for reason in rows}
