"""For whom a report is, when it was made and as which bundle: drawn on a finished PDF.

A rendering keeps empty places for it on its pages (`make_room`). `stamped` fills them by an
incremental update (ISO 32000-1, 7.5.6): the rendering's own bytes stay as they are and some
kilobytes follow, so that a hundred recipients cost no second rendering. What is drawn is an
artifact to readers of the tags, and is found by who searches the text. The same input gives the
same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import pikepdf
from django.utils.translation import gettext as _
from django.utils.translation import override

from reports.charts.fonts import FAMILY, printable
from reports.render import layout, wording
from reports.render.glyphs import Cut, Face, face

COVER, FOOT = "/DailiesCover", "/DailiesFoot"
_MM = 72 / 25.4
_LABEL, _TEXT, _LINE = "0.42 0.451 0.514", "0.086 0.106 0.149", "0.882 0.894 0.914"
_SIZE, _SMALL, _FOOT_SIZE = 9.5, 7.0, 6.0
_WATERMARK = "/Artifact <</Type /Pagination /Subtype /Watermark>> BDC q {} Do Q EMC\n"


class NoRoom(ValueError):
    """The PDF has no places for a stamp: it is none of ours."""


@dataclass(frozen=True)
class Mark:
    """What the stamp says, of one bundle."""

    recipient: str
    bundle_id: str
    made: datetime  # aware
    language: str  # one of REPORT_LANGUAGES
    paper: str = "a4"


def make_room(document: pikepdf.Pdf) -> None:
    """Give every page an empty place to draw on, over what is there; the cover a second one."""
    if not len(document.pages):
        return
    places = {name: _place(document, name) for name in (COVER, FOOT)}
    before = document.make_stream(b"q\n")
    for number, page in enumerate(document.pages):
        drawn = [COVER, FOOT] if number == 0 else [FOOT]
        after = "\nQ\n" + "".join(_WATERMARK.format(name) for name in drawn)
        contents = page.obj.Contents
        parts = list(contents) if isinstance(contents, pikepdf.Array) else [contents]
        page.obj.Contents = pikepdf.Array([before, *parts, document.make_stream(after.encode())])
        if "/XObject" not in page.obj.Resources:
            page.obj.Resources.XObject = pikepdf.Dictionary()
        for name in drawn:
            page.obj.Resources.XObject[name] = places[name]


def stamped(pdf: bytes, mark: Mark) -> bytes:
    """The rendering with the mark on it. Raises NoRoom."""
    drawing = _Drawing(mark)
    with pikepdf.open(io.BytesIO(pdf)) as document:
        cover = document.pages[0].obj
        try:
            places = [cover.Resources.XObject[name].objgen[0] for name in (COVER, FOOT)]
        except (KeyError, AttributeError):
            raise NoRoom("the PDF has no places for a stamp") from None
        height = float(cover.MediaBox[3])
        update = _Update(pdf, document.trailer)
        font = _font(update, drawing.face, drawing.cut)
        contents = (drawing.cover(height), drawing.foot())
        box = " ".join(str(n) for n in cover.MediaBox)
        for number, content in zip(places, contents, strict=True):
            form = f"/Type /XObject /Subtype /Form /BBox [{box}] "
            form += f"/Resources <</Font <</F {font} 0 R>>>>"
            update.put_stream(form, content.encode(), number=number)
        _tell(update, document, mark)
    return update.finished()


def _place(document: pikepdf.Pdf, name: str) -> pikepdf.Object:
    return document.make_stream(
        f"% {name}\n".encode(),
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Form,
        BBox=document.pages[0].obj.MediaBox,
        Resources=pikepdf.Dictionary(),
    )


class _Drawing:
    """The lines of one mark, in the glyphs that they need."""

    def __init__(self, mark: Mark) -> None:
        self.face: Face = face(400)
        self._mark = mark
        self._name = re.sub(r"\s+", " ", printable(mark.recipient)).strip()
        self._lines = list(zip(_labels(mark.language), self._values(), strict=True))
        used = "".join(label + value for label, value in self._lines) + " ·…"
        self.cut: Cut = self.face.cut(used)

    def _values(self) -> tuple[str, str, str]:
        languages = ("zh-hans", "en") if self._mark.language == "both" else (self._mark.language,)
        made = " · ".join(wording.moment_of(self._mark.made, one) for one in languages)
        return self._name, printable(made), printable(self._mark.bundle_id)

    def cover(self, height: float) -> str:
        box = layout.stamp_box(self._mark.paper)
        room = (box.width - layout.STAMP_LABEL_MM) * _MM
        left, value_left = box.left * _MM, (box.left + layout.STAMP_LABEL_MM) * _MM
        out = []
        for n, (label, value) in enumerate(self._lines):
            top = height - (box.top + n * layout.STAMP_LINE_MM) * _MM
            base = top - 5.5 * _MM
            out.append(self._text(_LABEL, _SIZE, left, base, label))
            if self._wide(value, _SIZE) <= room:
                out.append(self._text(_TEXT, _SIZE, value_left, base, value))
            else:
                for down, line in zip((3.5, 6.7), self._two(value, room), strict=False):
                    out.append(self._text(_TEXT, _SMALL, value_left, top - down * _MM, line))
            low = top - layout.STAMP_LINE_MM * _MM
            right = left + box.width * _MM
            out.append(f"{_LINE} RG 0.567 w {left:.2f} {low:.2f} m {right:.2f} {low:.2f} l S")
        return "\n".join(out)

    def foot(self) -> str:
        width, _height = layout.SIZES[self._mark.paper]
        room = (width - 2 * layout.MARGIN_MM) * _MM
        after = f" · {printable(self._mark.bundle_id)}"
        name = self._fitted(self._name, _FOOT_SIZE, room - self._wide(after, _FOOT_SIZE))
        at = (layout.MARGIN_MM * _MM, layout.FOOT_MM * _MM)
        return self._text(_LABEL, _FOOT_SIZE, *at, name + after)

    def _two(self, text: str, room: float) -> list[str]:
        """Two small lines, the second cut where the text is longer than both."""
        first = self._fits(text, _SMALL, room)
        if (space := text.rfind(" ", 0, first + 1)) > first // 2:
            first = space
        rest = text[first:].strip()
        return [text[:first], self._fitted(rest, _SMALL, room)]

    def _fitted(self, text: str, size: float, room: float) -> str:
        if self._wide(text, size) <= room:
            return text
        return text[: self._fits(text, size, room - self._wide("…", size))] + "…"

    def _fits(self, text: str, size: float, room: float) -> int:
        """How many characters of it fit."""
        taken = 0.0
        for n, character in enumerate(text):
            taken += self._wide(character, size)
            if taken > room:
                return n
        return len(text)

    def _wide(self, text: str, size: float) -> float:
        return self.face.width(text) * size / 1000

    def _text(self, colour: str, size: float, x: float, y: float, text: str) -> str:
        glyphs = "".join(f"{self.cut.glyphs[c]:04x}" for c in text)
        return f"BT {colour} rg /F {size} Tf {x:.2f} {y:.2f} Td <{glyphs}> Tj ET"


def _labels(language: str) -> tuple[str, ...]:
    told = []
    for one in ("zh-hans", "en") if language == "both" else (language,):
        with override(one):
            told.append((_("For"), _("Made"), _("Bundle")))
    return tuple(printable(" ".join(words)) for words in zip(*told, strict=True))


# -- the file -----------------------------------------------------------------------------------


class _Update:
    """Objects that are added to a PDF behind its end, or take the place of some of its own."""

    def __init__(self, base: bytes, trailer: Any) -> None:
        self._base = base
        self._next = int(trailer.Size)
        self._out = bytearray(b"" if base.endswith(b"\n") else b"\n")
        self._places: dict[int, int] = {}
        self._previous = int(re.findall(rb"startxref\s+(\d+)", base[-1024:])[-1])
        self._root, self.info = trailer.Root.objgen[0], trailer.Info.objgen[0]
        self._first_id = bytes(trailer.ID[0])

    def new(self) -> int:
        self._next += 1
        return self._next - 1

    def put(self, body: bytes, *, number: int | None = None) -> int:
        number = self.new() if number is None else number
        self._places[number] = len(self._base) + len(self._out)
        self._out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
        return number

    def put_stream(
        self, about: str, content: bytes, *, number: int | None = None, packed: bool = True
    ) -> int:
        if packed:
            content = zlib.compress(content, 6)
            about += " /Filter /FlateDecode"
        head = f"<<{about} /Length {len(content)}>>".encode()
        return self.put(head + b"\nstream\n" + content + b"\nendstream", number=number)

    def finished(self) -> bytes:
        table = self.new()
        at = len(self._base) + len(self._out)
        self._places[table] = at
        entries = [(n, self._places[n]) for n in sorted(self._places)]
        index = " ".join(f"{n} 1" for n, _at in entries)
        rows = b"".join(b"\x01" + place.to_bytes(4, "big") + b"\0\0" for _n, place in entries)
        own = hashlib.sha256(self._base[-64:] + self._out).hexdigest()[:32]
        about = (
            f"/Type /XRef /Size {self._next} /W [1 4 2] /Index [{index}] /Prev {self._previous} "
            f"/Root {self._root} 0 R /Info {self.info} 0 R /ID [<{self._first_id.hex()}> <{own}>]"
        )
        self.put_stream(about, rows, number=table, packed=False)
        return self._base + bytes(self._out) + b"startxref\n%d\n%%%%EOF\n" % at


def _font(update: _Update, drawn: Face, cut: Cut) -> int:
    """The cut font as a PDF font whose codes are its glyphs; its number."""
    tag = hashlib.sha256(cut.file).digest()[:6]
    name = "".join(chr(65 + byte % 26) for byte in tag) + "+" + FAMILY.replace(" ", "-")
    box = " ".join(map(str, drawn.box))
    file = update.put_stream(f"/Length1 {len(cut.file)}", cut.file)
    described = update.put(
        f"<</Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{box}] /ItalicAngle 0 "
        f"/Ascent {drawn.ascent} /Descent {drawn.descent} /CapHeight 733 /StemV 80 "
        f"/FontFile2 {file} 0 R>>".encode()
    )
    widths = " ".join(map(str, cut.widths))
    descendant = update.put(
        f"<</Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity "
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> "
        f"/FontDescriptor {described} 0 R /DW 1000 /W [0 [{widths}]]>>".encode()
    )
    meaning = update.put_stream("", _meaning(cut).encode())
    return update.put(
        f"<</Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H "
        f"/DescendantFonts [{descendant} 0 R] /ToUnicode {meaning} 0 R>>".encode()
    )


def _meaning(cut: Cut) -> str:
    """The characters that the glyphs stand for, as a ToUnicode map."""
    pairs = [
        f"<{glyph:04x}> <{character.encode('utf-16-be').hex()}>"
        for character, glyph in cut.glyphs.items()
        if glyph
    ]
    blocks = [pairs[n : n + 100] for n in range(0, len(pairs), 100)]
    listed = "\n".join(
        f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks
    )
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{listed}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )


def _tell(update: _Update, document: pikepdf.Pdf, mark: Mark) -> None:
    """The bundle's id and its date into both kinds of metadata."""
    at = mark.made
    offset = at.strftime("%z") or "+0000"
    date = f"D:{at:%Y%m%d%H%M%S}{offset[:3]}'{offset[3:5]}'"
    info = pikepdf.Dictionary(dict(document.trailer.Info.items()))
    info.CreationDate = info.ModDate = pikepdf.String(date)
    info[pikepdf.Name("/DailiesBundle")] = pikepdf.String(mark.bundle_id)
    update.put(info.unparse(resolved=True), number=update.info)
    packet = document.Root.Metadata.read_bytes().decode()
    moment = at.isoformat(timespec="seconds")
    for name in ("CreateDate", "ModifyDate"):
        packet = re.sub(rf"(<xmp:{name}>)[^<]*", rf"\g<1>{moment}", packet)
    own = (
        '<rdf:Description xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" rdf:about="">'
        f"<xmpMM:DocumentID>uuid:{escape(mark.bundle_id)}</xmpMM:DocumentID></rdf:Description>"
    )
    packet = packet.replace("</rdf:RDF>", own + "</rdf:RDF>", 1)
    update.put_stream(
        "/Type /Metadata /Subtype /XML",
        packet.encode(),
        number=document.Root.Metadata.objgen[0],
        packed=False,
    )
