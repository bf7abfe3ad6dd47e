"""What a danmu row must be, whatever format it came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import schema
from engagement.formats.columns import instants, mask, numbers, offsets, texts
from engagement.formats.container import File
from engagement.formats.rows import (
    check_ids,
    check_titles,
    land_count,
    land_day,
    land_offset,
    land_territory,
    land_text,
)
from engagement.formats.title_map import mapped_title
from engagement.formats.values import (
    NOT_A_COMMENT,
    Catalogue,
    Ints,
    Landed,
    Mask,
    Options,
    Quarantined,
    Reading,
    Verdicts,
)

SHEET_DIGITS = 15
"""A spreadsheet keeps so many digits of a whole number and writes zeros for the rest."""

SCRIPT = "a script or a drawing without text"


@dataclass(frozen=True)
class Posted:
    """When comments were posted; a time without a zone is the wall clock of `zone`."""

    column: pa.Array
    zone: tzinfo = UTC


@dataclass
class Comments:
    """Danmu as a format found them, one array element a row. Empty cells are null or ""."""

    lines: Ints
    title_id: pa.Array
    offset: pa.Array
    posted: Posted
    text: pa.Array
    sender_id: pa.Array
    likes: pa.Array
    territory: pa.Array
    deleted_at: pa.Array
    row_id: pa.Array | None = None
    not_comments: Mask | None = None
    no_comment: str = SCRIPT  # what those are in this format
    ragged: list[tuple[int, str]] = field(default_factory=list)


def land(
    format: str,
    comments: Comments,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    """The good rows, in the file's order, duplicates included."""
    verdicts = Verdicts(comments.lines)
    verdicts.refuse_outside(comments.ragged, "bad_value")
    title_id = texts(comments.title_id)
    deleted = instants(comments.deleted_at)
    if comments.not_comments is not None:
        verdicts.refuse(comments.not_comments, NOT_A_COMMENT, lambda row: comments.no_comment)
    check_ids(verdicts, "title_id", title_id)
    runtimes = check_titles(verdicts, title_id, catalogue)
    territory = land_territory(verdicts, texts(comments.territory), options, reading)
    notes = dict(notes)
    text = land_text(verdicts, comments.text, notes)
    offset_s = land_offset(verdicts, offsets(comments.offset), runtimes)
    posted = instants(comments.posted.column, comments.posted.zone)
    day = land_day(verdicts, "posted_at", posted, options.day, reading)
    likes = pc.fill_null(land_count(verdicts, "likes", numbers(comments.likes)), 0)
    verdicts.refuse(
        deleted.malformed, "bad_value", lambda row: "deleted_at is no time that can be read"
    )
    sender_id = texts(comments.sender_id)
    verdicts.refuse(
        mask(pc.greater(pc.utf8_length(sender_id), schema.ID_LENGTH)),
        "bad_value",
        lambda row: f"sender_id is longer than {schema.ID_LENGTH} characters",
    )
    good = verdicts.good
    table = pa.table(
        {
            "line": comments.lines,
            "title_id": title_id,
            "offset_s": offset_s,
            "posted_at": posted.array(good),
            "day": day,
            "text": text,
            "sender_id": sender_id,
            "likes": likes,
            "territory": territory,
            "deleted_at": deleted.array(good),
            "row_key": pa.nulls(len(comments.lines), pa.string()),
        },
        schema=schema.DANMU,
    )
    if comments.row_id is not None:
        key = row_keys(texts(comments.row_id), table)
        table = table.set_column(table.num_columns - 1, "row_key", key)
        notes = notes | {"no_whole_row_ids": int(key.null_count == len(key) > 0)}
    return verdicts.landed("danmu", format, table, notes)


def title_column(
    file: File, rows: int, parts: list[str] | None, options: Options, reading: Reading
) -> pa.Array:
    """Which title each row of a file without title ids belongs to.

    `parts` names each row's video where the file says so. One video takes --title, else its
    line of titles.map.csv; several need a line each. Raises Quarantined saying what to do.
    """
    distinct = sorted(set(parts)) if parts is not None else [""]
    if len(distinct) <= 1:
        part = distinct[0] if distinct else ""
        title = (
            options.title
            or mapped_title(file.name, part, reading)
            or mapped_title(file.name, "", reading)
        )
        if title is None:
            raise Quarantined(
                f"which title is this? Give --title, or a line '{file.name},,<title_id>' in "
                "titles.map.csv"
            )
        return pa.array([title] * rows, pa.string())
    titles = {part: mapped_title(file.name, part, reading) for part in distinct}
    lost = [part for part, title in titles.items() if title is None]
    if lost:
        shown = ", ".join(lost[:10]) + (" ..." if len(lost) > 10 else "")
        raise Quarantined(
            f"the file holds several videos; titles.map.csv lacks a line for part {shown}, such "
            f"as '{file.name},{lost[0]},<title_id>'"
        )
    return pa.array([titles[part] for part in parts or ()], pa.string())


def row_keys(row_id: pa.Array, table: pa.Table) -> pa.Array:
    """The source's row ids where all are whole and none stands for two comments, else null.

    A row that stands twice in the file keeps its id: the pipeline counts it as a duplicate.
    Spreadsheets damage long ids, to 5.44E+16 or to zeros after the fifteenth digit.
    """
    nothing = pa.nulls(len(row_id), pa.string())
    if not len(row_id) or not mask(pc.match_substring_regex(row_id, r"^\d{1,20}$")).all():
        return nothing
    ids = row_id.to_pylist()
    long = [i for i in ids if len(i) > SHEET_DIGITS]
    if len(long) > 5 and all(set(i[SHEET_DIGITS:]) == {"0"} for i in long):
        return nothing
    if len(set(ids)) < len(ids):
        seen: dict[str, tuple[object, ...]] = {}
        names = ("title_id", "offset_s", "posted_at", "sender_id", "text")
        for key, *content in zip(ids, *(table[n].to_pylist() for n in names), strict=True):
            if seen.setdefault(key, tuple(content)) != tuple(content):
                return nothing
    return row_id
