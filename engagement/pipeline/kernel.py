"""The roll-up's inner loops, compiled: rows of one day in, difference rows and people rows out.

Pure and without Django: the embedded engine and Spark's workers call the same functions. Nothing
here knows a name: words are codes, ids are hashes (rollup.py). A session's rows are brought
together by counting, sorted among themselves, and counted by the edges of what they played, so
that no second of content is ever visited row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

SESSIONS, TIMES_PLAYED, STARTS, STOPS, SKIPS = range(5)
SERIES_COUNT = 5

# A row is a line of eight integers, so that bringing it together with others costs one miss.
SESSION, VIEWER, STARTED, SPAN, PLACE, WORDS, DAY, TITLE = range(8)
LINE = 8

# A row's words in one integer: territory, device, region (16 bits each), age, gender (8 each).
TERRITORY_SHIFT, DEVICE_SHIFT, REGION_SHIFT, AGE_SHIFT = 48, 32, 16, 8
WORD_BITS = 16
MOST_WORDS = (1 << 15, 1 << 16, 1 << 16, 1 << 8, 1 << 8)

SOURCE_SHIFT = 40
"""Rows are ordered by (Source, line) in one integer: 2**40 lines a Source."""

_SMALL = 48  # a session with more rows is sorted by a heap, not by insertion

# Odd factors that keep what is added up apart: digits of pi, e, and the roots of 2 and 3.
_ONE, _TWO = np.uint64(0x243F6A8885A308D3), np.uint64(0xB7E151628AED2A6B)
_THREE, _FOUR = np.uint64(0x6A09E667F3BCC909), np.uint64(0xBB67AE8584CAA73B)


def _compiled(function: Any) -> Any:
    """Compiled once an installation: kept beside the module, else in the user's cache or in
    NUMBA_CACHE_DIR; where nothing can be written, once a process."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no place for its cache
        return njit(nogil=True)(function)


