"""danmu: what do they say at that moment."""

from __future__ import annotations

from engagement.families import Column, Resource
from engagement.families.columns import CONTENT_SECOND, HIDDEN_REASON, column


def _reaction(name: str, zh: str, en: str) -> Column:
    return column(
        name, "integer", "comments", zh, en,
        f"被归为「{zh}」的弹幕条数。", f"Danmu read as {en.lower()}.",
    )  # fmt: skip


DANMU = Resource(
    name="danmu",
    family="danmu",
    curve=True,
    columns=(
        CONTENT_SECOND,
        column(
            "comments", "integer", "comments", "弹幕", "Danmu",
            "在该秒发送的弹幕条数。没有位置的弹幕只计入当日，不计入任何一秒。",
            "Danmu written at this second. One without an offset counts in its day and in no second.",
        ),
        _reaction("laughter", "笑", "Laughter"),
        _reaction("tears", "泪目", "Tears"),
        _reaction("shock", "惊讶", "Shock"),
        _reaction("praise", "赞", "Praise"),
        _reaction("complaint", "吐槽", "Complaint"),
        HIDDEN_REASON,
    ),
)  # fmt: skip

DANMU_COMMENTS = Resource(
    name="danmu_comments",
    family="danmu",
    columns=(
        CONTENT_SECOND,
        column(
            "day", "date", "", "日期", "Day",
            "弹幕发送的日期（平台时区）。", "The day it was written, in the platform's zone.",
        ),
        column(
            "text", "string", "", "内容", "Text",
            "弹幕内容；联系方式已隐藏。", "The danmu as written; contact details are masked.",
        ),
        column(
            "repeats", "integer", "senders", "重复", "Repeats",
            "在整部作品中发送过同一内容的不同用户数。",
            "Distinct senders of that text in the whole title.",
        ),
        column("likes", "integer", "likes", "点赞", "Likes", "点赞数。", "Likes."),
    ),
)  # fmt: skip
