"""The report font: where its files are and how wide its glyphs are.

The files are made once at set-up (never in the repository); text in charts is measured with the
advances of the very file that the PDF embeds, so that a label is never cut or moved.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

from django.conf import settings
from fontTools.ttLib import TTFont

FAMILY = "Noto Sans SC"
FILES = {400: "NotoSansSC-Regular.ttf", 700: "NotoSansSC-Bold.ttf"}

_MISSING = "□"


class MissingAsset(RuntimeError):
    """A file that set-up makes is not there."""


def font_path(weight: int) -> Path:
    """The font file of a weight (400 or 700). Raises MissingAsset where set-up has not run."""
    path = Path(settings.VAR) / "fonts" / FILES[weight]
    if not path.is_file():
        raise MissingAsset(f"{path} is missing: `make` builds the report font at set-up")
    return path


@cache
def advances(weight: int) -> dict[int, int]:
    """Code point -> advance in thousandths of an em, for glyphs that are not one em wide."""
    with TTFont(font_path(weight), lazy=True) as font:
        em = font["head"].unitsPerEm
        widths = font["hmtx"].metrics
        return {
            code: round(widths[glyph][0] * 1000 / em)
            for code, glyph in font.getBestCmap().items()
            if widths[glyph][0] != em
        }


@cache
def _drawable() -> frozenset[int]:
    with TTFont(font_path(400), lazy=True) as font:
        return frozenset(font.getBestCmap())


_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]")
_UNCERTAIN = re.compile(r"[^\t\n\r\x20-\x7e]+")


def printable(text: str) -> str:
    """Text in glyphs that the report font has; a run of others (emoji) becomes one box.

    Otherwise another font of the machine would step in, or nothing. Marks that turn the
    direction of writing are dropped.
    """
    return _UNCERTAIN.sub(_in_our_glyphs, _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))


def _in_our_glyphs(run: re.Match[str]) -> str:
    drawable, out = _drawable(), ""
    for character in run[0]:
        if ord(character) in drawable:
            out += character
        elif not out.endswith(_MISSING):
            out += _MISSING
    return out
