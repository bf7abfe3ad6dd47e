"""A font file of a few glyphs, cut out of the report font in well under a millisecond.

For the stamp, which is drawn anew for each recipient: a general subsetter reads the whole font
each time. The glyphs' own bytes are copied; the format is OpenType's (glyf, loca, hmtx).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from fontTools.ttLib import TTFont

from reports.charts.fonts import font_path

_WORDS, _SCALE, _MORE, _XY_SCALE, _TWO_BY_TWO = 0x1, 0x8, 0x20, 0x40, 0x80
_KEPT = ("head", "hhea", "maxp", "prep", "cvt ", "fpgm")


@dataclass(frozen=True)
class Cut:
    """A font file, and of each character its glyph in it and its width in thousandths."""

    file: bytes
    glyphs: dict[str, int]
    widths: list[int]  # by glyph


class Face:
    """The report font in one weight."""

    def __init__(self, weight: int) -> None:
        with TTFont(font_path(weight), lazy=True) as font:
            reader = font.reader
            self._tables = {tag: bytes(reader[tag]) for tag in _KEPT if tag in reader}
            self._outlines = bytes(reader["glyf"])
            self._starts = _numbers(reader["loca"], long=font["head"].indexToLocFormat == 1)
            self._metrics = bytes(reader["hmtx"])
            self._measured = font["hhea"].numberOfHMetrics
            self._em = int(font["head"].unitsPerEm)
            self._glyph = {code: font.getGlyphID(g) for code, g in font.getBestCmap().items()}
            self.ascent, self.descent = font["hhea"].ascent, font["hhea"].descent
            head = font["head"]
            self.box = [self._thousandths(n) for n in (head.xMin, head.yMin, head.xMax, head.yMax)]

    def width(self, text: str) -> int:
        """In thousandths of the type size."""
        return sum(self._advance(self._glyph.get(ord(c), 0)) for c in text)

    def cut(self, characters: Iterable[str]) -> Cut:
        """A font of these characters alone, in the order of their code points."""
        named = {c: self._glyph.get(ord(c), 0) for c in sorted(set(characters))}
        order = list(dict.fromkeys([0, *named.values()]))
        place = {glyph: n for n, glyph in enumerate(order)}
        outlines, starts = bytearray(), [0]
        for glyph in order:  # grows while it is walked: the parts of composite glyphs
            outline = bytearray(self._outline(glyph))
            for at, part in _parts(outline):
                if part not in place:
                    place[part] = len(order)
                    order.append(part)
                struct.pack_into(">H", outline, at, place[part])
            outlines += outline + bytes(-len(outline) % 4)
            starts.append(len(outlines))
        metrics = b"".join(self._metric(glyph) for glyph in order)
        file = _file(self._tables, bytes(outlines), starts, metrics)
        widths = [self._advance(glyph) for glyph in order]
        return Cut(file, {c: place[g] for c, g in named.items()}, widths)

    def _outline(self, glyph: int) -> bytes:
        return self._outlines[self._starts[glyph] : self._starts[glyph + 1]]

    def _metric(self, glyph: int) -> bytes:
        """Advance and left bearing, four bytes."""
        if glyph < self._measured:
            return self._metrics[4 * glyph : 4 * glyph + 4]
        last = 4 * self._measured
        at = last + 2 * (glyph - self._measured)
        return self._metrics[last - 4 : last - 2] + self._metrics[at : at + 2]

    def _advance(self, glyph: int) -> int:
        return self._thousandths(int(struct.unpack_from(">H", self._metric(glyph))[0]))

    def _thousandths(self, units: int) -> int:
        return round(units * 1000 / self._em)


@cache
def face(weight: int) -> Face:
    return Face(weight)


def _numbers(table: bytes, *, long: bool) -> array[int]:
    found = array("I" if long else "H", table)
    found.byteswap()
    return found if long else array("I", [2 * n for n in found])


def _parts(outline: bytearray) -> Iterable[tuple[int, int]]:
    """Of a composite glyph where the number of each of its parts stands, and which it is."""
    if len(outline) < 10 or struct.unpack_from(">h", outline)[0] >= 0:
        return
    at, flags = 10, _MORE
    while flags & _MORE:
        flags, part = struct.unpack_from(">HH", outline, at)
        yield at + 2, part
        at += 8 if flags & _WORDS else 6
        at += 2 if flags & _SCALE else 4 if flags & _XY_SCALE else 8 if flags & _TWO_BY_TWO else 0


def _file(kept: dict[str, bytes], outlines: bytes, starts: list[int], metrics: bytes) -> bytes:
    count = len(starts) - 1
    head, hhea, maxp = (bytearray(kept[tag]) for tag in ("head", "hhea", "maxp"))
    struct.pack_into(">I", head, 8, 0)  # the sum over the whole font: no longer that one
    struct.pack_into(">h", head, 50, 1)  # loca in long numbers
    struct.pack_into(">H", hhea, 34, count)
    struct.pack_into(">H", maxp, 4, count)
    tables = {
        **kept,
        "glyf": outlines,
        "head": bytes(head),
        "hhea": bytes(hhea),
        "hmtx": metrics,
        "loca": struct.pack(f">{count + 1}I", *starts),
        "maxp": bytes(maxp),
    }
    number = len(tables)
    power = number.bit_length() - 1
    out = bytearray(
        struct.pack(">I4H", 0x00010000, number, 16 << power, power, 16 * number - (16 << power))
    )
    at = 12 + 16 * number
    for tag, content in sorted(tables.items()):
        out += struct.pack(">4s3I", tag.encode(), _sum(content), at, len(content))
        at += len(content) + -len(content) % 4
    for _tag, content in sorted(tables.items()):
        out += content + bytes(-len(content) % 4)
    return bytes(out)


def _sum(content: bytes) -> int:
    padded = content + bytes(-len(content) % 4)
    numbers: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(numbers) & 0xFFFFFFFF
