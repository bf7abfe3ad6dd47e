"""One title's sessions after another: what they played, and who they were.

A session's rows are brought together by counting, sorted among themselves, and counted by the
edges of what they played, so that no second of content is ever visited row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.pipeline.kernel.compiled import compiled, twice
from engagement.pipeline.kernel.hashing import FOUR, ONE, THREE, TWO, mix
from engagement.pipeline.kernel.lines import (
    AGE_SHIFT,
    DAY_BITS,
    DEVICE_SHIFT,
    LINE,
    MOST_DAYS,
    PLACE,
    REGION_SHIFT,
    SESSION,
    SOURCE_SHIFT,
    SPAN,
    STARTED,
    TERRITORY_SHIFT,
    VIEWER,
    WORDS,
    cuts_of,
)
from engagement.pipeline.kernel.persons import (
    PERSON,
    add_person,
    room_for,
    table_size,
    write_people,
)
from engagement.pipeline.kernel.seconds import (
    SERIES_COUNT,
    STARTS,
    STOPS,
    add_curves,
    marked,
    with_room,
    write_curves,
)
from engagement.pipeline.kernel.sorting import SMALL, position, sort_bucket, sort_many

_DAY_MASK = (1 << DAY_BITS) - 1
_MICROSECONDS_A_DAY = 86_400_000_000


@compiled
def _in_buckets(
    s: int,
    cuts: int,
    runs: Any,
    lines: Any,
    g: Any,
    ends: Any,
    rank_territory: Any,
    local: Any,
    territories: int,
) -> Any:
    """Copy a share's lines to `g`, by the session's hash into as many buckets as it has rows.

    `ends` gets where each bucket ends, `local` numbers the territories, of which there were
    `territories` before. Returns how many rows, the largest bucket's, whether all are of the day
    itself, and how many territories there are now.
    """  # fmt: skip
    rows = 0
    for run in range(len(runs)):
        rows += runs[run, s + 1] - runs[run, s]
    ends[: rows + 1] = 0
    one_day = True
    for run in range(len(runs)):
        for row in range(runs[run, s], runs[run, s + 1]):
            at = row * LINE
            ends[_bucket(lines[at + SESSION], cuts, rows) + 1] += 1
            one_day = one_day and lines[at + STARTED] & _DAY_MASK == MOST_DAYS
            where = rank_territory[lines[at + WORDS] >> TERRITORY_SHIFT]
            if local[where] < 0:
                local[where] = territories
                territories += 1
    largest = np.int64(0)
    for b in range(rows):
        largest = max(largest, ends[b + 1])
        ends[b + 1] += ends[b]
    for run in range(len(runs)):
        for row in range(runs[run, s], runs[run, s + 1]):
            at = row * LINE
            b = _bucket(lines[at + SESSION], cuts, rows)
            to = np.int64(ends[b]) * LINE
            for word in range(LINE):
                g[to + word] = lines[at + word]
            ends[b] += 1
    return rows, largest, one_day, territories


@compiled
def _bucket(key: int, cuts: int, rows: int) -> int:
    """Where among `rows` places a session of a share stands by its hash, in the hashes' order."""
    rest = np.uint64(key) << np.uint64(cuts)  # what is the same in the whole share is left out
    return np.int64(((rest >> np.uint64(32)) * np.uint64(rows)) >> np.uint64(32))


@compiled
def _day(row: int, g: Any) -> int:
    """How many days after the day that is counted a row was played."""
    return (g[row * LINE + STARTED] & _DAY_MASK) - MOST_DAYS


@compiled
def _own_days(first: int, last: int, g: Any, perm: Any) -> Any:
    """Of a session's rows perm[first:last] those of the stretch of days that began on the day."""
    while first < last:
        end = first + 1
        while end < last and _day(perm[end], g) - _day(perm[end - 1], g) <= 1:
            end += 1
        if _day(perm[first], g) == 0:
            return first, end
        first = end
    return last, last


