"""A landed file's bytes and text: gz, encodings, NUL, and the limits a hostile file runs into.

What the text means is the readers' business.
"""

from __future__ import annotations

import codecs
import re
import zlib
from dataclasses import dataclass, field
from functools import cached_property
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


@dataclass
class File:
    """One landed file. `name` is what it is called (its path under the folder ingested)."""

    path: Path
    name: str
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The file name in lower case, without folders and without .gz."""
        return Path(self.name).name.lower().removesuffix(".gz")

    @cached_property
    def data(self) -> bytes:
        """The bytes, unpacked. Raises Quarantined for an empty or damaged container."""
        raw = self.path.read_bytes()
        if not raw:
            raise Quarantined("the file is empty")
        if raw[:2] == b"\x1f\x8b":
            raw = gunzip(raw)
            if not raw:
                raise Quarantined("the gz is empty")
        elif self.name.lower().endswith(".gz"):
            raise Quarantined("the name ends in .gz, but the file is not gzip")
        for magic, what in _CONTAINERS:
            if raw.startswith(magic):
                raise Quarantined(f"this is {what}; unpack or export it first")
        return raw

    @property
    def is_parquet(self) -> bool:
        return self.data[:4] == b"PAR1" or self.stem.endswith(".parquet")

    @property
    def is_protobuf(self) -> bool:
        """A message whose first field is a message that begins with a number: danmaku segments."""
        data = self.data[:8]
        if data[:1] != b"\n":
            return False
        after = next((at + 1 for at in range(1, len(data)) if data[at] < 0x80), len(data))
        return data[after : after + 1] in (b"\x08", b"\x10", b"\x18")

    @cached_property
    def text(self) -> str:
        """The whole text, line ends as \\n, without a byte order mark.

        Raises Quarantined for bytes that fit no encoding, and for NUL.
        """
        text = decode(self.data)
        nul = text.find("\0")
        if nul >= 0:
            raise Quarantined(f"line {text.count(chr(10), 0, nul) + 1} holds a NUL character")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text.strip():
            raise Quarantined("the file holds nothing but blanks")
        return text

    @cached_property
    def head(self) -> str:
        """The first lines, by which a format is recognised; "" for Parquet and protobuf."""
        return "" if self.is_parquet or self.is_protobuf else self.text[:HEAD].lstrip()


def gunzip(raw: bytes) -> bytes:
    """The unpacked bytes of one or more gzip members.

    Raises Quarantined for a truncated or damaged file, and for a decompression bomb.
    """
    unpacked = bytearray()
    rest: bytes = raw
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            while not member.eof:
                piece = member.decompress(rest, 1 << 20)
                rest = member.unconsumed_tail
                unpacked += piece
                if len(unpacked) > UNPACKED_LIMIT or (
                    len(unpacked) > RATIO_FREE and len(unpacked) > RATIO_LIMIT * len(raw)
                ):
                    raise Quarantined(
                        f"the gz of {len(raw)} bytes unpacks to more than {len(unpacked) - 1} "
                        "bytes: refused as a decompression bomb"
                    )
                if not piece and not rest:
                    break
        except zlib.error as error:
            raise Quarantined(
                f"the gz is damaged after {len(unpacked)} unpacked bytes: {error}"
            ) from error
        if not member.eof:
            raise Quarantined(f"the gz is truncated: it breaks off after {len(unpacked)} bytes")
        rest = member.unused_data.lstrip(b"\0")  # tape padding
    return bytes(unpacked)


def decode(data: bytes) -> str:
    """The text of `data`: by byte order mark, else UTF-8, else what it declares, else GB18030.

    A declaration is believed only where the bytes agree. Text that is UTF-8 but for a few
    bytes is damaged, not GB18030. Raises Quarantined with the line of the first bad byte.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], encoding)
    if (wide := _wide(data)) is not None:
        return _strictly(data, wide)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        broken = error
    if _mostly_utf8(data):
        raise _undecodable(data, broken.start, "utf-8")
    declared = _DECLARED.search(data[:1024])
    names = [declared.group(1).decode("ascii").lower()] if declared else []
    for encoding in [*names, "gb18030"]:
        try:
            return data.decode("gb18030" if encoding in ("gb2312", "gbk") else encoding)
        except UnicodeDecodeError as error:
            broken = error
        except LookupError:
            continue
    raise _undecodable(data, broken.start, "utf-8 or gb18030")


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(data, error.start, encoding) from error


def _undecodable(data: bytes, position: int, encoding: str) -> Quarantined:
    line = data.count(b"\n", 0, position) + 1
    return Quarantined(
        f"line {line} holds bytes that are not {encoding} "
        f"(0x{data[position : position + 2].hex()} at byte {position})"
    )


def _wide(data: bytes) -> str | None:
    """UTF-16 without a byte order mark, told by the NUL in every other byte of ASCII."""
    head = data[:512]
    if len(head) < 8 or len(data) % 2:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
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
