"""Writes the sample platform's landing files, the same bytes for the same arguments.

A folder with `titles.csv`, `segments/segments.<day>.parquet` (a session lies in the file of the
day on which it began), `danmu/danmu.<title>.csv.gz`, `discussion.csv.gz`, `shares.csv.gz`, and the
marker `SAMPLE`.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from portal.sample.audience import (
    AGES,
    DEVICES,
    GENDERS,
    TERRITORIES,
    Audience,
    Ints,
    make_audience,
)
from portal.sample.catalogue import TITLES, SampleTitle
from portal.sample.comments import COLUMNS as DANMU
from portal.sample.comments import comments
from portal.sample.sessions import Plays
from portal.sample.sharing import COLUMNS as SHARES
from portal.sample.sharing import shares
from portal.sample.talk import COLUMNS as DISCUSSION
from portal.sample.talk import talk
from portal.sample.viewing import Period, title_rng, watch_all

DAYS = 60
"""How long the sample is, unless it is asked for shorter."""

MARKER = "SAMPLE"
MARKER_TEXT = """\
Made by the sample generator of Dailies. Every name and number in here is invented.
until: {until}
"""
TITLE_COLUMNS = (
    "title_id",
    "kind",
    "name_zh",
    "name_en",
    "runtime_s",
    "released_on",
    "parent_title_id",
    "cut_of",
    "genres",
    "cast",
    "source_work",
)
SEGMENTS = pa.schema(
    [
        ("session_id", pa.string()),
        ("viewer_id", pa.string()),
        ("title_id", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("from_s", pa.int32()),
        ("to_s", pa.int32()),
        ("device", pa.string()),
        ("territory", pa.string()),
        ("region", pa.string()),
        ("age_band", pa.string()),
        ("gender", pa.string()),
    ]
)


def generate(
    folder: Path, *, until: date, days: int = DAYS, seed: int = 20261101, segments: int = 300_000
) -> None:
    """Write the sample's landing files for the `days` days before `until` into `folder`.

    `segments` is about how many rows the segment files have together. Files that are there
    already are overwritten. Raises ValueError for a window too short to hold the releases.
    """
    if days < 14:
        raise ValueError("the sample needs at least 14 days")
    period = Period(until, days)
    rng = title_rng(seed, "", "audience")
    audience = make_audience(max(6_000, segments // 2), rng)
    viewer_ids = _ids("v", audience.size, rng)
    sender_ids = _ids("d", audience.size, rng)
    watched = watch_all(audience, period, seed=seed, segments=segments)

    (folder / "segments").mkdir(parents=True, exist_ok=True)
    (folder / "danmu").mkdir(exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    (folder / "titles.csv").write_bytes(_csv(TITLE_COLUMNS, (_title_row(t, until) for t in TITLES)))
    _write_segments(folder / "segments", watched, audience, viewer_ids, period, seed)
    _write_words(folder, watched, audience, sender_ids, period, seed)
    # Last, so that a folder with the marker is a whole one.
    (folder / MARKER).write_text(MARKER_TEXT.format(until=until), encoding="utf-8")


def generated_until(folder: Path) -> date | None:
    """The day that the files in `folder` end before; None where they are not all there."""
    try:
        last_line = (folder / MARKER).read_text(encoding="utf-8").splitlines()[-1]
    except FileNotFoundError:
        return None
    return date.fromisoformat(last_line.removeprefix("until: "))


def _title_row(title: SampleTitle, until: date) -> tuple[str, ...]:
    return (
        title.key,
        title.kind,
        title.name_zh,
        title.name_en,
        str(title.runtime_s or ""),
        title.released_on(until).isoformat(),
        title.parent,
        title.cut_of,
        "|".join(title.genres),
        "|".join(title.cast),
        "|".join(title.source_work),
    )


def _write_words(
    folder: Path,
    watched: dict[str, Plays],
    audience: Audience,
    sender_ids: list[str],
    period: Period,
    seed: int,
) -> None:
    """Danmu by title; the pages' talk and the shares of all titles together."""
    posts: list[tuple[str, ...]] = []
    links: list[tuple[str, ...]] = []
    for title in TITLES:
        plays = watched.get(title.key)
        if plays is None:
            continue

        def rng(what: str, key: str = title.key) -> np.random.Generator:
            return title_rng(seed, key, what)

        said = comments(title, plays, audience, sender_ids, period, rng("danmu"))
        _write_csv(folder / "danmu" / f"danmu.{title.key}.csv.gz", DANMU, said)
        posts += talk(title, plays, audience, sender_ids, period, rng("discussion"))
        links += shares(title, plays, audience, sender_ids, period, rng("shares"))
    _write_csv(folder / "discussion.csv.gz", DISCUSSION, posts)
    _write_csv(folder / "shares.csv.gz", SHARES, links)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    path.write_bytes(gzip.compress(_csv(columns, rows), compresslevel=6, mtime=0))


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _ids(prefix: str, count: int, rng: np.random.Generator) -> list[str]:
    """Distinct ids that say nothing of the order."""
    return [f"{prefix}{n:09x}" for n in rng.choice(16**8, count, replace=False) + 16**8]


def _write_segments(
    folder: Path,
    watched: dict[str, Plays],
    audience: Audience,
    viewer_ids: list[str],
    period: Period,
    seed: int,
) -> None:
    """One file for each day, its rows in the order they happened."""
    keys = list(watched)
    plays = list(watched.values())
    shifts = np.cumsum([0, *(len(p.viewer) for p in plays)])
    viewer = np.concatenate([p.viewer for p in plays])
    begins = np.concatenate([p.begins_us for p in plays])
    title = np.repeat(np.arange(len(plays)), [len(p.viewer) for p in plays])
    rng = title_rng(seed, "", "sessions")
    session_ids = pa.array(_ids("s", len(viewer), rng))
    borrowed = rng.random(len(viewer)) < 0.18  # a session on another device than usual
    device = audience.device[viewer]
    device[borrowed] = rng.choice(4, int(borrowed.sum()), p=[0.5, 0.2, 0.2, 0.1])

    session = np.concatenate([p.session + s for p, s in zip(plays, shifts[:-1], strict=True)])
    from_s, to_s, started = (
        np.concatenate([getattr(p, name) for p in plays])
        for name in ("from_s", "to_s", "started_us")
    )
    day = period.day_of(begins)[session]
    order = np.lexsort((session, started, day))
    bounds = np.searchsorted(day[order], np.arange(period.days + 1))
    ids = pa.array(viewer_ids)
    region = pa.array([r or None for r in audience.region], pa.string())
    for number in range(period.days):
        rows = order[bounds[number] : bounds[number + 1]]
        by = session[rows]
        who = viewer[by]
        columns = [
            session_ids.take(pa.array(by)),
            ids.take(pa.array(who)),
            _names(keys, title[by]),
            pa.array(started[rows], pa.timestamp("us", "UTC")),
            pa.array(from_s[rows], pa.int32()),
            pa.array(to_s[rows], pa.int32()),
            _names(DEVICES, device[by]),
            _names(TERRITORIES, audience.territory[who]),
            region.take(pa.array(who)),
            _names(AGES, audience.age[who]),
            _names(GENDERS, audience.gender[who]),
        ]
        table = pa.Table.from_arrays(columns, schema=SEGMENTS)
        name = f"segments.{period.since + timedelta(days=number)}.parquet"
        pq.write_table(table, folder / name, compression="zstd", compression_level=3)


def _names(names: Iterable[str], codes: Ints) -> pa.Array:
    return pa.array(list(names)).take(pa.array(codes))
