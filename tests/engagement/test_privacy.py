"""An attacker with everything that is published of a title's week, against what epsilon allows.

The attacker knows all viewers but one, every exact total, and every published row of every
territory: what partners could pool. The noise is real (OpenDP).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from engagement.pipeline.people_tables import EPSILON, FAMILIES, noise, published
from engagement.pipeline.weeks import BINS, Cell, Coded, Watchers

FLOOR = 50
DEMOGRAPHICS = FAMILIES[0]
SHARES = {"18-24": 0.36, "25-30": 0.3, "31-35": 0.15, "36-40": 0.1, "41-50": 0.06, "51+": 0.03}


def audience(viewers: int, seed: int = 1, bins: int = BINS) -> Watchers:
    """Mostly in CN, some in SG, hardly anybody over fifty."""
    random = np.random.default_rng(seed)
    ages = random.choice(list(SHARES), viewers, p=list(SHARES.values()))
    return Watchers(
        np.arange(1, viewers + 1, dtype=np.uint64),
        Coded.of(random.choice(["CN", "SG"], viewers, p=[0.9, 0.1]).tolist()),
        Coded.of([""] * viewers),
        Coded.of(ages.tolist()),
        Coded.of(random.choice(["female", "male"], viewers).tolist()),
        random.integers(0, bins, viewers),
    )


def with_one_more(who: Watchers, age: str, part: int) -> Watchers:
    return Watchers(
        np.append(who.viewers, np.uint64(10**9)),
        Coded.of([*who.territory, "SG"]),
        Coded.of([*who.region, ""]),
        Coded.of([*who.age, age]),
        Coded.of([*who.gender, "male"]),
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
    bins = 2  # how far they came is noised apart, and not looked at
    who = audience(900, bins=bins)
    more = with_one_more(who, "51+", bins - 1)
    target = ("SG", ("51+", "male"))
    random = np.random.default_rng(3)
    rounds, right = 400, 0
    for _ in range(rounds):
        watched = bool(random.integers(2))
        subject = more if watched else who
        told = 0.0
        for _ in range(draws):
            noised = noise(DEMOGRAPHICS, subject, ["CN", "SG"], bins=bins)
            told += noised.viewers[target[0]][target[1]]  # more than is ever published
        threshold = draws * (truth(who).get(target, 0) + 0.5)
        right += (told > threshold) == watched
    bound = math.exp(draws * EPSILON) / (1 + math.exp(draws * EPSILON))
    assert right / rounds <= bound + 4 * math.sqrt(bound * (1 - bound) / rounds)


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
