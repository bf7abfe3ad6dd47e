"""CSV of comments as a page showed them: a running number, a time like "3小时前发布", a text.

Such a time is none, so rows need --day. Nobody is named: every row is a post of its own.
"""

from __future__ import annotations

from engagement.formats import danmu, discussion
from engagement.formats.columns import absent
from engagement.formats.container import File
from engagement.formats.grid import csv_grid
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "page-comments-csv"
_COLUMNS = ("row", "relative_time_as_shown", "text")


def recognise(file: File) -> int:
    return 95 if tuple(file.head.split("\n", 1)[0].strip().split(",")) == _COLUMNS else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    grid = csv_grid(file, _COLUMNS, needed=("text",))
    if "text" not in grid.columns:
        raise Quarantined("missing column text")
    nothing = absent(grid.rows)
    posts = discussion.Posts(
        lines=grid.lines,
        title_id=danmu.title_column(file, grid.rows, None, options, reading),
        posted=danmu.Posted(nothing),
        text=grid.columns["text"],
        likes=nothing,
        author_id=nothing,
        territory=nothing,
        parent_id=nothing,
        deleted_at=nothing,
        ragged=grid.ragged,
    )
    return discussion.land(NAME, posts, options, catalogue, reading, {})


FORMAT = Format(NAME, "discussion", recognise, read)
