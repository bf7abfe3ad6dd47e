"""A title's discussion as facts: posts and replies by day, and readable one by one.

Authors end here: a post is published with how many distinct authors wrote its text, never with
who wrote it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pyarrow as pa

from engagement.models import DiscussionFact, DiscussionPost, Release, Title
from engagement.pipeline import staging
from engagement.pipeline.publish_texts import Texts
from engagement.scope import ALL
from engagement.text import mask, normalised

_ONE_DAY = timedelta(days=1)


def _columns(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    if not len(table):
        return []
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _facts(title: Title, table: pa.Table) -> list[DiscussionFact]:
    """Posts, replies and likes of each day, of each territory and of `*`, which is their sum."""
    sums: dict[tuple[Any, str], Counter[str]] = defaultdict(Counter)
    for day, territory, parent, likes in _columns(table, "day", "territory", "parent_id", "likes"):
        for place in (territory, ALL):
            cell = sums[day, place]
            cell["posts" if parent is None else "replies"] += 1
            cell["likes"] += likes
    return [
        DiscussionFact(
            title=title,
            territory=territory,
            from_day=day,
            until=day + _ONE_DAY,
            posts=cell["posts"],
            replies=cell["replies"],
            likes=cell["likes"],
        )
        for (day, territory), cell in sorted(sums.items())
    ]


def _posts(title: Title, table: pa.Table) -> list[DiscussionPost]:
    """One a live post or reply with something to read, by day.

    As with danmu, a text's unknown authors together count as one.
    """
    columns = ("post_id", "parent_id", "day", "text", "author_id", "likes", "territory")
    rows = _columns(table, *columns)
    answers = Counter(parent for _, parent, *_ in rows if parent is not None)
    authors: dict[str, set[str | None]] = defaultdict(set)
    for _, _, _, text, author, _, _ in rows:
        authors[normalised(text)].add(author)
    posts = []
    for post, _, day, text, _, likes, territory in rows:
        shown = mask(text).strip()
        if shown:
            posts.append(
                DiscussionPost(
                    title=title,
                    territory=territory,
                    from_day=day,
                    until=day + _ONE_DAY,
                    text=shown,
                    repeats=len(authors[normalised(text)]),
                    likes=likes,
                    replies=answers[post],
                )
            )
    return posts


DISCUSSION = Texts(
    kind=Release.Kind.DISCUSSION,
    counted=DiscussionFact,
    written=DiscussionPost,
    metrics=("posts", "replies", "likes"),
    read=staging.discussion_of,
    count=_facts,
    write=_posts,
)
