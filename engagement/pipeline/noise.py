"""Two-sided geometric noise for counts, drawn by OpenDP."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import opendp.prelude as dp
from numpy.typing import NDArray

dp.enable_features("contrib")


def two_sided_geometric(counts: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """The counts with noise of probability (1-a)/(1+a) a^|k|, a = exp(-1/scale), on each.

    Where one viewer changes the counts by `sensitivity` together, this costs an epsilon of
    sensitivity / scale (Ghosh, Roughgarden and Sundararajan 2012). May come out below 0.
    """
    if not len(counts):
        return counts
    drawn = _mechanism(scale)([int(n) for n in counts])
    return np.array(drawn, np.int64)


@cache
def _mechanism(scale: float) -> Any:
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    return dp.m.make_geometric(*space, scale=scale)


def variance(scale: float) -> float:
    """Of one draw."""
    a = float(np.exp(-1 / scale))
    return 2 * a / (1 - a) ** 2
