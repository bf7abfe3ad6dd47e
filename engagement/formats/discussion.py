"""What a post of a title's discussion page must be, whatever format it came in."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import schema
from engagement.formats.columns import instants, mask, numbers, texts
from engagement.formats.danmu import Posted
from engagement.formats.rows import (
    check_ids,
    check_titles,
    land_count,
    land_day,
    land_territory,
    land_text,
)
from engagement.formats.values import Catalogue, Ints, Landed, Options, Reading, Verdicts


@dataclass
class Posts:
    """Posts and replies as a format found them, one array element a row.

    Without `post_id` a post is known by what it says, see `content_ids`. A reply has the
    `parent_id` of what it answers.
    """

    lines: Ints
    title_id: pa.Array
    posted: Posted
    text: pa.Array
    likes: pa.Array
    author_id: pa.Array
    territory: pa.Array
    parent_id: pa.Array
    deleted_at: pa.Array
    post_id: pa.Array | None = None
    ragged: list[tuple[int, str]] = field(default_factory=list)


def land(
    format: str,
    posts: Posts,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    """The good rows, in the file's order, duplicates included."""
    verdicts = Verdicts(posts.lines)
    verdicts.refuse_outside(posts.ragged, "bad_value")
    title_id, parent_id = texts(posts.title_id), texts(posts.parent_id)
    author_id = texts(posts.author_id)
    check_ids(verdicts, "title_id", title_id)
    check_titles(verdicts, title_id, catalogue)
    territory = land_territory(verdicts, texts(posts.territory), options, reading)
    notes = dict(notes)
    text = land_text(verdicts, posts.text, notes)
    posted = instants(posts.posted.column, posts.posted.zone)
    day = land_day(verdicts, "posted_at", posted, options.day, reading)
    likes = pc.fill_null(land_count(verdicts, "likes", numbers(posts.likes)), 0)
    deleted = instants(posts.deleted_at)
    verdicts.refuse(
        deleted.malformed, "bad_value", lambda row: "deleted_at is no time that can be read"
    )
    if posts.post_id is None:
        times = posted.array(verdicts.good).cast(pa.int64()).to_pylist()
        said = zip(times, author_id.to_pylist(), text.to_pylist(), strict=True)
        post_id = pa.array(content_ids(list(said)), pa.string())
    else:
        post_id = texts(posts.post_id)
        check_ids(verdicts, "post_id", post_id)
    for name, column in (("parent_id", parent_id), ("author_id", author_id)):
        _check_length(verdicts, name, column)
    table = pa.table(
        {
            "line": posts.lines,
            "title_id": title_id,
            "post_id": post_id,
            "parent_id": parent_id,
            "posted_at": posted.array(verdicts.good),
            "day": day,
            "text": text,
            "likes": likes,
            "author_id": author_id,
            "territory": territory,
            "deleted_at": deleted.array(verdicts.good),
        },
        schema=schema.DISCUSSION,
    )
    return verdicts.landed("discussion", format, table, notes)


def _check_length(verdicts: Verdicts, name: str, column: pa.Array) -> None:
    verdicts.refuse(
        mask(pc.greater(pc.utf8_length(column), schema.ID_LENGTH)),
        "bad_value",
        lambda row: f"{name} is longer than {schema.ID_LENGTH} characters",
    )


def content_ids(said: Sequence[tuple[int | None, str | None, str]]) -> list[str]:
    """Ids for posts that have none, from (time, author, text).

    Two rows that agree in a known time or author and in the text are one post that a crawl met
    twice. Where neither is known two rows of a file are two posts, and the n-th such text of
    one file is the n-th of another: the same crawl under a second name counts once.
    """
    met: Counter[tuple[int | None, str | None, str]] = Counter()
    ids = []
    for row in said:
        when, author, text = row
        met[row] += 1
        number = met[row] if when is None and author is None else 1
        content = f"{when}|{author}|{number}|{text}"
        ids.append("content:" + hashlib.sha256(content.encode()).hexdigest()[:32])
    return ids
