"""28-day reach from sketches: how often its 95 % interval holds the true number."""

from __future__ import annotations

import numpy as np

from engagement import sketches as reading
from engagement.pipeline import sketches

DRAWS = 1000


def test_the_true_reach_is_inside_its_interval_in_935_of_1000_draws() -> None:
    random = np.random.default_rng(20260831)
    inside, off = 0, []
    for _ in range(DRAWS):
        people = int(random.integers(6_000, 30_000))
        # ids are hashed with a key, so what is drawn of them is drawn evenly
        hashes = np.unique(random.integers(1, 2**63, people, np.uint64))
        come = random.random((28, 1)) * random.random(len(hashes)) < 0.1
        come |= random.random((28, len(hashes))) < random.random() * 0.2
        days = [sketches.to_bytes(sketches.smallest(hashes[day])) for day in come]
        estimate, low, high = reading.union(days)
        reach = int(come.any(axis=0).sum())
        inside += low <= reach <= high
        off.append(abs(estimate / reach - 1))
        assert reach > sketches.K, "a reach that is exact tries nothing"
    assert inside >= 935
    assert np.quantile(off, 0.95) < 0.035
