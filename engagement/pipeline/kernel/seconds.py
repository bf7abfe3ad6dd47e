"""A title's sessions by content second: counted by the edges of what they played."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled
from engagement.pipeline.kernel.sorting import lowest_bit

SESSIONS, TIMES_PLAYED, STARTS, STOPS, SKIPS = range(5)
SERIES_COUNT = 5


@compiled
def with_room(array: Any, needed: int) -> Any:
    """A copy with room for `needed` and a quarter more, zero beyond what it held."""
    longer = np.zeros(needed + needed // 4, array.dtype)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@compiled
def add_curves(played: int, stretch: Any, base: int, marks: int, dense: Any, touched: Any) -> None:
    """A session's stretches, sorted, as differences in `dense`; what is touched is marked."""
    reached = np.int64(-1)
    for i in range(played):
        f, e = stretch[i] >> 32, stretch[i] & 0xFFFFFFFF
        touched[marks + (f >> 6)] |= np.uint64(1) << np.uint64(f & 63)
        touched[marks + (e >> 6)] |= np.uint64(1) << np.uint64(e & 63)
        at_f, at_e = (base + f) * SERIES_COUNT, (base + e) * SERIES_COUNT
        dense[at_f + TIMES_PLAYED] += 1
        dense[at_e + TIMES_PLAYED] -= 1
        if reached <= f:
            dense[at_f + SESSIONS] += 1
            dense[at_e + SESSIONS] -= 1
            if 0 <= reached < f:
                # `reached` is marked: an earlier stretch ended there
                dense[(base + reached) * SERIES_COUNT + SKIPS] += 1
                dense[at_f + SKIPS] -= 1
        elif reached < e:
            dense[(base + reached) * SERIES_COUNT + SESSIONS] += 1
            dense[at_e + SESSIONS] -= 1
        reached = max(reached, e)


@compiled
def write_curves(
    t: int,
    curves: int,
    width: int,
    bits: int,
    local: Any,
    dense: Any,
    touched: Any,
    c_title: Any,
    c_territory: Any,
    c_second: Any,
    c_values: Any,
) -> int:
    """What is not zero of one title's counts, territories in the order of their names.

    Returns how many curve rows there are afterwards; leaves `dense` and `touched` zero.
    """
    for where in range(len(local)):
        if local[where] < 0:
            continue
        for block in range(bits):
            left = touched[local[where] * bits + block]
            if not left:
                continue
            touched[local[where] * bits + block] = 0
            while left:
                second = 64 * block + lowest_bit(left)
                left &= left - np.uint64(1)
                at = (local[where] * width + second) * SERIES_COUNT
                something = 0
                for series in range(SERIES_COUNT):
                    value = dense[at + series]
                    dense[at + series] = 0
                    c_values[series, curves] = value
                    something |= value
                if something:
                    c_title[curves] = t
                    c_territory[curves] = where
                    c_second[curves] = second
                    curves += 1
    return curves


@compiled
def marked(touched: Any, blocks: int) -> int:
    """How many bits are set, at most: 64 a block that has any."""
    count = 0
    for block in range(blocks):
        if touched[block]:
            count += 64
    return count
