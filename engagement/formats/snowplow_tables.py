"""Snowplow's warehouse tables as CSV: one table an entity, joined on `root_id`.

The tables of a folder are read together: `..._snowplow_media_player_1.csv` (or `_2`) is the log,
and each other table adds what it knows of the same events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engagement.formats.columns import texts
from engagement.formats.container import File
from engagement.formats.grid import Grid, csv_grid
from engagement.formats.values import Quarantined, Reading

_LOG = re.compile(r"(.*?)com_snowplowanalytics_snowplow_media_player_\d+\.csv(?:\.gz)?\Z")
_TABLE = ("schema_vendor", "schema_name", "root_id", "root_tstamp")
PLAYER = "media_player"

Entities = dict[str, dict[str, Any]]


def beside(name: str) -> re.Pattern[str] | None:
    """Which files of its folder belong to the log of that name; None where it is no log.

    The tables that begin as it does, and `events.csv`, Snowplow's table of the events.
    """
    found = _LOG.match(name)
    if found is None:
        return None
    prefix = re.escape(found.group(1))
    return re.compile(rf"{prefix}(?:(?:com|org)_\w+_\d+|(?:snowplow_)?events)\.csv(?:\.gz)?\Z")


def is_table(file: File) -> bool:
    head = file.head.split("\n", 1)[0].lower()
    return all(column in head for column in _TABLE)


def joined_rows(file: File, reading: Reading) -> Iterator[tuple[int, dict[str, Any], Entities]]:
    """(line, fields, entities) of each event of a player's table; nothing of another table.

    Raises Quarantined where a table beside it cannot be read.
    """
    grid = csv_grid(file, _TABLE)
    rows = _rows(grid)
    if not rows or rows[0].get("schema_name") != PLAYER:
        return
    others = [_companion(name, path, reading) for name, path in sorted(reading.beside.items())]
    for line, row in zip(grid.lines.tolist(), rows, strict=True):
        fields: dict[str, Any] = dict(row)
        entities: Entities = {PLAYER: row}
        for name, by_root in others:
            found = by_root.get(row.get("root_id"))
            if found is None:
                continue
            if name == "events":
                fields.update({k: v for k, v in found.items() if v is not None})
            elif name != PLAYER:
                entities[name] = found
        yield line, fields, entities


def _companion(name: str, path: Any, reading: Reading) -> tuple[str, dict[Any, dict[str, Any]]]:
    """A table's entity ("events" for the events themselves), and its rows by event."""
    try:
        rows = _rows(csv_grid(File(path, name), _TABLE))
    except Quarantined as error:
        raise Quarantined(f"{name}, which belongs to this log: {error.problem}") from error
    entity = rows[0].get("schema_name") if rows else None
    key = "root_id" if entity else "event_id"
    return str(entity or "events"), {row[key]: row for row in rows if row.get(key)}


def _rows(grid: Grid) -> list[dict[str, Any]]:
    columns = {name: texts(column).to_pylist() for name, column in grid.columns.items()}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
