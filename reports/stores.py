"""What is asked of a place that files are stored in, and the one by default: a folder.

The other is a bucket (bucket.py). Both are Django storages, write a file whole or not at all, and
read it piece by piece.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from django.conf import settings
from django.core.files.storage import FileSystemStorage


@runtime_checkable
class Store(Protocol):
    """What storage.py asks of a place. A name is one of ours: two digits, a slash, a hash."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Raises OSError, leaving nothing behind."""

    @abstractmethod
    def reader(self, name: str) -> BinaryIO:
        """Raises FileNotFoundError, and OSError for anything else."""

    @abstractmethod
    def discard(self, name: str) -> None:
        """One that is gone already is no error."""

    @abstractmethod
    def listed(self) -> Iterator[tuple[str, float]]:
        """Every name, unfinished ones too, and when it was last written (seconds since 1970)."""


class Folder(FileSystemStorage):
    """STORAGE_ROOT: what survives a power cut there is a file that is whole."""

    @property
    def base_location(self) -> str:
        return str(settings.STORAGE_ROOT)

    @property
    def location(self) -> str:
        return os.path.abspath(self.base_location)

    def put(self, name: str, content: bytes) -> None:
        target = Path(self.path(name))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part")
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

    def reader(self, name: str) -> BinaryIO:
        return Path(self.path(name)).open("rb")

    def discard(self, name: str) -> None:
        Path(self.path(name)).unlink(missing_ok=True)

    def listed(self) -> Iterator[tuple[str, float]]:
        root = Path(self.location)
        for file in root.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                yield str(file.relative_to(root)), file.stat().st_mtime


def _sync(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
