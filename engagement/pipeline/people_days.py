"""People rows of many titles and days: found with one query, each read once.

people.py keeps the rows and reads one title's day; the families that look at many of them say
here which, and get them one after another, so that what is held is theirs to bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engagement.models import Release
from engagement.pipeline import people


@dataclass(frozen=True)
class TitleDay:
    """One title's published day that has people rows, and the file they are kept in."""

    title_id: int
    key: str
    day: date
    file: str

    def rows(self, columns: Sequence[str] = people.SCHEMA.names) -> pa.Table:
        """Raises what people.read does."""
        return people.read(self.file, self.key, columns)


def published(
    *,
    titles: Collection[int] | None = None,
    days: Collection[date] | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Iterator[TitleDay]:
    """The published days of `titles` (None: of all), by title and day.

    Of `days`, or of [since, until), each end open where it is None.
    """
    found = Release.objects.filter(
        kind=Release.Kind.SEGMENTS, state=Release.State.DONE, day__isnull=False
    ).exclude(people_file="")
    if titles is not None:
        found = found.filter(title_id__in=titles)
    if days is not None:
        found = found.filter(day__in=days)
    if since is not None:
        found = found.filter(day__gte=since)
    if until is not None:
        found = found.filter(day__lt=until)
    for title_id, key, day, file in found.order_by("title_id", "day").values_list(
        "title_id", "title__key", "day", "people_file"
    ):
        assert day is not None
        yield TitleDay(title_id, key, day, file)


def words(rows: pa.Table, column: str) -> tuple[NDArray[np.int64], list[str]]:
    """(code of each row, the word of each code) of a column of words; codes sort as words do."""
    encoded = rows[column].unify_dictionaries().combine_chunks()
    known = encoded.dictionary.to_pylist()
    order = sorted(range(len(known)), key=known.__getitem__)
    rank = np.zeros(len(known), np.int64)
    rank[order] = np.arange(len(known))
    return rank[encoded.indices.to_numpy()], [known[code] for code in order]