@_compiled
def mix(value: Any) -> Any:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014) of a value plus its increment."""
    value = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@_compiled
def hash_texts(offsets: Any, data: Any, seed: Any) -> Any:
    """64 bits of each text of an Arrow string array, given its offsets and bytes."""
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(hashes)):
        state = mix(seed)
        word, filled = np.uint64(0), 0
        for at in range(offsets[i], offsets[i + 1]):
            word |= np.uint64(data[at]) << np.uint64(8 * filled)
            filled += 1
            if filled == 8:
                state = mix(state ^ word)
                word, filled = np.uint64(0), 0
        state = mix(state ^ word)
        hashes[i] = mix(state ^ np.uint64(offsets[i + 1] - offsets[i]))
    return hashes


@_compiled
def _longer(array: Any, needed: int) -> Any:
    """A copy with room for `needed` and a quarter more, zero beyond what it held."""
    longer = np.zeros(needed + needed // 4, array.dtype)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@_compiled
def _twice(array: Any) -> Any:
    """A copy with room for twice as much."""
    longer = np.empty(2 * len(array), array.dtype)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@_compiled
def _put_in_order(array: Any, low: int, order: Any) -> None:
    """array[low + i] = array[low + order[i]], in place."""
    before = np.empty(len(order), array.dtype)
    for i in range(len(order)):
        before[i] = array[low + order[i]]
    for i in range(len(order)):
        array[low + i] = before[i]


@_compiled
def _people_order(low: int, high: int, viewer: Any, words: Any) -> Any:
    """The rows low..high by viewer, then territory and device, counted from low."""
    order = np.argsort(viewer[low:high])
    for i in range(1, len(order)):  # few have the same viewer
        row = order[i]
        j = i - 1
        while j >= 0 and (
            viewer[low + order[j]] == viewer[low + row] and words[low + order[j]] > words[low + row]
        ):
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = row
    return order


@_compiled
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


@_compiled
def _sort_many_rows(n: int, lines: Any, perm: Any) -> None:
    """Heapsort of perm[:n] by (session, started, from, to, place)."""
    for start in range(n // 2 - 1, -1, -1):
        _sift_row(start, n, lines, perm)
    for end in range(n - 1, 0, -1):
        perm[0], perm[end] = perm[end], perm[0]
        _sift_row(0, end, lines, perm)


@_compiled
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


@_compiled
def _sort_many(n: int, values: Any) -> None:
    """Heapsort of values[:n], in place."""
    for start in range(n // 2 - 1, -1, -1):
        _sift(start, n, values)
    for end in range(n - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sift(0, end, values)


@_compiled
def _sift(root: int, end: int, values: Any) -> None:
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and values[child + 1] > values[child]:
            child += 1
        if values[child] <= values[root]:
            return
        values[root], values[child] = values[child], values[root]
        root = child


@_compiled
def _position(sources: Any, source: int) -> int:
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


@_compiled
def _lowest_bit(value: Any) -> int:
    """Where the lowest bit of a value that is not 0 stands (Leiserson, Prokop, Randall 1998)."""
    lowest = value & (~value + np.uint64(1))
    return _BIT[(lowest * _SEQUENCE) >> np.uint64(58)]


@_compiled
def pack(
    lines: Any,
    begin: int,
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
) -> int:
    """Write the rows of share `part` of the sessions as lines from `begin` on: where they end.

    `title` and the five `words` are places in `tables`, which give their codes. `place` and
    `day` may hold one number: the place of the first row, and the day of all.
    """
    territory, device, region, age, gender = words
    titles, territories, devices, regions, ages, genders = tables
    first, one_day = place[0], day[0]
    counted, dated = len(place) == 1, len(day) == 1
    at = begin * LINE
    for i in range(len(title)):
        # mixed, so that whatever the ids were they are spread evenly
        key = mix(session[i])
        if parts > 1 and np.int64(key >> np.uint64(32)) % parts != part:
            continue
        lines[at + SESSION] = np.int64(key)
        lines[at + VIEWER] = np.int64(viewer[i])
        lines[at + STARTED] = started[i]
        lines[at + SPAN] = (np.int64(from_s[i]) << 32) | np.int64(to_s[i])
        lines[at + PLACE] = first + i if counted else place[i]
        lines[at + WORDS] = (
            (np.int64(territories[territory[i]]) << TERRITORY_SHIFT)
            | (np.int64(devices[device[i]]) << DEVICE_SHIFT)
            | (np.int64(regions[region[i]]) << REGION_SHIFT)
            | (np.int64(ages[age[i]]) << AGE_SHIFT)
            | np.int64(genders[gender[i]])
        )
        lines[at + DAY] = one_day if dated else day[i]
        lines[at + TITLE] = titles[title[i]]
        at += LINE
    return at // LINE


@_compiled
def _bucket(key: int, low: int, rows: int) -> int:
    """Where among `rows` places from `low` a session stands by its hash, in the hashes' order."""
    return low + np.int64(((np.uint64(key) >> np.uint64(32)) * np.uint64(rows)) >> np.uint64(32))


@_compiled
def in_buckets(lines: Any, rows: int, rank: Any, titles: int) -> Any:
    """Two counting sorts in one, by title and then by the session's hash into as many buckets as
    the title has rows: (where each title begins, where each bucket ends, the rows in order)."""
    starts = np.zeros(titles + 1, np.int64)
    for row in range(rows):
        starts[rank[lines[row * LINE + TITLE]] + 1] += 1
    for t in range(titles):
        starts[t + 1] += starts[t]
    ends = np.zeros(rows + 1, np.int32)
    for row in range(rows):
        t = rank[lines[row * LINE + TITLE]]
        b = _bucket(lines[row * LINE + SESSION], starts[t], starts[t + 1] - starts[t])
        ends[b + 1] += 1
    for b in range(rows):
        ends[b + 1] += ends[b]
    order = np.empty(rows, np.int32)
    for row in range(rows):
        t = rank[lines[row * LINE + TITLE]]
        b = _bucket(lines[row * LINE + SESSION], starts[t], starts[t + 1] - starts[t])
        order[ends[b]] = row
        ends[b] += 1
    return starts, ends, order


