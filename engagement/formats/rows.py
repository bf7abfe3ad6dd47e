"""The checks that rows of every kind share: ids, titles, territories, times to come."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement.formats import schema
from engagement.formats.columns import Instants, codes, mapped, mask
from engagement.formats.times import microseconds
from engagement.formats.values import Catalogue, Ints, Options, Quarantined, Reading, Verdicts

CLOCK_SLACK = timedelta(days=1)
"""How far a time may lie ahead of the clock."""


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
