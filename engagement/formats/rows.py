"""The checks that rows of every kind share: ids, titles, territories, texts, times."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import schema
from engagement.formats.columns import Instants, Numbers, codes, mapped, mask, texts
from engagement.formats.times import days_in, microseconds
from engagement.formats.values import Catalogue, Ints, Options, Quarantined, Reading, Verdicts

CLOCK_SLACK = timedelta(days=1)
"""How far a time may lie ahead of the clock."""

AFTER_THE_END_S = 60
"""How far past the catalogue's runtime an offset may stand: runtimes are often rounded."""

MOST = 2**31 - 1


def check_ids(verdicts: Verdicts, name: str, column: pa.Array) -> None:
    """`column` is trimmed, with null for empty."""
    verdicts.refuse(mask(pc.is_null(column)), "bad_value", lambda row: f"{name} is empty")
    verdicts.refuse(
        mask(pc.greater(pc.utf8_length(column), schema.ID_LENGTH)),
        "bad_value",
        lambda row: f"{name} is longer than {schema.ID_LENGTH} characters",
    )


def check_titles(verdicts: Verdicts, title_id: pa.Array, catalogue: Catalogue) -> Ints:
    """Rejects titles that the catalogue lacks; the runtime of each row (0: unknown)."""
    indices, values = codes(title_id)
    known = np.array([v is not None and v in catalogue.runtimes for v in values], bool)
    runtimes = np.array([catalogue.runtimes.get(v or "", 0) for v in values], np.int64)
    if not len(values):
        return np.zeros(0, np.int64)
    verdicts.refuse(
        ~known[indices],
        "unknown_title",
        lambda row: f"title {str(values[indices[row]])[:60]!r} is not in the catalogue",
    )
    series = np.array([v in catalogue.series for v in values], bool)
    verdicts.refuse(
        series[indices],
        "unknown_title",
        lambda row: f"title {str(values[indices[row]])[:60]!r} is a series: name its episode",
    )
    return np.asarray(runtimes[indices], np.int64)


def land_territory(
    verdicts: Verdicts, column: pa.Array, options: Options, reading: Reading
) -> pa.Array:
    """ISO 3166-1 codes; an empty cell is --territory, or the platform's home."""
    home = (options.territory or reading.home).upper()
    if home not in schema.TERRITORIES:
        raise Quarantined(f"territory {home!r} is not an ISO 3166-1 code")
    indices, values = codes(column)
    meaning: dict[str | None, str | None] = {
        value: home if value is None else value.upper() for value in values
    }
    strange = {v for v, code in meaning.items() if code not in schema.TERRITORIES}
    if strange:
        odd = np.array([v in strange for v in values], bool)
        verdicts.refuse(
            odd[indices],
            "unknown_territory",
            lambda row: f"territory {str(values[indices[row]])[:20]!r} is not in ISO 3166-1",
        )
    return mapped(column, meaning)


def check_future(verdicts: Verdicts, name: str, when: Instants, reading: Reading) -> None:
    limit = microseconds(reading.now + CLOCK_SLACK)
    verdicts.refuse(
        when.read & (when.us > limit),
        "future",
        lambda row: f"{name} lies in the future (now is {reading.now:%Y-%m-%d %H:%M} UTC)",
    )


def land_text(verdicts: Verdicts, column: pa.Array, notes: dict[str, int]) -> pa.Array:
    """The text as written. A blank one still counts, with nothing to show."""
    if not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    notes["blank_text"] = int(mask(pc.is_null(texts(column)))[verdicts.good].sum())
    verdicts.refuse(
        mask(pc.greater(pc.utf8_length(column), schema.TEXT_LENGTH)),
        "bad_value",
        lambda row: f"text is longer than {schema.TEXT_LENGTH} characters",
    )
    return pc.fill_null(column, "")


def land_offset(verdicts: Verdicts, offset: Numbers, runtimes: Ints) -> pa.Array:
    """Whole seconds; null where the row has none (it counts in its day and in no second)."""
    values = offset.values
    verdicts.refuse(offset.malformed, "bad_value", lambda row: "offset_s is no number")
    sound = (values >= 0) & (values <= schema.LONGEST_S)
    verdicts.refuse(
        offset.read & ~sound, "out_of_range", lambda row: f"offset_s is {values[row]:g}"
    )
    whole = np.floor(np.where(offset.read & sound, values, 0.0)).astype(np.int32)
    verdicts.refuse(
        (runtimes > 0) & (whole >= runtimes + AFTER_THE_END_S),
        "out_of_range",
        lambda row: f"offset_s {whole[row]} lies beyond the runtime of {runtimes[row]} s",
    )
    return pa.array(whole, mask=~(offset.read & sound))


def land_day(
    verdicts: Verdicts, name: str, posted: Instants, given: date | None, reading: Reading
) -> pa.Array:
    """The reporting day: of the time in the platform's zone, else --day, else no_time."""
    verdicts.refuse(
        posted.malformed, "bad_value", lambda row: f"{name} is no time that can be read"
    )
    check_future(verdicts, name, posted, reading)
    if given is None:
        verdicts.refuse(posted.missing, "no_time", lambda row: f"no {name}, and no --day was given")
    day = np.zeros(len(posted.us), np.int64)
    if posted.read.any():
        day[posted.read] = days_in(reading.zone, posted.us[posted.read])
    if given is not None:
        day[posted.missing] = (given - date(1970, 1, 1)).days
    return pa.array(day.astype(np.int32), mask=~verdicts.good).cast(pa.date32())


def land_count(verdicts: Verdicts, name: str, counts: Numbers) -> pa.Array:
    """Whole numbers from 0; null where the cell is empty or the column is absent."""
    verdicts.refuse(counts.malformed, "bad_value", lambda row: f"{name} is no number")
    sound = (counts.values >= 0) & (counts.values <= MOST)
    verdicts.refuse(
        counts.read & ~sound, "out_of_range", lambda row: f"{name} is {counts.values[row]:g}"
    )
    kept = counts.read & sound
    return pa.array(np.where(kept, counts.values, 0.0).astype(np.int32), mask=~kept)
