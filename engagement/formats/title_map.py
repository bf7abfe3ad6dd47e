"""titles.map.csv: which title each file of a folder is about (`file,part,title_id`)."""

from __future__ import annotations

from pathlib import Path

from engagement.formats.columns import absent, texts
from engagement.formats.container import File
from engagement.formats.grid import csv_grid
from engagement.formats.values import Quarantined, Reading

NAME = "titles.map.csv"
COLUMNS = ("file", "part", "title_id")


def read_title_map(path: Path) -> dict[tuple[str, str], str]:
    """{(file, part): title_id}; part "" where the file holds one video.

    Raises Quarantined with the line where the map is broken or contradicts itself.
    """
    grid = csv_grid(File(path, path.name), COLUMNS, needed=COLUMNS)
    missing = [name for name in ("file", "title_id") if name not in grid.columns]
    if missing:
        raise Quarantined(f"{NAME} lacks the column {', '.join(missing)}")
    if grid.ragged:
        line, why = grid.ragged[0]
        raise Quarantined(f"{NAME} line {line}: {why}")
    files, titles = texts(grid.columns["file"]), texts(grid.columns["title_id"])
    parts = texts(grid.columns.get("part", absent(grid.rows)))
    found: dict[tuple[str, str], str] = {}
    rows = zip(grid.lines, files.to_pylist(), parts.to_pylist(), titles.to_pylist(), strict=True)
    for line, file, part, title in rows:
        if file is None or title is None:
            raise Quarantined(f"{NAME} line {line}: file and title_id must both be filled in")
        if found.setdefault((file, part or ""), title) != title:
            raise Quarantined(f"{NAME} line {line}: {file} {part or ''} has two titles")
    return found


def mapped_title(file: str, part: str, reading: Reading) -> str | None:
    """The title of a file's part (a video's name; "" for the whole file), None where the map
    has no line for it. The file may stand in the map with or without its folder and .gz.
    """
    base = file.rsplit("/", 1)[-1]
    for name in (file, file.removesuffix(".gz"), base, base.removesuffix(".gz")):
        if (name, part) in reading.title_map:
            return reading.title_map[name, part]
    return None
