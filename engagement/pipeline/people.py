"""Who watched what on which day, unprotected: the pipeline's own, on its own disk.

One row a viewer, territory and device of a title's day, made by the roll-up. Families that count
people over a week, an episode before, or a fan set are counted from these rows; no role of the
web or the reports can reach them. A file holds the titles of one day that one run rolled up, an
Arrow batch each, so that one is read alone; the Release names the file, so that a run that was
killed leaves a file nobody reads.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.db.models import QuerySet
from numpy.typing import NDArray

from engagement.models import Release, Title
from engagement.pipeline.partial import bounds_of_titles
from engagement.scope import Window

_WORD = pa.dictionary(pa.int16(), pa.string())

SCHEMA = pa.schema(
    [
        ("viewer", pa.uint64()),  # 63-bit keyed hash, as in sketches.py
        ("territory", _WORD),
        ("device", _WORD),
        ("region", _WORD),  # region, age and gender are those of the first session here
        ("age_band", _WORD),
        ("gender", _WORD),
        ("first_at", pa.int64()),  # microseconds since 1970, UTC
        ("plays", pa.int32()),
        ("watch_seconds", pa.int64()),
        ("completions", pa.int32()),  # more than 0: a finisher
        ("furthest_s", pa.int32()),  # the end of what was played furthest into the title
        ("digest", pa.uint64()),  # of everything played, as sketches.Content adds them up
    ]
)
"""Sorted by viewer, territory, device, which together occur once."""

_TITLES = b"titles"


def write(day: date, rows: pa.Table, titles: Collection[str]) -> dict[str, str]:
    """Keep those of a Partial's people rows that are of `titles`.

    Returns by title_id the name that its Release keeps; a title without rows has none. Whole or
    not at all: the file appears under its name when it is complete.
    """
    held = {t: bounds for t, bounds in bounds_of_titles(rows).items() if t in titles}
    if not held:
        return {}
    folder = Path(settings.PEOPLE) / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid.uuid4().hex}.arrow"
    fresh = folder / f".{name}.part"
    write_file(fresh, rows, held)
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    fresh.replace(folder / name)
    return dict.fromkeys(held, f"{day.isoformat()}/{name}")


def write_file(path: Path, rows: pa.Table, titles: Mapping[str, tuple[int, int]]) -> None:
    """`write` under a given name; `titles` tells which rows are whose."""
    schema = SCHEMA.with_metadata({_TITLES: "\n".join(titles).encode()})
    # a file has one dictionary for each column
    rows = rows.select(SCHEMA.names).unify_dictionaries().combine_chunks().cast(schema)
    (batch,) = rows.to_batches()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for low, high in titles.values():
            writer.write_batch(batch.slice(low, high - low))


def read(name: str, title_id: str, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """One title's rows of one file. Raises FileNotFoundError, KeyError."""
    batches, places = _opened(Path(settings.PEOPLE) / name, tuple(columns))
    return pa.Table.from_batches([batches.get_batch(places[title_id])]).select(columns)


@lru_cache(maxsize=64)
def _opened(
    path: Path, columns: tuple[str, ...]
) -> tuple[pa.ipc.RecordBatchFileReader, Mapping[str, int]]:
    """A file open for some columns, and the place of each title. Its content never changes.

    It is not mapped: what was read of a mapped file counts as the process's memory until it is
    closed, and every title of a week would be read.
    """
    options = pa.ipc.IpcReadOptions(
        included_fields=[SCHEMA.get_field_index(name) for name in columns], use_threads=False
    )
    batches = pa.ipc.open_file(pa.OSFile(str(path)), options=options)
    titles = batches.schema.metadata[_TITLES].decode().split("\n")
    batches.get_batch(0)  # reads the dictionaries, which is not done twice by threads then
    return batches, {title: n for n, title in enumerate(titles)}


def viewers(title: Title, window: Window, *, finished: bool = False) -> NDArray[np.uint64]:
    """The distinct viewers (or finishers) of a title's published days, as sorted hashes."""
    parts = []
    for _, name in _files(title).filter(day__gte=window.since, day__lt=window.until):
        table = read(name, title.key, ("viewer", "completions") if finished else ("viewer",))
        if finished:
            table = table.filter(pc.greater(table["completions"], 0))
        parts.append(table["viewer"].to_numpy())
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.uint64)


def _files(title: Title) -> QuerySet[Release, tuple[date | None, str]]:
    return (
        Release.objects.filter(kind=Release.Kind.SEGMENTS, title=title, state=Release.State.DONE)
        .exclude(people_file="")
        .order_by("day")
        .values_list("day", "people_file")
    )


def of(title: Title, days: Iterable[date], columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """The rows of a title's published days, with a column `day`; days without any add none."""
    tables = []
    for day, name in _files(title).filter(day__in=list(days)):
        table = read(name, title.key, columns)
        tables.append(
            table.append_column("day", pa.repeat(pa.scalar(day, pa.date32()), len(table)))
        )
    if not tables:
        empty = SCHEMA.append(pa.field("day", pa.date32())).empty_table()
        return empty.select([*columns, "day"])
    return pa.concat_tables(tables).unify_dictionaries()
