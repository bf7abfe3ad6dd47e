"""Who watched what on which day, unprotected: the pipeline's own, on its own disk.

One row a viewer, territory and device of a title's day, made by the roll-up. Families that count
people over a week, an episode before, or a fan set are counted from these rows; no role of the
web or the reports can reach them. A file holds the titles of one day that one run rolled up, an
Arrow batch each, so that reading one is mapping it; the Release names the file, so that a run
that was killed leaves a file nobody reads.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.db.models import QuerySet
from numpy.typing import NDArray

from engagement.models import Release, Title
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


def write(day: date, tables: Mapping[str, pa.Table]) -> str:
    """Keep the rows of a day's titles, by title_id; titles without rows are left out.

    Returns the name that a Release keeps. Whole or not at all: the file appears under its name
    when it is complete.
    """
    folder = Path(settings.PEOPLE) / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid.uuid4().hex}.arrow"
    fresh = folder / f".{name}.part"
    write_file(fresh, tables)
    with fresh.open("rb") as written:
        os.fsync(written.fileno())
    fresh.replace(folder / name)
    return f"{day.isoformat()}/{name}"


def write_file(path: Path, tables: Mapping[str, pa.Table]) -> None:
    """`write` without a name of its own."""
    titles = sorted(title for title, table in tables.items() if len(table))
    schema = SCHEMA.with_metadata({_TITLES: "\n".join(titles).encode()})
    rows = pa.concat_tables([tables[t].select(SCHEMA.names).cast(SCHEMA) for t in titles])
    rows = rows.unify_dictionaries()  # a file has one for each column
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        at = 0
        for title in titles:
            of_title = rows.slice(at, len(tables[title])).combine_chunks()
            writer.write_batch(of_title.to_batches()[0])
            at += len(of_title)


def read(name: str, title_id: str, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
    """One title's rows of one file. Raises FileNotFoundError, KeyError."""
    with (
        pa.memory_map(str(Path(settings.PEOPLE) / name)) as file,
        pa.ipc.open_file(file) as batches,
    ):
        titles = batches.schema.metadata[_TITLES].decode().split("\n")
        try:
            batch = batches.get_batch(titles.index(title_id))
        except ValueError:
            raise KeyError(title_id) from None
    table = pa.Table.from_batches([batch]).select(columns)
    return table.replace_schema_metadata(None)


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


def of(title: Title, days: Iterable[date]) -> pa.Table:
    """The rows of a title's published days, with a column `day`; days without any add none."""
    tables = []
    for day, name in _files(title).filter(day__in=list(days)):
        table = read(name, title.key)
        tables.append(
            table.append_column("day", pa.repeat(pa.scalar(day, pa.date32()), len(table)))
        )
    if not tables:
        return SCHEMA.append(pa.field("day", pa.date32())).empty_table()
    return pa.concat_tables(tables).unify_dictionaries()
