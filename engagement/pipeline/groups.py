"""Noised cells merged until each may be shown: a partition, with no remainder.

Pure, and a function of noised numbers alone: nothing here sees a true count. Ages are merged with
their neighbours, provinces to what is left of their greater area, areas to the rest of the
country. What a merged cell is made of stands in its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engagement.pipeline.weeks import AGES, GENDERS, PROVINCES, UNKNOWN, Cell

ALL = "*"


@dataclass(frozen=True)
class Group:
    """One cell to show: its two names and the base cells it is made of."""

    names: tuple[str, str]
    cells: tuple[Cell, ...]


Counts = Mapping[Cell, int]


def demographics(counts: Counts, floor: int) -> list[Group]:
    """Ages by gender at twice the floor, or what comes closest to it.

    One gender as a whole needs the floor. `unknown` below it stands with the larger of the two
    others; where one of those is below it too, ages are shown for all genders together.
    """
    genders = _genders(counts, floor)
    if genders is None:
        return [
            Group((_ages(ages), ALL), tuple((a, g) for a in ages for g in GENDERS))
            for ages in _age_groups(counts, GENDERS, floor)
        ]
    return [
        Group((_ages(ages), "|".join(part)), tuple((a, g) for a in ages for g in part))
        for part in genders
        for ages in _age_groups(counts, part, 2 * floor)
    ]


def _genders(counts: Counts, floor: int) -> list[tuple[str, ...]] | None:
    total = {g: sum(counts[a, g] for a in AGES) for g in GENDERS}
    if min(total["female"], total["male"]) < floor:
        return None
    if total[UNKNOWN] >= floor:
        return [(g,) for g in GENDERS]
    larger = "female" if total["female"] > total["male"] else "male"
    if total[larger] + total[UNKNOWN] < floor:
        return None  # noise may have made unknown negative
    return [(g, UNKNOWN) if g == larger else (g,) for g in ("female", "male")]


def _age_groups(counts: Counts, genders: Sequence[str], floor: int) -> list[tuple[str, ...]]:
    """Neighbouring ages, each at the floor, the smallest joined to its smaller neighbour first."""
    groups = [[age] for age in AGES]

    def size(group: Sequence[str]) -> int:
        return sum(counts[a, g] for a in group for g in genders)

    while len(groups) > 1 and min(map(size, groups)) < floor:
        at = min(range(len(groups)), key=lambda i: (size(groups[i]), i))
        beside = [i for i in (at - 1, at + 1) if 0 <= i < len(groups)]
        other = min(beside, key=lambda i: (size(groups[i]), i))
        low = min(at, other)
        groups[low : low + 2] = [groups[low] + groups[low + 1]]
    return [tuple(g) for g in groups]


def _ages(ages: Sequence[str]) -> str:
    """`18-30`, `41+`, `51+|unknown`; `*` for all."""
    if len(ages) == len(AGES):
        return ALL
    known = [a for a in ages if a != UNKNOWN]
    last = [UNKNOWN] if UNKNOWN in ages else []
    if not known:
        return UNKNOWN
    first = known[0].split("-")[0].removesuffix("+")
    end = known[-1]
    span = f"{first}+" if end.endswith("+") else f"{first}-{end.split('-')[1]}"
    return "|".join([span, *last])


def geography(counts: Counts, floor: int) -> list[Group]:
    """Provinces at the floor; the others of their area together; small areas together."""
    countries = [cell for cell in counts if not cell[0]]
    shown: list[Group] = []
    rest: list[Cell] = []
    for area, codes in PROVINCES.items():
        cells = [(area, f"CN-{code}") for code in codes if (area, f"CN-{code}") in counts]
        if not cells:
            continue
        groups, left = _area(area, cells, counts, floor)
        shown += groups
        rest += left
    for cell in countries:
        if counts[cell] >= floor:
            shown.append(Group((ALL, cell[1]), (cell,)))
        else:
            rest.append(cell)
    return _with_rest(shown, rest, counts, floor)


def _area(
    area: str, cells: Sequence[Cell], counts: Counts, floor: int
) -> tuple[list[Group], list[Cell]]:
    """(what is shown of an area, what is left for the rest of the country)."""
    small = [c for c in cells if counts[c] < floor]
    large = sorted((c for c in cells if counts[c] >= floor), key=lambda c: (counts[c], c))
    while small and sum(counts[c] for c in small) < floor and large:
        small.append(large.pop(0))
    single = [Group((ALL, region), ((a, region),)) for a, region in cells if (a, region) in large]
    if not small:
        return single, []
    if sum(counts[c] for c in small) < floor:
        return single, list(small)
    name = f"CN-{area}" if len(small) == len(cells) else f"CN-{area}-rest"
    return [*single, Group((ALL, name), tuple(sorted(small)))], []


def _with_rest(shown: list[Group], rest: list[Cell], counts: Counts, floor: int) -> list[Group]:
    if not rest:
        return shown
    shown = sorted(shown, key=lambda g: (sum(counts[c] for c in g.cells), g.names))
    while sum(counts[c] for c in rest) < floor and shown:
        rest += shown.pop(0).cells
    if not shown:
        return [Group((ALL, ALL), tuple(sorted(rest)))]
    return [*shown, Group((ALL, "rest"), tuple(sorted(rest)))]
