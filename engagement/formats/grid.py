"""CSV as a grid of strings with line numbers.

Broken shapes (wrong delimiter, ragged rows, a quote never closed, a torn last line) are found
here; what the cells mean is not.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from engagement.formats.columns import flat
from engagement.formats.container import File
from engagement.formats.values import Ints, Quarantined

MOST_COLUMNS = 1000
_SHOWN = 120  # characters of a line, in a message
_END = "\x1fend-of-file\x1f"
_DELIMITERS = {"\t": "a tab", ";": "';'", "|": "'|'"}


@dataclass
class Grid:
    """Columns by header name, with the line of each row, and the rows that had no shape."""

    columns: dict[str, pa.Array]
    lines: Ints
    ragged: list[tuple[int, str]] = field(default_factory=list)  # (line, why)

    @property
    def rows(self) -> int:
        return len(self.lines)


def separated_otherwise(first: str, knows: Callable[[list[str]], bool]) -> str | None:
    """The delimiter, in words, by which the first line is a header that `knows` and by `,` not."""
    if knows(first.split(",")):
        return None
    for delimiter, spoken in _DELIMITERS.items():
        parts = [part.strip().strip('"') for part in first.split(delimiter)]
        if len(parts) > 1 and knows(parts):
            return spoken
    return None


def check_header(names: Sequence[str], known: Sequence[str], headless: str | None = None) -> None:
    """Raises Quarantined for a wrong delimiter, a column that is there twice, and, with `headless`
    as the reason, names of which none is known.
    """
    if len(names) == 1:
        spoken = separated_otherwise(
            names[0], lambda parts: bool({*map(str.lower, parts)} & {*known})
        )
        if spoken is not None:
            raise Quarantined(f"line 1: the columns are separated by {spoken}, not by ','")
    if headless and not {*names} & {*known}:
        raise Quarantined(headless)
    twice = sorted(n for n, times in Counter(names).items() if n and times > 1)
    if twice:
        raise Quarantined(f"line 1: duplicate column {', '.join(twice)}")
    if len(names) > MOST_COLUMNS:
        raise Quarantined(f"line 1: {len(names)} columns, more than {MOST_COLUMNS}")


def no_header(first: str, needed: Sequence[str], line: int = 1) -> str:
    """What is said of a file whose first line names no column that is known."""
    shown = first if len(first) <= _SHOWN else first[:_SHOWN] + "..."
    return (
        f"line {line} names no column that is known: the first line should be the header, and is"
        f" {shown!r}; needed are {', '.join(needed)}"
    )


def csv_grid(file: File, known: Sequence[str], needed: Sequence[str] = ()) -> Grid:
    """A CSV with a header. Names are trimmed and lower-cased. Blank lines are no rows.

    With `needed` a first line without any of the `known` names is refused as no header.
    """
    text = file.text
    start = len(text) - len(text.lstrip("\n"))
    first = text[start:].split("\n", 1)[0]
    try:
        names = [n.strip().lower() for n in next(csv.reader([first]))]
    except (csv.Error, StopIteration) as error:
        raise Quarantined(f"line {start + 1}: the header cannot be read: {error}") from error
    check_header(names, known, no_header(first, needed, start + 1) if needed else None)
    body = start + len(first) + 1
    if not text[body:].strip():
        raise Quarantined("the file has a header and no rows")
    grid = _fast(text, body, start + 1, names) or _slow(text, body, start + 1, names)
    _torn(text, grid)
    return grid


def _fast(text: str, body: int, header_line: int, names: list[str]) -> Grid | None:
    """By Arrow; None where line numbers would not be those of the file (quoted newlines)."""
    ragged: list[tuple[int, str]] = []
    spaces: list[int] = []

    def skip(row: Any) -> str:
        line = header_line + row.number
        if row.text.strip():
            ragged.append((line, _shape(row.expected_columns, row.actual_columns)))
        else:
            spaces.append(line)
        return "skip"

    data = text[body:].encode()
    ends = data.count(b"\n")
    physical = ends if data.endswith(b"\n") else ends + 1
    keys = [str(i) for i in range(len(names))]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, column_names=keys, block_size=16 << 20
            ),
            parse_options=pyarrow.csv.ParseOptions(
                newlines_in_values=False, ignore_empty_lines=False, invalid_row_handler=skip
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows + len(ragged) + len(spaces) != physical:
        return None
    lines = np.arange(header_line + 1, header_line + 1 + physical, dtype=np.int64)
    if ragged or spaces:
        lines = lines[~np.isin(lines, spaces + [line for line, _ in ragged])]
    columns = {name: flat(table[key]) for name, key in zip(names, keys, strict=True)}
    blank = _blank_rows(columns, len(lines))
    if blank.any():
        keep = pa.array(~blank)
        columns = {name: column.filter(keep) for name, column in columns.items()}
        lines = lines[~blank]
    return Grid(columns, lines, ragged)


def _blank_rows(columns: dict[str, pa.Array], rows: int) -> Any:
    blank = np.ones(rows, bool)
    for column in columns.values():
        if not blank.any():
            break
        lengths = pc.binary_length(column).to_numpy(zero_copy_only=False)
        blank &= lengths == 0
    return blank


def csv_rows(text: str, first_line: int = 1) -> list[tuple[int, list[str]]]:
    """(line, cells) of each row that is not blank; a row may span lines inside quotes.

    Raises Quarantined where a quote is never closed.
    """
    reader = csv.reader(io.StringIO(text.rstrip("\n") + "\n" + _END + "\n", newline=""))
    rows: list[tuple[int, list[str]]] = []
    line = first_line
    try:
        for cells in reader:
            if any(cells):
                rows.append((line, cells))
            line = first_line + reader.line_num
    except csv.Error as error:
        raise Quarantined(f"line {line}: {error}") from error
    if not rows or rows[-1][1] != [_END]:
        where = rows[-1][0] if rows else first_line
        raise Quarantined(f"line {where}: a quote is opened and never closed")
    rows.pop()
    return rows


def _slow(text: str, body: int, header_line: int, names: list[str]) -> Grid:
    whole, lines, ragged = [], [], []
    for line, cells in csv_rows(text[body:], header_line + 1):
        if len(cells) == len(names):
            whole.append(cells)
            lines.append(line)
        else:
            ragged.append((line, _shape(len(names), len(cells))))
    cut = list(zip(*whole, strict=True)) if whole else [()] * len(names)
    columns = {n: pa.array(cells, pa.string()) for n, cells in zip(names, cut, strict=True)}
    return Grid(columns, np.array(lines, np.int64), ragged)


def _shape(expected: int, actual: int) -> str:
    return f"{actual} fields where the header has {expected}"


def _torn(text: str, grid: Grid) -> None:
    """Raises Quarantined where the last line breaks off: a torn file is no shorter file."""
    if text.endswith("\n") or not grid.ragged:
        return
    line, why = max(grid.ragged)
    if grid.rows == 0 or line > int(grid.lines[-1]):
        raise Quarantined(f"line {line}, the last, breaks off: {why}; the file is truncated")
