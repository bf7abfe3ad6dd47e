"""A title's discussion as facts: posts and replies by day, and readable one by one.

Authors end here: a post is published with how many distinct authors wrote its text, never with
who wrote it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pyarrow as pa

from engagement.models import DiscussionFact, DiscussionPost, Ingest, Release, Source, Title
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.publish import begin, check_sources, finish, locked
from engagement.pipeline.staging import Rows
from engagement.scope import ALL
from engagement.text import mask, normalised

_ONE_DAY = timedelta(days=1)


def publish_discussion(
    title: Title, rows: Rows, digest: str, *, seen: frozenset[int], ingest: Ingest | None = None
) -> Release:
    """Swap a title's discussion. `seen` are the live Sources as `rows` were read. Raises Stale."""
    facts = _facts(title, rows.table)
    posts = _posts(title, rows.table)
    (release,) = begin(title, Release.Kind.DISCUSSION, [(None, digest)], ingest)
    with locked(title):
        check_sources(title, Source.Kind.DISCUSSION, seen)
        picked = set(
            DiscussionPost.objects.filter(title=title, picked=True).values_list("text", flat=True)
        )
        DiscussionFact.objects.filter(title=title).delete()
        DiscussionPost.objects.filter(title=title).delete()
        for fact in facts:
            fact.release = release
        for post in posts:
            post.release = release
            post.picked = post.text in picked
        copy_objects(facts)
        copy_objects(posts)
        release.rows, release.rejected = len(rows.table), rows.rejected()
        finish([release], [rows.sources])
    return release


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
