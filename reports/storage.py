"""Where finished files lie: by the SHA-256 of their bytes, in a folder or in an S3 bucket.

A file appears whole or not at all, and is never changed. Which place it is, STORAGE_URL says
(stores.py); who may read a file is decided in downloads.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.core.files.storage import storages

from reports.stores import Store

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.zip")


@dataclass(frozen=True)
class Stored:
    """A file in the storage: its path below the root, its hash and its size."""

    path: str
    sha256: str
    size_bytes: int


def put(content: bytes) -> Stored:
    """Store the bytes durably. Raises OSError (disk full, S3 away), leaving nothing behind.

    Storing the same bytes again gives the same file.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    stored = Stored(f"{sha256[:2]}/{sha256}.zip", sha256, len(content))
    _store().put(stored.path, content)
    return stored


def open_stored(path: str) -> BinaryIO:
    """The file for reading, which can be sought in. Raises FileNotFoundError, else OSError."""
    if not _NAME.fullmatch(path):
        raise FileNotFoundError(path)
    return _store().reader(path)


def lying() -> Iterator[tuple[str, float]]:
    """The path of every file, unfinished ones too, and when it was last written (seconds since
    1970).
    """
    return _store().listed()


def remove(path: str) -> None:
    """Remove a file that `lying` named; one that is gone already is no error."""
    _store().discard(path)


def _store() -> Store:
    store = storages["bundles"]
    assert isinstance(store, Store)
    return store
