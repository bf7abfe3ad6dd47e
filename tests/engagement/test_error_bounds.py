"""The error bounds that docs/numbers.md states are those of the noise that the code draws."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from engagement.pipeline import people_tables, publish_fanbases, weeks
from engagement.pipeline.fansets import half_width
from engagement.pipeline.noise import two_sided_geometric, variance

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numbers.md"
PEOPLE, FANS = people_tables.SCALE, publish_fanbases.SCALE
FINISHED_PARTS = weeks.BINS - weeks.FINISHED
BOUNDS = {
    "viewers of demographics and geography": (PEOPLE, 1),
    "their finishers": (PEOPLE, FINISHED_PARTS),
    "finishers of a series": (PEOPLE, 1),
    "viewers in common of fanbases": (FANS, 1),
}


@pytest.mark.parametrize("number", list(BOUNDS))
def test_the_page_states_the_widths_of_the_draws(number: str) -> None:
    scale, draws = BOUNDS[number]
    row = re.search(rf"^\| {number} \| (.+) \|$", PAGE.read_text(), re.M)
    assert row is not None
    said_scale, _, many, *few = row[1].split(" | ")
    assert float(said_scale) == scale
    assert [int(cell) for cell in few] == [
        half_width(scale, draws * cells, 0.05) for cells in (1, 2, 3, 4)
    ]
    root = 1.96 * math.sqrt(variance(scale) * draws)
    assert many[:-1] == (f"{root:.0f}·√" if root > 100 else f"{root:.1f}·√")
    assert half_width(scale, draws * 21, 0.05) == pytest.approx(root * math.sqrt(21), rel=0.02)


def test_one_draw_moves_a_count_as_the_page_on_privacy_says() -> None:
    """By 5 or more one time in ten, by 7 or more one time in 26."""
    a = math.exp(-1 / PEOPLE)
    assert [round(2 * a**k / (1 + a), 3) for k in (5, 6, 7)] == [0.102, 0.062, 0.038]


def test_draws_of_the_library_are_within_the_stated_bounds_95_times_in_100() -> None:
    """20,000 draws each; four standard deviations of the share are 0.6 points."""
    for scale, draws in set(BOUNDS.values()):
        sums = two_sided_geometric(np.zeros(20_000 * draws, np.int64), scale).reshape(-1, draws)
        inside = np.abs(sums.sum(axis=1)) <= half_width(scale, draws, 0.05)
        assert 0.944 <= inside.mean() <= 0.97
