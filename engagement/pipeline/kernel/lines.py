"""Rows as lines of six integers, those of a title together.

Rows come in the order they were played. They are gathered in blocks small enough for a
processor's cache, and a full block is written out by title, a large title by shares of its
sessions that fit the cache too; a share's rows then lie in as many runs as there were blocks, and
nothing that follows has to look for them all over the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled
from engagement.pipeline.kernel.hashing import mix

SESSION, VIEWER, STARTED, SPAN, PLACE, WORDS = range(6)
LINE = 6
BLOCK = 1 << 15
"""Rows a block: 1.5 MB."""

SHARE = 1 << 12
"""Rows of a title that are counted at a time: 200 KB, in a processor's cache beside the curves."""
MOST_CUTS = 12

# STARTED holds microseconds since the day began and, in its lowest bits, the row's own day.
DAY_BITS = 12
MOST_DAYS = 1 << DAY_BITS - 1
"""How many days before or after the day that is counted a row may lie."""
MOST_MICROSECONDS = 1 << 62 - DAY_BITS

# A row's words in one integer: territory, device, region (16 bits each), age, gender (8 each).
TERRITORY_SHIFT, DEVICE_SHIFT, REGION_SHIFT, AGE_SHIFT = 48, 32, 16, 8
WORD_BITS = 16
MOST_WORDS = (1 << 15, 1 << 15, 1 << 15, 1 << 8, 1 << 8)  # as many as 16 bits with a sign name

SOURCE_SHIFT = 40
"""Rows are ordered by (Source, line) in one integer: 2**40 lines a Source."""


@compiled
def share(key: int, cuts: int) -> int:
    """Which of 2**cuts shares a session is in: by its hash, in the hashes' order."""
    return np.int64((np.uint64(key) >> np.uint64(1)) >> np.uint64(63 - cuts))


@compiled
def cuts_of(shares: int) -> int:
    """The power of two that so many shares are."""
    cuts = 0
    while 1 << cuts < shares:
        cuts += 1
    return cuts


@compiled
def pack(
    block: Any,
    block_share: Any,
    filled: int,
    first: int,
    title: Any,
    session: Any,
    viewer: Any,
    started: Any,
    from_s: Any,
    to_s: Any,
    place: Any,
    day: Any,
    words: Any,
    tables: Any,
    part: int,
    parts: int,
    of_titles: Any,
) -> Any:
    """Write rows from `first` on of share `part` of the sessions into a block.

    `title` and the five `words` are places in `tables`, which give their codes. `started` and
    `day` count from the day that is rolled up. `place` and `day` may hold one number: the place
    of the first row, and the day of all. `of_titles` gives by a title's code its shares as a
    power of two, the first of them, and gets how far it was played. Returns (the row at which
    the block was full, or how many rows there are, rows now in the block).
    """
    territory, device, region, age, gender = words
    titles, territories, devices, regions, ages, genders = tables
    cuts, firsts, furthest = of_titles
    counted, dated = len(place) == 1, len(day) == 1
    for i in range(first, len(title)):
        # mixed, so that whatever the ids were they are spread evenly
        key = mix(session[i])
        if parts > 1 and np.int64(key >> np.uint64(32)) % parts != part:
            continue
        if filled == len(block_share):
            return i, filled
        at = filled * LINE
        block[at + SESSION] = np.int64(key)
        block[at + VIEWER] = np.int64(viewer[i])
        block[at + STARTED] = (started[i] << DAY_BITS) | (day[0 if dated else i] + MOST_DAYS)
        block[at + SPAN] = (np.int64(from_s[i]) << 32) | np.int64(to_s[i])
        block[at + PLACE] = place[0] + i if counted else place[i]
        block[at + WORDS] = (
            (np.int64(territories[territory[i]]) << TERRITORY_SHIFT)
            | (np.int64(devices[device[i]]) << DEVICE_SHIFT)
            | (np.int64(regions[region[i]]) << REGION_SHIFT)
            | (np.int64(ages[age[i]]) << AGE_SHIFT)
            | np.int64(genders[gender[i]])
        )
        code = titles[title[i]]
        block_share[filled] = firsts[code] + share(np.int64(key), cuts[code])
        furthest[code] = max(furthest[code], to_s[i])
        filled += 1
    return len(title), filled


@compiled
def cut(block: Any, block_share: Any, filled: int, titles: int, expected: int) -> Any:
    """Cut titles into shares for the first time, by a block's rows: the power of two of each.

    `block_share` has the titles' codes and gets their shares. `expected` rows like those of the
    block are to come, of which SHARE are to be a share.
    """
    counts = np.zeros(titles, np.int64)
    for row in range(filled):
        counts[block_share[row]] += 1
    cuts, firsts = np.zeros(titles, np.int64), np.zeros(titles, np.int64)
    for t in range(titles):
        while counts[t] * expected > filled * (SHARE << cuts[t]) and cuts[t] < MOST_CUTS:
            cuts[t] += 1
        if t:
            firsts[t] = firsts[t - 1] + (1 << cuts[t - 1])
    for row in range(filled):
        t = block_share[row]
        block_share[row] = firsts[t] + share(block[row * LINE + SESSION], cuts[t])
    return cuts


@compiled
def by_share(block: Any, block_share: Any, filled: int, shares: int, lines: Any, begin: int) -> Any:
    """Write a block's rows to `lines` from row `begin` on, by share: where each share's begin."""
    starts = np.zeros(shares + 1, np.int64)
    for row in range(filled):
        starts[block_share[row] + 1] += 1
    starts[0] = begin
    for s in range(shares):
        starts[s + 1] += starts[s]
    ends = starts.copy()
    for row in range(filled):
        s = block_share[row]
        to, at = ends[s] * LINE, row * LINE
        for word in range(LINE):
            lines[to + word] = block[at + word]
        ends[s] += 1
    return starts
