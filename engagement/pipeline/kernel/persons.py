"""Who a title's sessions were: one row a viewer, territory and device."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled
from engagement.pipeline.kernel.lines import DEVICE_SHIFT

# A person as it is counted: eight integers, so that one is met at one place in the memory.
VIEWER, P_WORDS, FIRST, PLAYS, WATCH, COMPLETIONS, FURTHEST, DIGEST = range(8)
PERSON = 8


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
    slot = slot_of(who, table)
    viewer = np.int64(who)
    while True:
        person = table[slot]
        if person < 0:
            table[slot] = found
            at = found * PERSON
            persons[at + VIEWER] = viewer
            persons[at + P_WORDS] = words
            persons[at + FIRST] = began
            persons[at + PLAYS] = 1
            persons[at + WATCH] = watched
            persons[at + COMPLETIONS] = finished
            persons[at + FURTHEST] = furthest
            persons[at + DIGEST] = np.int64(digest)
            return found + 1
        at = np.int64(person) * PERSON
        held = persons[at + P_WORDS]
        if persons[at + VIEWER] == viewer and held >> DEVICE_SHIFT == words >> DEVICE_SHIFT:
            if began < persons[at + FIRST] or (began == persons[at + FIRST] and words < held):
                persons[at + FIRST] = began
                persons[at + P_WORDS] = words
            persons[at + PLAYS] += 1
            persons[at + WATCH] += watched
            persons[at + COMPLETIONS] += finished
            persons[at + FURTHEST] = max(persons[at + FURTHEST], furthest)
            persons[at + DIGEST] += np.int64(digest)
            return found
        slot += 1
        if slot == len(table):
            slot = 0


@compiled
def slot_of(who: Any, table: Any) -> int:
    """Where a viewer's persons begin: hashes of 63 bits, spread evenly and in their order."""
    return np.int64(((who >> np.uint64(31)) * np.uint64(len(table))) >> np.uint64(32)) % len(table)


@compiled
def write_people(
    t: int, found: int, table: Any, order: Any, persons: Any, people: int, p_title: Any, out: Any
) -> None:
    """A title's persons by viewer, territory and device, from place `people` on."""
    at = 0
    for slot in range(len(table)):
        person = table[slot]
        if person < 0:
            continue
        # nearly in order already
        mine = np.int64(person) * PERSON
        viewer, words = persons[mine + VIEWER], persons[mine + P_WORDS]
        j = at - 1
        while j >= 0:
            other = np.int64(order[j]) * PERSON
            if persons[other + VIEWER] < viewer or (
                persons[other + VIEWER] == viewer and persons[other + P_WORDS] < words
            ):
                break
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = person
        at += 1
    for i in range(found):
        mine, to = np.int64(order[i]) * PERSON, people + i
        p_title[to] = t
        out[0][to] = np.uint64(persons[mine + VIEWER])
        out[1][to] = persons[mine + P_WORDS]
        out[2][to] = persons[mine + FIRST]
        out[3][to] = persons[mine + PLAYS]
        out[4][to] = persons[mine + WATCH]
        out[5][to] = persons[mine + COMPLETIONS]
        out[6][to] = persons[mine + FURTHEST]
        out[7][to] = np.uint64(persons[mine + DIGEST])


@compiled
def table_size(entries: int) -> int:
    """Of a hash table for so many: a power of two above twice as many."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size
