"""One reporting day of segments, counted: `rollup(batches of one day) -> Partial`.

Pure and without Django, so that a cluster's workers run it as it is. The loops are kernel.py's;
this module turns words into codes and codes back into words. What counts once and which day a
session belongs to is decided in the same pass; what may be published is protect.py's business.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard
from numpy.typing import NDArray

from engagement import curves
from engagement.curves import Curves
from engagement.pipeline import sketches
from engagement.pipeline.kernel import cells as cell_kernel
from engagement.pipeline.kernel import lines as line_kernel
from engagement.pipeline.kernel import sessions as session_kernel
from engagement.pipeline.kernel.hashing import hash_texts
from engagement.pipeline.kernel.order import merge_runs
from engagement.pipeline.sketches import Content, K, Viewers

ALL = "*"
SERIES = ("sessions", "times_played", "starts", "stops", "skips")
"""The rows of a cell's curves. rewatches = times_played - sessions."""

WORDS = ("territory", "device", "region", "age_band", "gender")
_SHIFTS = (
    line_kernel.TERRITORY_SHIFT,
    line_kernel.DEVICE_SHIFT,
    line_kernel.REGION_SHIFT,
    line_kernel.AGE_SHIFT,
    0,
)
_EPOCH = date(1970, 1, 1)
_MICROSECONDS_A_DAY = 86_400_000_000

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class CellPartial:
    """One title, day, territory and device, unprotected, as it is stored.

    `packed` are its curves by curves.pack: (5, seconds), one row a name of SERIES. They are
    (5, 0), and `content_bytes` empty, for a single device: those are published as totals only.
    """

    title_id: str
    day: date
    territory: str
    device: str
    plays: int
    watch_seconds: int
    completions: int
    viewers: int
    finishers: int
    packed: bytes
    viewer_bytes: bytes
    finisher_bytes: bytes
    content_bytes: bytes

    @property
    def curves(self) -> Curves:
        return curves.unpack(self.packed)

    @property
    def viewer_sketch(self) -> Viewers:
        return sketches.from_bytes(self.viewer_bytes)

    @property
    def finisher_sketch(self) -> Viewers:
        return sketches.from_bytes(self.finisher_bytes)

    @property
    def content(self) -> Content:
        return sketches.content_from_bytes(self.content_bytes)


@dataclass(frozen=True)
class Input:
    """What a title's part of a day was made of: rows counted, and what was left out.

    `digest` is two sums, of 64 bits each, over the rows that count, whatever their order;
    `reaches` the last day (since 1970) on which one of the sessions played.
    """

    rows: int = 0
    two_viewers: int = 0
    digest: int = 0
    reaches: int | None = None
    duplicates: Mapping[int, int] = field(default_factory=dict)  # by Source
    sources: frozenset[int] = frozenset()

    def __add__(self, other: Input) -> Input:
        both = {*self.duplicates, *other.duplicates}
        return Input(
            self.rows + other.rows,
            self.two_viewers + other.two_viewers,
            _add_lanes(self.digest, other.digest),
            max((r for r in (self.reaches, other.reaches) if r is not None), default=None),
            {s: self.duplicates.get(s, 0) + other.duplicates.get(s, 0) for s in sorted(both)},
            self.sources | other.sources,
        )


def _add_lanes(a: int, b: int) -> int:
    low = (1 << 64) - 1
    return (((a >> 64) + (b >> 64)) & low) << 64 | ((a & low) + (b & low)) & low


@dataclass(frozen=True)
class Partial:
    """A day's titles, or the part of them that one share of the sessions makes.

    `curves` are difference rows, sorted by title, territory and second: how many more sessions
    (times played, skips) hold this second than the one before, and how many start and stop at it.
    `people` are pipeline/people.py's rows with a title, sorted by title, viewer, territory and
    device. Both add up over shares of a day; everything else derives from them.
    """

    day: date
    runtimes: Mapping[str, int]
    inputs: Mapping[str, Input]
    curves: pa.Table
    people: pa.Table

    def titles(self) -> list[str]:
        return sorted(self.inputs)