@_compiled
def _gather(
    day: int, low: int, high: int, order: Any, lines: Any, rank_territory: Any, g: Any, local: Any
) -> Any:
    """Copy one title's lines to `g` in their order, and number its territories in `local`.

    Returns how far anybody played, whether all rows are of `day`, and how many territories.
    """
    local.fill(-1)
    furthest, one_day, territories = np.int64(0), True, 0
    for i in range(high - low):
        row, at = np.int64(order[low + i]) * LINE, i * LINE
        g[at + SESSION] = lines[row + SESSION]
        g[at + VIEWER] = lines[row + VIEWER]
        g[at + STARTED] = lines[row + STARTED]
        g[at + SPAN] = lines[row + SPAN]
        g[at + PLACE] = lines[row + PLACE]
        g[at + WORDS] = lines[row + WORDS]
        g[at + DAY] = lines[row + DAY]
        furthest = max(furthest, lines[row + SPAN] & 0xFFFFFFFF)
        one_day = one_day and lines[row + DAY] == day
        where = rank_territory[lines[row + WORDS] >> TERRITORY_SHIFT]
        if local[where] < 0:
            local[where] = territories
            territories += 1
    return furthest, one_day, territories


@_compiled
def _sort_bucket(start: int, held: int, g: Any, perm: Any) -> None:
    """perm[:held]: the lines from `start` on by (session, started, from, to, place)."""
    perm[0] = start
    if held > _SMALL:
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


@_compiled
def _own_days(first: int, last: int, day: int, g: Any, perm: Any) -> Any:
    """Of a session's rows perm[first:last] those of the stretch of days that began on `day`."""
    while first < last:
        end = first + 1
        while end < last and g[perm[end] * LINE + DAY] - g[perm[end - 1] * LINE + DAY] <= 1:
            end += 1
        if g[perm[first] * LINE + DAY] == day:
            return first, end
        first = end
    return last, last


@_compiled
def _add_curves(played: int, stretch: Any, base: int, marks: int, dense: Any, touched: Any) -> None:
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


