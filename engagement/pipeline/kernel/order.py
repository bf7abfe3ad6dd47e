"""Sorted runs: what two of them share, and many of them as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled


@compiled
def in_both(known: Any, asked: Any) -> Any:
    """The places in `asked` of values that `known` holds; both sorted, of hashes.

    Of hashes few share their highest bits by chance: those alone are looked for. Of numbers that
    are spread in another way the answer is the same, and comes later.
    """
    few = _may_be_in(known, asked)
    found, at = 0, 0
    for i in few:
        at = _first_not_below(known, asked[i], at)
        if at == len(known):
            break
        if known[at] == asked[i]:
            few[found] = i
            found += 1
    return few[:found].copy()


@compiled
def _may_be_in(known: Any, asked: Any) -> Any:
    """The places in `asked` of values whose highest bits are those of one that `known` holds."""
    bits = 6
    while 1 << bits < 8 * len(known):
        bits += 1
    shift = np.uint64(64 - bits)
    marks = np.zeros(1 << bits - 6, np.uint64)
    for value in known:
        place = np.uint64(value) >> shift
        marks[place >> np.uint64(6)] |= np.uint64(1) << (place & np.uint64(63))
    places, found = np.empty(len(asked) + 1, np.int64), 0
    for i in range(len(asked)):
        place = np.uint64(asked[i]) >> shift
        places[found] = i
        found += (marks[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1)
    return places[:found]


@compiled
def _first_not_below(values: Any, value: Any, low: int) -> int:
    """The first place from `low` on of what is not below `value` in sorted values."""
    step = 1
    while low + step < len(values) and values[low + step] < value:
        low += step
        step *= 2
    high = min(low + step + 1, len(values))
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _comes_first(a: int, b: int, keys: Any) -> bool:
    """Whether row a stands before row b by all keys; of equal rows the one that is named first."""
    title, major, minor, first, rest = keys
    if title[a] != title[b]:
        return bool(title[a] < title[b])
    if major[a] != major[b]:
        return bool(major[a] < major[b])
    if minor[a] != minor[b]:
        return bool(minor[a] < minor[b])
    if first[a] != first[b]:
        return bool(first[a] < first[b])
    return bool(rest[a] <= rest[b])


@compiled
def merge_runs(keys: Any, bounds: Any) -> Any:
    """The order of rows that lie in sorted runs, `bounds` being where each begins and the end."""
    order = np.arange(bounds[-1])
    other = np.empty_like(order)
    while len(bounds) > 2:
        fewer = np.empty(len(bounds) // 2 + 1, np.int64)
        fewer[0] = 0
        for pair in range(len(bounds) // 2):
            low, middle = bounds[2 * pair], bounds[2 * pair + 1]
            high = bounds[min(2 * pair + 2, len(bounds) - 1)]
            a, b = low, middle
            for at in range(low, high):
                if b == high or (a < middle and _comes_first(order[a], order[b], keys)):
                    other[at] = order[a]
                    a += 1
                else:
                    other[at] = order[b]
                    b += 1
            fewer[pair + 1] = high
        order, other = other, order
        bounds = fewer
    return order
