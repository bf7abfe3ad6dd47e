"""The timeline as a table by content minute: the chart's numbers for who does not see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engagement.families import Column, Result

MINUTE_S = 60
_SUMMED = ("starts", "stops", "skips", "rewatches", "comments")
_AVERAGED = ("retention", "audience_watch_ratio")


@dataclass(frozen=True)
class MinuteRow:
    from_second: int
    cells: tuple[float | None, ...]


@dataclass(frozen=True)
class MinuteTable:
    """Counts are summed over the minute, shares averaged; None where nothing is shown."""

    columns: tuple[Column, ...]
    rows: tuple[MinuteRow, ...]


def by_minute(curves: Mapping[str, Result]) -> MinuteTable:
    picked = [
        (result, column)
        for result in curves.values()
        for column in result.resource.columns
        if column.name in (*_SUMMED, *_AVERAGED)
    ]
    values = [_minutes(result, column.name) for result, column in picked]
    last = max((max(v, default=-1) for v in values), default=-1)
    return MinuteTable(
        tuple(column for _, column in picked),
        tuple(
            MinuteRow(minute * MINUTE_S, tuple(v.get(minute) for v in values))
            for minute in range(last + 1)
        ),
    )


def _minutes(result: Result, name: str) -> dict[int, float]:
    sums: dict[int, float] = {}
    seconds: dict[int, int] = {}
    for second, value in zip(result.data["content_second"], result.data[name], strict=True):
        if isinstance(second, int) and isinstance(value, int | float):
            minute = second // MINUTE_S
            sums[minute] = sums.get(minute, 0) + value
            seconds[minute] = seconds.get(minute, 0) + 1
    if name in _AVERAGED:
        return {minute: total / seconds[minute] for minute, total in sums.items()}
    return sums
