"""The platform's own landing files: titles, segments, danmu, discussion, shares.

Each as Parquet, CSV or JSON lines. The shape is read by grid.py, the cells by columns.py; what
each kind of row must be is said in the module of its name, for titles here.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import danmu, discussion, schema, segments, shares
from engagement.formats.columns import absent, days, mask, numbers, texts
from engagement.formats.container import File
from engagement.formats.grid import Grid, csv_grid
from engagement.formats.registry import Format
from engagement.formats.typed_grid import json_grid, parquet_grid
from engagement.formats.values import (
    Catalogue,
    Landed,
    Options,
    Quarantined,
    Reading,
    Verdicts,
)

NAME = "native"
_FILE = re.compile(
    r"(titles|segments|danmu|discussion|shares)(?:[._-].*)?\.(parquet|csv|jsonl|ndjson|json)\Z"
)
_TIME = {"danmu": "posted_at", "discussion": "posted_at", "shares": "shared_at"}
"""The kinds for which --title and --day can stand in, and the column that --day stands for."""


def kind_of(stem: str) -> tuple[str, str] | None:
    """(kind, container) by file name; None where it is not named like a landing file."""
    found = _FILE.match(stem)
    if found is None or stem == "titles.map.csv":
        return None
    container = found.group(2)
    return found.group(1), container if container in ("csv", "parquet") else "json"


def recognise(file: File) -> int:
    """By name; less sure where the first line holds none of the contract's columns."""
    named = kind_of(file.stem)
    if named is None:
        return 0
    kind, container = named
    if container == "parquet":
        return 95
    first = file.head.split("\n", 1)[0].lower()
    known = sum(1 for column in schema.HEADERS[kind] if column in first)
    return 90 if known >= 2 and "title_id" in first else 40


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    named = kind_of(file.stem)
    if named is None:
        raise Quarantined(
            "a native file is named titles.*, segments.*, danmu.*, discussion.* or shares.* and "
            "ends in .parquet, .csv, .jsonl, .ndjson or .json (each also with .gz)"
        )
    kind, container = named
    known = schema.HEADERS[kind]
    if container == "csv":
        grid = csv_grid(file, known, needed=schema.REQUIRED[kind])
    else:
        grid = {"parquet": parquet_grid, "json": json_grid}[container](file, known)
    _check_columns(kind, grid, options)
    notes = {f"no_{name}_column": 1 for name in known if name not in grid.columns}
    notes["unknown_columns"] = sum(1 for name in grid.columns if name not in known)
    if kind == "segments":
        return segments.land(NAME, grid, options, catalogue, reading, notes)
    if kind == "titles":
        return _titles(grid, reading, notes)
    if kind == "discussion":
        return _discussion(grid, options, catalogue, reading, notes)
    if kind == "shares":
        return shares.land(NAME, grid, options, catalogue, reading, notes)
    return _danmu(file, grid, options, catalogue, reading, notes)


def _check_columns(kind: str, grid: Grid, options: Options) -> None:
    """Raises Quarantined for a missing column. --title and --day stand in for theirs."""
    given = {"title_id": options.title, _TIME[kind]: options.day} if kind in _TIME else {}
    missing = [
        name
        for name in schema.REQUIRED[kind]
        if name not in grid.columns and given.get(name) is None
    ]
    if kind == "titles" and not {"name_zh", "name_en"} & set(grid.columns):
        missing.append("name_zh")
    if missing:
        has = ", ".join(list(grid.columns)[:20])
        raise Quarantined(f"missing column {', '.join(missing)} (the file has: {has})")


