"""The root of the audit chain outside of the database: a file that is only added to.

One line of JSON a seal. Beside the root it holds what was taken away (grants, people) in the
sealed events, so that a restored backup can be told what has been revoked since. The file may
lie on another machine or on storage that is written once: it is opened for appending only.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings


@dataclass(frozen=True)
class Anchored:
    """One line: seal `n` ended the chain with `root` after `events` events, at `at`."""

    n: int
    root: str
    events: int
    at: str
    restored_from: int | None = None
    taken: tuple[dict[str, Any], ...] = ()


class Busy(Exception):
    """Another sealer holds the anchor."""


@contextmanager
def held() -> Iterator[None]:
    """Be the only sealer. Makes the file where there is none. Raises Busy, OSError."""
    path = _path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield
    finally:
        os.close(descriptor)


def exists() -> bool:
    return _path().exists()


def lines() -> Iterator[Anchored]:
    """Every line that can be read, the oldest first. Raises FileNotFoundError.

    One that a crash left torn is passed over: it was written again, whole, after it.
    """
    with _path().open("rb") as file:
        for line in file:
            read = _read(line)
            if read is not None:
                yield read


def last() -> Anchored | None:
    """The newest line; None in an empty file. Reads from the end of the file."""
    with _path().open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        size = 65_536
        while True:
            start = max(0, end - size)
            file.seek(start)
            whole = file.read(end - start).split(b"\n")
            for line in reversed(whole if start == 0 else whole[1:]):
                read = _read(line)
                if read is not None:
                    return read
            if start == 0:
                return None
            size *= 4


def append(new: Iterable[Anchored]) -> None:
    """Add lines, and wait until they are on the disk."""
    text = "".join(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in new)
    if not text:
        return
    path = _path()
    torn = path.stat().st_size > 0 and not _ends_a_line(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, (("\n" if torn else "") + text).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _read(line: bytes) -> Anchored | None:
    try:
        fields = json.loads(line)
        return Anchored(**{**fields, "taken": tuple(fields["taken"])})
    except (ValueError, TypeError, KeyError):
        return None


def _path() -> Path:
    return Path(settings.AUDIT_ANCHOR)
