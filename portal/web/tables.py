"""The timeline as a table by content minute: the chart's numbers for who does not see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engagement.families import Column, Result
from engagement.families.registry import RESOURCES

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


PIECES = 20
"""Of a title's length, where tables compare by share of it."""
_COMPARED = (
    ("retention", "retention"),
    ("rewatch", "audience_watch_ratio"),
    ("danmu", "comments"),
)


@dataclass(frozen=True)
class BesideRow:
    at: int  # the first second, or the per cent of the title's length at which it begins
    cells: tuple[float | None, ...]


@dataclass(frozen=True)
class Beside:
    """Curves of several titles by one axis: for each column and title one cell in a row."""

    columns: tuple[Column, ...]
    count: int  # titles
    rows: tuple[BesideRow, ...]


def beside(
    curves: Sequence[Mapping[str, Result]], lengths: Sequence[int], *, by_share: bool
) -> Beside:
    """By content minute, or by twentieths of each title's length (seconds). Shares are averaged;
    danmu are how often people write there, of the title's own mean. None where nothing is shown.
    """
    columns, values = [], []
    for resource, name in _COMPARED:
        if not any(resource in one for one in curves):
            continue
        columns.append(next(c for c in RESOURCES[resource].columns if c.name == name))
        for one, length in zip(curves, lengths, strict=True):
            wide = max(length, 1) / PIECES if by_share else MINUTE_S
            values.append(_pieces(one[resource], name, wide) if resource in one else {})
    last = max((max(v, default=-1) for v in values), default=-1)
    last = min(last, PIECES - 1) if by_share else last
    step = 100 // PIECES if by_share else MINUTE_S
    return Beside(
        tuple(columns),
        len(curves),
        tuple(BesideRow(n * step, tuple(v.get(n) for v in values)) for n in range(last + 1)),
    )


def _pieces(result: Result, name: str, wide: float) -> dict[int, float]:
    """The mean of each piece of so many seconds; of counts as a multiple of the whole's mean."""
    sums: dict[int, float] = {}
    seconds: dict[int, int] = {}
    for second, value in zip(result.data["content_second"], result.data[name], strict=True):
        if isinstance(second, int) and isinstance(value, int | float):
            piece = int(second / wide)
            sums[piece] = sums.get(piece, 0) + value
            seconds[piece] = seconds.get(piece, 0) + 1
    mean = sum(sums.values()) / sum(seconds.values()) if seconds else 0
    per = mean if name not in _AVERAGED else 1.0
    return {n: total / seconds[n] / per for n, total in sums.items()} if per else {}
