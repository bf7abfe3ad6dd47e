"""Comments found one by one, in JSON or protobuf, as the columns that danmu.land checks.

Where a format's fields stand is the format's business; a JSON document is parsed here, so that
what breaks off or is no JSON is refused in the same words by all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from engagement.formats import danmu
from engagement.formats.columns import absent
from engagement.formats.container import File
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading


@dataclass(frozen=True)
class Found:
    """One comment; None where the file does not say. A `text` of None says nothing at all."""

    line: int
    text: str | None
    offset: str | None = None
    posted: str | None = None
    sender: str | None = None
    likes: str | None = None
    row_id: str | None = None


@dataclass
class Listing:
    """What a format found: comments in the file's order, and entries that are none, with why.

    `no_comment` says what a comment without a text is in this format.
    """

    comments: list[Found] = field(default_factory=list)
    ragged: list[tuple[int, str]] = field(default_factory=list)
    no_comment: str = danmu.SCRIPT


def land(
    format: str,
    listing: Listing,
    file: File,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
) -> Landed:
    """The checked rows. Raises Quarantined where the file holds no comment."""
    found = listing.comments
    if not found and not listing.ragged:
        raise Quarantined("the file holds no comment")
    rows = len(found)
    comments = danmu.Comments(
        lines=np.array([f.line for f in found], np.int64),
        title_id=danmu.title_column(file, rows, None, options, reading),
        offset=_column([f.offset for f in found]),
        posted=danmu.Posted(_column([f.posted for f in found])),
        text=_column([f.text or "" for f in found]),
        sender_id=_column([f.sender for f in found]),
        likes=_column([f.likes for f in found]),
        territory=absent(rows),
        deleted_at=absent(rows),
        row_id=_column([f.row_id for f in found]),
        not_comments=np.array([f.text is None for f in found], bool),
        no_comment=listing.no_comment,
        ragged=listing.ragged,
    )
    return danmu.land(format, comments, options, catalogue, reading, {})


def _column(cells: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape
        whole = [c if c is None else c.encode("utf-8", "replace").decode() for c in cells]
        return pa.array(whole, pa.string())


def document(file: File) -> Any:
    """The JSON document. Raises Quarantined where it breaks off, is none, or is too deep."""
    try:
        return json.loads(file.text, strict=False)
    except json.JSONDecodeError as error:
        ends = error.pos >= len(file.text.rstrip()) or error.msg.startswith("Unterminated")
        what = "breaks off; the file is truncated" if ends else "is not JSON"
        raise Quarantined(f"line {error.lineno} {what} ({error.msg})") from error
    except (RecursionError, ValueError) as error:
        raise Quarantined(f"the JSON cannot be read: {error}") from error


def cell(value: Any) -> str | None:
    """A JSON scalar as a cell; None for null and "". What is no scalar is worded, to be refused."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scaled(value: Any, per_second: int) -> str | None:
    """An offset in units of `per_second` as seconds; what is no number stays, to be refused."""
    written = cell(value)
    if written is None:
        return None
    try:
        return repr(float(written) / per_second)
    except ValueError:
        return written
