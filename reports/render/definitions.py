"""What each column of a report's tables means, each told once.

A column that stands in several tables is told before them, columns that are alike in one line.
The descriptor in the bundle names every column of every file (bundle.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engagement.families import Column, Resource
from reports.render import wording


@dataclass(frozen=True)
class Meaning:
    """A column, or several that are alike, in the reader's language."""

    name: str
    title: str
    definition: str


@dataclass(frozen=True)
class Table:
    """What a table has of its own, and the headings of the columns it shares with others."""

    name: str
    title: str
    own: tuple[Meaning, ...]
    shared: str


@dataclass(frozen=True)
class Definitions:
    shared: tuple[Meaning, ...]
    tables: tuple[Table, ...]


def definitions(resources: Iterable[Resource], language: str) -> Definitions:
    """Tables and columns in the order of the resources, which differ in their names."""
    chinese = wording.is_chinese(language)
    key, comma = ("zh", "、") if chinese else ("en", ", ")
    told = [(resource, meanings(resource.columns, key)) for resource in resources]
    tables = Counter(meaning for _, of_table in told for meaning in of_table)
    return Definitions(
        shared=tuple(meaning for meaning, number in tables.items() if number > 1),
        tables=tuple(
            Table(
                name=resource.name,
                title=resource.title.get(key, resource.name),
                own=tuple(m for m in of_table if tables[m] == 1),
                shared=comma.join(m.title for m in of_table if tables[m] > 1),
            )
            for resource, of_table in told
        ),
    )


def meanings(columns: Iterable[Column], key: str) -> tuple[Meaning, ...]:
    """The columns' meanings in their order; `key` is "zh" or "en"."""
    told = (column.alike or column for column in columns)
    return tuple(
        dict.fromkeys(
            Meaning(one.name, one.title.get(key, one.name), one.definition.get(key, ""))
            for one in told
        )
    )
