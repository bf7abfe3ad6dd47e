"""Sorted runs: what two of them share, and many of them as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled, twice


@compiled
def in_both(known: Any, asked: Any) -> Any:
    """The places in `asked` of values that `known` holds; both sorted."""
    places = np.empty(len(known) * 2 + 64, np.int64)
    found, at, i = 0, 0, 0
    while at < len(known) and i < len(asked):
        if len(places) == found:
            places = twice(places)
        # without a branch that depends on the values: which of the two is next is a coin's toss
        one, other = known[at], asked[i]
        places[found] = i
        found += one == other
        at += one < other
        i += other <= one
        if len(asked) - i > _FAR * (len(known) - at) and at < len(known):
            i = _first_not_below(asked, known[at], i)
    return places[:found].copy()


_FAR = 32


@compiled
def _first_not_below(values: Any, value: Any, low: int) -> int:
    """The first place from `low` on of what is not below `value` in sorted values."""
    high = len(values)
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
