"""One reporting day of segments, counted: `rollup(batches of one day) -> Partial`.

Pure and without Django, so that a cluster's workers run it as it is. The loops are the kernel's;
this module turns words into codes and codes back into words. What counts once and which day a
session belongs to is decided in the same pass; what may be published is protect.py's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from engagement.pipeline.kernel import lines as line_kernel
from engagement.pipeline.kernel import sessions as session_kernel
from engagement.pipeline.partial import CURVES_SCHEMA, PEOPLE_SCHEMA, WORDS, Hashes, Input, Partial
from engagement.pipeline.rows import Rows
from engagement.pipeline.words import Ints, named

_SHIFTS = (
    line_kernel.TERRITORY_SHIFT,
    line_kernel.DEVICE_SHIFT,
    line_kernel.REGION_SHIFT,
    line_kernel.AGE_SHIFT,
    0,
)
_EPOCH = date(1970, 1, 1)


def rollup(
    batches: Iterable[pa.RecordBatch | pa.Table],
    *,
    day: date,
    runtimes: Mapping[str, int],
    part: int = 0,
    parts: int = 1,
    with_people: bool = True,
) -> Partial:
    """Count the sessions that began on one reporting day.

    The batches have the columns of a landed segments table; ids may be hashed already (unsigned
    integers, viewers by sketches.hash_viewers), else they are hashed without a key. `source` and
    `line` order rows with one key (the last counts), `day` is a row's reporting day where rows
    of days around are among them. Rows come in any order. `runtimes` gives runtime_s by title_id
    (0 or missing: unknown, so nothing completes).

    With `parts` > 1 only the sessions whose hash falls in share `part` are counted; `merge` adds
    the shares up. Without people only the curves are.
    """
    rows = Rows(day, part, parts)
    for batch in batches:
        rows.add(batch)
    return count(rows, runtimes, with_people=with_people)


def count(rows: Rows, runtimes: Mapping[str, int], *, with_people: bool = True) -> Partial:
    """`rollup` of rows that were gathered before, which are let go as soon as they are counted."""
    taken = rows.take()
    if not len(taken.runs):
        return _partial(rows.day, runtimes, [], [[] for _ in WORDS], None)
    titles, title_rank = rows.titles.sorted()
    names, ranks = zip(*(words.sorted() for words in rows.words), strict=True)
    sources = np.array(sorted(rows.sources), np.int64)
    result = session_kernel.roll(
        (rows.day - _EPOCH).days,
        taken.lines,
        taken.runs,
        taken.firsts,
        taken.furthest,
        title_rank,
        ranks,
        tuple(_hashes_of(words) for words in names),
        np.array([runtimes.get(t, 0) for t in titles], np.int32),
        sources,
        with_people,
    )
    return _partial(rows.day, runtimes, titles, names, (*result, sources))


def _hashes_of(words: Sequence[str]) -> Hashes:
    digests = (hashlib.blake2b(w.encode(), digest_size=8).digest() for w in words)
    return np.frombuffer(b"".join(digests) or bytes(8), "<u8").astype(np.uint64)


def _partial(
    day: date,
    runtimes: Mapping[str, int],
    titles: Sequence[str],
    names: Sequence[Sequence[str]],
    result: tuple | None,
) -> Partial:
    if result is None:
        empty = CURVES_SCHEMA.empty_table(), PEOPLE_SCHEMA.empty_table()
        return Partial(day, {}, {}, *empty)
    (c_title, c_territory, c_second, c_values), people, told, sources = result
    differences = pa.table(
        [
            named(c_title, titles),
            named(c_territory, names[0]),
            c_second,
            *c_values,
        ],
        schema=CURVES_SCHEMA,
    )
    p_title, viewer, words, first, plays, watch, completions, furthest, digest = people
    by_name = {
        name: named((words >> shift) & mask, known, np.int16)
        for name, shift, mask, known in zip(
            WORDS, _SHIFTS, (0x7FFF, 0xFFFF, 0xFFFF, 0xFF, 0xFF), names, strict=True
        )
    }
    table = pa.table(
        {
            "title_id": named(p_title, titles),
            "viewer": viewer,
            **by_name,
            "first_at": first,
            "plays": plays,
            "watch_seconds": watch,
            "completions": completions,
            "furthest_s": furthest,
            "digest": digest,
        }
    ).select(PEOPLE_SCHEMA.names)
    return Partial(
        day,
        {t: runtimes.get(t, 0) for t in titles},
        {t: i for t, i in zip(titles, _inputs(told, sources), strict=True) if i.sources},
        differences,
        table.cast(PEOPLE_SCHEMA),
    )


def _inputs(told: tuple, sources: Ints) -> Iterator[Input]:
    rows, others, low, high, reaches, duplicates, held = told
    for t in range(len(rows)):
        yield Input(
            rows=int(rows[t]),
            two_viewers=int(others[t]),
            digest=(int(high[t]) << 64) | int(low[t]),
            reaches=int(reaches[t]) if held[t].any() else None,
            duplicates={int(s): int(n) for s, n in zip(sources, duplicates[t], strict=True) if n},
            sources=frozenset(int(s) for s, n in zip(sources, held[t], strict=True) if n),
        )