@_compiled
def _count_sessions(
    t: int,
    day: int,
    one_day: bool,
    low: int,
    high: int,
    ends: Any,
    g: Any,
    width: int,
    bits: int,
    runtime: int,
    rank_territory: Any,
    rank_device: Any,
    rank_region: Any,
    rank_age: Any,
    rank_gender: Any,
    hash_territory: Any,
    hash_device: Any,
    hash_region: Any,
    hash_age: Any,
    hash_gender: Any,
    local: Any,
    dense: Any,
    touched: Any,
    perm: Any,
    keep: Any,
    stretch: Any,
    table: Any,
    mask: int,
    people: int,
    p_title: Any,
    p_viewer: Any,
    p_words: Any,
    p_first: Any,
    p_plays: Any,
    p_watch: Any,
    p_completions: Any,
    p_furthest: Any,
    p_digest: Any,
    sources: Any,
    t_rows: Any,
    t_others: Any,
    t_low: Any,
    t_high: Any,
    t_reaches: Any,
    t_duplicates: Any,
    t_sources: Any,
    with_people: bool,
) -> int:
    """Count one title's sessions: how many people rows there are afterwards."""
    source, of_source = 0, np.int64(-1)
    rows, others, reaches = 0, 0, np.int64(t_reaches[t])
    digest_low, digest_high = np.uint64(0), np.uint64(0)
    bucket, held, m = low, 0, 0  # of the bucket at hand perm[:held] is sorted, perm[:m] counted
    end_before = np.int64(ends[low - 1]) if low else 0
    while True:
        if m == held:  # the next bucket that has rows
            while bucket < high and ends[bucket] == end_before:
                bucket += 1
            if bucket == high:
                break
            held = ends[bucket] - end_before
            _sort_bucket(end_before - low, held, g, perm)
            end_before = np.int64(ends[bucket])
            bucket += 1
            m = 0
        # one session of it: the rows [first, last) of perm
        first = m
        key = g[perm[first] * LINE + SESSION]
        m += 1
        while m < held and g[perm[m] * LINE + SESSION] == key:
            m += 1
        last = m
        if not one_day:
            first, last = _own_days(first, last, day, g, perm)
            if first == last:
                continue
        reaches = max(reaches, g[perm[last - 1] * LINE + DAY])
        # of rows with one key the one landed last counts
        opening = -1
        for i in range(first, last):
            row = perm[i] * LINE
            if g[row + PLACE] >> SOURCE_SHIFT != of_source:
                of_source = g[row + PLACE] >> SOURCE_SHIFT
                source = _position(sources, of_source)
            t_sources[t, source] += 1
            keep[i] = True
            if i + 1 < last:
                after = perm[i + 1] * LINE
                if g[after + STARTED] == g[row + STARTED] and g[after + SPAN] == g[row + SPAN]:
                    keep[i] = False
                    t_duplicates[t, source] += 1
                    continue
            if opening < 0 or (
                g[row + STARTED] == g[opening + STARTED] and g[row + PLACE] < g[opening + PLACE]
            ):
                opening = row
        who = np.uint64(g[opening + VIEWER])
        known = np.uint64(key) * _ONE + who * _TWO
        played, furthest, watched, closing = 0, np.int64(0), np.int64(0), -1
        digest = np.uint64(0)
        for i in range(first, last):
            if not keep[i]:
                continue
            row = perm[i] * LINE
            if np.uint64(g[row + VIEWER]) != who:
                others += 1
                continue
            rows += 1
            span = g[row + SPAN]
            f, e = span >> 32, span & 0xFFFFFFFF
            if with_people:
                piece = mix(np.uint64(g[row + STARTED]) * _THREE + np.uint64(span) * _FOUR)
                told = mix(piece + known)
                digest_low += told
                digest_high += mix(told + piece)
                if f < e:
                    digest += piece
            if f >= e:
                continue
            if (
                closing < 0
                or g[row + STARTED] > g[closing + STARTED]
                or g[row + PLACE] > g[closing + PLACE]
            ):
                closing = row
            if played == 0 or (
                g[row + STARTED] == g[opening + STARTED] and g[row + PLACE] < g[opening + PLACE]
            ):
                opening = row
            watched += e - f
            furthest = max(furthest, e)
            # the stretches by (from, to)
            j = played - 1
            if played < _SMALL:
                while j >= 0 and stretch[j] > span:
                    stretch[j + 1] = stretch[j]
                    j -= 1
            stretch[j + 1] = span
            played += 1
        if played == 0:
            continue  # nothing but stretches of no length
        if played > _SMALL:
            _sort_many(played, stretch)
        about = g[opening + WORDS]
        where = rank_territory[about >> TERRITORY_SHIFT]
        base, marks = local[where] * width, local[where] * bits
        _add_curves(played, stretch, base, marks, dense, touched)
        f, e = g[opening + SPAN] >> 32, (g[closing + SPAN] & 0xFFFFFFFF) - 1
        touched[marks + (e >> 6)] |= np.uint64(1) << np.uint64(e & 63)
        dense[(base + f) * SERIES_COUNT + STARTS] += 1
        dense[(base + e) * SERIES_COUNT + STOPS] += 1
        if not with_people:
            continue

        device = rank_device[(about >> DEVICE_SHIFT) & 0xFFFF]
        region = rank_region[(about >> REGION_SHIFT) & 0xFFFF]
        age = rank_age[(about >> AGE_SHIFT) & 0xFF]
        gender = rank_gender[about & 0xFF]
        told = mix(
            known
            + hash_territory[where] * _ONE
            + hash_device[device] * _TWO
            + hash_region[region] * _THREE
            + hash_age[age] * _FOUR
            + hash_gender[gender]
        )
        digest_low += told
        digest_high += mix(told + known)
        finished = np.int64(1 if runtime > 0 and 10 * furthest >= 9 * runtime else 0)
        digest = mix(digest + hash_device[device] + np.uint64(finished))
        ranked = (
            (np.int64(where) << TERRITORY_SHIFT)
            | (np.int64(device) << DEVICE_SHIFT)
            | (np.int64(region) << REGION_SHIFT)
            | (np.int64(age) << AGE_SHIFT)
            | np.int64(gender)
        )
        cell, began = ranked >> DEVICE_SHIFT, g[opening + STARTED]
        slot = np.int64(mix(who + np.uint64(cell) * _ONE)) & mask
        while True:
            person = table[slot]
            if person < 0:
                table[slot] = people
                p_title[people] = t
                p_viewer[people] = who
                p_words[people] = ranked
                p_first[people] = began
                p_plays[people] = 1
                p_watch[people] = watched
                p_completions[people] = finished
                p_furthest[people] = furthest
                p_digest[people] = digest
                people += 1
                break
            if p_viewer[person] == who and p_words[person] >> DEVICE_SHIFT == cell:
                if began < p_first[person] or (
                    began == p_first[person] and ranked < p_words[person]
                ):
                    p_first[person] = began
                    p_words[person] = ranked
                p_plays[person] += 1
                p_watch[person] += watched
                p_completions[person] += finished
                p_furthest[person] = max(p_furthest[person], furthest)
                p_digest[person] += digest
                break
            slot = (slot + 1) & mask
    t_rows[t], t_others[t], t_reaches[t] = rows, others, reaches
    t_low[t], t_high[t] = digest_low, digest_high
    return people


