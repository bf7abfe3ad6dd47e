"""Results as one workbook: a sheet for each table, and a first one that says what they hold.

Cells are typed and nothing in it runs or leads outside: no formulas, no links, no names. What a
sheet or a cell cannot hold goes on in the next sheet, or is cut and says so in the cell itself.
The same results give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from engagement.families import Cell, Column, Result

ROWS = 1_048_576
"""Of a sheet, its heading with them."""

CHARACTERS = 32_767
"""Of a cell, counted as Excel does: in UTF-16 units."""

EXACT = 10**15
"""A whole number beyond it loses digits in a spreadsheet, which has floats only."""

FIRST = "contents"
LONGEST_NAME = 31  # of a sheet

_HEADING = (
    "工作表 Sheet", "作品 Title", "表 Table", "行 Rows", "列 Column",
    "名称", "Heading", "单位 Unit", "定义", "Definition",
)  # fmt: skip
_WIDTHS = (30, 24, 24, 10, 24, 18, 24, 12, 60, 60)
_RULE = (
    "Cells are numbers, dates and texts; no cell is a formula or a link. An empty cell has no "
    "number, and hidden_reason says why. A text that is longer than a cell holds is cut, and says "
    "so at its end; the CSV beside has all of it.",
    "单元格只有数字、日期和文本，没有公式和链接。空单元格表示没有数字，原因见 hidden_reason。"
    "超出单元格长度的文本会截断，并在末尾注明；同一数据包内的 CSV 保留全文。",
)


@dataclass(frozen=True)
class Sheet:
    """One table of a title; `name` is made of a-z, 0-9, hyphens, underscores and dots."""

    name: str
    title: str
    result: Result


def to_xlsx(
    sheets: Sequence[Sheet],
    *,
    portal: str,
    partner: str,
    about: Iterable[str],
    as_of: datetime,
) -> bytes:
    """The workbook. `about` are lines of text for the head of its first sheet; its date is `as_of`,
    whenever it is made.
    """
    out = io.BytesIO()
    book = Workbook(
        out,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    book.set_properties({"author": portal, "title": f"{portal} · {partner}", "created": as_of})
    look = _Look(
        text=book.add_format({"num_format": "@"}),
        date=book.add_format({"num_format": "yyyy-mm-dd"}),
        heading=book.add_format({"bold": True, "num_format": "@", "bottom": 1}),
        prose=book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"}),
    )
    parts = list(_parts(sheets))
    _write_contents(_add(book, FIRST), parts, look, about)
    for part in parts:
        _write_part(_add(book, part.name), part, look)
    book.close()
    return out.getvalue()


def sheet_names(wanted: Iterable[str]) -> list[str]:
    """Each as a sheet's name: at most 31 characters and no two alike, in any case of letters."""
    names: list[str] = []
    taken = {FIRST}
    for name in wanted:
        unique, again = name[:LONGEST_NAME], 2
        while unique.casefold() in taken:
            mark = f"~{again}"
            unique, again = name[: LONGEST_NAME - len(mark)] + mark, again + 1
        taken.add(unique.casefold())
        names.append(unique)
    return names


@dataclass(frozen=True)
class _Look:
    text: Format
    date: Format
    heading: Format
    prose: Format


@dataclass(frozen=True)
class _Part:
    """What lies on one sheet: the rows [first, end) of a table."""

    name: str
    sheet: Sheet
    first: int
    end: int


class _Worksheet(Worksheet):
    """XlsxWriter takes a text from <r> to </r> for its own markup and writes it as it is."""

    def _xml_rich_inline_string(self, string: str, attributes: Any) -> None:
        self._xml_inline_string(string, True, attributes)


def _add(book: Workbook, name: str) -> Worksheet:
    return book.add_worksheet(name, _Worksheet)


def _parts(sheets: Sequence[Sheet]) -> Iterator[_Part]:
    """Every table, one that is too long for a sheet on several."""
    room = ROWS - 1
    pieces = [
        (sheet, first, min(first + room, len(sheet.result)))
        for sheet in sheets
        for first in range(0, max(len(sheet.result), 1), room)
    ]
    names = sheet_names(sheet.name for sheet, _, _ in pieces)
    for name, (sheet, first, end) in zip(names, pieces, strict=True):
        yield _Part(name, sheet, first, end)


def _write_contents(page: Worksheet, parts: list[_Part], look: _Look, about: Iterable[str]) -> None:
    """Which sheet holds what, a line for each column of each."""
    for column, width in enumerate(_WIDTHS):
        page.set_column(column, column, width)
    row = 0
    for line in (*about, *_RULE):
        _write(page, row, 0, line, look.text)
        row += 1
    row += 1
    for column, heading in enumerate(_HEADING):
        _write(page, row, column, heading, look.heading)
    for part in parts:
        resource = part.sheet.result.resource
        table = f"{resource.title.get('zh', '')} {resource.title.get('en', resource.name)}".strip()
        rows = f"{part.first + 1}-{part.end}" if part.end > part.first else "0"
        for told in resource.columns:
            row += 1
            cells = (part.name, part.sheet.title, table, rows, *_told(told))
            for column, text in enumerate(cells):
                _write(page, row, column, text, look.prose)


def _told(column: Column) -> tuple[str, ...]:
    zh, en = column.title.get("zh", ""), column.title.get("en", "")
    definition = column.definition
    return (column.name, zh, en, column.unit, definition.get("zh", ""), definition.get("en", ""))


def _write_part(page: Worksheet, part: _Part, look: _Look) -> None:
    """A heading of the columns' names, as the CSV's, and the rows below it."""
    result = part.sheet.result
    names = result.resource.column_names()
    for column, name in enumerate(names):
        page.set_column(column, column, max(12, len(name) + 2))
        _write(page, 0, column, name, look.heading)
    page.freeze_panes(1, 0)
    columns = [result.data[name][part.first : part.end] for name in names]
    for row, cells in enumerate(zip(*columns, strict=True), 1):
        for column, cell in enumerate(cells):
            if cell is not None:
                _write(page, row, column, cell, look.text, look.date)


def _write(
    page: Worksheet,
    row: int,
    column: int,
    cell: Cell,
    text: Format,
    day: Format | None = None,
) -> None:
    """One cell by its type. Raises ValueError where the sheet does not take it whole."""
    if isinstance(cell, date):
        done = page.write_datetime(row, column, cell, day)
    elif isinstance(cell, str) or (isinstance(cell, int) and abs(cell) > EXACT):
        done = page.write_string(row, column, _fitting(str(cell)), text)
    else:
        done = page.write_number(row, column, cell)
    if done:
        raise ValueError(f"{page.get_name()} does not take cell {row}, {column}")


def _fitting(text: str) -> str:
    """The text; one that is too long for a cell cut, with how much is missing at its end."""
    if len(text) * 2 <= CHARACTERS:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    size = len(units) // 2
    if size <= CHARACTERS:
        return text
    mark = f" […cut 截断: {size:,} → {CHARACTERS:,}, CSV]"
    kept = units[: 2 * (CHARACTERS - len(mark))].decode("utf-16-le", "ignore")
    return kept + mark
