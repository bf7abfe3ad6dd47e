"""discussion: what do they say on the title's page."""

from __future__ import annotations

from engagement.families import Column, Resource, Result
from engagement.families.columns import TERRITORY, column
from engagement.families.read import Read, arguments, fetch, within

_DAY = column(
    "day", "date", "", "日期", "Day",
    "发布的日期（平台时区）。", "The day it was written, in the platform's zone.",
)  # fmt: skip
_LIKES = column("likes", "integer", "likes", "点赞", "Likes", "点赞数。", "Likes.")


def _replies(zh: str, en: str) -> Column:
    return column("replies", "integer", "posts", "回复", "Replies", zh, en)


DISCUSSION = Resource(
    name="discussion",
    family="discussion",
    title={"zh": "讨论", "en": "Discussion"},
    columns=(
        _DAY,
        TERRITORY,
        column(
            "posts", "integer", "posts", "帖子", "Posts",
            "当日在作品页发布的帖子、短评与长评数，不含回复；已删除的不计。",
            "Posts and reviews written on the title's page that day, replies apart; deleted ones"
            " are not counted.",
        ),
        _replies("当日发布的回复数。", "Replies written that day."),
        column(
            "likes", "integer", "likes", "点赞", "Likes",
            "当日发布的帖子与回复至今获得的点赞数。",
            "Likes that the day's posts and replies have had until now.",
        ),
        column(
            "hidden_reason", "string", "", "未显示原因", "Why hidden",
            "公开文字没有人数门槛，此列始终为空。",
            "Public text has no floor: this column is always empty.",
        ),
    ),
)  # fmt: skip

DISCUSSION_POSTS = Resource(
    name="discussion_posts",
    family="discussion",
    title={"zh": "讨论内容", "en": "Posts as written"},
    columns=(
        _DAY,
        column(
            "text", "string", "", "内容", "Text",
            "帖子或回复的内容；联系方式已隐藏。",
            "The post or reply as written; contact details are masked.",
        ),
        _LIKES,
        _replies("对它的直接回复数。", "Direct replies to it."),
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    """A row a day and territory on which something was written."""
    rows = fetch(
        'SELECT fact."from", fact.territory, fact.posts, fact.replies, fact.likes, NULL,'
        " fact.release_id::text"
        + within("wall_discussion")
        + ' ORDER BY fact."from", fact.territory',
        arguments(read),
    )
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={name: [row[i] for row in rows] for i, name in enumerate(DISCUSSION.column_names())},
        releases=tuple(sorted({row[-1] for row in rows})),
    )


def read_posts(read: Read) -> Result:
    """Every live post and reply by day, those with most likes first.

    Through any exit but `web` only text that may leave: from three authors, liked by ten, or
    picked by staff.
    """
    may_leave = (
        "" if read.exit == "web" else " AND (fact.repeats >= 3 OR fact.likes >= 10 OR fact.picked)"
    )
    rows = fetch(
        'SELECT fact."from", fact.text, fact.likes, fact.replies, fact.release_id::text'
        + within("wall_discussion_post", all_reads_single=True)
        + may_leave
        + ' ORDER BY fact."from", fact.likes DESC, fact.replies DESC, fact.text, fact.id',
        arguments(read),
    )
    names = DISCUSSION_POSTS.column_names()
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={name: [row[i] for row in rows] for i, name in enumerate(names)},
        releases=tuple(sorted({row[-1] for row in rows})),
    )
