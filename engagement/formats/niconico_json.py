"""Niconico comments as its comment API gives them: data.threads[].comments[].

The owner's own thread is the uploader's, not the audience's, and is left out; `easy` stamps are
comments of one tap and count.
"""

from __future__ import annotations

import re
from typing import Any

from engagement.formats import found
from engagement.formats.container import File
from engagement.formats.found import Found, Listing, cell, scaled
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "niconico-json"
_OWNER = "owner"


def recognise(file: File) -> int:
    head = file.head
    if not head.startswith("{") or not re.search(r'"threads"\s*:\s*\[', head):
        return 0
    return 95 if '"vposMs"' in head else 60


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    content = found.document(file)
    data = content.get("data", content) if isinstance(content, dict) else None
    threads = data.get("threads") if isinstance(data, dict) else None
    if not isinstance(threads, list):
        raise Quarantined("the JSON has no list data.threads")
    listing = Listing(no_comment="a comment of the owner's own thread")
    for thread in threads:
        comments = thread.get("comments") if isinstance(thread, dict) else None
        if not isinstance(comments, list):
            raise Quarantined("a thread of data.threads has no list of comments")
        for comment in comments:
            _add(listing, comment, thread.get("fork") == _OWNER)
    return found.land(NAME, listing, file, options, catalogue, reading)


def _add(listing: Listing, comment: Any, by_owner: bool) -> None:
    line = len(listing.comments) + len(listing.ragged) + 1
    if not isinstance(comment, dict):
        listing.ragged.append((line, "a comment is not a JSON object"))
        return
    listing.comments.append(
        Found(
            line=line,
            text=None if by_owner else cell(comment.get("body")) or "",
            offset=scaled(comment.get("vposMs"), 1000),
            posted=cell(comment.get("postedAt")),
            sender=cell(comment.get("userId")),
            likes=cell(comment.get("nicoruCount")),
            row_id=cell(comment.get("id")),
        )
    )


FORMAT = Format(NAME, "danmu", recognise, read)
