"""A week's people as a noised table, and the rows that may be said of it.

Pure: viewers in, one draw over a fixed list of cells out; every row is a function of the draw
alone. When a week is due and what is stored is publish_people.py's.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engagement.models import DemographicsFact, GeographyFact, NoisedTable
from engagement.pipeline import groups, weeks
from engagement.pipeline.groups import Group
from engagement.pipeline.noise import two_sided_geometric, variance
from engagement.pipeline.weeks import Cell, Watchers
from engagement.scope import ALL

EPSILON = 0.5
"""Of each of a family's two noised sets: one viewer changes one count of each by one."""
SCALE = 1 / EPSILON
MOST_ERROR = 0.02
"""A survival curve is shown where its worst point's 95 % error is under 2 points."""


@dataclass(frozen=True)
class Family:
    """What the two families differ in."""

    name: str
    model: type[DemographicsFact] | type[GeographyFact]
    columns: tuple[str, ...]  # of the model, filled from the last of a group's names
    cells: Callable[[str], tuple[Cell, ...]]
    places: Callable[[Watchers, weeks.Ints, Sequence[str]], weeks.Ints]
    groups: Callable[[Mapping[Cell, int], int], list[Group]]


FAMILIES = (
    Family(
        "demographics",
        DemographicsFact,
        ("age_band", "gender"),
        weeks.demographic_cells,
        weeks.demographic_places,
        groups.demographics,
    ),
    Family(
        "geography",
        GeographyFact,
        ("region",),
        weeks.geographic_cells,
        weeks.geographic_places,
        groups.geography,
    ),
)


@dataclass(frozen=True)
class Noised:
    """One draw: by territory and base cell the viewers, and how far they came."""

    territories: tuple[str, ...]
    cells: Mapping[str, tuple[Cell, ...]]
    viewers: Mapping[str, Mapping[Cell, int]]
    furthest: Mapping[str, Mapping[Cell, tuple[int, ...]]]

    def total(self) -> int:
        """The viewers of all cells: what the rows of `*` add up to."""
        return sum(sum(cells.values()) for cells in self.viewers.values())

    def as_json(self) -> dict[str, Any]:
        return {
            t: [[list(c), self.viewers[t][c], list(self.furthest[t][c])] for c in self.cells[t]]
            for t in self.territories
        }


def from_json(kept: Mapping[str, Any], territories: Sequence[str]) -> Noised:
    cells = {t: tuple((a, b) for (a, b), _, _ in kept[t]) for t in territories}
    return Noised(
        tuple(territories),
        cells,
        {t: {(a, b): n for (a, b), n, _ in kept[t]} for t in territories},
        {t: {(a, b): tuple(f) for (a, b), _, f in kept[t]} for t in territories},
    )


def kept(table: NoisedTable) -> Noised:
    """A draw as it was kept."""
    loaded = json.loads(zlib.decompress(bytes(table.noised)))
    return from_json(loaded, sorted(loaded, key=lambda t: (t == weeks.OTHER, t)))


def noise(family: Family, who: Watchers, named: Sequence[str], *, bins: int) -> Noised:
    """Count the fixed cells, zeros included, and draw."""
    counted = weeks.count(who, named, family.cells, family.places, bins)
    territories = tuple(counted)
    cells = {t: family.cells(t) for t in territories}
    place = {(t, c): i for i, (t, c) in enumerate((t, c) for t in territories for c in cells[t])}
    counts = np.concatenate(list(counted.values()))
    viewers = two_sided_geometric(counts.sum(axis=1), SCALE)
    furthest = two_sided_geometric(counts.ravel(), SCALE).reshape(counts.shape)
    return Noised(
        territories,
        cells,
        {t: {c: int(viewers[place[t, c]]) for c in cells[t]} for t in territories},
        {
            t: {c: tuple(int(n) for n in furthest[place[t, c]]) for c in cells[t]}
            for t in territories
        },
    )


