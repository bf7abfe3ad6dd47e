"""CSV that danmaku crawlers write: no two alike, headers wrong, missing or Chinese.

Which column holds what is told by its name where the name is one we know and its cells agree,
else by the cells (crawler_columns.py).
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from engagement.formats import danmu
from engagement.formats.bilibili import comment_text
from engagement.formats.columns import absent
from engagement.formats.container import File
from engagement.formats.crawler_columns import Roles, named_roles, roles_of
from engagement.formats.grid import csv_rows, no_header, separated_otherwise
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "crawler-csv"
_SAMPLE = 500
_DANMAKU = re.compile(r"弹幕|danmu|danmaku|barrage", re.I)


def recognise(file: File) -> int:
    head = file.head
    if not head or head[0] in "<{[":
        return 0
    first = head.split("\n", 1)[0]
    if separated_otherwise(first, _is_crawlers) is not None:
        return 60
    try:
        rows = [cells for _, cells in csv_rows(head[: head.rfind("\n") + 1] or head)]
    except Quarantined:
        rows = [first.split(",")]
    if not rows or len(rows[0]) < 3:
        return 0
    roles = roles_of(rows[:_SAMPLE])
    if _is_crawlers(rows[0]):
        danmaku = roles.offset is not None or roles.hashed or _DANMAKU.search(first)
        return 80 if danmaku else 0  # else it may be posts of a discussion page
    return 70 if roles.text is not None and roles.hashed and roles.timed else 0


def _is_crawlers(names: list[str]) -> bool:
    roles = named_roles(names)
    timed = {"offset", "posted", "time"} & set(roles)
    return "text" in roles and bool(timed or {"likes", "sender"} & set(roles))


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    text = file.text
    first = text.lstrip("\n").split("\n", 1)[0]
    other = separated_otherwise(first, _is_crawlers)
    if other is not None:
        raise Quarantined(f"line 1: the columns are separated by {other}, not by ','")
    rows = csv_rows(text)
    headed = _is_crawlers(rows[0][1])
    if headed:
        names = [n.strip() for n in rows[0][1]]
        twice = sorted({n for n in names if n and names.count(n) > 1})
        if twice:
            raise Quarantined(f"line {rows[0][0]}: duplicate column {', '.join(twice)}")
        if len(rows) == 1:
            raise Quarantined("the file has a header and no rows")
    roles = roles_of([cells for _, cells in rows[: _SAMPLE + 1]])
    if roles.text is None:
        needed = ("one of the comments' text (such as content or 弹幕内容)", "their offset or time")
        raise Quarantined(no_header(first, needed, rows[0][0]))
    notes = {"header_corrected": int(roles.corrected), "no_header": int(not headed)}
    return _land(file, rows[1:] if headed else rows, roles, options, catalogue, reading, notes)


def _land(
    file: File,
    rows: list[tuple[int, list[str]]],
    roles: Roles,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    width, text_at = roles.width, roles.text
    assert text_at is not None
    torn = not file.text.endswith("\n") and len(rows[-1][1]) < width
    if torn:
        raise Quarantined(
            f"line {rows[-1][0]}, the last, breaks off after {len(rows[-1][1])} of {width} "
            "fields; the file is truncated"
        )
    lines: list[int] = []
    whole: list[list[str]] = []
    ragged: list[tuple[int, str]] = []
    joined = 0
    for line, cells in rows:
        if len(cells) > width and text_at == width - 1:  # commas in a text without quotes
            cells = [*cells[:text_at], ",".join(cells[text_at:])]
            joined += 1
        if len(cells) == width:
            lines.append(line)
            whole.append(cells)
        else:
            ragged.append((line, f"{len(cells)} fields where there should be {width}"))
    notes["unquoted_commas"] = joined

    def column(at: int | None) -> pa.Array:
        if at is None:
            return absent(len(whole))
        return pa.array([cells[at] for cells in whole], pa.string())

    mode = roles.mode
    said = [
        comment_text(cells[mode] if mode is not None else "1", cells[text_at]) for cells in whole
    ]
    parts = [cells[roles.part].strip() for cells in whole] if roles.part is not None else None
    comments = danmu.Comments(
        lines=np.array(lines, np.int64),
        title_id=danmu.title_column(file, len(whole), parts, options, reading),
        offset=column(roles.offset),
        posted=danmu.Posted(column(roles.posted), reading.zone),
        text=pa.array([s or "" for s in said], pa.string()),
        sender_id=column(roles.sender),
        likes=column(roles.likes),
        territory=absent(len(whole)),
        deleted_at=absent(len(whole)),
        row_id=None if roles.row_id is None else column(roles.row_id),
        not_comments=np.array([s is None for s in said], bool),
        ragged=ragged,
    )
    notes["no_offset_column"] = int(roles.offset is None)
    return danmu.land(NAME, comments, options, catalogue, reading, notes)


FORMAT = Format(NAME, "danmu", recognise, read)
