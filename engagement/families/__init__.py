"""What a family is: its resources, their columns, and what each column means.

One file a family. A resource is one table of an answer (a page table, an API resource, a CSV);
most families have one, danmu has its comments beside its counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from engagement.scope import Part, Query

METRIC_VERSION = "3"
"""Raised when a definition changes, so that an old bundle says by which rule it counted."""

# Why a cell is empty.
BELOW_FLOOR = "below_floor"
WAITING = "waiting"
NOT_MEASURED = "not_measured"
TOO_UNCERTAIN = "too_uncertain"
TOO_FEW_PARTNERS = "too_few_partners"
REACHES_OUTSIDE = "reaches_outside"

Cell = int | float | str | date | None


@dataclass(frozen=True)
class Alike:
    """Columns side by side that differ in one number alone: where people read, told once."""

    name: str  # survival_05 … survival_100
    title: Mapping[str, str]
    definition: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """One column: its name in every exit, type, unit, and definition in both languages."""

    name: str
    type: str  # a Frictionless type: integer, number, string, date
    unit: str  # "s", "plays", "viewers", "share", "" ...
    title: Mapping[str, str]  # {"zh": ..., "en": ...}: the heading
    definition: Mapping[str, str]  # {"zh": ..., "en": ...}
    alike: Alike | None = None


@dataclass(frozen=True)
class Resource:
    """One table of a family.

    A derived table names under `computed_from` the families of its rows: each entry is a set of
    families that one granted tuple must hold for the rows computed from them. `family` is then
    where the table stands on pages.
    """

    name: str
    family: str
    title: Mapping[str, str]  # {"zh": ..., "en": ...}
    columns: tuple[Column, ...]
    curve: bool = False  # one row per content second, with grain window|day
    computed_from: tuple[tuple[str, ...], ...] = ()

    @property
    def sources(self) -> tuple[tuple[str, ...], ...]:
        """The sets of families that each open the table, or a part of it."""
        return self.computed_from or ((self.family,),)

    def opened_by(self, families: Collection[str]) -> bool:
        """Whether who may read `families` may ask for the table at all."""
        return any(set(source) <= set(families) for source in self.sources)

    def column_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)


@dataclass(frozen=True)
class Result:
    """The answer to one query.

    `data` is columnar: for each column a list, all of one length; None is an empty cell, and
    `hidden_reason` says why. `asked` and `answered` differ where the question was clipped.
    """

    resource: Resource
    asked: Query
    answered: tuple[Part, ...]
    data: Mapping[str, Sequence[Cell]]
    releases: tuple[str, ...] = ()  # ids of the releases read
    data_through: date | None = None  # last settled day
    hidden_cells: int = 0
    notes: tuple[str, ...] = ()  # codes: clipped, waiting, estimate, provisional ...
    sample: bool = False  # true where a source is marked as sample data
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.data.values()), ()))

    def rows(self) -> Iterator[dict[str, Cell]]:
        names = self.resource.column_names()
        for values in zip(*(self.data[n] for n in names), strict=True):
            yield dict(zip(names, values, strict=True))
