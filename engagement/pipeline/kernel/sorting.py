"""What the roll-up sorts and finds: a bucket's lines, a session's stretches, bits that are set."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled
from engagement.pipeline.kernel.lines import LINE, PLACE, SESSION, SPAN, STARTED

SMALL = 48  # a session with more rows is sorted by a heap, not by insertion


@compiled
def _after(a: int, b: int, lines: Any) -> bool:
    """Whether line a comes after line b by (session, started, from, to, place)."""
    a, b = a * LINE, b * LINE
    if lines[a + SESSION] != lines[b + SESSION]:
        return bool(lines[a + SESSION] > lines[b + SESSION])
    if lines[a + STARTED] != lines[b + STARTED]:
        return bool(lines[a + STARTED] > lines[b + STARTED])
    if lines[a + SPAN] != lines[b + SPAN]:
        return bool(lines[a + SPAN] > lines[b + SPAN])
    return bool(lines[a + PLACE] > lines[b + PLACE])


@compiled
def _sort_many_rows(n: int, lines: Any, perm: Any) -> None:
    """Heapsort of perm[:n] by (session, started, from, to, place)."""
    for start in range(n // 2 - 1, -1, -1):
        _sift_row(start, n, lines, perm)
    for end in range(n - 1, 0, -1):
        perm[0], perm[end] = perm[end], perm[0]
        _sift_row(0, end, lines, perm)


@compiled
def _sift_row(root: int, end: int, lines: Any, perm: Any) -> None:
    """Heapsort's step: perm[root] down to its place in the heap perm[:end]."""
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and _after(perm[child + 1], perm[child], lines):
            child += 1
        if not _after(perm[child], perm[root], lines):
            return
        perm[root], perm[child] = perm[child], perm[root]
        root = child


@compiled
def sort_bucket(start: int, held: int, g: Any, perm: Any) -> None:
    """perm[:held]: the lines from `start` on by (session, started, from, to, place)."""
    perm[0] = start
    if held > SMALL:
        for i in range(1, held):
            perm[i] = start + i
        _sort_many_rows(held, g, perm)
        return
    for i in range(1, held):
        row = start + i
        at = row * LINE
        key, began, span, place = g[at], g[at + STARTED], g[at + SPAN], g[at + PLACE]
        j = i - 1
        while j >= 0:
            other = perm[j] * LINE
            if g[other] != key:
                if g[other] < key:
                    break
            elif g[other + STARTED] != began:
                if g[other + STARTED] < began:
                    break
            elif g[other + SPAN] != span:
                if g[other + SPAN] < span:
                    break
            elif g[other + PLACE] < place:
                break
            perm[j + 1] = perm[j]
            j -= 1
        perm[j + 1] = row


@compiled
def sort_many(n: int, values: Any) -> None:
    """Heapsort of values[:n], in place."""
    for start in range(n // 2 - 1, -1, -1):
        _sift(start, n, values)
    for end in range(n - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sift(0, end, values)


@compiled
def _sift(root: int, end: int, values: Any) -> None:
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and values[child + 1] > values[child]:
            child += 1
        if values[child] <= values[root]:
            return
        values[root], values[child] = values[child], values[root]
        root = child


@compiled
def position(sources: Any, source: int) -> int:
    """Where `source` stands among the sorted sources."""
    low, high = 0, len(sources)
    while low < high:
        middle = (low + high) // 2
        if sources[middle] < source:
            low = middle + 1
        else:
            high = middle
    return low


# De Bruijn's sequence of 64 bits: its six highest, shifted by n, are different for every n.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_BIT = np.zeros(64, np.int64)
for _n in range(64):
    _BIT[(int(_SEQUENCE) << _n & (1 << 64) - 1) >> 58] = _n


@compiled
def lowest_bit(value: Any) -> int:
    """Where the lowest bit of a value that is not 0 stands (Leiserson, Prokop, Randall 1998)."""
    lowest = value & (~value + np.uint64(1))
    return _BIT[(lowest * _SEQUENCE) >> np.uint64(58)]