CURVES_SCHEMA = pa.schema(
    [
        ("title_id", pa.dictionary(pa.int32(), pa.string())),
        ("territory", pa.dictionary(pa.int32(), pa.string())),
        ("second", pa.int32()),
        *((name, pa.int32()) for name in SERIES),
    ]
)


# --- rows in ---------------------------------------------------------------------------------


class Words:
    """Codes of words as they are met, and their order when all are known."""

    def __init__(self, most: int) -> None:
        self.codes: dict[str, int] = {}
        self.most = most

    def of(self, column: pa.Array) -> NDArray[np.int32]:
        """The codes of a column."""
        places, table = self.places(column)
        coded: NDArray[np.int32] = table[places]
        return coded

    def places(self, column: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The column as places in a table of codes, and the table."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        known = [self._code(word or "") for word in column.dictionary.to_pylist()]
        indices = column.indices
        if column.null_count:
            indices = pc.fill_null(indices, len(known))
            known.append(self._code(""))
        places = indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        return places, np.array(known, np.int32)

    def _code(self, word: str) -> int:
        code = self.codes.setdefault(word, len(self.codes))
        if code >= self.most:
            raise ValueError(f"more than {self.most} different words, {word!r} the last")
        return code

    def sorted(self) -> tuple[list[str], NDArray[np.int32]]:
        """The words in order, and of each code the word's place."""
        names = sorted(self.codes)
        rank = np.empty(max(len(names), 1), np.int32)
        for place, name in enumerate(names):
            rank[self.codes[name]] = place
        return names, rank


class Rows:
    """One share of a day's rows as the kernel's lines. `parts` > 1 takes sessions by their hash.

    `expected` rows are made room for; more are taken as well. A row's time and day lie within
    five years of the day.
    """

    def __init__(self, day: date, part: int = 0, parts: int = 1, expected: int = 4096) -> None:
        self.day, self.part, self.parts = day, part, parts
        self.titles = Words(1 << 31)
        self.words = [Words(most) for most in line_kernel.MOST_WORDS]
        self.lines = np.empty(max(expected, 1) * line_kernel.LINE, np.int64)
        self.sources: set[int] = set()
        self.count = 0  # lines taken and written out by title
        self.met = 0  # rows that came by
        self._block = np.empty(line_kernel.BLOCK * line_kernel.LINE, np.int64)
        self._block_title = np.empty(line_kernel.BLOCK, np.int32)
        self._filled = 0
        self._runs: list[Ints] = []

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Take in rows of a landed or staged segments table, ids hashed or not."""
        for piece in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
            if piece.num_rows:
                self._add(piece)

    def _add(self, batch: pa.RecordBatch) -> None:
        rows, names = batch.num_rows, set(batch.schema.names)
        title, of_titles = self.titles.places(batch["title_id"])
        places, tables = [], [of_titles]
        for name, words in zip(WORDS, self.words, strict=True):
            none = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [""])
            where, table = words.places(batch[name] if name in names else none)
            places.append(where)
            tables.append(table)
        place = _ints(batch["line"]) if "line" in names else np.array([self.met])
        if "source" in names:
            if "line" not in names:
                place = place + np.arange(rows)
            place = place + (_ints(batch["source"]) << line_kernel.SOURCE_SHIFT)
            self.sources.update(pc.unique(batch["source"]).to_pylist())
        else:
            self.sources.add(0)
        viewer = np.zeros(rows, np.uint64)
        if "viewer_id" in names:
            viewer = viewers_of(batch["viewer_id"])
        columns = (
            title,
            ids_of(batch["session_id"]),
            viewer,
            self._since(batch["started_at"]),
            batch["from_s"].to_numpy(zero_copy_only=False),
            batch["to_s"].to_numpy(zero_copy_only=False),
            place,
            self._days(batch),
        )
        at = 0
        while at < rows:
            at, self._filled = line_kernel.pack(
                self._block,
                self._block_title,
                self._filled,
                at,
                *columns,
                tuple(places),
                tuple(tables),
                self.part,
                self.parts,
            )
            if self._filled == line_kernel.BLOCK:
                self._write_out()
        self.met += rows

    def _since(self, started: pa.Array) -> Ints:
        """Microseconds since the day began."""
        since = _instants(started) - (self.day - _EPOCH).days * _MICROSECONDS_A_DAY
        if max(since.max(), -since.min()) >= line_kernel.MOST_MICROSECONDS:
            raise ValueError(f"{self.day}: a row's started_at lies decades away")
        return since

    def _days(self, batch: pa.RecordBatch) -> NDArray[np.int32]:
        """How many days after the day each row was played; one number for all of them."""
        if "day" not in batch.schema.names:
            return np.zeros(1, np.int32)
        days: NDArray[np.int32] = batch["day"].cast(pa.int32()).to_numpy(zero_copy_only=False)
        days = days - np.int32((self.day - _EPOCH).days)
        if max(days.max(), -days.min()) >= line_kernel.MOST_DAYS:
            raise ValueError(f"{self.day}: a row's day lies years away")
        return days[:1] if days[0] == days[-1] and (days == days[0]).all() else days

    def _write_out(self) -> None:
        """The block's rows to the lines, those of a title together."""
        needed = (self.count + self._filled) * line_kernel.LINE
        if needed > len(self.lines):
            longer = np.empty(max(needed, len(self.lines) * 3 // 2), np.int64)
            longer[: self.count * line_kernel.LINE] = self.lines[: self.count * line_kernel.LINE]
            self.lines = longer
        self._runs.append(
            line_kernel.by_title(
                self._block,
                self._block_title,
                self._filled,
                len(self.titles.codes),
                self.lines,
                self.count,
            )
        )
        self.count += self._filled
        self._filled = 0

    def take(self) -> tuple[Ints, Ints]:
        """The lines and their runs, once: they are not held any longer."""
        runs, lines = self._all_runs(), self.lines
        self.lines, self._runs, self.count = np.empty(0, np.int64), [], 0
        return lines, runs

    def _all_runs(self) -> Ints:
        """(blocks, titles + 1): where each title's rows begin, and the last one's end."""
        if self._filled:
            self._write_out()
        width = len(self.titles.codes) + 1
        runs = np.empty((len(self._runs), width), np.int64)
        for run, starts in zip(runs, self._runs, strict=True):
            run[: len(starts)] = starts
            run[len(starts) :] = starts[-1]
        return runs


def viewers_of(column: pa.Array) -> Hashes:
    """Viewers as 63 bits, as sketches have them: numbers as they are, texts hashed."""
    viewers = ids_of(column)
    return viewers if pa.types.is_integer(column.type) else viewers >> np.uint64(1)


def ids_of(column: pa.Array) -> Hashes:
    """Ids as 64 bits: numbers as they are, texts hashed."""
    if pa.types.is_integer(column.type):
        numbers: Hashes = column.to_numpy(zero_copy_only=False).astype(np.uint64, copy=False)
        return numbers
    if pa.types.is_dictionary(column.type):
        texts: Hashes = ids_of(column.dictionary)
        each: Hashes = texts[column.indices.to_numpy(zero_copy_only=False)]
        return each
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    letters = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    hashed: Hashes = hash_texts(bounds, letters, np.uint64(0))
    return hashed


def _ints(column: pa.Array) -> Ints:
    numbers: Ints = column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return numbers


def _instants(column: pa.Array) -> Ints:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    return _ints(column)


# --- the roll-up -----------------------------------------------------------------------------


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
    lines, runs = rows.take()
    if not len(runs):
        return _partial(rows.day, runtimes, [], [[] for _ in WORDS], None)
    titles, title_rank = rows.titles.sorted()
    names, ranks = zip(*(words.sorted() for words in rows.words), strict=True)
    sources = np.array(sorted(rows.sources), np.int64)
    result = session_kernel.roll(
        (rows.day - _EPOCH).days,
        lines,
        runs,
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
            _named(c_title, titles),
            _named(c_territory, names[0]),
            c_second,
            *c_values,
        ],
        schema=CURVES_SCHEMA,
    )
    p_title, viewer, words, first, plays, watch, completions, furthest, digest = people
    by_name = {
        name: _named((words >> shift) & mask, known, np.int16)
        for name, shift, mask, known in zip(
            WORDS, _SHIFTS, (0x7FFF, 0xFFFF, 0xFFFF, 0xFF, 0xFF), names, strict=True
        )
    }
    table = pa.table(
        {
            "title_id": _named(p_title, titles),
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


def _named(
    codes: NDArray, names: Sequence[str], index: type[np.signedinteger] = np.int32
) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(index)), pa.array(list(names), pa.string())
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


_WORD = pa.dictionary(pa.int16(), pa.string())
PEOPLE_SCHEMA = pa.schema(
    [
        ("title_id", pa.dictionary(pa.int32(), pa.string())),
        ("viewer", pa.uint64()),
        *((name, _WORD) for name in WORDS),
        ("first_at", pa.int64()),
        ("plays", pa.int32()),
        ("watch_seconds", pa.int64()),
        ("completions", pa.int32()),
        ("furthest_s", pa.int32()),
        ("digest", pa.uint64()),
    ]
)
"""people.SCHEMA with a title."""


# --- a Partial as bytes ----------------------------------------------------------------------


def to_bytes(partial: Partial) -> bytes:
    """The same for the same Partial, whichever engine made it."""
    told = {
        "day": partial.day.isoformat(),
        "runtimes": dict(sorted(partial.runtimes.items())),
        "inputs": {
            title: {
                "rows": i.rows,
                "two_viewers": i.two_viewers,
                "digest": f"{i.digest:032x}",
                "reaches": i.reaches,
                "duplicates": sorted(i.duplicates.items()),
                "sources": sorted(i.sources),
            }
            for title, i in sorted(partial.inputs.items())
        },
    }
    tables = [_as_stream(partial.curves), _as_stream(partial.people)]
    head = json.dumps(told, sort_keys=True).encode()
    return b"".join([struct.pack("<3Q", len(head), len(tables[0]), len(tables[1])), head, *tables])


def from_bytes(packed: bytes) -> Partial:
    """The Partial that `to_bytes` was given."""
    sizes = struct.unpack_from("<3Q", packed)
    edges = np.cumsum([24, *sizes])
    head, curves, people = (packed[a:b] for a, b in pairwise(edges.tolist()))
    told = json.loads(head)
    return Partial(
        date.fromisoformat(told["day"]),
        told["runtimes"],
        {
            title: Input(
                i["rows"],
                i["two_viewers"],
                int(i["digest"], 16),
                i["reaches"],
                dict(i["duplicates"]),
                frozenset(i["sources"]),
            )
            for title, i in told["inputs"].items()
        },
        pa.ipc.open_stream(curves).read_all(),
        pa.ipc.open_stream(people).read_all(),
    )


def _as_stream(table: pa.Table) -> bytes:
    """One batch, whose words are exactly those that occur, in order."""
    table = table.combine_chunks()
    for place, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            codes, names = _codes([table], column.name)
            named = _named(codes, names).cast(column.type)
            table = table.set_column(place, column, named)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


# --- shares of a day together ----------------------------------------------------------------


def merge(partials: Sequence[Partial]) -> Partial:
    """The shares of one day as one: the same bytes as if it had not been shared out."""
    if len(partials) == 1:
        return partials[0]
    inputs: dict[str, Input] = {}
    runtimes: dict[str, int] = {}
    for partial in partials:
        runtimes |= partial.runtimes
        for title, told in partial.inputs.items():
            inputs[title] = inputs.get(title, Input()) + told
    return Partial(
        partials[0].day,
        dict(sorted(runtimes.items())),
        dict(sorted(inputs.items())),
        _add_curves([p.curves for p in partials]),
        _add_people([p.people for p in partials]),
    )


def _codes(tables: Sequence[pa.Table], name: str) -> tuple[NDArray, list[str]]:
    """The column of all tables as places among its sorted words."""
    words = Words(1 << 31)
    codes = [words.of(chunk) for table in tables for chunk in table[name].chunks]
    names, rank = words.sorted()
    return rank[np.concatenate(codes)] if codes else np.zeros(0, np.int32), names


def _column(tables: Sequence[pa.Table], name: str) -> NDArray:
    return np.concatenate([t[name].to_numpy() for t in tables])


def _add_curves(tables: Sequence[pa.Table]) -> pa.Table:
    title, titles = _codes(tables, "title_id")
    territory, territories = _codes(tables, "territory")
    second = _column(tables, "second")
    none = np.zeros(len(title), np.int64)
    order = _merged(tables, title, territory.astype(np.uint64), second, none, none)
    title, territory, second = title[order], territory[order], second[order]
    opens = _changes(title, territory, second)
    sums = [np.add.reduceat(_column(tables, n)[order], opens).astype(np.int32) for n in SERIES]
    left = np.any([s != 0 for s in sums], axis=0) if len(opens) else np.zeros(0, bool)
    kept = opens[left]
    return pa.table(
        [
            _named(title[kept], titles),
            _named(territory[kept], territories),
            second[kept],
            *(s[left] for s in sums),
        ],
        schema=CURVES_SCHEMA,
    )


def _add_people(tables: Sequence[pa.Table]) -> pa.Table:
    codes = {name: _codes(tables, name) for name in ("title_id", *WORDS)}
    viewer, first = _column(tables, "viewer"), _column(tables, "first_at")
    order = _merged(
        tables,
        codes["title_id"][0],
        viewer,
        _joined(codes, "territory", "device"),
        first,
        _joined(codes, "region", "age_band", "gender"),
    )
    keys = (codes["title_id"][0], viewer, codes["territory"][0], codes["device"][0])
    opens = _changes(*(key[order] for key in keys))
    at = order[opens]  # of each person the row of the earliest session
    columns: dict[str, object] = {
        "viewer": viewer[at],
        **{name: _named(code[at], words) for name, (code, words) in codes.items()},
        "first_at": first[at],
        "furthest_s": np.maximum.reduceat(_column(tables, "furthest_s")[order], opens)
        if len(opens)
        else np.zeros(0, np.int32),
    }
    with np.errstate(over="ignore"):
        for name in ("plays", "watch_seconds", "completions", "digest"):
            values = _column(tables, name)[order]
            columns[name] = (
                np.add.reduceat(values, opens).astype(values.dtype) if len(opens) else values
            )
    return pa.table({n: columns[n] for n in PEOPLE_SCHEMA.names}).cast(PEOPLE_SCHEMA)


def _joined(codes: Mapping[str, tuple[NDArray, list[str]]], *names: str) -> Ints:
    """Places among the words of several columns as one number, which sorts as they do."""
    joined: Ints = np.zeros(len(codes[names[0]][0]), np.int64)
    for name in names:
        joined = joined << line_kernel.WORD_BITS | codes[name][0]
    return joined


def _merged(tables: Sequence[pa.Table], title: NDArray, major: Hashes, *minor: NDArray) -> Ints:
    """The order of the rows of tables that are sorted, each by itself."""
    bounds = np.cumsum([0, *map(len, tables)])
    keys = (title, major, *(key.astype(np.int64, copy=False) for key in minor))
    order: Ints = merge_runs(keys, bounds)
    return order


def _changes(*keys: NDArray) -> Ints:
    """Where a run of rows with equal keys begins."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    new = np.zeros(len(keys[0]), bool)
    new[0] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)


# --- a partial's cells -----------------------------------------------------------------------


def bounds_of_titles(table: pa.Table) -> dict[str, tuple[int, int]]:
    """Where each title's rows begin and end in a Partial's curves or people."""
    if not len(table):
        return {}
    column = table["title_id"].combine_chunks()
    codes = column.indices.to_numpy()
    edges = [*_changes(codes).tolist(), len(table)]
    names = column.dictionary
    return {names[int(codes[low])].as_py(): (low, high) for low, high in pairwise(edges)}


def cells(partial: Partial, titles: Collection[str] | None = None) -> Iterator[CellPartial]:
    """Title by title: `*` and each single territory, each with `*` and each single device.

    Curves are as long as the runtime, or as the furthest position where that is further.
    """
    for row in cell_table(partial, titles).to_pylist():
        yield CellPartial(day=partial.day, **row)


_SCALARS = ("plays", "watch_seconds", "completions", "viewers", "finishers")
_NO_CURVES = curves.pack(np.zeros((len(SERIES), 0), np.int64))


def cell_table(partial: Partial, titles: Collection[str] | None = None) -> pa.Table:
    """`cells` as columns: the fields of CellPartial but the day."""
    people = partial.people
    title, names = _places(people, "title_id")
    territory, territories = _places(people, "territory")
    device, devices = _places(people, "device")
    starts = np.searchsorted(title, np.arange(len(names) + 1))
    wanted = np.array([titles is None or name in titles for name in names], bool)
    if not wanted.all():
        keep = np.repeat(wanted, np.diff(starts))
        people, territory, device = people.filter(pa.array(keep)), territory[keep], device[keep]
        starts = np.concatenate([[0], np.cumsum(np.diff(starts) * wanted)])
    words = (territory.astype(np.int64) << line_kernel.TERRITORY_SHIFT) | (
        device.astype(np.int64) << line_kernel.DEVICE_SHIFT
    )
    columns = [
        people[n].to_numpy() for n in ("viewer", "plays", "watch_seconds", "completions", "digest")
    ]
    place, scalars, *blobs = cell_kernel.cells(
        starts, columns[0], words, *columns[1:], len(territories), len(devices), K
    )
    runtime = np.array([partial.runtimes.get(name, 0) for name in names], np.int64)
    seconds = cell_kernel.furthest_of(starts, people["furthest_s"].to_numpy(), runtime)
    packed = _packed(partial.curves, names, territories, place, seconds)
    return pa.table(
        {
            "title_id": _named(place[:, 0], names),
            "territory": _named(place[:, 1], [ALL, *territories]),
            "device": _named(place[:, 2], [ALL, *devices]),
            **{name: scalars[:, n] for n, name in enumerate(_SCALARS)},
            "packed": pa.array(packed, pa.large_binary()),
            "viewer_bytes": _blobs(*blobs[0:2]),
            "finisher_bytes": _blobs(*blobs[2:4]),
            "content_bytes": _blobs(*blobs[4:6]),
        }
    )


def _places(table: pa.Table, name: str) -> tuple[NDArray[np.int32], list[str]]:
    """A column as places among its sorted words."""
    if table[name].num_chunks == 1:
        column = table[name].chunk(0)
        words = column.dictionary.to_pylist()
        if words == sorted(words):
            return column.indices.to_numpy(), words
    return _codes([table], name)


def _blobs(bounds: Ints, words: NDArray) -> pa.LargeBinaryArray:
    offsets = pa.py_buffer(bounds * words.itemsize)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(bounds) - 1, [None, offsets, pa.py_buffer(words)]
    )


def _packed(
    rows: pa.Table, names: Sequence[str], territories: Sequence[str], place: NDArray, seconds: Ints
) -> list[bytes]:
    """The packed curves of each cell."""
    title, titles = _places(rows, "title_id")
    territory, known = _places(rows, "territory")
    second = rows["second"].to_numpy()
    values = np.stack([rows[name].to_numpy() for name in SERIES])
    starts = np.searchsorted(title, np.arange(len(titles) + 1))
    bounds = {name: (starts[t], starts[t + 1]) for t, name in enumerate(titles)}
    to_known = {name: n for n, name in enumerate(known)}
    found = [_NO_CURVES] * len(place)
    over_devices = np.flatnonzero(place[:, 2] == 0)
    edges = [*_changes(place[over_devices, 0]).tolist(), len(over_devices)]
    compress = zstandard.ZstdCompressor(level=curves.LEVEL).compress
    # for every title in turn
    most = len(SERIES) * int(seconds.max(initial=0)) + 1
    scratch = (np.zeros(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64))
    out = np.empty(1 << 20, np.uint8)
    for low, high in pairwise(edges):
        which = over_devices[low:high].tolist()
        t = int(place[which[0], 0])
        local = np.zeros(len(known), np.int64)
        for n, cell in enumerate(which[1:]):
            local[to_known[territories[place[cell, 1] - 1]]] = n + 1
        begin, end = bounds[names[t]]
        edge, out = cell_kernel.bodies(
            begin, end, territory, second, values, local, len(which), int(seconds[t]), scratch, out
        )
        raw, ends = out.data, edge.tolist()
        for n, cell in enumerate(which):
            found[cell] = compress(raw[ends[n] : ends[n + 1]])
    return found
