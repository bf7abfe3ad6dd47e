"""Attackers on demographics and geography: what they learn stays within the ledger's epsilon.

The attackers know everything but the victim: all other viewers' cells, every draw, exact totals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from engagement.pipeline.noise import variance
from engagement.pipeline.people_tables import (
    EPSILON,
    FAMILIES,
    SCALE,
    Family,
    Noised,
    noise,
    published,
)
from engagement.pipeline.publish_people import MOST_DRAWS
from engagement.pipeline.weeks import Cell, Coded, Watchers

DEMOGRAPHICS, GEOGRAPHY = FAMILIES
WORLDS = 300
"""Draws of each of the two worlds an attacker tells apart."""
BY_CHANCE = 3 / (2 * np.sqrt(2 * WORLDS))
"""Three standard deviations of a share of right guesses, at most."""

Viewer = tuple[str, str, str, str, int]
"""territory, region, age, gender, whether finished"""
VICTIM: Viewer = ("SG", "", "51+", "female", 1)
BACKGROUND: list[Viewer] = [
    *[("CN", "CN-SH", "25-30", "female", 1)] * 300,
    *[("CN", "CN-BJ", "18-24", "male", 0)] * 200,
    *[("CN", "CN-XZ", "41-50", "male", 0)] * 12,
    *[("SG", "", "31-35", "male", 0)] * 70,
    *[("SG", "", "51+", "female", 0)] * 2,
    *[("JP", "", "18-24", "female", 0)] * 30,
]
NAMED = ("CN", "SG")


def who(viewers: list[Viewer]) -> Watchers:
    *words, part = zip(*viewers, strict=True)
    hashes = np.arange(len(viewers), dtype=np.uint64)
    return Watchers(hashes, *map(Coded.of, words), np.array(part, np.int64))


def drawn(family: Family, viewers: list[Viewer]) -> Noised:
    return noise(family, who(viewers), NAMED, bins=2)


def log_likelihood(seen: NDArray[np.int64], count: int) -> float:
    return float(-np.abs(seen - count).sum() / SCALE)


def told_by(noised: Noised, cell: Cell, fans: Counter[int]) -> float:
    """The log likelihood of one cell of both sets, given its true viewers by finished or not."""
    viewers = np.array(noised.viewers["SG"][cell])
    reach = np.array(noised.furthest["SG"][cell])
    return log_likelihood(viewers, fans.total()) + sum(
        log_likelihood(reach[part], fans[part]) for part in (0, 1)
    )


def right_guesses(
    ratio: Callable[[list[Viewer]], float], worlds: tuple[list[Viewer], ...]
) -> float:
    """Of the most powerful test there is: the likelihood ratio, at its best threshold."""
    here, away = (np.array([ratio(world) for _ in range(WORLDS)]) for world in worlds)
    levels = np.unique([here, away])
    return max(float((here >= x).mean() + (away < x).mean()) / 2 for x in levels)


def most(epsilon: float) -> float:
    return float(np.exp(epsilon) / (1 + np.exp(epsilon)))


@pytest.mark.parametrize(
    ("what", "draws"),
    [("one release", 1), ("two partners pool two titles", 2), ("older releases kept", MOST_DRAWS)],
)
def test_whether_one_viewer_watched_is_told_no_better_than_the_ledger_says(
    what: str, draws: int
) -> None:
    cell, others = ("51+", "female"), Counter({0: 2})
    with_victim = others + Counter({1: 1})

    def ratio(world: list[Viewer]) -> float:
        tables = [drawn(DEMOGRAPHICS, world) for _ in range(draws)]
        return sum(told_by(t, cell, with_victim) - told_by(t, cell, others) for t in tables)

    guesses = right_guesses(ratio, ([*BACKGROUND, VICTIM], BACKGROUND))
    assert 0.55 < guesses <= most(draws * 2 * EPSILON) + BY_CHANCE, what


def test_both_families_together_cost_the_sum() -> None:
    others = Counter({0: 2})
    with_victim = others + Counter({1: 1})
    lands = Counter({0: 72})

    def ratio(world: list[Viewer]) -> float:
        ages, places = drawn(DEMOGRAPHICS, world), drawn(GEOGRAPHY, world)
        return (
            told_by(ages, ("51+", "female"), with_victim)
            - told_by(ages, ("51+", "female"), others)
            + told_by(places, ("", "SG"), lands + Counter({1: 1}))
            - told_by(places, ("", "SG"), lands)
        )

    guesses = right_guesses(ratio, ([*BACKGROUND, VICTIM], BACKGROUND))
    assert 0.55 < guesses <= most(4 * EPSILON) + BY_CHANCE


def test_with_exact_totals_which_cell_a_viewer_is_in_costs_twice() -> None:
    """`viewing` tells that somebody watched; what is left to learn is a change of two cells."""
    moved: Viewer = ("SG", "", "18-24", "male", 1)
    old, young = ("51+", "female"), ("18-24", "male")
    one, two = Counter({0: 2}), Counter({0: 2, 1: 1})

    def ratio(world: list[Viewer]) -> float:
        table = drawn(DEMOGRAPHICS, world)
        here = told_by(table, old, two) + told_by(table, young, Counter())
        return here - told_by(table, old, one) - told_by(table, young, Counter({1: 1}))

    guesses = right_guesses(ratio, ([*BACKGROUND, VICTIM], [*BACKGROUND, moved]))
    assert 0.55 < guesses <= most(4 * EPSILON) + BY_CHANCE


# --- a linear program over everything that is published ----------------------------------------

FLOOR = 50


def sums(family: Family, noised: Noised) -> list[tuple[list[tuple[str, Cell]], int]]:
    """Every published count and the base cells it is the sum of, as the names of its row say.

    Countries that `*` shows by their own name are those of the territories' rows.
    """
    found = []
    base = [(t, c) for t in noised.territories for c in noised.cells[t]]
    for territory in (*noised.territories, "*"):
        within = [(t, c) for t, c in base if territory in (t, "*")]
        counts: Counter[Cell] = Counter()
        for t, c in within:
            counts[c] += noised.viewers[t][c]
        for group in family.groups({c: counts[c] for _, c in within}, FLOOR):
            total = sum(counts[c] for c in group.cells)
            if total >= FLOOR:
                found.append(([(t, c) for t, c in within if c in group.cells], total))
    return found


def interval(
    family: Family, noised: Noised, target: tuple[str, Cell], total: int
) -> tuple[float, float]:
    """What a target cell can be, each published sum being within its own 90 % of the truth."""
    base = [(t, c) for t in noised.territories for c in noised.cells[t]]
    place = {cell: i for i, cell in enumerate(base)}
    rows = sums(family, noised)
    matrix = np.zeros((len(rows), len(base)))
    for i, (cells, _) in enumerate(rows):
        matrix[i, [place[c] for c in cells]] = 1
    seen = np.array([count for _, count in rows])
    width = 1.645 * np.sqrt(variance(SCALE) * matrix.sum(axis=1))
    goal = np.zeros(len(base))
    goal[place[target]] = 1
    for _ in range(20):
        ends = [
            linprog(
                sign * goal,
                A_ub=np.vstack([matrix, -matrix]),
                b_ub=np.concatenate([seen + width, width - seen]),
                A_eq=np.ones((1, len(base))),
                b_eq=[total],
            )
            for sign in (1, -1)
        ]
        if all(end.success for end in ends):
            return ends[0].fun, -ends[1].fun
        width = width * 1.25
    raise AssertionError("no truth fits what was published")


@pytest.mark.parametrize(
    ("family", "target", "true"),
    [
        (DEMOGRAPHICS, ("SG", ("51+", "female")), 2),
        (DEMOGRAPHICS, ("other", ("18-24", "female")), 30),
        (GEOGRAPHY, ("CN", ("southwest", "CN-XZ")), 12),
        (GEOGRAPHY, ("other", ("", "other")), 30),
    ],
)
def test_a_linear_program_over_all_rows_tells_no_group_under_the_floor(
    family: Family, target: tuple[str, Cell], true: int
) -> None:
    """Case 86, P7. Territories subtracted from `*`, merged cells, exact totals: all at once."""
    found = np.array(
        [interval(family, drawn(family, BACKGROUND), target, len(BACKGROUND)) for _ in range(60)]
    )
    width = found[:, 1] - found[:, 0]
    inside = (found[:, 0] <= true + 1e-6) & (true - 1e-6 <= found[:, 1])
    assert inside.mean() >= 0.9  # the attacker's interval is sound
    assert np.median(width) >= 40, np.median(found, axis=0)  # docs/privacy.md


def test_ninety_percent_of_the_noise_on_one_cell_is_within_five() -> None:
    """What remains where a group under the floor is told by subtraction: docs/privacy.md."""
    a = np.exp(-1 / SCALE)
    assert 2 * a**5 / (1 + a) > 0.1 >= 2 * a**6 / (1 + a)


def test_published_counts_are_sums_of_what_was_drawn() -> None:
    """No row, of any territory or partner, holds a number that the kept draw does not."""
    for family in FAMILIES:
        noised = drawn(family, BACKGROUND)
        rows = published(family, noised, FLOOR, 100)
        told = [r["viewers"] for r in rows if r.get("viewers") is not None]
        assert told == [count for _, count in sums(family, noised)]
