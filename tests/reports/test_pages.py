"""How a line of the report's tables is said."""

from __future__ import annotations

from datetime import date

import pytest

from engagement.scope import Window
from reports.render.figures import Total
from reports.render.watched import line_of

WEEK = Window(date(2026, 11, 9), date(2026, 11, 16))


@pytest.mark.parametrize(
    ("viewers", "low", "high", "said"),
    [
        (1234, 1234, 1234, "1,234"),
        (1234, 1200, 1290, "≈ 1,234"),
        (None, 165, 371, "165–371"),  # too many days wait: the bounds, and no number
        (None, None, None, "—"),
    ],
)
def test_viewers_are_a_number_an_estimate_or_bounds(
    viewers: int | None, low: int | None, high: int | None, said: str
) -> None:
    line = Total(WEEK, "SG", 379, viewers, low, high, 3600, 190)
    assert line_of(line, "en", weekly=True)[2] == said
