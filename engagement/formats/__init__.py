"""Landed files in, checked rows out: `read`.

One file a format (registry.py); what a row must be is the same for all of them (segments.py,
danmu.py). Counting duplicates, rolling up and publishing are the pipeline's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from engagement.formats.container import File
from engagement.formats.registry import Format, chosen, formats, readable
from engagement.formats.title_map import read_title_map
from engagement.formats.values import (
    Catalogue,
    Landed,
    Options,
    Quarantined,
    Reading,
    Rejects,
    Unrecognised,
)

__all__ = [
    "Catalogue",
    "Format",
    "Landed",
    "Options",
    "Quarantined",
    "Reading",
    "Rejects",
    "Unrecognised",
    "companions",
    "read",
    "read_title_map",
    "readable",
]


def companions(path: Path) -> Iterable[Path]:
    """The files beside a log that it is read with: none but for logs of several tables."""
    for format in formats().values():
        wanted = format.beside(path.name) if format.beside else None
        if wanted is not None:
            return sorted(
                one
                for one in path.parent.iterdir()
                if one != path and wanted.match(one.name) and one.is_file()
            )
    return ()


def read(
    path: Path, *, name: str, options: Options, catalogue: Catalogue, settings: Reading
) -> Landed:
    """The good rows of one landed file, in its order, with the rejected ones counted.

    `name` is the file's name as a Source (its path under the folder ingested). Raises
    Quarantined where the whole file must stay out.
    """
    file = File(path, name)
    try:
        return _read(chosen(file, options.format), file, options, catalogue, settings)
    except (MemoryError, RecursionError) as error:
        raise Quarantined(f"the file is too large or too deep to read: {error}") from error
    except pa.ArrowException as error:
        raise Quarantined(f"a column cannot be read: {error}") from error


def _read(
    format: Format, file: File, options: Options, catalogue: Catalogue, settings: Reading
) -> Landed:
    try:
        return format.read(file, options, catalogue, settings)
    except Quarantined as error:
        error.format, error.kind = format.name, format.kind
        raise
