"""Who watched a title over some weeks: each viewer once, in one cell.

Pure: people rows in (pipeline/people.py), counts of a fixed list of cells out, zeros included.
A viewer's cell is the territory, region, age and gender of the first session of the period, and
the furthest point that of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engagement.pipeline.kernel.viewers import each_viewer
from engagement.pipeline.people_days import words

OTHER = "other"
UNKNOWN = "unknown"

AGES = ("18-24", "25-30", "31-35", "36-40", "41-50", "51+", UNKNOWN)
"""Under-18s are inside `unknown`."""
GENDERS = ("female", "male", UNKNOWN)

PROVINCES = {
    "north": ("BJ", "TJ", "HE", "SX", "NM"),
    "northeast": ("LN", "JL", "HL"),
    "east": ("SH", "JS", "ZJ", "AH", "FJ", "JX", "SD"),
    "central": ("HA", "HB", "HN"),
    "south": ("GD", "GX", "HI"),
    "southwest": ("CQ", "SC", "GZ", "YN", "XZ"),
    "northwest": ("SN", "GS", "QH", "NX", "XJ"),
}
"""The seven greater areas of mainland China, by ISO 3166-2 code without its `CN-`."""

PARTS = 20
BINS = PARTS + 1
"""Furthest points: twenty parts of the runtime, and its very end."""
FINISHED = 18
"""The first part of those who reached 90 %."""

Ints = NDArray[np.int64]
Viewers = NDArray[np.uint64]


@dataclass(frozen=True)
class Coded:
    """A word of each viewer: its place among `words`, of which some may not occur."""

    codes: Ints
    words: Sequence[str]

    @classmethod
    def of(cls, words: Sequence[str]) -> Coded:
        known = sorted(set(words))
        return cls(np.array([known.index(word) for word in words], np.int64), known)

    def __iter__(self) -> Iterator[str]:
        return (self.words[code] for code in self.codes.tolist())

    def among(self, place: Callable[[str], int]) -> Ints:
        """What `place` says of each viewer's word."""
        return np.array([place(word) for word in self.words], np.int64)[self.codes]


@dataclass(frozen=True)
class Watchers:
    """A period's distinct viewers, sorted by hash, and where and how far each of them was.

    `part` is the bin of the furthest point. Of a series there are two: not finished, finished.
    """

    viewers: Viewers
    territory: Coded
    region: Coded
    age: Coded
    gender: Coded
    part: Ints


def watchers(rows: pa.Table, runtime_s: int, finishers: Viewers | None = None) -> Watchers:
    """The viewers of people rows of any titles and days.

    `finishers` are given for a series, whose viewers have no furthest point.
    """
    told = {name: words(rows, name) for name in _WORDS}
    widths = {name: len(known).bit_length() for name, (_, known) in told.items()}
    joined = np.zeros(len(rows), np.int64)
    for name, (codes, _) in told.items():
        joined = (joined << widths[name]) | codes
    columns = (rows[name].to_numpy() for name in ("first_at", "furthest_s"))
    distinct, left, furthest = each_viewer(rows["viewer"].to_numpy(), joined, *columns)
    coded = {}
    for name in reversed(_WORDS):
        coded[name] = Coded(left & ((1 << widths[name]) - 1), told[name][1])
        left = left >> widths[name]
    if finishers is None:
        part = np.minimum(PARTS * furthest // max(runtime_s, 1), PARTS)
    else:
        part = np.isin(distinct, finishers).astype(np.int64)
    return Watchers(
        distinct,
        territory=coded["territory"],
        region=coded["region"],
        age=coded["age_band"],
        gender=coded["gender"],
        part=part,
    )


_WORDS = ("territory", "region", "age_band", "gender")
COLUMNS = ("viewer", *_WORDS, "first_at", "furthest_s")
"""Of people rows those that are looked at here."""


# --- the fixed cells ---------------------------------------------------------------------------

Cell = tuple[str, str]
"""(age, gender), or (area, region): the area of a province, else empty."""


def territories(named: Sequence[str]) -> tuple[str, ...]:
    """The territories a title is counted by: those of its holdings, and the rest together."""
    return (*sorted(named), OTHER)


def demographic_cells(territory: str) -> tuple[Cell, ...]:
    return tuple((age, gender) for age in AGES for gender in GENDERS)


def geographic_cells(territory: str) -> tuple[Cell, ...]:
    """The provinces of mainland China and `unknown`; elsewhere the country as a whole."""
    if territory != "CN":
        return (("", territory),)
    known = tuple((area, f"CN-{code}") for area, codes in PROVINCES.items() for code in codes)
    return (*known, ("", UNKNOWN))


def places(who: Watchers, named: Sequence[str]) -> Ints:
    """Of each viewer the place among `territories` of the one it is counted in."""
    at = {territory: n for n, territory in enumerate(territories(named))}
    return who.territory.among(lambda word: at.get(word, at[OTHER]))


def demographic_places(who: Watchers, where: Ints, named: Sequence[str]) -> Ints:
    """Of each viewer the place of its cell among `demographic_cells`."""
    ages, genders = _known(AGES), _known(GENDERS)
    return who.age.among(ages) * len(GENDERS) + who.gender.among(genders)


def _known(words: Sequence[str]) -> Callable[[str], int]:
    return lambda word: words.index(word if word in words else UNKNOWN)


def geographic_places(who: Watchers, where: Ints, named: Sequence[str]) -> Ints:
    """Of each viewer the place of its cell among `geographic_cells` of its territory."""
    if "CN" not in named:
        return np.zeros(len(where), np.int64)
    at = {region: n for n, (_, region) in enumerate(geographic_cells("CN"))}
    places = who.region.among(lambda region: at.get(region, at[UNKNOWN]))
    return np.where(where == territories(named).index("CN"), places, 0)


def count(
    who: Watchers,
    named: Sequence[str],
    cells: Callable[[str], Sequence[Cell]],
    places_of: Callable[[Watchers, Ints, Sequence[str]], Ints],
    bins: int,
) -> dict[str, Ints]:
    """By territory, (cells, bins): how many viewers of each cell came how far."""
    where = places(who, named)
    sizes = {territory: len(cells(territory)) for territory in territories(named)}
    ends = np.cumsum([0, *sizes.values()])
    at = ends[where] + places_of(who, where, named)
    counts = np.bincount(at * bins + who.part, minlength=ends[-1] * bins).reshape(-1, bins)
    return {t: counts[ends[n] : ends[n + 1]] for n, t in enumerate(sizes)}
