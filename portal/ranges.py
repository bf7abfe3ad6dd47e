"""Which part of a file a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

from django.http import HttpRequest

_ONE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """A range that lies wholly beyond the file, which is `size` bytes long."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def part_asked(request: HttpRequest, etag: str, size: int) -> range | None:
    """The one range of bytes that is asked for, as it lies in the file; None for all of it.

    All of it also where several ranges are asked for, where the range is none, and where
    If-Range names another file. Raises Unsatisfiable.
    """
    asked = _ONE.fullmatch(request.headers.get("Range", "").strip())
    if request.method != "GET" or asked is None:
        return None
    if request.headers.get("If-Range", etag).strip() != etag:
        return None  # a date is as little ours: no answer told one
    first, last = asked.groups()
    if not first and not last:
        return None
    if not first:
        part = range(max(size - int(last), 0), size)
    else:
        if last and int(last) < int(first):
            return None
        part = range(int(first), min(int(last) + 1, size) if last else size)
    if not part:
        raise Unsatisfiable(size)
    return part
