"""Tencent Video danmaku as served: barrage_list[] with offsets in milliseconds, as text."""

from __future__ import annotations

import re

from engagement.formats import found
from engagement.formats.container import File
from engagement.formats.found import Found, Listing, cell, scaled
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "tencent-json"


def recognise(file: File) -> int:
    head = file.head
    return 95 if head.startswith("{") and re.search(r'"barrage_list"\s*:\s*\[', head) else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    content = found.document(file)
    entries = content.get("barrage_list") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise Quarantined("the JSON has no list barrage_list")
    listing = Listing()
    for line, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            listing.ragged.append((line, "an entry of barrage_list is not a JSON object"))
            continue
        listing.comments.append(
            Found(
                line=line,
                text=cell(entry.get("content")) or "",
                offset=scaled(entry.get("time_offset"), 1000),
                posted=cell(entry.get("create_time")),
                sender=cell(entry.get("vuid")),
                likes=cell(entry.get("up_count")),
                row_id=cell(entry.get("id")),
            )
        )
    return found.land(NAME, listing, file, options, catalogue, reading)


FORMAT = Format(NAME, "danmu", recognise, read)
