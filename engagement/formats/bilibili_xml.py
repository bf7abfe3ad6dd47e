"""Bilibili danmaku XML: `<d p="...">text</d>`, as the site and its crawlers write it.

p is offset_s, mode, size, colour, sent (Unix), pool, sender hash, row id and, since 2021, a
weight. One crawler writes row id, 0, offset_ms, mode, size, colour, sent, pool, hash under
`<?xml version="2.0"?>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

import defusedxml.sax
import numpy as np
import pyarrow as pa
from defusedxml import DefusedXmlException

from engagement.formats import danmu
from engagement.formats.bilibili import comment_text
from engagement.formats.columns import absent
from engagement.formats.container import File
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "bilibili-xml"

_UNIX = re.compile(r"1\d{9}\Z")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ILLEGAL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&(?:#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}));|(lt|gt|amp|quot|apos);)?")


def recognise(file: File) -> int:
    head = file.head[:4000]
    if head.startswith("<") and re.search(r"<d\s+p\s*=", head):
        return 92
    return 85 if re.match(r"(?:<\?xml[^>]*\?>\s*)?<i>", head) else 0


@dataclass(frozen=True)
class Dialect:
    """Where the fields of p stand."""

    fields: int
    offset: int
    scale: int  # units of the offset per second
    mode: int
    sent: int
    sender: int
    row_id: int


SITE = Dialect(fields=8, offset=0, scale=1, mode=1, sent=4, sender=6, row_id=7)
ROW_ID_FIRST = Dialect(fields=9, offset=2, scale=1000, mode=3, sent=6, sender=8, row_id=0)


def dialect_of(p: list[str]) -> Dialect | None:
    """Told by where the ten digits of the Unix time stand."""
    if len(p) in (8, 9) and _UNIX.match(p[SITE.sent]):
        return SITE
    if len(p) == ROW_ID_FIRST.fields and _UNIX.match(p[ROW_ID_FIRST.sent]):
        return ROW_ID_FIRST
    return SITE if len(p) in (8, 9) else None


class _Reader(ContentHandler):
    """Collects (line, p, text) of each `<d>`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str, str]] = []
        self._locator: Any = None
        self._open: tuple[int, str] | None = None
        self._text: list[str] = []

    def setDocumentLocator(self, locator: Any) -> None:
        self._locator = locator

    def startElement(self, name: str, attrs: Any) -> None:
        if name == "d":
            self._open = (int(self._locator.getLineNumber()), str(attrs.get("p", "")))
            self._text = []

    def characters(self, content: str) -> None:
        if self._open is not None:
            self._text.append(content)

    def endElement(self, name: str) -> None:
        if name == "d" and self._open is not None:
            self.found.append((*self._open, "".join(self._text)))
            self._open = None


def clean(text: str, notes: dict[str, int]) -> str:
    """`text` without what XML cannot hold: control characters, references to them, bare `&`.

    Lines stay where they are.
    """
    text = _DECLARATION.sub(lambda found: "\n" * found.group().count("\n"), text)
    text, controls = _ILLEGAL.subn("", text)
    mended = 0

    def mend(found: re.Match[str]) -> str:
        nonlocal controls, mended
        hexadecimal, decimal, named = found.groups()
        if named:
            return found.group()
        if hexadecimal or decimal:
            code = int(hexadecimal, 16) if hexadecimal else int(decimal)
            if code in (9, 10, 13) or (0x20 <= code <= 0x10FFFF and not _ILLEGAL.match(chr(code))):
                return found.group()
            controls += 1
            return ""
        mended += 1
        return "&amp;"

    text = _REFERENCE.sub(mend, text)
    notes["control_characters"] = controls
    notes["bare_ampersands"] = mended
    return text


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    notes: dict[str, int] = {}
    handler = _Reader()
    text = clean(file.text, notes)
    blank = len(text) - len(text.lstrip())  # the declaration's place
    try:
        defusedxml.sax.parseString(
            text[blank:].encode(), handler, forbid_dtd=True, forbid_entities=True
        )
    except DefusedXmlException as error:
        raise Quarantined(
            f"the XML declares a document type or entities, which danmaku never do: {error}"
        ) from error
    except SAXParseException as error:
        line = int(error.getLineNumber() or 0) + text.count("\n", 0, blank)
        raise Quarantined(
            f"line {line} is not well-formed XML ({error.getMessage()}); "
            f"{len(handler.found)} comments were read before it",
            rows_read=len(handler.found),
        ) from error
    if not handler.found:
        raise Quarantined("the XML holds no comment (<d p=...>)")
    above = text.count("\n", 0, blank)
    lines = _lines([line + above for line, _, _ in handler.found])
    said = [(line, p, words) for line, (_, p, words) in zip(lines, handler.found, strict=True)]
    return _land(file, said, options, catalogue, reading, notes)


def _lines(lines: list[int]) -> list[int]:
    """By which each comment is named: its line, or its number where comments share a line."""
    return lines if len(set(lines)) == len(lines) else list(range(1, len(lines) + 1))


def _land(
    file: File,
    found: list[tuple[int, str, str]],
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    lines: list[int] = []
    cells: list[tuple[str, str, str, str, str]] = []  # offset, sent, sender, row id, text
    scripts: list[bool] = []
    ragged: list[tuple[int, str]] = []
    for line, attribute, text in found:
        p = [part.strip() for part in attribute.split(",")]
        dialect = dialect_of(p)
        if dialect is None:
            ragged.append((line, f"p has {len(p)} fields, not 8 or 9"))
            continue
        offset = p[dialect.offset]
        if dialect.scale != 1:
            offset = _scaled(offset, dialect.scale)
        said = comment_text(p[dialect.mode], text)
        lines.append(line)
        scripts.append(said is None)
        cells.append((offset, p[dialect.sent], p[dialect.sender], p[dialect.row_id], said or ""))
    offsets, sent, senders, row_ids, texts = (
        (pa.array(column, pa.string()) for column in zip(*cells, strict=True))
        if cells
        else (absent(0),) * 5
    )
    rows = len(lines)
    comments = danmu.Comments(
        lines=np.array(lines, np.int64),
        title_id=danmu.title_column(file, rows, None, options, reading),
        offset=offsets,
        posted=danmu.Posted(sent),
        text=texts,
        sender_id=senders,
        likes=absent(rows),
        territory=absent(rows),
        deleted_at=absent(rows),
        row_id=row_ids,
        not_comments=np.array(scripts, bool),
        ragged=ragged,
    )
    return danmu.land(NAME, comments, options, catalogue, reading, notes)


def _scaled(offset: str, scale: int) -> str:
    try:
        return repr(float(offset) / scale)
    except ValueError:
        return offset


FORMAT = Format(NAME, "danmu", recognise, read)
