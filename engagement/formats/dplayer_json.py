"""DPlayer danmaku JSON: arrays of offset_s, mode, colour, author, text. It has no sent times.

Under `danmuku` as macCMS sites write it, whose server puts a notice first; under `data` as
DPlayer's own back end does.
"""

from __future__ import annotations

import re
from typing import Any

from engagement.formats import found
from engagement.formats.container import File
from engagement.formats.found import Found, Listing, cell
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "dplayer-json"
_FIELDS = 5
_NOTICE = re.compile(r"有\s*\d+\s*条弹幕正在赶来")


def recognise(file: File) -> int:
    head = file.head
    if not head.startswith("{"):
        return 0
    if re.search(r'"danmuku"\s*:\s*\[', head):
        return 95
    return 80 if re.search(r'"code"\s*:\s*\d+.*?"data"\s*:\s*\[\s*\[', head, re.S) else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    content = found.document(file)
    entries = None
    if isinstance(content, dict):
        entries = content.get("danmuku", content.get("data"))
    if not isinstance(entries, list):
        raise Quarantined("the JSON has no list danmuku or data")
    listing = Listing(no_comment="the server's notice at the head of the list")
    for line, entry in enumerate(entries, start=1):
        if not isinstance(entry, list) or len(entry) < _FIELDS:
            listing.ragged.append((line, f"not an array of at least {_FIELDS} fields"))
            continue
        listing.comments.append(_comment(line, entry))
    return found.land(NAME, listing, file, options, catalogue, reading)


def _comment(line: int, entry: list[Any]) -> Found:
    text = cell(entry[4]) or ""
    notice = line == 1 and _NOTICE.match(text) is not None
    return Found(
        line=line,
        text=None if notice else text,
        offset=cell(entry[0]),
        sender=cell(entry[3]),
    )


FORMAT = Format(NAME, "danmu", recognise, read)