# --- from the noised table alone -----------------------------------------------------------------


def published(
    family: Family, noised: Noised, floor: int, runtime_s: int
) -> Iterator[dict[str, Any]]:
    """The rows of every territory and of `*`, their sum."""
    for territory in noised.territories:
        viewers = {c: noised.viewers[territory][c] for c in noised.cells[territory]}
        furthest = {c: noised.furthest[territory][c] for c in noised.cells[territory]}
        yield from _rows(family, territory, viewers, furthest, floor, runtime_s, terms=1)
    total: dict[Cell, int] = {}
    reach: dict[Cell, tuple[int, ...]] = {}
    for territory in noised.territories:
        for cell in noised.cells[territory]:
            total[cell] = total.get(cell, 0) + noised.viewers[territory][cell]
            before = reach.get(cell, (0,) * len(noised.furthest[territory][cell]))
            reach[cell] = tuple(
                a + b for a, b in zip(before, noised.furthest[territory][cell], strict=True)
            )
    terms = len(noised.territories) if family.name == "demographics" else 1
    yield from _rows(family, ALL, total, reach, floor, runtime_s, terms=terms)


def _rows(
    family: Family,
    territory: str,
    viewers: Mapping[Cell, int],
    furthest: Mapping[Cell, tuple[int, ...]],
    floor: int,
    runtime_s: int,
    *,
    terms: int,
) -> Iterator[dict[str, Any]]:
    for group in family.groups(viewers, floor):
        names = dict(zip(family.columns, group.names[-len(family.columns) :], strict=True))
        count = sum(viewers[c] for c in group.cells)
        row: dict[str, Any] = {"territory": territory, **names, "hidden_reason": ""}
        if count < floor:
            yield {**row, "hidden_reason": "below_floor"}
            continue
        reach = np.sum([furthest[c] for c in group.cells], axis=0)
        finishers, survival, hidden = _how_far(reach, count, runtime_s, terms * len(group.cells))
        yield {
            **row,
            "viewers": count,
            "finishers": finishers,
            "survival": survival,
            "hidden_reason": ";".join(hidden),
        }


def _how_far(
    reach: np.ndarray, viewers: int, runtime_s: int, draws: int
) -> tuple[int | None, list[float] | None, list[str]]:
    """(finishers, survival at 5 to 100 %, what is hidden and why) of one group's histogram."""
    if len(reach) == 2:  # a series: finished or not, and no survival
        return int(min(max(reach[1], 0), viewers)), None, ["survival:not_measured"]
    if not runtime_s:
        return None, None, ["finishers:not_measured", "survival:not_measured"]
    finishers = int(min(max(reach[weeks.FINISHED :].sum(), 0), viewers))
    if worst_error(reach, draws) >= MOST_ERROR:
        return finishers, None, ["survival:too_uncertain"]
    shares = np.cumsum(reach[::-1])[::-1][1:] / reach.sum()
    falling = np.minimum.accumulate(np.clip(shares, 0, 1))
    return finishers, [round(float(s), 4) for s in falling], []


def worst_error(reach: np.ndarray, draws: int) -> float:
    """The 95 % error of the survival curve's worst point, as a share.

    The share p = R / N that came to a point is made of k bins above it and the rest below, each a
    sum of `draws` draws of variance v: var(p) = v draws (k (1-p)^2 + (bins-k) p^2) / N^2 (first
    order). `reach` are the noised counts, so this too is a function of them alone.
    """
    total = float(reach.sum())
    if total <= 0:
        return math.inf
    above = np.cumsum(reach[::-1])[::-1][1:]
    p = np.clip(above / total, 0, 1)
    k = np.arange(len(reach) - 1, 0, -1)
    spread = variance(SCALE) * draws * (k * (1 - p) ** 2 + (len(reach) - k) * p**2)
    return float(1.96 * np.sqrt(spread.max()) / total)
