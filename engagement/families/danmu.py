"""danmu: what do they say at that moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.families import NOT_MEASURED, Column, Resource, Result
from engagement.families.columns import CONTENT_SECOND, HIDDEN_REASON, column
from engagement.families.read import Read, arguments, curve_result, fetch, read_curves, within
from engagement.reactions import REACTIONS


def _reaction(name: str, zh: str, en: str) -> Column:
    return column(
        name, "integer", "comments", zh, en,
        f"被归为「{zh}」的弹幕条数。", f"Danmu read as {en.lower()}.",
    )  # fmt: skip


DANMU = Resource(
    name="danmu",
    family="danmu",
    title={"zh": "弹幕", "en": "Danmu"},
    curve=True,
    columns=(
        CONTENT_SECOND,
        column(
            "comments", "integer", "comments", "弹幕", "Danmu",
            "在该秒发送的弹幕条数。没有位置的弹幕只计入当日，不计入任何一秒。",
            "Danmu written at this second. One without an offset counts in its day only.",
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
    title={"zh": "弹幕内容", "en": "Danmu as written"},
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


def read(read: Read) -> Result:
    """Comments per content second. Public text has no floor: a second without any is 0."""
    rows = read_curves(read, "wall_danmu", "comments", series=1 + len(REACTIONS))
    if not rows.sums:
        return curve_result(read, rows, (), (), NOT_MEASURED)
    names = ("comments", *REACTIONS)
    measured = min(s.curves.shape[0] for s in rows.sums)  # 1: published before reactions were
    counts = np.concatenate([s.curves[:measured] for s in rows.sums], axis=1)
    columns = [(name, series.tolist()) for name, series in zip(names, counts, strict=False)]
    return curve_result(read, rows, columns, names[measured:], NOT_MEASURED)


def read_comments(read: Read) -> Result:
    """Every live comment in the order of content; those without an offset come last.

    Through any exit but `web` only text that may leave: from three senders, liked by ten, or
    picked by staff.
    """
    may_leave = (
        "" if read.exit == "web" else " AND (fact.repeats >= 3 OR fact.likes >= 10 OR fact.picked)"
    )
    seconds, between = "", []
    if read.query.seconds is not None:
        seconds, between = (
            " AND fact.content_second >= %s AND fact.content_second < %s",
            list(read.query.seconds),
        )
    rows: list[tuple[Any, ...]] = fetch(
        'SELECT fact.content_second, fact."from", fact.text, fact.repeats, fact.likes,'
        " fact.release_id::text"
        + within("wall_danmu_comment", all_reads_single=True)
        + may_leave
        + seconds
        + ' ORDER BY fact.content_second, fact."from", fact.text, fact.id',
        [*arguments(read), *between],
    )
    names = DANMU_COMMENTS.column_names()
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={name: [row[i] for row in rows] for i, name in enumerate(names)},
        releases=tuple(sorted({row[5] for row in rows})),
    )
