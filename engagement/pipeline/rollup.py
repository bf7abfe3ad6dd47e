"""One reporting day of segments, counted: scalars, curves and sketches per cell.

Pure: rows in, partials out. What counts once and which day a session belongs to is
staging.py's business, what may be published is protect.py's. Nothing here loops over rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engagement.curves import Curves
from engagement.pipeline import sketches
from engagement.pipeline.sketches import NOTHING, Content, Hashes, Viewers
from engagement.scope import ALL

SERIES = ("sessions", "times_played", "starts", "stops", "skips")
"""The rows of a partial's curves. rewatches = times_played - sessions."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Partial:
    """One title, day, territory and device, unprotected.

    `curves` is (5, seconds), one row a name of SERIES. It is (5, 0), and `content` empty, for a
    single device: those are published as totals only.
    """

    title_id: str
    day: date
    territory: str
    device: str
    plays: int
    watch_seconds: int
    completions: int
    viewers: int
    finishers: int
    curves: Curves
    viewer_sketch: Viewers
    finisher_sketch: Viewers
    content: Content


@dataclass(frozen=True)
class _Segments:
    """Segments sorted by session and from_s; sessions numbered by title, territory."""

    session: Ints
    from_s: Ints
    to_s: Ints
    new_from: Ints  # where the part that no earlier segment of the session covered begins
    gap_from: Ints  # how far the session had played; -1 in its first segment


@dataclass(frozen=True)
class _Sessions:
    """One entry a session, sorted by title and territory."""

    title: Ints
    territory: Ints
    device: Ints
    viewer: Ints
    first_from: Ints
    last_to: Ints
    furthest: Ints
    watch_seconds: Ints
    digest: Hashes
    finished: Bools


def rollup(
    table: pa.Table, *, day: date, key: bytes, runtimes: Mapping[str, int]
) -> Iterator[Partial]:
    """Count the segments of one reporting day.

    `table` has the columns of a landed segments table, rows in any order, each row counted
    once and all rows of a session in it; `line` breaks ties of started_at within a session.
    Segments with from_s >= to_s play nothing and are left out. `key` hashes viewers, `runtimes`
    gives runtime_s by title_id (0 or missing: unknown, so nothing completes).

    Yields, title by title: `*` and each single territory, each with `*` and each single device.
    Curves are as long as the runtime, or as the furthest position where that is further.
    """
    table = table.filter(pc.less(table["from_s"], table["to_s"]))
    if not table.num_rows:
        return
    title, titles = _codes(table["title_id"])
    territory, territories = _codes(table["territory"])
    device, devices = _codes(table["device"])
    viewer, viewers = _codes(table["viewer_id"])
    hashes = sketches.hash_viewers(viewers, key)
    runtime = np.array([runtimes.get(t, 0) for t in titles], np.int64)
    segments, sessions = _sessionise(
        table,
        title,
        territory,
        device,
        viewer,
        runtime,
        sketches.hash_viewers(devices, b""),
    )
    names = (titles, territories, devices)
    for code in range(len(titles)):
        yield from _title(code, day, names, hashes, runtime, segments, sessions)


