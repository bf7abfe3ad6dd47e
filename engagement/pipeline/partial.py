"""A day's titles counted, or one share's part of them: what it holds, as bytes, and added up.

Pure and without Django. rollup.py makes it of rows, cells.py adds it up to what is stored.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engagement.pipeline.kernel.lines import WORD_BITS
from engagement.pipeline.kernel.order import merge_runs
from engagement.pipeline.words import Ints, changes, codes_of, named

SERIES = ("sessions", "times_played", "starts", "stops", "skips")
"""The rows of a cell's curves. rewatches = times_played - sessions."""

WORDS = ("territory", "device", "region", "age_band", "gender")

Hashes = NDArray[np.uint64]


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


def bounds_of_titles(table: pa.Table) -> dict[str, tuple[int, int]]:
    """Where each title's rows begin and end in a Partial's curves or people."""
    if not len(table):
        return {}
    column = table["title_id"].combine_chunks()
    codes = column.indices.to_numpy()
    edges = [*changes(codes).tolist(), len(table)]
    names = column.dictionary
    return {names[int(codes[low])].as_py(): (low, high) for low, high in pairwise(edges)}


# --- as bytes --------------------------------------------------------------------------------


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
            codes, names = codes_of([table], column.name)
            words = named(codes, names).cast(column.type)
            table = table.set_column(place, column, words)
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


def _column(tables: Sequence[pa.Table], name: str) -> NDArray:
    return np.concatenate([t[name].to_numpy() for t in tables])


def _add_curves(tables: Sequence[pa.Table]) -> pa.Table:
    title, titles = codes_of(tables, "title_id")
    territory, territories = codes_of(tables, "territory")
    second = _column(tables, "second")
    none = np.zeros(len(title), np.int64)
    order = _merged(tables, title, territory.astype(np.uint64), second, none, none)
    title, territory, second = title[order], territory[order], second[order]
    opens = changes(title, territory, second)
    sums = [np.add.reduceat(_column(tables, n)[order], opens).astype(np.int32) for n in SERIES]
    left = np.any([s != 0 for s in sums], axis=0) if len(opens) else np.zeros(0, bool)
    kept = opens[left]
    return pa.table(
        [
            named(title[kept], titles),
            named(territory[kept], territories),
            second[kept],
            *(s[left] for s in sums),
        ],
        schema=CURVES_SCHEMA,
    )


def _add_people(tables: Sequence[pa.Table]) -> pa.Table:
    codes = {name: codes_of(tables, name) for name in ("title_id", *WORDS)}
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
    opens = changes(*(key[order] for key in keys))
    at = order[opens]  # of each person the row of the earliest session
    columns: dict[str, object] = {
        "viewer": viewer[at],
        **{name: named(code[at], words) for name, (code, words) in codes.items()},
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
        joined = joined << WORD_BITS | codes[name][0]
    return joined


def _merged(tables: Sequence[pa.Table], title: NDArray, major: Hashes, *minor: NDArray) -> Ints:
    """The order of the rows of tables that are sorted, each by itself."""
    bounds = np.cumsum([0, *map(len, tables)])
    keys = (title, major, *(key.astype(np.int64, copy=False) for key in minor))
    order: Ints = merge_runs(keys, bounds)
    return order
