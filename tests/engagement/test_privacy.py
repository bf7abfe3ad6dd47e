"""An attacker with everything that is published of a title's week, against what epsilon allows.

The attacker knows all viewers but one, every exact total, and every published row of every
territory: what partners could pool. The noise is real (OpenDP).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy.optimize import linprog

from engagement.pipeline.fansets import half_width
from engagement.pipeline.publish_people import EPSILON, FAMILIES, SCALE, noise, published
from engagement.pipeline.weeks import BINS, Cell, Watchers

FLOOR = 50
DEMOGRAPHICS = FAMILIES[0]
SHARES = {"18-24": 0.36, "25-30": 0.3, "31-35": 0.15, "36-40": 0.1, "41-50": 0.06, "51+": 0.03}


def audience(viewers: int, seed: int = 1) -> Watchers:
    """Mostly in CN, some in SG, hardly anybody over fifty."""
    random = np.random.default_rng(seed)
    ages = random.choice(list(SHARES), viewers, p=list(SHARES.values()))
    return Watchers(
        np.arange(1, viewers + 1, dtype=np.uint64),
        random.choice(["CN", "SG"], viewers, p=[0.9, 0.1]).tolist(),
        [""] * viewers,
        ages.tolist(),
        random.choice(["female", "male"], viewers).tolist(),
        random.integers(0, BINS, viewers),
    )


def with_one_more(who: Watchers, age: str, part: int) -> Watchers:
    return Watchers(
        np.append(who.viewers, np.uint64(10**9)),
        [*who.territory, "SG"],
        [*who.region, ""],
        [*who.age, age],
        [*who.gender, "male"],
        np.append(who.part, part),
    )


def truth(who: Watchers) -> dict[tuple[str, Cell], int]:
    counts: dict[tuple[str, Cell], int] = {}
    for territory, age, gender in zip(who.territory, who.age, who.gender, strict=True):
        key = territory, (age, gender)
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("draws", [1, 3])
def test_whether_one_viewer_watched_is_told_no_better_than_epsilon_allows(draws: int) -> None:
    """A coin decides whether the viewer watched; the attacker guesses from all draws there are.

    No rule can be right more often than e^epsilon / (1 + e^epsilon) of the time.
    """
    who = audience(900)
    more = with_one_more(who, "51+", BINS - 1)
    target = ("SG", ("51+", "male"))
    random = np.random.default_rng(3)
    rounds, right = 400, 0
    for _ in range(rounds):
        watched = bool(random.integers(2))
        subject = more if watched else who
        told = 0.0
        for _ in range(draws):
            noised = noise(DEMOGRAPHICS, subject, ["CN", "SG"], bins=BINS)
            told += noised.viewers[target[0]][target[1]]  # more than is ever published
        threshold = draws * (truth(who).get(target, 0) + 0.5)
        right += (told > threshold) == watched
    bound = math.exp(draws * EPSILON) / (1 + math.exp(draws * EPSILON))
    assert right / rounds <= bound + 3 * math.sqrt(bound * (1 - bound) / rounds)


def test_pooled_territories_add_up_to_the_whole_and_tell_nothing_more() -> None:
    """`*` less all territories is nothing, whatever was drawn: there is no remainder."""
    for seed in range(20):
        noised = noise(DEMOGRAPHICS, audience(900, seed), ["CN", "SG"], bins=BINS)
        rows = list(published(DEMOGRAPHICS, noised, FLOOR, 5400))
        whole = sum(r["viewers"] for r in rows if r["territory"] == "*" and "viewers" in r)
        everything = sum(n for cells in noised.viewers.values() for n in cells.values())
        assert whole == everything
        for territory in noised.territories:
            shown = [r for r in rows if r["territory"] == territory]
            total = sum(noised.viewers[territory].values())
            assert sum(r.get("viewers") or 0 for r in shown) in (total, 0)
            assert all((r.get("viewers") or FLOOR) >= FLOOR for r in shown)


def bounds(
    cells: Sequence[tuple[str, Cell]],
    groups: Mapping[tuple[tuple[str, Cell], ...], int],
    target: tuple[str, Cell],
) -> tuple[float, float]:
    """The least and most that a linear program allows a cell, each published sum holding its true
    one within the 90 % width of its noise."""
    place = {cell: i for i, cell in enumerate(cells)}
    rows, limits = [], []
    for members, value in groups.items():
        row = np.zeros(len(cells))
        for member in members:
            row[place[member]] = 1
        width = half_width(SCALE, len(members), 0.1)
        rows += [row, -row]
        limits += [value + width, -(value - width)]
    cost = np.zeros(len(cells))
    cost[place[target]] = 1
    low = linprog(cost, np.array(rows), np.array(limits), bounds=(0, None))
    high = linprog(-cost, np.array(rows), np.array(limits), bounds=(0, None))
    assert low.success
    assert high.success
    return low.fun, -high.fun


def test_a_linear_program_cannot_narrow_a_group_under_the_floor() -> None:
    """Every row of every territory and of `*` at once, for every cell of fewer than the floor."""
    narrowest = math.inf
    for seed in range(4):
        who = audience(900, seed)
        true = truth(who)
        noised = noise(DEMOGRAPHICS, who, ["CN", "SG"], bins=BINS)
        cells = [(t, c) for t in noised.territories for c in noised.cells[t]]
        groups: dict[tuple[tuple[str, Cell], ...], int] = {}
        for territory in noised.territories:
            counts = {c: noised.viewers[territory][c] for c in noised.cells[territory]}
            for group in DEMOGRAPHICS.groups(counts, FLOOR):
                total = sum(counts[c] for c in group.cells)
                if total >= FLOOR:
                    groups[tuple((territory, c) for c in group.cells)] = total
        whole = {
            c: sum(noised.viewers[t][c] for t in noised.territories) for c in noised.cells["CN"]
        }
        for group in DEMOGRAPHICS.groups(whole, FLOOR):
            members = tuple((t, c) for c in group.cells for t in noised.territories)
            groups[members] = sum(whole[c] for c in group.cells)
        for target in [c for c in cells if 0 < true.get(c, 0) < FLOOR][:12]:
            low, high = bounds(cells, groups, target)
            narrowest = min(narrowest, high - low)
    assert narrowest >= 2 * half_width(SCALE, 1, 0.1)
    assert half_width(SCALE, 1, 0.1) == 5  # docs/privacy.md names it
    print(f"narrowest 90 % interval of a cell under the floor: {narrowest:.0f} viewers")