def _codes(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _sessionise(
    table: pa.Table,
    title: Ints,
    territory: Ints,
    device: Ints,
    viewer: Ints,
    runtime: Ints,
    device_hashes: Hashes,
) -> tuple[_Segments, _Sessions]:
    session, session_ids = _codes(table["session_id"])
    session = title * len(session_ids) + session
    started = pc.cast(table["started_at"], pa.int64()).to_numpy()
    line = table["line"].to_numpy()
    from_s = table["from_s"].to_numpy().astype(np.int64)
    to_s = table["to_s"].to_numpy().astype(np.int64)

    by_start = np.lexsort((line, started, session))
    opens = _changes(session[by_start])
    first = by_start[opens]
    last = by_start[np.append(opens[1:], len(by_start)) - 1]
    # Renumber the sessions so that those of one title and territory stand together.
    by_cell = np.lexsort((territory[first], title[first]))
    number = np.empty(len(first), np.int64)
    number[by_cell] = np.arange(len(first))
    session[by_start] = number[np.repeat(np.arange(len(first)), _lengths(opens, len(by_start)))]
    first, last = first[by_cell], last[by_cell]

    order = np.lexsort((to_s, from_s, session))
    session, from_s, to_s = session[order], from_s[order], to_s[order]
    opens = _changes(session)
    reached = _running_maximum(session, to_s)
    before = np.empty_like(reached)
    before[1:] = reached[:-1]
    before[opens] = -1
    segments = _Segments(session, from_s, to_s, np.maximum(from_s, before), before)
    furthest = np.maximum.reduceat(to_s, opens)
    finished = (runtime[title[first]] > 0) & (10 * furthest >= 9 * runtime[title[first]])
    sessions = _Sessions(
        title=title[first],
        territory=territory[first],
        device=device[first],
        viewer=viewer[first],
        first_from=table["from_s"].to_numpy().astype(np.int64)[first],
        last_to=table["to_s"].to_numpy().astype(np.int64)[last],
        furthest=furthest,
        watch_seconds=np.add.reduceat(to_s - from_s, opens),
        digest=_digests(segments, started[order], opens, device_hashes[device[first]], finished),
        finished=finished,
    )
    return segments, sessions


def _title(
    code: int,
    day: date,
    names: tuple[list[str], list[str], list[str]],
    hashes: Hashes,
    runtime: Ints,
    segments: _Segments,
    sessions: _Sessions,
) -> Iterator[Partial]:
    """The partials of one title: `*` first, then its territories, each with its devices."""
    titles, territories, devices = names
    low, high = np.searchsorted(sessions.title, [code, code + 1])
    seconds = int(max(runtime[code], sessions.furthest[low:high].max()))
    edges = low + np.append(_changes(sessions.territory[low:high]), high - low)
    singles = [
        (
            territories[sessions.territory[a]],
            slice(a, b),
            _curves(segments, sessions, a, b, seconds),
        )
        for a, b in pairwise(edges.tolist())
    ]
    total = np.sum([curves for _, _, curves in singles], axis=0)
    for territory, rows, curves in [(ALL, slice(low, high), total), *singles]:
        here = np.arange(rows.start, rows.stop)
        cells = [(ALL, here, curves)]
        for device in np.unique(sessions.device[rows]):
            of_device = here[sessions.device[rows] == device]
            cells.append((devices[device], of_device, curves[:, :0]))
        for device_name, chosen, shown in cells:
            content = _content(sessions, chosen, hashes) if device_name == ALL else NOTHING
            seen = _sketch(sessions.viewer[chosen], hashes)
            finished = chosen[sessions.finished[chosen]]
            ended = _sketch(sessions.viewer[finished], hashes)
            yield Partial(
                title_id=titles[code],
                day=day,
                territory=territory,
                device=device_name,
                plays=len(chosen),
                watch_seconds=int(sessions.watch_seconds[chosen].sum()),
                completions=len(finished),
                viewers=_distinct(sessions.viewer[chosen]),
                finishers=_distinct(sessions.viewer[finished]),
                curves=shown,
                viewer_sketch=seen,
                finisher_sketch=ended,
                content=content,
            )


def _curves(segments: _Segments, sessions: _Sessions, first: int, end: int, seconds: int) -> Curves:
    """(5, seconds) of the sessions [first, end), by difference events.

    The residuals [new_from, to) are disjoint within a session and their union is what the
    session played; the gaps between them are what it skipped.
    """
    low, high = np.searchsorted(segments.session, [first, end])
    from_s, to_s = segments.from_s[low:high], segments.to_s[low:high]
    new_from, gap_from = segments.new_from[low:high], segments.gap_from[low:high]
    is_new = new_from < to_s
    is_gap = (gap_from >= 0) & (gap_from < from_s)
    curves = np.empty((len(SERIES), seconds), np.int64)
    curves[0] = _between(new_from[is_new], to_s[is_new], seconds)
    curves[1] = _between(from_s, to_s, seconds)
    curves[2] = np.bincount(sessions.first_from[first:end], minlength=seconds)
    curves[3] = np.bincount(sessions.last_to[first:end] - 1, minlength=seconds)
    curves[4] = _between(gap_from[is_gap], from_s[is_gap], seconds)
    return curves


def _between(from_s: Ints, to_s: Ints, seconds: int) -> Ints:
    """For each second, how many of [from_s, to_s) hold it."""
    opened = np.bincount(from_s, minlength=seconds + 1)
    closed = np.bincount(to_s, minlength=seconds + 1)
    counts: Ints = np.cumsum(opened - closed)[:seconds]
    return counts


def _changes(codes: Ints) -> Ints:
    """Where a run of equal codes begins."""
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))


def _lengths(opens: Ints, total: int) -> Ints:
    return np.diff(np.append(opens, total))


def _running_maximum(group: Ints, values: Ints) -> Ints:
    """The maximum so far within each group; groups are sorted and values not negative.

    Each group is lifted above the one before, so that one accumulate serves them all.
    """
    lift = group * (int(values.max()) + 1)
    maximum: Ints = np.maximum.accumulate(values + lift) - lift
    return maximum


def _sketch(viewer: Ints, hashes: Hashes) -> Viewers:
    return sketches.smallest(np.unique(hashes[viewer]))


def _distinct(viewer: Ints) -> int:
    return len(np.unique(viewer))


def _content(sessions: _Sessions, chosen: Ints, hashes: Hashes) -> Content:
    return sketches.add_content([Content(hashes[sessions.viewer[chosen]], sessions.digest[chosen])])


def _digests(
    segments: _Segments, started: Ints, opens: Ints, device: Hashes, finished: Bools
) -> Hashes:
    """64 bits of what each session played, when, on what, and whether to the end; not of its id.

    `finished` is among them because a corrected runtime changes who finished, and no segment.
    """
    with np.errstate(over="ignore"):
        rows = _mix(started.astype(np.uint64))
        rows = _mix(rows + segments.from_s.astype(np.uint64))
        rows = _mix(rows + segments.to_s.astype(np.uint64))
        return _mix(np.add.reduceat(rows, opens) + device + finished.astype(np.uint64))


def _mix(values: Hashes) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014) of each value plus its increment."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
