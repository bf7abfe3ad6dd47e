"""JSON lines and Parquet as the same grid that a CSV gives, with the types they bring.

Arrow reads what is regular; JSON lines that it refuses are read one by one, so that each bad
line has its number and reason.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence, Set
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from engagement.formats.columns import flat, mask
from engagement.formats.container import UNPACKED_LIMIT, File
from engagement.formats.grid import Grid, check_header
from engagement.formats.values import Ints, Quarantined

CHUNK = 50_000
_MEASURES = frozenset(
    {"from_s", "to_s", "offset_s", "likes", "runtime_s", "genres", "cast", "source_work"}
)


def json_grid(file: File, known: Sequence[str]) -> Grid:
    """JSON lines: an object a line. Lists become words joined by `|`."""
    if file.head.startswith("["):
        raise Quarantined("line 1: a JSON array; write one object a line")
    return _fast_json(file, known) or _slow_json(file, known)


class _Utf8(io.RawIOBase):
    """A file's text as Arrow reads it: UTF-8, line ends as \\n, a piece at a time."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._pieces = file.text_pieces()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._pieces, "").encode()
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _fast_json(file: File, known: Sequence[str]) -> Grid | None:
    """By Arrow; None where it refuses, or where lines and rows would not match."""
    for _, line in islice(file.lines(), 100):
        try:
            json.loads(line, object_pairs_hook=_pairs)
        except (ValueError, RecursionError):
            return None
    worded = [n for n in known if n not in _MEASURES]
    try:
        table = pyarrow.json.read_json(
            io.BufferedReader(_Utf8(file), 1 << 20),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=16 << 20),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=pa.schema([(name, pa.string()) for name in worded]),
                unexpected_field_behavior="infer",
            ),
        )
    except pa.ArrowException:
        return None
    if table.num_rows != file.scan.lines:
        return None
    keys = [key.strip().lower() for key in table.column_names]
    check_header(keys, known)
    columns = {
        key: flat(table[name])
        for key, name in zip(keys, table.column_names, strict=True)
        if key in known
    }
    # Arrow adds the columns it was told of; where all is null, the file may not have them.
    empty = {n for n, c in columns.items() if c.null_count == len(c)}
    empty -= _named(file, empty)
    columns = {n: c for n, c in columns.items() if n not in empty}
    return _plain(columns, np.arange(1, table.num_rows + 1, dtype=np.int64), [])


def _named(file: File, keys: Set[str]) -> set[str]:
    """Those of `keys` that some line names."""
    found: set[str] = set()
    for _, line in file.lines():
        found.update(key for key in keys - found if f'"{key}"' in line)
        if found == keys:
            break
    return found


def _slow_json(file: File, known: Sequence[str]) -> Grid:
    names: dict[str, str] = {}
    lines: list[int] = []
    ragged: list[tuple[int, str]] = []
    chunks: list[tuple[int, dict[str, pa.Array]]] = []
    objects: list[dict[str, Any]] = []

    def close_chunk() -> None:
        for found in objects:
            for key in found:
                names.setdefault(key, key.strip().lower())
        check_header(list(names.values()), known)
        chunks.append((len(objects), {key: _strings(objects, key) for key in names}))
        objects.clear()

    for number, line in file.lines():
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_pairs if number <= 100 else None)
        except (ValueError, RecursionError) as error:
            if not line.endswith("\n"):
                raise Quarantined(
                    f"line {number}, the last, breaks off: {error}; the file is truncated"
                ) from error
            ragged.append((number, f"not JSON: {error}"))
            continue
        if not isinstance(value, dict):
            ragged.append((number, "not a JSON object"))
            continue
        objects.append(value)
        lines.append(number)
        if len(objects) == CHUNK:
            close_chunk()
    close_chunk()
    columns = {
        name: pa.concat_arrays(
            [arrays.get(key, pa.nulls(rows, pa.string())) for rows, arrays in chunks]
        )
        for key, name in names.items()
        if name in known
    }
    return _plain(columns, np.array(lines, np.int64), ragged)


def _strings(objects: list[dict[str, Any]], key: str) -> pa.Array:
    cells = [_cell(found.get(key)) for found in objects]
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape
        return pa.array(
            [c if c is None else c.encode("utf-8", "replace").decode() for c in cells], pa.string()
        )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if twice:
        raise Quarantined(f"duplicate column {', '.join(sorted(twice))}")
    return dict(pairs)


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "|".join(str(v) for v in value)
    if isinstance(value, bool | dict):
        return json.dumps(value)
    return repr(value)


def parquet_grid(file: File, known: Sequence[str]) -> Grid:
    """A Parquet file's known columns; the line is the row's number, from 1."""
    try:
        source = pa.BufferReader(file.data)
        parquet = pyarrow.parquet.ParquetFile(
            source,
            thrift_string_size_limit=16 << 20,
            thrift_container_size_limit=1 << 20,
            page_checksum_verification=True,
        )
        names = list(parquet.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Quarantined(f"the Parquet file is damaged or truncated: {error}") from error
    lowered = [n.strip().lower() for n in names]
    check_header(lowered, known)
    if parquet.metadata.num_rows == 0:
        raise Quarantined("the file has a header and no rows")
    wanted = [n for n, low in zip(names, lowered, strict=True) if low in known]
    pieces, size = [], 0
    try:
        for batch in parquet.iter_batches(batch_size=1 << 18, columns=wanted, use_threads=False):
            size += batch.nbytes
            if size > UNPACKED_LIMIT:
                raise Quarantined(f"the Parquet file unpacks to more than {UNPACKED_LIMIT} bytes")
            pieces.append(batch)
        table = pa.Table.from_batches(pieces)
        columns = {name.strip().lower(): flat(table[name]) for name in wanted}
        for column in columns.values():
            column.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Quarantined(f"the Parquet file is damaged: {error}") from error
    return _plain(columns, np.arange(1, table.num_rows + 1, dtype=np.int64), [])


def _plain(columns: dict[str, pa.Array], lines: Ints, ragged: list[tuple[int, str]]) -> Grid:
    """The grid with lists joined, bytes decoded, and rows that hold a NUL set aside."""
    plain: dict[str, pa.Array] = {}
    torn = np.zeros(len(lines), bool)
    for name, column in columns.items():
        try:
            if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
                column = pc.binary_join(column.cast(pa.list_(pa.string())), "|")
            if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
                column = column.cast(pa.string())
            if pa.types.is_nested(column.type):
                raise Quarantined(f"column {name} holds {column.type}, not plain values")
        except pa.ArrowException as error:
            raise Quarantined(f"column {name} cannot be read as text: {error}") from error
        if pa.types.is_string(column.type):
            torn |= mask(pc.match_substring(column, "\0"))
        plain[name] = column
    if torn.any():
        ragged = ragged + [(int(line), "a cell holds a NUL character") for line in lines[torn]]
        plain = {name: column.filter(pa.array(~torn)) for name, column in plain.items()}
        lines = lines[~torn]
    return Grid(plain, lines, ragged)
