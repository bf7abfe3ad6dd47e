"""Where finished files lie: by the SHA-256 of their bytes, below STORAGE_ROOT.

A file appears whole or not at all, and is never changed. Who may read it is decided in
downloads.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.zip")


@dataclass(frozen=True)
class Stored:
    """A file in the storage: its path below the root, its hash and its size."""

    path: str
    sha256: str
    size_bytes: int


def put(content: bytes) -> Stored:
    """Store the bytes durably. Raises OSError (disk full), leaving nothing behind.

    Storing the same bytes again gives the same file.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    stored = Stored(f"{sha256[:2]}/{sha256}.zip", sha256, len(content))
    target = _root() / stored.path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{sha256}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    _sync(target.parent)
    return stored


def open_stored(path: str) -> BinaryIO:
    """The file for reading. Raises FileNotFoundError."""
    if not _NAME.fullmatch(path):
        raise FileNotFoundError(path)
    return (_root() / path).open("rb")


def remove(path: str) -> None:
    """Remove a file; one that is gone already is no error."""
    if _NAME.fullmatch(path):
        (_root() / path).unlink(missing_ok=True)


def older_than(seconds: float, now: float) -> Iterator[Path]:
    """Every file, unfinished ones too, that nobody has touched for that long."""
    for file in _root().glob("??/*"):
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_mtime < now - seconds:
                yield file


def name_of(file: Path) -> str:
    """The path of a file below the root, as `Stored.path` has it."""
    return str(file.relative_to(_root()))


def _root() -> Path:
    return Path(settings.STORAGE_ROOT)


def _sync(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
