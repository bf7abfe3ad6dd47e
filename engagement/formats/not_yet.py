"""Files that are recognised and refused: their readers come later.

Recognised, so that the reason says what the file is and not that it is broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from engagement.formats.container import File
from engagement.formats.registry import Format, Reader
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading


def _refusing(what: str) -> Reader:
    def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
        raise Quarantined(what)

    return read


def _knows(pattern: str) -> Callable[[File], int]:
    compiled = re.compile(pattern, re.S)
    return lambda file: 100 if compiled.match(file.head) else 0


FORMATS = (
    Format(
        "ass",
        "danmu",
        _knows(r"\[Script Info\]"),
        _refusing(
            "this is an .ass subtitle file, a rendering of danmaku without senders or times; "
            "ingest the file it was made from"
        ),
        refuses=True,
    ),
)
