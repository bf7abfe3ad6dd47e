"""A landed file's bytes and text: gz, encodings, NUL, and the limits a hostile file runs into.

What the text means is the readers' business.
"""

from __future__ import annotations

import codecs
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

from engagement.formats.values import Quarantined

UNPACKED_LIMIT = 2 << 30
"""Bytes a .gz may unpack to."""

RATIO_LIMIT = 200
"""How many times its own size a .gz may unpack to, once past RATIO_FREE bytes.

Real logs and danmaku reach 3 to 30; a bomb reaches 1,000.
"""

RATIO_FREE = 64 << 20
HEAD = 1 << 16
PIECE = 1 << 20
_MAGIC = 8

_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTAINERS = (
    (b"PK\x03\x04", "a zip archive or spreadsheet"),
    (b"\x1f\x8b", "a gz inside a gz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"BZh", "a bz2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"%PDF", "a PDF"),
)


@dataclass(frozen=True)
class Scan:
    """What one pass over a file's text tells: how it is decoded, and how much of it there is."""

    encoding: str
    mark: int  # bytes of the byte order mark
    characters: int
    lines: int


@dataclass
class File:
    """One landed file. `name` is what it is called (its path under the folder ingested).

    `pieces`, `text_pieces` and `lines` hold a piece at a time in memory; `data` and `text` all of
    it. Whichever is asked for first raises Quarantined for a file that must stay out.
    """

    path: Path
    name: str
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The file name in lower case, without folders and without .gz."""
        return Path(self.name).name.lower().removesuffix(".gz")

    def pieces(self) -> Iterator[bytes]:
        """The bytes, unpacked, a piece at a time.

        Raises Quarantined for an empty or damaged container, a damaged one where it breaks.
        """
        with self.path.open("rb") as raw:
            packed = iter(lambda: raw.read(PIECE), b"")
            first = next(packed, b"")
            if not first:
                raise Quarantined("the file is empty")
            unpacked: Iterator[bytes] = chain([first], packed)
            if first[:2] == b"\x1f\x8b":
                unpacked = gunzip(unpacked, self.path.stat().st_size)
            elif self.name.lower().endswith(".gz"):
                raise Quarantined("the name ends in .gz, but the file is not gzip")
            start = _at_least(_MAGIC, unpacked)
            if not start:
                raise Quarantined("the gz is empty")
            for magic, what in _CONTAINERS:
                if start.startswith(magic):
                    raise Quarantined(f"this is {what}; unpack or export it first")
            yield start
            yield from unpacked

    @cached_property
    def data(self) -> bytes:
        """All the bytes, unpacked. Raises Quarantined as `pieces` does."""
        return b"".join(self.pieces())

    @cached_property
    def start(self) -> bytes:
        """The first bytes, 512 or all there are."""
        return _at_least(512, self.pieces())[:512]

    @property
    def is_parquet(self) -> bool:
        return self.start[:4] == b"PAR1" or self.stem.endswith(".parquet")

    @property
    def is_protobuf(self) -> bool:
        """A message whose first field is a message that begins with a number: danmaku segments."""
        data = self.start[:8]
        if data[:1] != b"\n":
            return False
        after = next((at + 1 for at in range(1, len(data)) if data[at] < 0x80), len(data))
        return data[after : after + 1] in (b"\x08", b"\x10", b"\x18")

    @cached_property
    def scan(self) -> Scan:
        """How the bytes are decoded, tried on all of them.

        Raises Quarantined for bytes that fit no encoding, for NUL and for blanks alone.
        """
        return scanned(self.pieces)

    def text_pieces(self) -> Iterator[str]:
        """The text a piece at a time, line ends as \\n, without a byte order mark.

        Raises Quarantined, before the first piece, as `scan` does.
        """
        return _decoded(self.pieces, self.scan.encoding, self.scan.mark)

    @cached_property
    def text(self) -> str:
        """The whole text, as `text_pieces` gives it."""
        return "".join(self.text_pieces())

    def lines(self) -> Iterator[tuple[int, str]]:
        """(number, line with its \\n) from 1, one at a time."""
        number, held = 0, []
        for piece in self.text_pieces():
            first, *others = piece.split("\n")
            held.append(first)
            for begun in others:
                number += 1
                yield number, "".join(held) + "\n"
                held = [begun]
        if last := "".join(held):
            yield number + 1, last

    @cached_property
    def head(self) -> str:
        """The first lines, by which a format is recognised; "" for Parquet and protobuf."""
        if self.is_parquet or self.is_protobuf:
            return ""
        head = ""
        for piece in self.text_pieces():
            head += piece
            if len(head) >= HEAD:
                break
        return head[:HEAD].lstrip()

    @property
    def head_is_whole(self) -> bool:
        """Whether `head` is all of the text."""
        return self.scan.characters <= HEAD


def _at_least(size: int, pieces: Iterator[bytes]) -> bytes:
    """The first pieces together, of `size` bytes or more where there are so many."""
    start = b""
    while len(start) < size and (piece := next(pieces, b"")):
        start += piece
    return start


def gunzip(packed: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The unpacked bytes of one or more gzip members, of `size` bytes in all.

    Raises Quarantined for a truncated or damaged file, and for a decompression bomb.
    """
    unpacked = 0
    rest = next(packed, b"")
    while rest:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                piece = member.decompress(rest, PIECE)
            except zlib.error as error:
                raise Quarantined(
                    f"the gz is damaged after {unpacked} unpacked bytes: {error}"
                ) from error
            rest = member.unconsumed_tail
            if not rest and not member.eof:
                rest = next(packed, b"")
            unpacked += len(piece)
            if unpacked > UNPACKED_LIMIT or (
                unpacked > RATIO_FREE and unpacked > RATIO_LIMIT * size
            ):
                raise Quarantined(
                    f"the gz of {size} bytes unpacks to more than {unpacked - 1} "
                    "bytes: refused as a decompression bomb"
                )
            if piece:
                yield piece
            elif not rest and not member.eof:
                raise Quarantined(f"the gz is truncated: it breaks off after {unpacked} bytes")
        rest = member.unused_data.lstrip(b"\0")  # tape padding
        while not rest and (more := next(packed, b"")):
            rest = more.lstrip(b"\0")


