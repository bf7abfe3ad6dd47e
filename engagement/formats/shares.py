"""What a share must be: one link passed on, and what came back through it so far."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import schema
from engagement.formats.columns import absent, instants, mask, numbers, offsets, texts
from engagement.formats.grid import Grid
from engagement.formats.rows import (
    check_ids,
    check_titles,
    land_count,
    land_day,
    land_offset,
    land_territory,
)
from engagement.formats.values import Catalogue, Landed, Options, Reading, Verdicts


def land(
    format: str,
    grid: Grid,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    """The good rows of a shares grid, in the file's order, duplicates included."""
    rows = grid.rows
    cells = {name: grid.columns.get(name, absent(rows)) for name in schema.HEADERS["shares"]}
    verdicts = Verdicts(grid.lines)
    verdicts.refuse_outside(grid.ragged, "bad_value")
    title_id, share_id = texts(cells["title_id"]), texts(cells["share_id"])
    if options.title is not None:
        title_id = pc.fill_null(title_id, options.title)
    check_ids(verdicts, "title_id", title_id)
    check_ids(verdicts, "share_id", share_id)
    runtimes = check_titles(verdicts, title_id, catalogue)
    channel = pc.utf8_lower(texts(cells["channel"]))
    _check_channel(verdicts, channel)
    territory = land_territory(verdicts, texts(cells["territory"]), options, reading)
    shared = instants(cells["shared_at"])
    day = land_day(verdicts, "shared_at", shared, options.day, reading)
    table = pa.table(
        {
            "line": grid.lines,
            "title_id": title_id,
            "share_id": share_id,
            "shared_at": shared.array(verdicts.good),
            "day": day,
            "channel": channel,
            "sharer_id": texts(cells["sharer_id"]),
            "offset_s": land_offset(verdicts, offsets(cells["offset_s"]), runtimes),
            "visits": land_count(verdicts, "visits", numbers(cells["visits"])),
            "new_viewers": land_count(verdicts, "new_viewers", numbers(cells["new_viewers"])),
            "territory": territory,
        },
        schema=schema.SHARES,
    )
    return verdicts.landed("shares", format, table, notes)


def _check_channel(verdicts: Verdicts, channel: pa.Array) -> None:
    verdicts.refuse(mask(pc.is_null(channel)), "bad_value", lambda row: "channel is empty")
    verdicts.refuse(
        mask(pc.equal(channel, "*")), "bad_value", lambda row: "channel is *, which is all of them"
    )
    verdicts.refuse(
        mask(pc.greater(pc.utf8_length(channel), schema.CHANNEL_LENGTH)),
        "bad_value",
        lambda row: f"channel is longer than {schema.CHANNEL_LENGTH} characters",
    )
