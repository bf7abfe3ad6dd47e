"""What a segment row must be: vectorised, since these files are the big ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import schema
from engagement.formats.columns import (
    Instants,
    Numbers,
    absent,
    codes,
    flat,
    instants,
    mapped,
    mask,
    numbers,
    texts,
)
from engagement.formats.grid import Grid
from engagement.formats.rows import check_future, check_ids, check_titles, land_territory
from engagement.formats.values import (
    Catalogue,
    Ints,
    Landed,
    Mask,
    Options,
    Reading,
    Verdicts,
)


def land(
    format: str,
    grid: Grid,
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
    notes: dict[str, int],
) -> Landed:
    """The good rows of a segments grid. Zero-length rows are left out and noted."""
    rows = grid.rows
    cells = {name: grid.columns.get(name, absent(rows)) for name in schema.HEADERS["segments"]}
    verdicts = Verdicts(grid.lines)
    verdicts.refuse_outside(grid.ragged, "bad_value")
    ids = {name: texts(cells[name]) for name in ("session_id", "viewer_id", "title_id")}
    for name, column in ids.items():
        check_ids(verdicts, name, column)
    runtimes = check_titles(verdicts, ids["title_id"], catalogue)
    territory = land_territory(verdicts, texts(cells["territory"]), options, reading)
    started = instants(cells["started_at"])
    _check_started(verdicts, started, cells["started_at"], reading)
    start, end = _positions(verdicts, numbers(cells["from_s"]), numbers(cells["to_s"]), runtimes)
    _check_viewers(verdicts, ids, started.us)

    zero = verdicts.good & (start == end)
    notes = notes | {"zero_length": int(zero.sum())}
    age_band = _known(texts(cells["age_band"]), schema.AGE_BANDS, "age_band", notes)
    gender = _known(pc.utf8_lower(texts(cells["gender"])), schema.GENDERS, "gender", notes)
    table = pa.table(
        {
            "line": grid.lines,
            **ids,
            "started_at": started.array(verdicts.good),
            "from_s": start.astype(np.int32),
            "to_s": end.astype(np.int32),
            "device": _device(texts(cells["device"])),
            "territory": territory,
            "region": _region(texts(cells["region"]), territory, notes),
            "age_band": age_band,
            "gender": gender,
        }
    )
    landed = verdicts.landed(
        "segments",
        format,
        table.append_column("zero", pa.array(zero)),
        notes,
    )
    kept = landed.table
    if zero.any():
        kept = kept.filter(pc.invert(kept["zero"]))
    kept = kept.drop_columns(["zero"])
    landed.table = pa.table([flat(kept[f.name]) for f in schema.SEGMENTS], schema=schema.SEGMENTS)
    return landed


def _check_started(
    verdicts: Verdicts, started: Instants, column: pa.Array, reading: Reading
) -> None:
    verdicts.refuse(started.missing, "bad_value", lambda row: "started_at is empty")
    verdicts.refuse(
        started.malformed,
        "bad_value",
        lambda row: f"started_at is {str(column[row].as_py())[:40]!r}",
    )
    check_future(verdicts, "started_at", started, reading)


def _positions(
    verdicts: Verdicts, start: Numbers, end: Numbers, runtimes: Ints
) -> tuple[Ints, Ints]:
    """[from, to) floored to whole seconds, `to` clipped to the runtime where it is known."""
    for name, column in (("from_s", start), ("to_s", end)):
        _check_position(verdicts, name, column)
    first = _floored(start)
    last = _floored(end)
    verdicts.refuse(
        end.values < start.values,
        "out_of_range",
        lambda row: f"to_s {end.values[row]:g} lies before from_s {start.values[row]:g}",
    )
    bound = np.where(runtimes > 0, runtimes, schema.LONGEST_S + 1)
    verdicts.refuse(
        first >= bound,
        "out_of_range",
        lambda row: f"from_s {first[row]} lies beyond the runtime of {runtimes[row]} s",
    )
    return first, np.minimum(last, bound)


def _check_position(verdicts: Verdicts, name: str, column: Numbers) -> None:
    verdicts.refuse(column.missing, "bad_value", lambda row: f"{name} is empty")
    verdicts.refuse(column.malformed, "bad_value", lambda row: f"{name} is no number")
    sound = (column.values >= 0) & (column.values <= schema.LONGEST_S)
    verdicts.refuse(~sound, "out_of_range", lambda row: f"{name} is {column.values[row]:g}")


def _floored(column: Numbers) -> Ints:
    sound = column.read & (column.values >= 0) & (column.values <= schema.LONGEST_S)
    return np.floor(np.where(sound, column.values, 0.0)).astype(np.int64)


def _check_viewers(verdicts: Verdicts, ids: dict[str, pa.Array], started: Ints) -> None:
    """A session (session_id, title_id) has the viewer of its first row by started_at, line."""
    viewers, viewer_ids = codes(ids["viewer_id"])
    titles, title_ids = codes(ids["title_id"])
    sessions, session_ids = codes(ids["session_id"])
    key = sessions * len(title_ids) + titles
    if len(key) == 0:
        return
    good = verdicts.good
    pairs = np.unique(key[good] * np.int64(len(viewer_ids)) + viewers[good])
    if len(np.unique(pairs // len(viewer_ids))) == len(pairs):
        return  # no session has two viewers, and nothing needs sorting by time
    order = np.lexsort((np.arange(len(key)), started, key, ~good))
    grouped = key[order]
    opens = np.r_[True, grouped[1:] != grouped[:-1]]
    firsts = viewers[order][np.flatnonzero(opens)[np.cumsum(opens) - 1]]
    other = np.zeros(len(key), bool)
    other[order] = viewers[order] != firsts
    verdicts.refuse(
        other & good,
        "two_viewers",
        lambda row: f"session {str(session_ids[sessions[row]])[:60]} began with another viewer",
    )


def _device(column: pa.Array) -> pa.Array:
    """Lower case; empty as "unknown". `*` stands for all devices and is none."""
    lowered = pc.utf8_slice_codeunits(pc.utf8_lower(column), 0, 40)
    return pc.fill_null(
        pc.if_else(pc.equal(lowered, "*"), pa.scalar("unknown"), lowered), "unknown"
    )


def _known(column: pa.Array, words: tuple[str, ...], name: str, notes: dict[str, int]) -> pa.Array:
    """Cells outside `words` read as "unknown"; how many were not empty is noted."""
    fits = pc.is_in(column, pa.array(words))
    notes[f"odd_{name}"] = int(mask(pc.and_(pc.is_valid(column), pc.invert(fits))).sum())
    return pc.if_else(fits, column, pa.scalar("unknown"))


def _region(column: pa.Array, territory: pa.Array, notes: dict[str, int]) -> pa.Array:
    """ISO 3166-2 codes of the row's own territory; anything else reads as none, and is noted."""
    column = pc.utf8_upper(column)
    _, values = codes(column)
    shaped = mapped(
        column, {v: v if v is not None and schema.REGION.match(v) else None for v in values}
    )
    own: Mask = mask(pc.equal(pc.utf8_slice_codeunits(shaped, 0, 2), territory))
    notes["odd_region"] = int(mask(pc.is_valid(column)).sum() - own.sum())
    return pc.if_else(pa.array(own), shaped, pa.scalar(None, pa.string()))
