"""A Result as CSV: UTF-8 with a byte-order mark (Excel asks for it), CRLF, typed, formulas off.

A spreadsheet runs a text cell that looks like a formula, and a comment is written by anybody.
`RULE` says in words what is done about it, `unguard` undoes it.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date, datetime

from engagement.families import Cell, Result

RULE = (
    "A text cell whose first character, after blanks, quotes and delimiters, is one of "
    "= + - @ | % (full-width forms too), or that begins with TAB, CR, LF or NUL, is written "
    "with one leading apostrophe; a text that is a plain number (-5, -5.2%) is not. To read "
    "the text as it was, remove one leading apostrophe from a cell whose rest is such a text."
)
ENCODING = "utf-8-sig"

_TRIGGER = frozenset("=+-@|%＝＋－＠｜％﹦﹢﹣﹫﹪")
_CONTROL = frozenset("\t\r\n\0")
_QUOTES_AND_DELIMITERS = "\"'`,;“”‘’„«»＂＇，；\ufeff\u200b\u200c\u200d\u2060\u00ad"
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)%?", re.ASCII)


def to_csv(result: Result) -> bytes:
    """The result's columns and rows; an absent cell is empty and its `hidden_reason` says why."""
    names = result.resource.column_names()
    textual = [c.type == "string" for c in result.resource.columns]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    columns = [
        [guard(str(v)) if v is not None else "" for v in result.data[name]]
        if text
        else [_plain(v) for v in result.data[name]]
        for name, text in zip(names, textual, strict=True)
    ]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue().encode(ENCODING)


def _plain(value: Cell) -> str:
    """A number, a date or nothing, as any CSV reader types it back."""
    if value is None:
        return ""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, str):  # a text in a column that promises none: still no formula
        return guard(value)
    return repr(value)


def guard(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return f"'{text}" if _is_guarded(text) else text


def unguard(cell: str) -> str:
    """The text that `guard` was given."""
    return cell[1:] if cell.startswith("'") and _is_guarded(cell[1:]) else cell


def _is_guarded(text: str) -> bool:
    """Also a text that would look guarded already, so that undoing is never ambiguous."""
    return _runs(text) or _runs(text.lstrip("'"))


def _runs(text: str) -> bool:
    if not text or _NUMBER.fullmatch(text):
        return False
    if text[0] in _CONTROL:
        return True
    for character in text:
        if not (
            character.isspace()
            or character in _QUOTES_AND_DELIMITERS
            or not character.isprintable()
        ):
            return character in _TRIGGER
    return False
