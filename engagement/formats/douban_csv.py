"""CSV of Douban: short comments (with or without time and city) and long reviews.

Stars are left out: no column tells them. A long review's title is the first line of its text;
its likes are the votes for it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from babel import Locale

from engagement.formats import danmu, discussion, schema
from engagement.formats.columns import absent, texts
from engagement.formats.container import File
from engagement.formats.grid import Grid, csv_grid
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Reading

NAME = "douban-csv"
_RATED = ("text", "stars")
_SHORT = ("score_class", "label", "time", "votes", "content", "user_pseudonym", "city")
_LONG = ("title", "text", "up", "down", "rating")


def recognise(file: File) -> int:
    names = tuple(file.head.split("\n", 1)[0].strip().split(","))
    return 95 if names in (_RATED, _SHORT, _LONG) else 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    grid = csv_grid(file, (*_SHORT, *_LONG, *_RATED), needed=("content (or text)",))
    rows = grid.rows
    text = _column(grid, "content", "text")
    if "title" in grid.columns:
        text = pc.binary_join_element_wise(grid.columns["title"], text, "\n")
    posts = discussion.Posts(
        lines=grid.lines,
        title_id=danmu.title_column(file, rows, None, options, reading),
        posted=danmu.Posted(_column(grid, "time"), reading.zone),
        text=text,
        likes=_column(grid, "votes", "up"),
        author_id=_column(grid, "user_pseudonym"),
        territory=pa.array(
            [_territory(city) for city in texts(_column(grid, "city")).to_pylist()], pa.string()
        ),
        parent_id=absent(rows),
        deleted_at=absent(rows),
        ragged=grid.ragged,
    )
    return discussion.land(NAME, posts, options, catalogue, reading, {})


def _column(grid: Grid, *names: str) -> pa.Array:
    return next((grid.columns[n] for n in names if n in grid.columns), absent(grid.rows))


_COUNTRIES = {
    str(name).lower(): code
    for language in ("en", "zh")
    for code, name in Locale(language).territories.items()
    if code in schema.TERRITORIES
} | {
    "czech republic": "CZ",
    "中国香港": "HK",
    "中国澳门": "MO",
    "中国台湾": "TW",
    "香港": "HK",
    "澳门": "MO",
    "台湾": "TW",
}


def _territory(city: str | None) -> str | None:
    """The country that a place such as "Padova, Italy" names; none where it names no country."""
    if city is None:
        return None
    return _COUNTRIES.get(city.strip('" ').rsplit(",", 1)[-1].strip().lower())


FORMAT = Format(NAME, "discussion", recognise, read)
