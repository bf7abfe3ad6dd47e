"""What a day's people and curves add up to: the scalars, sketches and curves that are stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.curves import FAR, LARGE, SPARSE
from engagement.pipeline.kernel.compiled import compiled, twice
from engagement.pipeline.kernel.lines import DEVICE_SHIFT, TERRITORY_SHIFT
from engagement.pipeline.kernel.seconds import SERIES_COUNT, STARTS, STOPS
from engagement.pipeline.kernel.sorting import lowest_bit

# The words of a compact theta sketch (sketches.py): its preamble, and how much it retained.
_PREAMBLE = 3 << 8 | 3 << 16 | 0x1A << 40 | 0x93CC << 48
_EMPTY_SKETCH = 1 | 3 << 8 | 3 << 16 | 0x1E << 40 | 0x93CC << 48
_SAMPLED_WHOLE = 0x3F800000 << 32  # 1.0 as a float


@compiled
def _sketch_words(viewers: int, keep: int) -> int:
    """How many 64-bit words the sketch of so many viewers takes."""
    if viewers == 0:
        return 1
    return 3 + keep if viewers > keep else 2 + viewers


@compiled
def _open_sketch(words: Any, at: int, viewers: int, keep: int) -> int:
    """Write a sketch's head: where its hashes begin. Theta is written when it is known."""
    if viewers == 0:
        words[at] = np.uint64(_EMPTY_SKETCH)
        return at + 1
    longs = 3 if viewers > keep else 2
    words[at] = np.uint64(_PREAMBLE | longs)
    words[at + 1] = np.uint64(_SAMPLED_WHOLE | min(viewers, keep))
    return at + longs


@compiled
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


@compiled
def furthest_of(starts: Any, furthest: Any, runtime: Any) -> Any:
    """How many seconds each title's curves have: its runtime, or more where more was played."""
    seconds = np.zeros(len(starts) - 1, np.int64)
    for t in range(len(seconds)):
        seconds[t] = runtime[t]
        for i in range(starts[t], starts[t + 1]):
            seconds[t] = max(seconds[t], furthest[i])
    return seconds


@compiled
def bodies(
    low: int,
    high: int,
    territory: Any,
    second: Any,
    values: Any,
    local: Any,
    count: int,
    seconds: int,
    scratch: Any,
    out: Any,
) -> Any:
    """One title's difference rows as what curves.pack compresses, headers included.

    Rows `low`..`high` are sorted by territory and second; `local` gives a territory's place among
    `count`, of which the first is all territories together. `scratch` has three rows for one more
    than the seconds of all series, the first of which is zero and stays so. Returns (where each
    place's bytes begin, and the end; the bytes, `out` or longer).
    """  # fmt: skip
    room, places, numbers = scratch
    bounds = np.zeros(count + 1, np.int64)
    kept = _kept_of_all(low, high, second, values, seconds, room, places, numbers)
    out, bounds[1] = _body(kept, seconds, places, numbers, out, 0)
    begin = low
    for place in range(1, count):
        end = begin
        while end < high and local[territory[end]] == place:
            end += 1
        kept = _kept(begin, end, second, values, seconds, places, numbers)
        out, bounds[place + 1] = _body(kept, seconds, places, numbers, out, bounds[place])
        begin = end
    return bounds, out


@compiled
def _kept_of_all(
    low: int,
    high: int,
    second: Any,
    values: Any,
    seconds: int,
    room: Any,
    places: Any,
    numbers: Any,
) -> int:
    """The differences of rows of several territories that are not zero: how many.

    Leaves `room` zero. Starts and stops, which come as counts, become differences.
    """  # fmt: skip
    touched = np.zeros(seconds // 64 + 1, np.uint64)  # a bit a second
    for i in range(low, high):
        t = np.int64(second[i])
        if t >= seconds:
            continue
        touched[t >> 6] |= np.uint64(1) << np.uint64(t & 63)
        for s in range(SERIES_COUNT):
            value = values[s, i]
            room[s * seconds + t] += value
            if value != 0 and s in (STARTS, STOPS) and t + 1 < seconds:
                room[s * seconds + t + 1] -= value
                touched[t + 1 >> 6] |= np.uint64(1) << np.uint64(t + 1 & 63)
    kept = 0
    for s in range(SERIES_COUNT):
        for block in range(len(touched)):
            left = touched[block]
            while left:
                at = s * seconds + 64 * block + lowest_bit(left)
                left &= left - np.uint64(1)
                places[kept], numbers[kept] = at, room[at]
                kept += room[at] != 0
                room[at] = 0
    return kept


@compiled
def _kept(
    low: int, high: int, second: Any, values: Any, seconds: int, places: Any, numbers: Any
) -> int:
    """The differences of rows of one territory that are not zero: how many."""
    kept = 0
    for s in range(SERIES_COUNT):
        falls, back = np.int64(-1), np.int64(0)  # a count falls back at the next second
        for i in range(low, high):
            value, t = np.int64(values[s, i]), np.int64(second[i])
            if value == 0 or t >= seconds:
                continue
            number = value
            if falls == t:
                number += back
            elif falls >= 0:
                places[kept], numbers[kept] = s * seconds + falls, back
                kept += 1
            if number != 0:
                places[kept], numbers[kept] = s * seconds + t, number
                kept += 1
            falls = np.int64(-1)
            if s in (STARTS, STOPS):
                falls, back = t + 1, -value
        if 0 <= falls < seconds:
            places[kept], numbers[kept] = s * seconds + falls, back
            kept += 1
    return kept


@compiled
def _body(kept: int, seconds: int, places: Any, numbers: Any, out: Any, begin: int) -> Any:
    """Write curves.py's header and differences from byte `begin` on: (`out` or longer, the end)."""
    size = SERIES_COUNT * seconds
    largest, far, large = np.int64(0), 0, 0
    before = np.int64(0)
    for i in range(kept):
        largest = max(largest, abs(numbers[i]))
        far += places[i] - before >= FAR
        large += abs(numbers[i]) >= -LARGE
        before = places[i]
    sparse = 2 * kept < size and largest < 1 << 31
    each = 2 if largest < 1 << 15 else 8
    end = begin + 6 + (4 + 2 * kept + 4 * (far + large) if sparse else each * size)
    while end > len(out):
        out = twice(out)
    out[begin] = SPARSE if sparse else each
    out[begin + 1] = SERIES_COUNT
    _put(out, begin + 2, seconds, 4)
    at = begin + 6
    if not sparse:
        out[at:end] = 0
        for i in range(kept):
            _put(out, at + each * places[i], numbers[i], each)
        return out, end
    _put(out, at, kept, 4)
    at += 4
    wide = at + 2 * kept
    before = np.int64(0)
    for i in range(kept):
        distance = places[i] - before
        before = places[i]
        out[at + i] = min(distance, FAR)
        if distance >= FAR:
            _put(out, wide, distance, 4)
            wide += 4
    for i in range(kept):
        number = numbers[i]
        if abs(number) >= -LARGE:
            _put(out, wide, number, 4)
            wide += 4
            number = np.int64(LARGE)
        out[at + kept + i] = number & 0xFF
    return out, end


@compiled
def _put(out: Any, at: int, number: int, width: int) -> None:
    """The lowest bytes of a number, little end first."""
    for byte in range(width):
        out[at + byte] = (number >> (8 * byte)) & 0xFF
