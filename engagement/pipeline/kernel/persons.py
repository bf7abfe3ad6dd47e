"""Who a title's sessions were: one row a viewer, territory and device."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled
from engagement.pipeline.kernel.lines import DEVICE_SHIFT


@compiled
def room_for(most: int) -> Any:
    """Room for so many: viewer, words, first, plays, watch, completions, furthest, digest."""
    return (
        np.empty(most, np.uint64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.uint64),
    )


@compiled
def add_person(
    who: Any,
    words: int,
    began: int,
    watched: int,
    finished: int,
    furthest: int,
    digest: Any,
    found: int,
    table: Any,
    persons: Any,
) -> int:
    """Add a session to who watched, by viewer, territory and device: how many there are then.

    `table` is open-addressed by the viewer's highest bits, so that it holds them nearly in order.
    """
    viewers, p_words, first, plays, watch, completions, p_furthest, digests = persons
    slot = _slot(who, table)
    while True:
        person = table[slot]
        if person < 0:
            table[slot] = found
            viewers[found] = who
            p_words[found] = words
            first[found] = began
            plays[found] = 1
            watch[found] = watched
            completions[found] = finished
            p_furthest[found] = furthest
            digests[found] = digest
            return found + 1
        if viewers[person] == who and p_words[person] >> DEVICE_SHIFT == words >> DEVICE_SHIFT:
            if began < first[person] or (began == first[person] and words < p_words[person]):
                first[person] = began
                p_words[person] = words
            plays[person] += 1
            watch[person] += watched
            completions[person] += finished
            p_furthest[person] = max(p_furthest[person], furthest)
            digests[person] += digest
            return found
        slot += 1
        if slot == len(table):
            slot = 0


@compiled
def _slot(who: Any, table: Any) -> int:
    """Where a viewer's persons begin: hashes of 63 bits, spread evenly and in their order."""
    return np.int64(((who >> np.uint64(31)) * np.uint64(len(table))) >> np.uint64(32)) % len(table)


@compiled
def write_people(
    t: int, found: int, table: Any, order: Any, persons: Any, people: int, p_title: Any, out: Any
) -> None:
    """A title's persons by viewer, territory and device, from place `people` on."""
    viewers, words = persons[0], persons[1]
    at = 0
    for slot in range(len(table)):
        person = table[slot]
        if person < 0:
            continue
        # nearly in order already
        j = at - 1
        while j >= 0 and (
            viewers[order[j]] > viewers[person]
            or (viewers[order[j]] == viewers[person] and words[order[j]] > words[person])
        ):
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = person
        at += 1
    for i in range(found):
        person, to = order[i], people + i
        p_title[to] = t
        out[0][to] = persons[0][person]
        out[1][to] = persons[1][person]
        out[2][to] = persons[2][person]
        out[3][to] = persons[3][person]
        out[4][to] = persons[4][person]
        out[5][to] = persons[5][person]
        out[6][to] = persons[6][person]
        out[7][to] = persons[7][person]


@compiled
def table_size(entries: int) -> int:
    """Of a hash table for so many: a power of two above twice as many."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size
