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


def _family_to_come(file: File) -> int:
    return 100 if re.match(r"(?:discussion|shares)(?:[._-].*)?\.\w+\Z", file.stem) else 0


FORMATS = (
    Format(
        "native-later",
        _family_to_come,
        _refusing("discussion.* and shares.* are landing files of families not read yet"),
    ),
    Format(
        "ass",
        _knows(r"\[Script Info\]"),
        _refusing(
            "this is an .ass subtitle file, a rendering of danmaku without senders or times; "
            "ingest the file it was made from"
        ),
    ),
)
