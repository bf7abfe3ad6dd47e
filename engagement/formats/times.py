"""Instants and days: between UTC and a zone, a whole column at a time.

Offsets are looked up once per quarter of an hour, which no zone's change divides.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from engagement.formats.values import Ints

QUARTER_S = 900
SECOND_US = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US
"""Nothing in a log is older than this: it is a damaged number."""

LATEST_US = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US


def days_in(zone: tzinfo, instants_us: Ints) -> Ints:
    """The day in `zone` (days since 1970-01-01) of each instant (microseconds, UTC)."""
    seconds = instants_us // SECOND_US
    quarters, back = np.unique(seconds // QUARTER_S, return_inverse=True)
    offsets = np.array(
        [
            _seconds((EPOCH + timedelta(seconds=int(q) * QUARTER_S)).astimezone(zone).utcoffset())
            for q in quarters
        ],
        np.int64,
    )
    return np.asarray((seconds + offsets[back]) // 86_400, np.int64)


def to_utc(zone: tzinfo, local_us: Ints) -> Ints:
    """The instants (microseconds, UTC) of wall-clock times in `zone`; of two, the earlier."""
    seconds = local_us // SECOND_US
    quarters, back = np.unique(seconds // QUARTER_S, return_inverse=True)
    wall = EPOCH.replace(tzinfo=None)
    offsets = np.array(
        [
            _seconds(
                (wall + timedelta(seconds=int(q) * QUARTER_S)).replace(tzinfo=zone).utcoffset()
            )
            for q in quarters
        ],
        np.int64,
    )
    return np.asarray(local_us - offsets[back] * SECOND_US, np.int64)


def microseconds(moment: datetime) -> int:
    """An aware moment as microseconds since 1970, UTC."""
    return round((moment - EPOCH) / timedelta(microseconds=1))


def _seconds(offset: timedelta | None) -> int:
    return int(offset.total_seconds()) if offset is not None else 0
