"""CSV of Mango TV's comments with what they reply to.

Times are only as the page showed them ("1小时前"), which is no time: rows need --day. A reply
names what it answers by text and author; where that post is in the file it is its parent. Its
ids are Mango TV's, marked as such: those of the platform's own posts are another space.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from engagement.formats import danmu, discussion
from engagement.formats.columns import absent
from engagement.formats.container import File
from engagement.formats.grid import csv_grid
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "mangotv-csv"
_COLUMNS = (
    "comment_id",
    "video_id",
    "relative_time_as_shown",
    "device",
    "likes",
    "user_pseudonym",
    "text",
    "reply_to_text",
    "reply_to_user_pseudonym",
    "reply_to_likes",
)
_USED = ("comment_id", "video_id", "likes", "user_pseudonym", "text", "reply_to_text")


def recognise(file: File) -> int:
    names = file.head.split("\n", 1)[0].strip().split(",")
    return 95 if {"comment_id", "video_id", "reply_to_text"} <= set(names) else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    grid = csv_grid(file, _COLUMNS, needed=_USED)
    missing = [name for name in _USED if name not in grid.columns]
    if missing:
        raise Quarantined(f"missing column {', '.join(missing)}")
    cells = {n: grid.columns.get(n, absent(grid.rows)).to_pylist() for n in _COLUMNS}
    # A row that was torn on the page has its cells in the wrong columns, and no video.
    whole = np.array([bool(video) and video.isdigit() for video in cells["video_id"]], bool)
    ragged = [(int(line), "video_id is no number") for line in grid.lines[~whole]]
    kept = {n: [c for c, good in zip(column, whole, strict=True) if good]
            for n, column in cells.items()}  # fmt: skip
    kept["comment_id"] = [f"mangotv:{own}" if own else own for own in kept["comment_id"]]
    posts = discussion.Posts(
        lines=grid.lines[whole],
        title_id=danmu.title_column(file, int(whole.sum()), kept["video_id"], options, reading),
        posted=danmu.Posted(absent(int(whole.sum()))),
        text=_strings(kept["text"]),
        likes=_strings(kept["likes"]),
        author_id=_strings(kept["user_pseudonym"]),
        territory=absent(int(whole.sum())),
        parent_id=_strings(_parents(kept)),
        deleted_at=absent(int(whole.sum())),
        post_id=_strings(kept["comment_id"]),
        ragged=[*grid.ragged, *ragged],
    )
    return discussion.land(NAME, posts, options, catalogue, reading, {})


def _strings(column: list[str | None]) -> pa.Array:
    return pa.array(column, pa.string())


def _parents(cells: dict[str, list[str]]) -> list[str | None]:
    """The id of what each row replies to; one made of its text where it is not in the file."""
    told = list(zip(cells["text"], cells["user_pseudonym"], strict=True))
    ids = dict(zip(reversed(told), reversed(cells["comment_id"]), strict=True))
    parents: list[str | None] = []
    for asked in zip(cells["reply_to_text"], cells["reply_to_user_pseudonym"], strict=True):
        text, author = asked
        if not text and not author:
            parents.append(None)
            continue
        made = hashlib.sha256(f"{author}|{text}".encode()).hexdigest()[:32]
        parents.append(ids.get(asked, f"content:{made}"))
    return parents


FORMAT = Format(NAME, "discussion", recognise, read)
