"""Counting distinct people over several pieces from their theta sketches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from datasketches import compact_theta_sketch, theta_union

_LG_K = 12
_TWO_SIGMA = 2  # 95 % bounds


@dataclass(frozen=True)
class Estimate:
    """Distinct people: the estimate and its 95 % bounds; all equal where it is exact.

    `count` is None where the bounds are too far apart to name a number between them.
    """

    count: int | None
    low: int
    high: int


def union(sketches: Iterable[bytes | memoryview]) -> tuple[int, int, int]:
    """Distinct people in all of the sketches together: estimate, lower and upper bound."""
    total = theta_union(_LG_K)
    for sketch in sketches:
        total.update(compact_theta_sketch.deserialize(bytes(sketch)))
    result = total.get_result()
    return (
        round(result.get_estimate()),
        math.floor(result.get_lower_bound(_TWO_SIGMA)),
        math.ceil(result.get_upper_bound(_TWO_SIGMA)),
    )
