"""28-day reach from sketches: how often its 95 % interval holds the true number."""

from __future__ import annotations

from bench.reach import DRAWS, draws


def test_the_true_reach_is_inside_its_interval_in_935_of_1000_draws() -> None:
    inside, off = draws(DRAWS)
    assert inside >= 935
    assert off < 0.035