@compiled
def _count_sessions(
    t: int,
    day: int,
    one_day: bool,
    rows: int,
    ends: Any,
    g: Any,
    width: int,
    bits: int,
    runtime: int,
    ranks: Any,
    hashes: Any,
    local: Any,
    dense: Any,
    touched: Any,
    scratch: Any,
    sources: Any,
    told: Any,
    table: Any,
    persons: Any,
    found: int,
    with_people: bool,
) -> int:
    """Count a share of a title's sessions: how many persons of it there are then in `persons`."""
    perm, keep, stretch = scratch
    t_rows, t_others, t_low, t_high, t_reaches, t_duplicates, t_sources = told
    rank_territory, rank_device, rank_region, rank_age, rank_gender = ranks
    hash_territory, hash_device, hash_region, hash_age, hash_gender = hashes
    since = day * _MICROSECONDS_A_DAY
    source, of_source = 0, np.int64(-1)
    counted, others, reaches = 0, 0, -MOST_DAYS
    digest_low, digest_high = np.uint64(0), np.uint64(0)
    bucket, held, m = 0, 0, 0  # of the bucket at hand perm[:held] is sorted, perm[:m] counted
    end_before = np.int64(0)
    while True:
        if m == held:  # the next bucket that has rows
            while bucket < rows and ends[bucket] == end_before:
                bucket += 1
            if bucket == rows:
                break
            held = ends[bucket] - end_before
            sort_bucket(end_before, held, g, perm)
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
            first, last = _own_days(first, last, g, perm)
            if first == last:
                continue
        reaches = max(reaches, _day(perm[last - 1], g))
        # of rows with one key the one landed last counts
        opening = -1
        for i in range(first, last):
            row = perm[i] * LINE
            if g[row + PLACE] >> SOURCE_SHIFT != of_source:
                of_source = g[row + PLACE] >> SOURCE_SHIFT
                source = position(sources, of_source)
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
        known = np.uint64(key) * ONE + who * TWO
        played, furthest, watched, closing = 0, np.int64(0), np.int64(0), -1
        digest = np.uint64(0)
        for i in range(first, last):
            if not keep[i]:
                continue
            row = perm[i] * LINE
            if np.uint64(g[row + VIEWER]) != who:
                others += 1
                continue
            counted += 1
            span = g[row + SPAN]
            f, e = span >> 32, span & 0xFFFFFFFF
            if with_people:
                started = since + (g[row + STARTED] >> DAY_BITS)
                piece = mix(np.uint64(started) * THREE + np.uint64(span) * FOUR)
                told_of = mix(piece + known)
                digest_low += told_of
                digest_high += mix(told_of + piece)
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
            if played < SMALL:
                while j >= 0 and stretch[j] > span:
                    stretch[j + 1] = stretch[j]
                    j -= 1
            stretch[j + 1] = span
            played += 1
        if played == 0:
            continue  # nothing but stretches of no length
        if played > SMALL:
            sort_many(played, stretch)
        about = g[opening + WORDS]
        where = rank_territory[about >> TERRITORY_SHIFT]
        base, marks = local[where] * width, local[where] * bits
        add_curves(played, stretch, base, marks, dense, touched)
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
        told_of = mix(
            known
            + hash_territory[where] * ONE
            + hash_device[device] * TWO
            + hash_region[region] * THREE
            + hash_age[age] * FOUR
            + hash_gender[gender]
        )
        digest_low += told_of
        digest_high += mix(told_of + known)
        finished = np.int32(1 if runtime > 0 and 10 * furthest >= 9 * runtime else 0)
        digest = mix(digest + hash_device[device] + np.uint64(finished))
        ranked = (
            (np.int64(where) << TERRITORY_SHIFT)
            | (np.int64(device) << DEVICE_SHIFT)
            | (np.int64(region) << REGION_SHIFT)
            | (np.int64(age) << AGE_SHIFT)
            | np.int64(gender)
        )
        began = since + (g[opening + STARTED] >> DAY_BITS)
        found = add_person(
            who, ranked, began, watched, finished, furthest, digest, found, table, persons
        )
    t_rows[t] += counted
    t_others[t] += others
    t_reaches[t] = max(t_reaches[t], day + reaches)
    t_low[t] += digest_low
    t_high[t] += digest_high
    return found