def _danmu(
    file: File,
    grid: Grid,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    rows = grid.rows
    title_id = texts(grid.columns.get("title_id", absent(rows)))
    if options.title is not None:
        title_id = pc.fill_null(title_id, options.title)
    posted = danmu.Posted(grid.columns.get("posted_at", absent(rows)))
    comments = danmu.Comments(
        lines=grid.lines,
        title_id=title_id,
        offset=grid.columns["offset_s"],
        posted=posted,
        text=grid.columns["text"],
        sender_id=grid.columns.get("sender_id", absent(rows)),
        likes=grid.columns.get("likes", absent(rows)),
        territory=grid.columns.get("territory", absent(rows)),
        deleted_at=grid.columns.get("deleted_at", absent(rows)),
        ragged=grid.ragged,
    )
    return danmu.land(NAME, comments, options, catalogue, reading, notes)


def _discussion(
    grid: Grid, options: Options, catalogue: Catalogue, reading: Reading, notes: dict[str, int]
) -> Landed:
    cells = {n: grid.columns.get(n, absent(grid.rows)) for n in schema.HEADERS["discussion"]}
    title_id = texts(cells["title_id"])
    if options.title is not None:
        title_id = pc.fill_null(title_id, options.title)
    posts = discussion.Posts(
        lines=grid.lines,
        title_id=title_id,
        posted=danmu.Posted(cells["posted_at"]),
        text=cells["text"],
        likes=cells["likes"],
        author_id=cells["author_id"],
        territory=cells["territory"],
        parent_id=cells["parent_id"],
        deleted_at=cells["deleted_at"],
        post_id=cells["post_id"],
        ragged=grid.ragged,
    )
    return discussion.land(NAME, posts, options, catalogue, reading, notes)


def _titles(grid: Grid, reading: Reading, notes: dict[str, int]) -> Landed:
    rows = grid.rows
    verdicts = Verdicts(grid.lines)
    verdicts.refuse_outside(grid.ragged, "bad_value")
    cells = {name: grid.columns.get(name, absent(rows)) for name in schema.HEADERS["titles"]}
    plain = {n: texts(c) for n, c in cells.items() if n not in ("runtime_s", *_LISTS)}
    plain = {n: c for n, c in plain.items() if n != "released_on"}
    title_id, kind = plain["title_id"], pc.utf8_lower(plain["kind"])

    no_id = mask(pc.is_null(title_id)) | _long(title_id)
    verdicts.refuse(no_id, "bad_value", lambda row: "title_id is empty or too long")
    odd_kind = ~mask(pc.is_in(kind, pa.array(sorted(schema.TITLE_KINDS))))
    verdicts.refuse(odd_kind, "bad_value", lambda row: f"kind is {kind[row].as_py()!r}")
    nameless = mask(pc.and_(pc.is_null(plain["name_zh"]), pc.is_null(plain["name_en"])))
    verdicts.refuse(nameless, "bad_value", lambda row: "no name_zh and no name_en")

    runtime = numbers(cells["runtime_s"])
    verdicts.refuse(runtime.malformed, "bad_value", lambda row: "runtime_s is no number")
    beyond = runtime.read & ~((runtime.values >= 0) & (runtime.values <= schema.LONGEST_S))
    verdicts.refuse(beyond, "out_of_range", lambda row: f"runtime_s is {runtime.values[row]:g}")
    seconds = np.where(runtime.read & ~beyond, np.nan_to_num(runtime.values), 0)
    released, no_date = days(cells["released_on"])
    verdicts.refuse(no_date, "bad_value", lambda row: "released_on is no date (YYYY-MM-DD)")

    table = pa.table(
        {
            "line": grid.lines,
            "title_id": title_id,
            "kind": kind,
            "name_zh": pc.fill_null(plain["name_zh"], ""),
            "name_en": pc.fill_null(plain["name_en"], ""),
            "runtime_s": np.floor(seconds).astype(np.int32),
            "released_on": pa.array(released, pa.date32()),
            "parent_title_id": plain["parent_title_id"],
            "cut_of": plain["cut_of"],
            **{name: _list(cells[name]) for name in _LISTS},
        },
        schema=schema.TITLES,
    )
    return verdicts.landed("titles", NAME, table, notes)


_LISTS = ("genres", "cast", "source_work")


def _long(column: pa.Array) -> np.ndarray:
    return mask(pc.greater(pc.utf8_length(column), schema.ID_LENGTH))


def _list(column: pa.Array) -> pa.Array:
    """`a|b` as a list of trimmed, distinct words."""
    found: list[list[str]] = []
    for cell in column.to_pylist():
        trimmed = (word.strip() for word in str(cell or "").split("|"))
        found.append(list(dict.fromkeys(word for word in trimmed if word)))
    return pa.array(found, pa.list_(pa.string()))


FORMAT = Format(NAME, "", recognise, read)