@_compiled
def _write_curves(
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
                second = 64 * block + _lowest_bit(left)
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


@_compiled
def _marked(touched: Any, blocks: int) -> int:
    """How many bits are set, at most: 64 a block that has any."""
    count = 0
    for block in range(blocks):
        if touched[block]:
            count += 64
    return count


@_compiled
def roll(
    day: int,
    titles: int,
    lines: Any,
    rows: int,
    rank_title: Any,
    rank_territory: Any,
    rank_device: Any,
    rank_region: Any,
    rank_age: Any,
    rank_gender: Any,
    hash_territory: Any,
    hash_device: Any,
    hash_region: Any,
    hash_age: Any,
    hash_gender: Any,
    runtime: Any,
    sources: Any,
    with_people: bool,
) -> Any:
    """Count the sessions of `day` (days since 1970) by title.

    The lines are in any order and may hold rows of days around, by which it is told whose
    sessions are this day's. `rank_*` turn a word's code into its place among the sorted words,
    `hash_*` are by that place. `runtime` is by title code, `sources` sorted.

    Returns curve rows (title, territory, second and the five series), people rows (title, viewer,
    words, first_at, plays, watch_seconds, completions, furthest_s, digest), and per title: rows
    kept, rows of a second viewer, two sums of row hashes, the last day played, and by Source
    duplicates and rows.
    """
    starts, ends, order = in_buckets(lines, rows, rank_title, titles)

    # results, grown as needed
    c_title, c_territory = np.empty(1024, np.int32), np.empty(1024, np.int32)
    c_second = np.empty(1024, np.int32)
    c_values = np.empty((SERIES_COUNT, 1024), np.int32)
    curves = 0
    p_title, p_viewer = np.empty(1024, np.int32), np.empty(1024, np.uint64)
    p_words, p_first = np.empty(1024, np.int64), np.empty(1024, np.int64)
    p_plays, p_watch = np.empty(1024, np.int32), np.empty(1024, np.int64)
    p_completions, p_furthest = np.empty(1024, np.int32), np.empty(1024, np.int32)
    p_digest = np.empty(1024, np.uint64)
    people = 0
    t_rows, t_others = np.zeros(titles, np.int64), np.zeros(titles, np.int64)
    t_low, t_high = np.zeros(titles, np.uint64), np.zeros(titles, np.uint64)
    t_reaches = np.full(titles, -(2**31), np.int32)
    t_duplicates = np.zeros((titles, len(sources)), np.int64)
    t_sources = np.zeros((titles, len(sources)), np.int64)

    # scratch, as large as the largest title and the largest bucket need
    most, largest = 0, 1
    for t in range(titles):
        most = max(most, starts[t + 1] - starts[t])
    for b in range(rows):
        largest = max(largest, ends[b] - (ends[b - 1] if b else 0))
    table = np.empty(_size(most), np.int64)
    g = np.empty(most * LINE, np.int64)
    perm, keep = np.empty(largest, np.int64), np.empty(largest, np.bool_)
    stretch = np.empty(largest, np.int64)
    local = np.empty(len(rank_territory), np.int64)  # territory -> its place in `dense`, or -1
    dense = np.zeros(0, np.int32)  # [territory, second, series]; all zero between titles
    touched = np.zeros(0, np.uint64)  # [territory, second // 64], a bit a second

    for t in range(titles):
        low, high = starts[t], starts[t + 1]
        if low == high:
            continue
        seconds, one_day, territories = _gather(
            day, low, high, order, lines, rank_territory, g, local
        )
        width = max(seconds, np.int64(runtime[t])) + 1
        bits = (width + 63) // 64
        if territories * width * SERIES_COUNT > len(dense):
            dense = _longer(dense, territories * width * SERIES_COUNT)
        if territories * bits > len(touched):
            touched = _longer(touched, territories * bits)
        first_person = people
        slots = _size(high - low)
        if with_people:
            table[:slots] = -1
            while people + high - low > len(p_title):
                p_title, p_viewer, p_words = _twice(p_title), _twice(p_viewer), _twice(p_words)
                p_first, p_plays, p_watch = _twice(p_first), _twice(p_plays), _twice(p_watch)
                p_completions, p_furthest = _twice(p_completions), _twice(p_furthest)
                p_digest = _twice(p_digest)
        people = _count_sessions(
            t, day, one_day, low, high, ends, g, width, bits, np.int64(runtime[t]),
            rank_territory, rank_device, rank_region, rank_age, rank_gender,
            hash_territory, hash_device, hash_region, hash_age, hash_gender,
            local, dense, touched, perm, keep, stretch, table, slots - 1,
            people, p_title, p_viewer, p_words, p_first, p_plays, p_watch, p_completions,
            p_furthest, p_digest,
            sources, t_rows, t_others, t_low, t_high, t_reaches, t_duplicates, t_sources,
            with_people,
        )  # fmt: skip
        while curves + _marked(touched, territories * bits) > len(c_title):
            c_title, c_territory = _twice(c_title), _twice(c_territory)
            c_second = _twice(c_second)
            longer = np.empty((SERIES_COUNT, len(c_title)), np.int32)
            longer[:, :curves] = c_values[:, :curves]
            c_values = longer
        curves = _write_curves(
            t, curves, width, bits, local, dense, touched, c_title, c_territory, c_second, c_values
        )
        # people by viewer, then territory and device
        if people > first_person + 1:
            ordered = _people_order(first_person, people, p_viewer, p_words)
            for array in (p_viewer, p_digest):
                _put_in_order(array, first_person, ordered)
            for array in (p_words, p_first, p_watch):
                _put_in_order(array, first_person, ordered)
            for array in (p_plays, p_completions, p_furthest):
                _put_in_order(array, first_person, ordered)

    return (
        (c_title[:curves], c_territory[:curves], c_second[:curves], c_values[:, :curves]),
        (
            p_title[:people],
            p_viewer[:people],
            p_words[:people],
            p_first[:people],
            p_plays[:people],
            p_watch[:people],
            p_completions[:people],
            p_furthest[:people],
            p_digest[:people],
        ),
        (t_rows, t_others, t_low, t_high, t_reaches, t_duplicates, t_sources),
    )


@_compiled
def _size(entries: int) -> int:
    """Of a hash table for so many: a power of two above twice as many."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@_compiled
def in_both(known: Any, asked: Any) -> Any:
    """The places in `asked` of values that `known` holds; both sorted."""
    places = np.empty(64, np.int64)
    found, at = 0, 0
    for i in range(len(asked)):
        while at < len(known) and known[at] < asked[i]:
            at += 1
        if at == len(known):
            break
        if known[at] == asked[i]:
            if found == len(places):
                places = _twice(places)
            places[found] = i
            found += 1
    return places[:found].copy()


# The words of a compact theta sketch (sketches.py): its preamble, and how much it retained.
_PREAMBLE = 3 << 8 | 3 << 16 | 0x1A << 40 | 0x93CC << 48
_EMPTY_SKETCH = 1 | 3 << 8 | 3 << 16 | 0x1E << 40 | 0x93CC << 48
_SAMPLED_WHOLE = 0x3F800000 << 32  # 1.0 as a float


@_compiled
def _sketch_words(viewers: int, keep: int) -> int:
    """How many 64-bit words the sketch of so many viewers takes."""
    if viewers == 0:
        return 1
    return 3 + keep if viewers > keep else 2 + viewers


@_compiled
def _open_sketch(words: Any, at: int, viewers: int, keep: int) -> int:
    """Write a sketch's head: where its hashes begin. Theta is written when it is known."""
    if viewers == 0:
        words[at] = np.uint64(_EMPTY_SKETCH)
        return at + 1
    longs = 3 if viewers > keep else 2
    words[at] = np.uint64(_PREAMBLE | longs)
    words[at + 1] = np.uint64(_SAMPLED_WHOLE | min(viewers, keep))
    return at + longs


@_compiled
def cells(
    starts: Any,
    viewer: Any,
    words: Any,
    plays: Any,
    watch: Any,
    completions: Any,
    digest: Any,
    territories: int,
    devices: int,
    keep: int,
) -> Any:
    """Add people rows up to cells: scalars, and sketches as the bytes they are kept as.

    Rows `starts[t]`..`starts[t + 1]` are one title's, sorted by viewer; `words` hold the places
    of territory and device among their sorted names. A cell is (title, territory or all, device
    or all). Returns of each cell in this order, all being 0 and the others one higher: its place
    (title, territory, device), its (plays, watch_seconds, completions, viewers, finishers), the
    bounds and the 64-bit words of both sketches, and the bounds and 32-bit words of the content.
    """
    wide = devices + 1
    most = (territories + 1) * wide
    number = np.full(most, -1, np.int64)  # place of a cell of the title at hand -> its number
    place = np.empty((1024, 3), np.int32)
    scalars = np.zeros((1024, 5), np.int64)
    last = np.zeros((1024, 2), np.uint64)  # hashes are never 0
    found = 0
    # first how many there are
    for t in range(len(starts) - 1):
        low, high = starts[t], starts[t + 1]
        for i in range(low, high):
            territory = ((words[i] >> TERRITORY_SHIFT) & 0x7FFF) + 1
            device = ((words[i] >> DEVICE_SHIFT) & 0xFFFF) + 1
            for a in range(2):
                for b in range(2):
                    number[a * territory * wide + b * device] = 0
        for cell in range(most if high > low else 0):
            if number[cell] < 0:
                continue
            if found == len(place):
                longer = np.empty((2 * found, 3), np.int32)
                longer[:found] = place
                place = longer
                sums = np.zeros((2 * found, 5), np.int64)
                sums[:found] = scalars
                scalars = sums
                lasts = np.zeros((2 * found, 2), np.uint64)
                lasts[:found] = last
                last = lasts
            place[found, 0], place[found, 1], place[found, 2] = t, cell // wide, cell % wide
            number[cell] = found
            found += 1
        for i in range(low, high):
            territory = ((words[i] >> TERRITORY_SHIFT) & 0x7FFF) + 1
            device = ((words[i] >> DEVICE_SHIFT) & 0xFFFF) + 1
            for a in range(2):
                for b in range(2):
                    c = number[a * territory * wide + b * device]
                    scalars[c, 0] += plays[i]
                    scalars[c, 1] += watch[i]
                    scalars[c, 2] += completions[i]
                    if last[c, 0] != viewer[i]:
                        last[c, 0] = viewer[i]
                        scalars[c, 3] += 1
                    if completions[i] > 0 and last[c, 1] != viewer[i]:
                        last[c, 1] = viewer[i]
                        scalars[c, 4] += 1
        for cell in range(most if high > low else 0):
            number[cell] = -1
    # then which they are
    v_bounds = np.zeros(found + 1, np.int64)
    f_bounds = np.zeros(found + 1, np.int64)
    c_bounds = np.zeros(found + 1, np.int64)
    for c in range(found):
        v_bounds[c + 1] = v_bounds[c] + _sketch_words(scalars[c, 3], keep)
        f_bounds[c + 1] = f_bounds[c] + _sketch_words(scalars[c, 4], keep)
        size = 3 + 4 * min(scalars[c, 3], keep) if place[c, 2] == 0 else 0
        c_bounds[c + 1] = c_bounds[c] + size
    v_words = np.empty(v_bounds[found], np.uint64)
    f_words = np.empty(f_bounds[found], np.uint64)
    c_words = np.zeros(c_bounds[found], np.uint32)
    begin = np.empty((found, 2), np.int64)
    met = np.zeros((found, 2), np.int64)
    for c in range(found):
        begin[c, 0] = _open_sketch(v_words, v_bounds[c], scalars[c, 3], keep)
        begin[c, 1] = _open_sketch(f_words, f_bounds[c], scalars[c, 4], keep)
        last[c, 0], last[c, 1] = 0, 0
    first = 0
    for t in range(len(starts) - 1):
        low, high = starts[t], starts[t + 1]
        end = first
        while end < found and place[end, 0] == t:
            number[place[end, 1] * wide + place[end, 2]] = end
            end += 1
        for i in range(low, high):
            territory = ((words[i] >> TERRITORY_SHIFT) & 0x7FFF) + 1
            device = ((words[i] >> DEVICE_SHIFT) & 0xFFFF) + 1
            who = viewer[i]
            for a in range(2):
                for b in range(2):
                    c = number[a * territory * wide + b * device]
                    if last[c, 0] != who:
                        last[c, 0] = who
                        if met[c, 0] < keep:
                            v_words[begin[c, 0] + met[c, 0]] = who
                        elif met[c, 0] == keep:
                            v_words[v_bounds[c] + 2] = who  # theta: the first left out
                        met[c, 0] += 1
                    if b == 0 and met[c, 0] <= keep:
                        # a sum of 64 bits in two words of 32
                        kept = min(scalars[c, 3], keep)
                        at = c_bounds[c] + 3 + 2 * kept + 2 * (met[c, 0] - 1)
                        total = (
                            np.uint64(c_words[at])
                            + (np.uint64(c_words[at + 1]) << np.uint64(32))
                            + digest[i]
                        )
                        c_words[at] = np.uint32(total & np.uint64(0xFFFFFFFF))
                        c_words[at + 1] = np.uint32(total >> np.uint64(32))
                    if completions[i] > 0 and last[c, 1] != who:
                        last[c, 1] = who
                        if met[c, 1] < keep:
                            f_words[begin[c, 1] + met[c, 1]] = who
                        elif met[c, 1] == keep:
                            f_words[f_bounds[c] + 2] = who
                        met[c, 1] += 1
        for c in range(first, end):
            number[place[c, 1] * wide + place[c, 2]] = -1
        first = end
    for c in range(found):
        if place[c, 2] != 0:
            continue
        at, kept = c_bounds[c], min(scalars[c, 3], keep)
        theta = np.uint64(2**63 - 1)
        if scalars[c, 3] > keep:
            theta = v_words[v_bounds[c] + 2]
        c_words[at] = np.uint32(theta & np.uint64(0xFFFFFFFF))
        c_words[at + 1] = np.uint32(theta >> np.uint64(32))
        c_words[at + 2] = np.uint32(kept)
        for k in range(kept):
            one = v_words[begin[c, 0] + k]
            c_words[at + 3 + 2 * k] = np.uint32(one & np.uint64(0xFFFFFFFF))
            c_words[at + 4 + 2 * k] = np.uint32(one >> np.uint64(32))
    return (
        place[:found],
        scalars[:found],
        v_bounds,
        v_words,
        f_bounds,
        f_words,
        c_bounds,
        c_words,
    )


@_compiled
def furthest_of(starts: Any, furthest: Any, runtime: Any) -> Any:
    """How many seconds each title's curves have: its runtime, or more where more was played."""
    seconds = np.zeros(len(starts) - 1, np.int64)
    for t in range(len(seconds)):
        seconds[t] = runtime[t]
        for i in range(starts[t], starts[t + 1]):
            seconds[t] = max(seconds[t], furthest[i])
    return seconds


@_compiled
def spread(
    low: int, high: int, territory: Any, second: Any, values: Any, local: Any, room: Any, head: int
) -> bool:
    """One title's difference rows as the bodies that curves.pack compresses, into `room`.

    `room` is (places, head + 5 * 2 * seconds) bytes as int16, the first place all territories
    together; `local` gives a territory's place. Starts and stops, which come as counts, become
    differences too. False where one does not fit 16 bits.
    """
    seconds = (room.shape[1] - head) // SERIES_COUNT
    room[:, head:] = 0
    for i in range(low, high):
        t = second[i]
        for s in range(SERIES_COUNT):
            value = values[s, i]
            if value == 0:
                continue
            both = s in (STARTS, STOPS)
            for where in (0, local[territory[i]]):
                at = head + s * seconds + t
                if t < seconds:
                    total = np.int64(room[where, at]) + value
                    if total > 32767 or total < -32767:
                        return False
                    room[where, at] = total
                if both and t + 1 < seconds:
                    total = np.int64(room[where, at + 1]) - value
                    if total > 32767 or total < -32767:
                        return False
                    room[where, at + 1] = total
    return True


@_compiled
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


@_compiled
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
