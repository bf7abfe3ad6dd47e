"""The rows of live Sources as Parquet, and a reporting day's rows counted once.

A Source's rows lie in a folder of its own: segments one file a row's day, danmu one file, and
beside them which titles and days it holds. What the rows add up to is rollup.py's business.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.conf import settings

from engagement.formats.times import days_in

ONE_DAY = timedelta(days=1)
_UNITS = "units.json"


class Missing(Exception):
    """The staged rows of a live Source are gone."""


@dataclass(frozen=True)
class Rows:
    """One title's part of a unit: rows counted once, and what was left out."""

    table: pa.Table
    digest: str
    sources: frozenset[int]
    duplicates: Mapping[int, int]  # by Source
    two_viewers: int
    reaches: date | None = None  # the last day on which one of the sessions played

    def rejected(self) -> dict[str, object]:
        """What was left out, as a Release keeps it."""
        found: dict[str, object] = {}
        if self.duplicates:
            found["duplicate"] = sum(self.duplicates.values())
            found["duplicate_by_source"] = {str(s): n for s, n in self.duplicates.items()}
        if self.two_viewers:
            found["two_viewers"] = self.two_viewers
        return found


def keep(path: Path) -> tuple[str, Path]:
    """Copy a landed file to where its bytes stay reachable: (SHA-256, its place there)."""
    settings.SOURCES.mkdir(parents=True, exist_ok=True)
    fresh = settings.SOURCES / f".{os.getpid()}.part"
    digest = hashlib.sha256()
    with path.open("rb") as source, fresh.open("wb") as copy:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    place = settings.SOURCES / digest.hexdigest()
    fresh.replace(place)
    return digest.hexdigest(), place


def _folder(source: int) -> Path:
    return Path(settings.STAGING) / str(source)


def stage(source: int, kind: str, table: pa.Table) -> None:
    """Write a Source's good rows. Either all of them are there afterwards or none."""
    folder = _folder(source)
    fresh = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    table = table.append_column("source", pa.repeat(pa.scalar(source, pa.int64()), len(table)))
    if kind == "segments":
        units = _stage_segments(fresh, table)
    else:
        _write(table, fresh / "danmu.parquet")
        counts = table["title_id"].value_counts().to_pylist()
        units = {c["values"]: {"": c["counts"]} for c in counts}
    (fresh / _UNITS).write_text(json.dumps(units, ensure_ascii=False, sort_keys=True))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _stage_segments(folder: Path, table: pa.Table) -> dict[str, dict[str, int]]:
    instants = pc.cast(table["started_at"], pa.int64()).to_numpy()
    days = days_in(ZoneInfo(settings.TIME_ZONE), instants)
    table = table.append_column("day", pa.array(days.astype(np.int32)).cast(pa.date32()))
    units: dict[str, dict[str, int]] = {}
    for number in np.unique(days):
        of_day = table.filter(pa.array(days == number))
        day = (date(1970, 1, 1) + timedelta(days=int(number))).isoformat()
        _write(of_day, folder / f"{day}.parquet")
        for count in of_day["title_id"].value_counts().to_pylist():
            units.setdefault(count["values"], {})[day] = count["counts"]
    return units


def _write(table: pa.Table, path: Path) -> None:
    """Times are written as UTC without a zone: DuckDB reads a zone by an extension only."""
    for number, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            plain = table[column.name].cast(pa.timestamp("us"))
            table = table.set_column(number, column.name, plain)
    pq.write_table(table, path, compression="zstd", compression_level=1)


def units(source: int) -> dict[str, dict[str, int]]:
    """How many rows a Source has by title_id and day ("" for danmu). Raises Missing."""
    try:
        found: dict[str, dict[str, int]] = json.loads((_folder(source) / _UNITS).read_text())
    except FileNotFoundError:
        raise Missing(
            f"the staged rows of source {source} are gone from {settings.STAGING}: withdraw its "
            "name and ingest the file again"
        ) from None
    return found


def join(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables)


# The rows of all Sources are ordered by (Source, line) in one integer: 2**40 lines a Source.
_SEGMENTS = """
WITH landed AS (
    SELECT *, source * 1099511627776 + line AS place
    FROM read_parquet(?)
    WHERE title_id IN (SELECT unnest(?::text[]))
),
-- A row counts once; of several the Source landed last, then the last line.
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY title_id, session_id, started_at, from_s, to_s
        ORDER BY place DESC
    ) AS copy
    FROM landed
),
-- A session belongs to the day of its first row: it is this day's where it has rows on it and
-- none on the day before, and goes on while each following day has some.
days_played AS (
    SELECT DISTINCT title_id, session_id, day FROM landed
),
begun AS (
    SELECT today.title_id, today.session_id
    FROM days_played AS today
    ANTI JOIN days_played AS before
        ON before.title_id = today.title_id
        AND before.session_id = today.session_id
        AND before.day = today.day - 1
    WHERE today.day = ?
),
numbered AS (
    SELECT title_id, session_id, day,
        day - row_number() OVER (
            PARTITION BY title_id, session_id ORDER BY day
        )::int AS stretch
    FROM days_played SEMI JOIN begun USING (title_id, session_id)
    WHERE day >= ?
),
ours AS (
    SELECT n.title_id, n.session_id, n.day
    FROM numbered AS n
    JOIN numbered AS first ON first.day = ?
        AND first.title_id = n.title_id
        AND first.session_id = n.session_id
        AND first.stretch = n.stretch
)
SELECT source, place AS line, session_id, viewer_id, title_id, started_at, from_s, to_s,
    device, territory, day, copy,
    first_value(viewer_id) OVER (
        PARTITION BY title_id, session_id ORDER BY copy > 1, started_at, place
    ) AS first_viewer
FROM ranked JOIN ours USING (title_id, session_id, day)
ORDER BY title_id, session_id, started_at, line
"""


