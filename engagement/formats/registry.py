"""What a format is: a name, how surely it knows a file, and its reader.

A module of this package that has a FORMAT (or FORMATS) is a format; nothing else has to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from engagement.formats.container import File
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading, Unrecognised

Reader = Callable[[File, Options, Catalogue, Reading], Landed]


@dataclass(frozen=True)
class Format:
    """`kind` is what its files hold; "" where their names say it.

    `recognise` answers 0 (not mine) to 100 (certainly mine) by name and content.

    `beside` tells which files of its folder a log is read with, by its name; they arrive as
    Reading.beside. One that `refuses` is recognised so that it can be said what the file is.
    """

    name: str
    kind: str
    recognise: Callable[[File], int]
    read: Reader
    beside: Callable[[str], re.Pattern[str] | None] | None = None
    refuses: bool = False


@cache
def formats() -> dict[str, Format]:
    """Every format by its name."""
    import engagement.formats as package

    found: dict[str, Format] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        content = importlib.import_module(f"{package.__name__}.{module}")
        for format in (*getattr(content, "FORMATS", ()), getattr(content, "FORMAT", None)):
            if isinstance(format, Format):
                found[format.name] = format
    return found


def readable() -> tuple[str, ...]:
    """The names of the formats that are read, in their order: what --format may be."""
    return tuple(format.name for format in formats().values() if not format.refuses)


def chosen(file: File, name: str | None) -> Format:
    """The format called `name`, or the one that knows `file` best.

    Raises Unrecognised where no format knows it, Quarantined where none has that name.
    """
    known = formats()
    if name is not None:
        if name not in known:
            raise Quarantined(f"no format is called {name!r}; there are {', '.join(readable())}")
        return known[name]
    sure = {format.name: format.recognise(file) for format in known.values()}
    best = max(sure, key=lambda key: sure[key])
    if sure[best] == 0:
        raise Unrecognised(
            "no reader knows this file. Native files are named titles.*, segments.*, danmu.*, "
            "discussion.* or shares.* (.parquet, .csv, .jsonl); other formats are "
            f"{', '.join(sorted(readable()))} (--format)"
        )
    return known[best]
