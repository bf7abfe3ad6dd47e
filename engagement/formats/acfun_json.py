"""AcFun danmaku JSON: {"c": "offset_s,colour,mode,size,sender,sent[,row id]", "m": text}.

A comment of mode 7 is drawn: its text is `n` of the JSON object in `m`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from engagement.formats import found
from engagement.formats.container import File
from engagement.formats.found import Found, Listing
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "acfun-json"
_HEAD = re.compile(r'\[\s*\{\s*"c"\s*:\s*"[^"]*,[^"]*"\s*,\s*"m"\s*:')
_DRAWN = "7"
_FIELDS = 6


def recognise(file: File) -> int:
    return 95 if _HEAD.match(file.head) else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    entries = found.document(file)
    if not isinstance(entries, list):
        raise Quarantined("the JSON is not a list of comments")
    listing = Listing(no_comment="a drawing without text")
    for line, entry in enumerate(entries, start=1):
        comment = _comment(line, entry)
        if comment is None:
            listing.ragged.append((line, f'not {{"c", "m"}} with {_FIELDS} fields in c'))
        else:
            listing.comments.append(comment)
    return found.land(NAME, listing, file, options, catalogue, reading)


def _comment(line: int, entry: Any) -> Found | None:
    if not isinstance(entry, dict):
        return None
    fields, text = entry.get("c"), entry.get("m")
    if not isinstance(fields, str) or not isinstance(text, str):
        return None
    c = [part.strip() for part in fields.split(",")]
    if len(c) < _FIELDS:
        return None
    return Found(
        line=line,
        text=_drawn(text) if c[2] == _DRAWN else text,
        offset=c[0],
        posted=c[5],
        sender=c[4] or None,
        row_id=c[6] if len(c) > _FIELDS else None,
    )


def _drawn(text: str) -> str | None:
    """None for a blank drawing; a text that is no JSON object stands as written."""
    try:
        drawing = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    if not isinstance(drawing, dict):
        return text
    said = drawing.get("n")
    return said if isinstance(said, str) and said.strip() else None


FORMAT = Format(NAME, "danmu", recognise, read)
