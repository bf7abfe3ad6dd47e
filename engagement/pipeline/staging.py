"""The rows of live Sources as Parquet.

A Source's rows lie in a folder of its own: segments one file a row's day, other kinds one file, and
beside them which titles and days it holds. Ids of viewers and sessions end here: segments are
staged with keyed hashes. What the rows add up to is engine.py's and rollup.py's business.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.conf import settings
from numpy.typing import NDArray

from engagement.formats.times import days_in
from engagement.pipeline import session_index
from engagement.pipeline.sketches import hash_ids, hash_viewers

ONE_DAY = timedelta(days=1)
WORDS = ("title_id", "device", "territory", "region", "age_band", "gender")
"""The columns of staged segments that are dictionaries."""
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

    def rejected(self) -> dict[str, object]:
        """What was left out, as a Release keeps it."""
        found: dict[str, object] = {}
        if self.duplicates:
            found["duplicate"] = sum(self.duplicates.values())
            found["duplicate_by_source"] = {str(s): n for s, n in self.duplicates.items()}
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
        units = _stage_segments(fresh, without_ids(table))
    else:
        if kind == "shares":
            table = table.drop_columns(["sharer_id"])  # nothing counts sharers
        _write(table, fresh / f"{kind}.parquet")
        counts = table["title_id"].value_counts().to_pylist()
        units = {c["values"]: {"": c["counts"]} for c in counts}
    (fresh / _UNITS).write_text(json.dumps(units, ensure_ascii=False, sort_keys=True))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def without_ids(table: pa.Table) -> pa.Table:
    """Segments with hashes for ids and dictionaries for words: who it was ends here."""
    key = settings.PUBLISHER_KEY
    table = _hashed(table, "session_id", hash_ids(_distinct(table["session_id"]), key))
    table = _hashed(table, "viewer_id", hash_viewers(_distinct(table["viewer_id"]), key))
    for name in WORDS:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].combine_chunks().dictionary_encode())
    return table


def _distinct(column: pa.ChunkedArray) -> list[str]:
    ids: list[str] = column.combine_chunks().dictionary_encode().dictionary.to_pylist()
    return ids


def _hashed(table: pa.Table, name: str, hashes: NDArray[np.uint64]) -> pa.Table:
    """The column with its distinct values, in the order they are met, replaced by `hashes`."""
    codes = table[name].combine_chunks().dictionary_encode().indices.to_numpy()
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(hashes[codes]))


def _stage_segments(folder: Path, table: pa.Table) -> dict[str, dict[str, int]]:
    instants = pc.cast(table["started_at"], pa.int64()).to_numpy()
    days = days_in(ZoneInfo(settings.TIME_ZONE), instants)
    table = table.append_column("day", pa.array(days.astype(np.int32)).cast(pa.date32()))
    units: dict[str, dict[str, int]] = {}
    for number in np.unique(days):
        of_day = table.filter(pa.array(days == number))
        day = (date(1970, 1, 1) + timedelta(days=int(number))).isoformat()
        session_index.write(_plain_times(of_day), folder / f"{day}.parquet")
        for count in of_day["title_id"].value_counts().to_pylist():
            units.setdefault(count["values"], {})[day] = count["counts"]
    return units


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(_plain_times(table), path, compression="zstd", compression_level=1)


def _plain_times(table: pa.Table) -> pa.Table:
    """Times are written as UTC without a zone: DuckDB reads a zone by an extension only."""
    for number, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            plain = table[column.name].cast(pa.timestamp("us"))
            table = table.set_column(number, column.name, plain)
    return table


def is_staged(source: int) -> bool:
    return (_folder(source) / _UNITS).exists()


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


def segment_files(source: int, day: date) -> Path | None:
    """Where a Source's segments of one reporting day are staged, if it has any."""
    path = _folder(source) / f"{day.isoformat()}.parquet"
    return path if path.exists() else None


def _duckdb() -> duckdb.DuckDBPyConnection:
    """A connection that fetches no extension: it would try to from the network."""
    return duckdb.connect(
        config={
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


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


_LANDED = """
WITH landed AS (
    SELECT *, source * 1099511627776 + line AS place  -- 2^40: in the order of landing
    FROM read_parquet(?)
    WHERE title_id = ?
),"""
_DANMU = """
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
    columns = ["offset_s", "posted_at", "day", "text", "sender_id", "likes", "territory"]
    return _rows(_DANMU, "danmu", title, sources, columns)


_DISCUSSION = """
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY post_id ORDER BY place DESC) AS copy
    FROM landed
)
SELECT source, place AS line, post_id, parent_id, day, text, likes, author_id, territory,
    deleted_at, copy
FROM ranked
ORDER BY day, post_id, line
"""


def discussion_of(title: str, sources: Iterable[int]) -> Rows:
    """A title's live posts over all `sources`; a row counts once by post_id.

    An id is one of its title: the same under another title is another post. Deleted
    posts are left out. Raises Missing.
    """
    columns = ["post_id", "parent_id", "day", "text", "likes", "author_id", "territory"]
    return _rows(_DISCUSSION, "discussion", title, sources, columns)


_SHARES = """
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY share_id ORDER BY place DESC) AS copy
    FROM landed
)
SELECT source, place AS line, share_id, day, channel, offset_s, visits, new_viewers, territory,
    NULL::timestamp AS deleted_at, copy
FROM ranked
ORDER BY day, share_id, line
"""
_SHARE_COLUMNS = ["share_id", "day", "channel", "offset_s", "visits", "new_viewers", "territory"]


def shares_of(title: str, sources: Iterable[int]) -> Rows:
    """A title's shares over all `sources`; of one share_id the row landed last.

    An id is one of its title, as with posts. Raises Missing.
    """
    return _rows(_SHARES, "shares", title, sources, _SHARE_COLUMNS)


def shares_by_day(rows: Rows) -> dict[date, tuple[str, int]]:
    """The digest and the number of a title's shares of each day."""
    if not len(rows.table):
        return {}
    found = {}
    for day in pc.unique(rows.table["day"]).to_pylist():
        of_day = rows.table.filter(pc.equal(rows.table["day"], day))
        found[day] = (_digest(of_day.select(_SHARE_COLUMNS)), len(of_day))
    return found


def _rows(sql: str, kind: str, title: str, sources: Iterable[int], columns: list[str]) -> Rows:
    """The rows of the newest copies that are not deleted; `columns` make the digest.

    `sql` ranks the copies of the rows `landed`.
    """
    files = [str(_folder(source) / f"{kind}.parquet") for source in sorted(sources)]
    if not files:
        return NO_ROWS
    try:
        with _duckdb() as db:
            table = db.sql(_LANDED + sql, params=[files, title]).to_arrow_table()
    except duckdb.IOException as error:
        raise Missing(f"staged rows of {kind} are gone: {error}") from error
    copies = pc.greater(table["copy"], 1)
    duplicates = table.filter(copies)["source"].value_counts().to_pylist()
    once = table.filter(pc.invert(copies))
    live = once.filter(pc.is_null(once["deleted_at"]))
    return Rows(
        table=live,
        digest=_digest(live.select(columns)),
        sources=frozenset(pc.unique(table["source"]).to_pylist()),
        duplicates={d["values"]: d["counts"] for d in duplicates},
    )


NO_ROWS = Rows(pa.table({}), _digest(pa.table({})), frozenset(), {})