@compiled
def roll(
    day: int,
    lines: Any,
    runs: Any,
    firsts: Any,
    furthest: Any,
    rank_title: Any,
    ranks: Any,
    hashes: Any,
    runtime: Any,
    sources: Any,
    with_people: bool,
) -> Any:
    """Count the sessions of `day` (days since 1970) by title.

    `runs` tells where in `lines` each block's rows of each share begin, and end; a title's code
    has the shares from `firsts` on, and was played to `furthest`. Rows of days around among
    them tell whose sessions are this day's. `rank_title` and `ranks` turn a word's code into its
    place among the sorted words; `hashes` and `runtime` are by that place. `sources` are sorted.

    Returns curve rows (title, territory, second and the five series), people rows (title, viewer,
    words, first_at, plays, watch_seconds, completions, furthest_s, digest), and per title: rows
    kept, rows of a second viewer, two sums of row hashes, the last day played, and by Source
    duplicates and rows.
    """
    titles = len(runtime)
    rank_territory = ranks[0]
    # scratch, as large as the largest title, share and bucket need
    rows, most, most_of_share = 0, 1, 1
    for code in range(titles):
        of_title = 0
        for s in range(firsts[code], firsts[code + 1]):
            of_share = 0
            for run in range(len(runs)):
                of_share += runs[run, s + 1] - runs[run, s]
            of_title, most_of_share = of_title + of_share, max(most_of_share, of_share)
        rows, most = rows + of_title, max(most, of_title)
    g, ends = np.empty(most_of_share * LINE, np.int64), np.empty(most_of_share + 1, np.int32)
    scratch = (np.empty(1, np.int64), np.empty(1, np.bool_), np.empty(1, np.int64))
    order = np.empty(most, np.int32)
    local = np.empty(len(rank_territory), np.int64)  # territory -> its place in `dense`, or -1
    dense = np.zeros(0, np.int32)  # [territory, second, series]; all zero between titles
    touched = np.zeros(0, np.uint64)  # [territory, second // 64], a bit a second
    table = np.empty(table_size(most if with_people else 1), np.int32)
    persons = np.empty((most if with_people else 1) * PERSON, np.int64)

    # results; there is room for what is likely, of which memory takes what is written
    likely = max(1024, 2 * rows // 3)
    c_title, c_territory = np.empty(likely, np.int32), np.empty(likely, np.int32)
    c_second = np.empty(likely, np.int32)
    c_values = np.empty((SERIES_COUNT, likely), np.int32)
    curves = 0
    p_title, out = np.empty(rows, np.int32), room_for(rows if with_people else 1)
    people = 0
    told = (
        np.zeros(titles, np.int64),
        np.zeros(titles, np.int64),
        np.zeros(titles, np.uint64),
        np.zeros(titles, np.uint64),
        np.full(titles, -(2**31), np.int32),
        np.zeros((titles, len(sources)), np.int64),
        np.zeros((titles, len(sources)), np.int64),
    )
    code_of = np.empty(titles, np.int64)
    for code in range(titles):
        code_of[rank_title[code]] = code

    for t in range(titles):
        code = code_of[t]
        width = max(furthest[code], np.int64(runtime[t])) + 1
        bits = (width + 63) // 64
        local.fill(-1)
        territories, found, of_title = 0, 0, 0
        for s in range(firsts[code], firsts[code + 1]):
            for run in range(len(runs)):
                of_title += runs[run, s + 1] - runs[run, s]
        slots = table[: table_size(of_title if with_people else 1)]
        slots[:] = -1
        for s in range(firsts[code], firsts[code + 1]):
            held, largest, one_day, territories = _in_buckets(
                s, cuts_of(firsts[code + 1] - firsts[code]), runs, lines, g, ends,
                rank_territory, local, territories,
            )  # fmt: skip
            if territories * width * SERIES_COUNT > len(dense):
                dense = with_room(dense, territories * width * SERIES_COUNT)
            if territories * bits > len(touched):
                touched = with_room(touched, territories * bits)
            if largest > len(scratch[0]):
                scratch = (
                    np.empty(largest, np.int64),
                    np.empty(largest, np.bool_),
                    np.empty(largest, np.int64),
                )
            found = _count_sessions(
                t, day, one_day, held, ends, g, width, bits, np.int64(runtime[t]), ranks, hashes,
                local, dense, touched, scratch, sources, told, slots, persons, found, with_people,
            )  # fmt: skip
        while curves + marked(touched, territories * bits) > len(c_title):
            c_title, c_territory = twice(c_title), twice(c_territory)
            c_second = twice(c_second)
            longer = np.empty((SERIES_COUNT, len(c_title)), np.int32)
            longer[:, :curves] = c_values[:, :curves]
            c_values = longer
        curves = write_curves(
            t, curves, width, bits, local, dense, touched, c_title, c_territory, c_second, c_values
        )
        if found:
            write_people(t, found, slots, order, persons, people, p_title, out)
            people += found

    return (
        (c_title[:curves], c_territory[:curves], c_second[:curves], c_values[:, :curves]),
        (
            p_title[:people],
            out[0][:people],
            out[1][:people],
            out[2][:people],
            out[3][:people],
            out[4][:people],
            out[5][:people],
            out[6][:people],
            out[7][:people],
        ),
        told,
    )
