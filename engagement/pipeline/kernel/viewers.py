"""Who is met in people rows of several days: each viewer once."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled
from engagement.pipeline.kernel.persons import slot_of, table_size


@compiled
def each_viewer(viewer: Any, words: Any, first_at: Any, furthest: Any) -> Any:
    """Of each viewer the words of the first row and the furthest of all rows: sorted by viewer.

    Of rows that are equally early the one with the least words is the first. Returns (viewers,
    words, furthest).
    """
    table = np.full(table_size(len(viewer)), -1, np.int32)
    row_of = np.empty(len(viewer), np.int32)  # the first row of each viewer that is met
    far = np.empty(len(viewer), np.int64)
    met = 0
    for row in range(len(viewer)):
        slot = slot_of(viewer[row], table)
        while table[slot] >= 0 and viewer[row_of[table[slot]]] != viewer[row]:
            slot += 1
            if slot == len(table):
                slot = 0
        one = table[slot]
        if one < 0:
            table[slot], row_of[met], far[met] = met, row, furthest[row]
            met += 1
            continue
        far[one] = max(far[one], furthest[row])
        first = row_of[one]
        if first_at[row] < first_at[first] or (
            first_at[row] == first_at[first] and words[row] < words[first]
        ):
            row_of[one] = row
    order = _in_order(table, viewer, row_of, met)
    viewers, of_first, reached = np.empty(met, np.uint64), np.empty(met, np.int64), far[order]
    for at in range(met):
        row = row_of[order[at]]
        viewers[at], of_first[at] = viewer[row], words[row]
    return viewers, of_first, reached


@compiled
def _in_order(table: Any, viewer: Any, row_of: Any, met: int) -> Any:
    """Those in the table by viewer, which is how they lie in it but for a few."""
    order = np.empty(met, np.int32)
    at = 0
    for one in table:
        if one < 0:
            continue
        who = viewer[row_of[one]]
        j = at - 1
        while j >= 0 and viewer[row_of[order[j]]] > who:
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = one
        at += 1
    return order