def segments_of(day: date, titles: Collection[str], sources: Iterable[int]) -> dict[str, Rows]:
    """The rows of the sessions that began on `day`, by title_id; titles without any are absent.

    `sources` are the live ones. A session that is silent for a whole reporting day and goes on
    after it counts as a new one. Raises Missing.
    """
    sources = sorted(sources)
    until = day + 2 * ONE_DAY  # one day more than most sessions need saves asking twice
    while True:
        table = _query_segments(day, until, titles, sources)
        if table is None:
            return {}
        reaches = pc.max(table["day"]).as_py() if len(table) else day
        if reaches < until:
            break
        until = reaches + ONE_DAY
    return _by_title(table)


def _query_segments(
    day: date, until: date, titles: Collection[str], sources: list[int]
) -> pa.Table | None:
    days = [day + ONE_DAY * n for n in range(-1, (until - day).days + 1)]
    files = [
        str(path)
        for source in sources
        for d in days
        if (path := _folder(source) / f"{d.isoformat()}.parquet").exists()
    ]
    if not files:
        return None
    with _duckdb() as db:
        return db.sql(_SEGMENTS, params=[files, list(titles), day, day, day]).to_arrow_table()


def _duckdb() -> duckdb.DuckDBPyConnection:
    """A connection that fetches no extension: it would try to from the network."""
    return duckdb.connect(
        config={
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


def _by_title(table: pa.Table) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for title, part in _slices(table):
        copies = pc.greater(part["copy"], 1)
        duplicates = part.filter(copies)["source"].value_counts().to_pylist()
        once = part.filter(pc.invert(copies))
        same = pc.equal(once["viewer_id"], once["first_viewer"])
        kept = once.filter(same)
        columns = ["session_id", "viewer_id", "started_at", "from_s", "to_s", "device", "territory"]
        found[title] = Rows(
            table=kept,
            digest=_digest(kept.select(columns)),
            sources=frozenset(pc.unique(part["source"]).to_pylist()),
            duplicates={d["values"]: d["counts"] for d in duplicates},
            two_viewers=len(once) - len(kept),
            reaches=pc.max(part["day"]).as_py(),
        )
    return found


def _slices(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """A table sorted by title_id, cut by it."""
    if not len(table):
        return []
    codes = table["title_id"].combine_chunks().dictionary_encode()
    numbers = codes.indices.to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(table)]
    return [
        (codes.dictionary[int(numbers[low])].as_py(), table.slice(low, high - low))
        for low, high in pairwise(edges)
    ]


def _digest(table: pa.Table) -> str:
    """SHA-256 over the values of a sorted table."""
    digest = hashlib.sha256()
    for column in table.combine_chunks().columns:
        # A slice keeps its parent's buffers: take makes buffers of its own.
        whole = pc.take(column, pa.array(np.arange(len(column)))).combine_chunks()
        chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        for chunk in chunks:
            for buffer in chunk.buffers():
                digest.update(b"|" if buffer is None else buffer)
    return digest.hexdigest()


_DANMU = """
WITH landed AS (
    SELECT *, source * 1099511627776 + line AS place
    FROM read_parquet(?)
    WHERE title_id = ?
),
ranked AS (
    SELECT *,
        CASE WHEN row_key IS NULL
            THEN row_number() OVER (
                PARTITION BY offset_s, posted_at, sender_id, text, row_key IS NULL
                ORDER BY place DESC
            )
            ELSE row_number() OVER (PARTITION BY row_key ORDER BY place DESC)
        END AS copy
    FROM landed
)
SELECT source, place AS line, offset_s, posted_at, day, text, sender_id, likes, territory,
    deleted_at, title_id, copy
FROM ranked
ORDER BY day, offset_s NULLS LAST, posted_at, sender_id, text, line
"""


def danmu_of(title: str, sources: Iterable[int]) -> Rows:
    """A title's live comments over all `sources`; a row counts once by its source row id where
    the file's ids are whole and distinct, else by offset, time, sender and text.

    Deleted comments are left out. Raises Missing.
    """
    files = [str(_folder(source) / "danmu.parquet") for source in sorted(sources)]
    if not files:
        return NO_ROWS
    with _duckdb() as db:
        table = db.sql(_DANMU, params=[files, title]).to_arrow_table()
    copies = pc.greater(table["copy"], 1)
    duplicates = table.filter(copies)["source"].value_counts().to_pylist()
    once = table.filter(pc.invert(copies))
    live = once.filter(pc.is_null(once["deleted_at"]))
    columns = ["offset_s", "posted_at", "day", "text", "sender_id", "likes", "territory"]
    return Rows(
        table=live,
        digest=_digest(live.select(columns)),
        sources=frozenset(pc.unique(table["source"]).to_pylist()),
        duplicates={d["values"]: d["counts"] for d in duplicates},
        two_viewers=0,
    )


NO_ROWS = Rows(pa.table({}), _digest(pa.table({})), frozenset(), {}, 0)