Pieces = Callable[[], Iterator[bytes]]


def scanned(pieces: Pieces) -> Scan:
    """How a text is decoded: by byte order mark, else UTF-8, else what it declares, else GB18030.

    A declaration is believed only where the bytes agree. Text that is UTF-8 but for a few
    bytes is damaged, not GB18030. Raises Quarantined with the line of the first bad byte, for a
    NUL with its line, and for text that is blank.
    """
    head = _at_least(1 << 20, pieces())[: 1 << 20]
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return _strictly(pieces, encoding, len(mark))
    if (wide := _wide(head, pieces)) is not None:
        return _strictly(pieces, wide, 0)
    try:
        return _scan(pieces, "utf-8", 0)
    except _Undecodable as error:
        broken = error
    if _mostly_utf8(head):
        raise Quarantined(broken.told("utf-8"))
    declared = _DECLARED.search(head[:1024])
    names = [declared.group(1).decode("ascii").lower()] if declared else []
    for encoding in [*names, "gb18030"]:
        try:
            return _scan(pieces, "gb18030" if encoding in ("gb2312", "gbk") else encoding, 0)
        except _Undecodable as error:
            broken = error
        except LookupError:
            continue
    raise Quarantined(broken.told("utf-8 or gb18030"))


class _Undecodable(Exception):
    """A byte that is not of the encoding: where it stands."""

    def __init__(self, line: int, position: int, found: bytes) -> None:
        super().__init__(line, position, found)
        self.line, self.position, self.found = line, position, found

    def told(self, encoding: str) -> str:
        return (
            f"line {self.line} holds bytes that are not {encoding} "
            f"(0x{self.found.hex()} at byte {self.position})"
        )


def _decoded(pieces: Pieces, encoding: str, mark: int) -> Iterator[str]:
    """The text after `mark` bytes. Raises _Undecodable, LookupError."""
    decoder = codecs.getincrementaldecoder(encoding)()
    ends = io.IncrementalNewlineDecoder(decoder, translate=True)
    read = newlines = 0  # of the bytes that were decoded before
    skipped = mark
    for piece in chain(pieces(), [b""]):
        if skipped:
            piece, skipped = piece[skipped:], max(skipped - len(piece), 0)
            if not piece:
                continue
        pending: bytes = decoder.getstate()[0]
        try:
            text = ends.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            whole = pending + piece
            begun = read - len(pending)
            raise _Undecodable(
                newlines - pending.count(b"\n") + whole.count(b"\n", 0, error.start) + 1,
                begun + error.start,
                whole[error.start : error.start + 2],
            ) from error
        read, newlines = read + len(piece), newlines + piece.count(b"\n")
        if text:
            yield text


def _scan(pieces: Pieces, encoding: str, mark: int) -> Scan:
    characters = lines = 0
    blank, nul, ended = True, 0, True
    for text in _decoded(pieces, encoding, mark):
        if not nul and (at := text.find("\0")) >= 0:
            nul = lines + text.count("\n", 0, at) + 1
        blank = blank and text.isspace()
        characters, lines = characters + len(text), lines + text.count("\n")
        ended = text.endswith("\n")
    if nul:
        raise Quarantined(f"line {nul} holds a NUL character")
    if blank:
        raise Quarantined("the file holds nothing but blanks")
    return Scan(encoding, mark, characters, lines + (not ended))


def _strictly(pieces: Pieces, encoding: str, mark: int) -> Scan:
    try:
        return _scan(pieces, encoding, mark)
    except _Undecodable as error:
        raise Quarantined(error.told(encoding)) from error


def _wide(data: bytes, pieces: Pieces) -> str | None:
    """UTF-16 without a byte order mark, told by the NUL in every other byte of ASCII."""
    head = data[:512]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if len(head) < 8 or not (even or odd) or sum(map(len, pieces())) % 2:
        return None
    if odd > len(head) // 8 and even == 0:
        return "utf-16-le"
    if even > len(head) // 8 and odd == 0:
        return "utf-16-be"
    return None


def _mostly_utf8(data: bytes) -> bool:
    """Whether nearly all bytes beyond ASCII form valid UTF-8 sequences."""
    high = sum(1 for byte in data[: 1 << 20] if byte > 127)
    lost = data[: 1 << 20].decode("utf-8", "replace").count("�")
    return high > 0 and lost <= max(3, high // 20) and lost * 3 < high
