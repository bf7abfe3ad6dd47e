"""danmu: what do they say at that moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from engagement.families import NOT_MEASURED, Column, Resource, Result
from engagement.families.columns import CONTENT_SECOND, HIDDEN_REASON, column
from engagement.families.read import (
    Read,
    arguments,
    curve_result,
    fetch,
    no_curve,
    read_curves,
    within,
)
from engagement.phrases import FEWEST, MOMENT_S, Said, standing_out
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

DANMU_PHRASES = Resource(
    name="danmu_phrases",
    family="danmu",
    title={"zh": "弹幕热词", "en": "Phrases in danmu"},
    columns=(
        column(
            "from_second", "integer", "s", "起始秒", "From second",
            "该 30 秒时段的第一个内容秒。", "First content second of the 30 seconds.",
        ),
        column(
            "to_second", "integer", "s", "结束秒（不含）", "To second",
            "该时段最后一个内容秒的下一秒。", "The second after their last.",
        ),
        column(
            "phrase", "string", "", "热词", "Phrase",
            "在该时段明显比全片其他部分说得更多的词或短句，至少由三位用户发送过。",
            "A word or short text that stands out there; at least three senders wrote it.",
        ),
        column(
            "comments", "integer", "comments", "弹幕", "Danmu",
            "该时段含此热词的弹幕条数；导出文件只计可离开页面的弹幕。",
            "Danmu there that say it; through files only those that may leave the page.",
        ),
        column(
            "lift", "number", "ratio", "倍数", "Lift",
            "与按全片其他部分推算的条数之比。",
            "How many times what the rest of the title would lead to expect.",
        ),
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    """Comments per content second. Public text has no floor: a second without any is 0."""
    rows = read_curves(read, "wall_danmu", "comments", series=1 + len(REACTIONS))
    if not rows.sums:
        return no_curve(read, NOT_MEASURED)
    names = ("comments", *REACTIONS)
    measured = min(s.curves.shape[0] for s in rows.sums)  # 1: published before reactions were
    counts = np.concatenate([s.curves[:measured] for s in rows.sums], axis=1)
    columns = [(name, series.tolist()) for name, series in zip(names, counts, strict=False)]
    empty = dict.fromkeys(names[measured:], NOT_MEASURED)
    return curve_result(read, rows, columns, empty)


def _may_leave(read: Read) -> str:
    if read.exit == "web":
        return ""
    return " AND (fact.repeats >= 3 OR fact.likes >= 10 OR fact.picked)"


def read_comments(read: Read) -> Result:
    """Every live comment in the order of content; those without an offset come last.

    Through any exit but `web` only text that may leave: from three senders, liked by ten, or
    picked by staff.
    """
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
        + _may_leave(read)
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


_SAID = """
WITH placed AS (
    SELECT fact.content_second / %s AS moment, fact.phrases, fact.release_id
    {within} AND fact.content_second IS NOT NULL {may_leave}
),
moment AS (
    SELECT moment, count(*) AS comments, sum(count(*)) OVER () AS in_title,
        array_agg(DISTINCT release_id::text) AS releases
    FROM placed GROUP BY moment
),
said AS (
    SELECT moment, phrase, count(*) AS comments,
        sum(count(*)) OVER (PARTITION BY phrase) AS in_title
    FROM placed CROSS JOIN unnest(placed.phrases) AS phrase
    GROUP BY moment, phrase
)
SELECT moment.moment, said.phrase, said.comments, moment.comments, said.in_title::bigint,
    moment.in_title::bigint, moment.releases
FROM moment LEFT JOIN said ON said.moment = moment.moment AND said.comments >= %s
"""


def read_phrases(read: Read) -> Result:
    """What stands out at each moment, against the rest of what is granted of the title.

    Through any exit but `web` it is counted from those comments alone that may leave.
    """
    rows = fetch(
        _SAID.format(
            within=within("wall_danmu_comment", all_reads_single=True),
            may_leave=_may_leave(read),
        ),
        [MOMENT_S, *arguments(read), FEWEST],
    )
    found = standing_out(Said(*row[:6]) for row in rows if row[1] is not None)
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={
            "from_second": [said.moment * MOMENT_S for said in found],
            "to_second": [(said.moment + 1) * MOMENT_S for said in found],
            "phrase": [said.phrase for said in found],
            "comments": [said.comments for said in found],
            "lift": [round(said.lift, 2) for said in found],
        },
        releases=tuple(sorted({release for row in rows for release in row[6]})),
    )
