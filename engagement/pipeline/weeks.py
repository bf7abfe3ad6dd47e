"""Who watched a title over some weeks: each viewer once, in one cell.

Pure: people rows in (pipeline/people.py), counts of a fixed list of cells out, zeros included.
A viewer's cell is the territory, region, age and gender of the first session of the period, and
the furthest point that of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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
class Watchers:
    """A period's distinct viewers, sorted by hash, and where and how far each of them was.

    `part` is the bin of the furthest point. Of a series there are two: not finished, finished.
    """

    viewers: Viewers
    territory: Sequence[str]
    region: Sequence[str]
    age: Sequence[str]
    gender: Sequence[str]
    part: Ints


def watchers(rows: pa.Table, runtime_s: int, finishers: Viewers | None = None) -> Watchers:
    """The viewers of people rows of any titles and days.

    `finishers` are given for a series, whose viewers have no furthest point.
    """
    viewer = rows["viewer"].to_numpy()
    told = {name: words(rows, name) for name in ("gender", "age_band", "region", "territory")}
    # the first session's row; where two began at one instant, the first by its words
    order = np.lexsort(
        (*(codes for codes, _ in told.values()), rows["first_at"].to_numpy(), viewer)
    )
    opens = _opens(viewer[order])
    first = order[opens]
    distinct = viewer[first]
    if finishers is None:
        furthest = (
            np.maximum.reduceat(rows["furthest_s"].to_numpy()[order].astype(np.int64), opens)
            if len(opens)
            else np.zeros(0, np.int64)
        )
        part = np.minimum(PARTS * furthest // max(runtime_s, 1), PARTS)
    else:
        part = np.isin(distinct, finishers).astype(np.int64)

    def of_first(name: str) -> list[str]:
        codes, known = told[name]
        return [known[code] for code in codes[first].tolist()]

    return Watchers(
        distinct,
        of_first("territory"),
        of_first("region"),
        [_age(a) for a in of_first("age_band")],
        [g if g in GENDERS else UNKNOWN for g in of_first("gender")],
        part,
    )


def _opens(values: Viewers) -> Ints:
    if not len(values):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


def _age(band: str) -> str:
    return band if band in AGES else UNKNOWN


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


def place(who: Watchers, named: Sequence[str]) -> list[str]:
    """Of each viewer the territory it is counted in."""
    known = set(named)
    return [t if t in known else OTHER for t in who.territory]


def demographic_cell(who: Watchers, i: int, territory: str) -> Cell:
    return who.age[i], who.gender[i]


_AREA = {f"CN-{code}": area for area, codes in PROVINCES.items() for code in codes}


def geographic_cell(who: Watchers, i: int, territory: str) -> Cell:
    if territory != "CN":
        return "", territory
    region = who.region[i]
    return (_AREA[region], region) if region in _AREA else ("", UNKNOWN)
