"""Attackers who pool titles, families and exact totals: within what the ledger's epsilons sum to.

The attackers know everything but the victim: all other viewers' cells, every draw, exact totals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engagement.pipeline.publish_people import (
    EPSILON,
    FAMILIES,
    SCALE,
    Family,
    Noised,
    noise,
)
from engagement.pipeline.weeks import Cell, Watchers

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
    territory, region, age, gender, part = zip(*viewers, strict=True)
    hashes = np.arange(len(viewers), dtype=np.uint64)
    return Watchers(hashes, territory, region, age, gender, np.array(part, np.int64))


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


def test_partners_who_pool_two_titles_learn_what_two_releases_cost() -> None:
    cell, others = ("51+", "female"), Counter({0: 2})
    with_victim = others + Counter({1: 1})

    def ratio(world: list[Viewer]) -> float:
        tables = [drawn(DEMOGRAPHICS, world) for _ in range(2)]
        return sum(told_by(t, cell, with_victim) - told_by(t, cell, others) for t in tables)

    guesses = right_guesses(ratio, ([*BACKGROUND, VICTIM], BACKGROUND))
    assert 0.55 < guesses <= most(4 * EPSILON) + BY_CHANCE


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
