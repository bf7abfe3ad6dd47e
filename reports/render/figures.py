"""What the pages of a report say, worked out from results: headline, days, hidden cells, charts.

Only sums that are exact are made here (plays, watch seconds, completions over territories);
viewers are never added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from engagement.families import Cell, Result
from engagement.families import viewing as viewing_family
from engagement.scope import ALL, Window

CURVES = ("retention", "rewatch", "danmu")
LONGEST_DAILY = 62  # days; a longer window is tabled by weeks, its days are in the CSV

Row = dict[str, Cell]


@dataclass(frozen=True)
class Total:
    """One line of numbers: of a territory, a day, a week or the whole window.

    `viewers` is None where it could only be had by adding up, or is hidden.
    """

    window: Window
    territory: str
    plays: int | None
    viewers: int | None
    viewers_low: int | None
    viewers_high: int | None
    watch_seconds: int | None
    completions: int | None

    @property
    def completion_rate(self) -> float | None:
        if not self.plays or self.completions is None:
            return None
        return self.completions / self.plays

    @property
    def estimated(self) -> bool:
        return self.viewers_low is not None and self.viewers_low != self.viewers_high


NOTHING = Total(Window(date.min, date.max), ALL, None, None, None, None, None, None)
"""What stands where there are no numbers yet."""


@dataclass(frozen=True)
class Hidden:
    """Cells of one resource that are empty for one reason."""

    resource: str
    column: str | None  # None: the whole row
    reason: str
    rows: int


def _int(value: Cell) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _total(row: Row) -> Total:
    since, until = row["from"], row["until"]
    if not isinstance(since, date) or not isinstance(until, date):
        raise TypeError("a row of viewing without its days")
    return Total(
        window=Window(since, until),
        territory=str(row["territory"]),
        plays=_int(row["plays"]),
        viewers=_int(row["viewers"]),
        viewers_low=_int(row.get("viewers_low")),
        viewers_high=_int(row.get("viewers_high")),
        watch_seconds=_int(row["watch_seconds"]),
        completions=_int(row["completions"]),
    )


def _totals(viewing: Result) -> list[Total]:
    """Rows over all devices, each (territory, window) once."""
    rows = (r for r in viewing.rows() if r["device"] == ALL and r["from"] is not None)
    unique = {(t.territory, t.window): t for t in map(_total, rows)}
    return [unique[key] for key in sorted(unique)]


def by_block(viewing: Result) -> tuple[Total, ...]:
    """The row over each block answered (a territory and its window) that has numbers."""
    found = {(t.territory, t.window): t for t in _totals(viewing)}
    keys = [(part.territory, part.window) for part in viewing.answered]
    return tuple(found[key] for key in keys if key in found)


def headline(viewing: Result) -> Total:
    """The numbers over everything answered; NOTHING where there are none yet.

    Viewers of several blocks come from the family's own union of sketches, or not at all.
    """
    blocks = by_block(viewing)
    if not blocks:
        return NOTHING
    total, together = _added(blocks), viewing.extra.get("total")
    if len(blocks) > 1 and isinstance(together, viewing_family.Total):
        people = together.viewers
        return replace(
            total, viewers=people.count, viewers_low=people.low, viewers_high=people.high
        )
    return total


def daily(viewing: Result) -> tuple[Total, ...]:
    """A line a day over the territories answered; by weeks where the window is long."""
    single = [t for t in _totals(viewing) if t.window.days == 1]
    days = sorted({t.window for t in single})
    lines = [_added([t for t in single if t.window == d]) for d in days]
    if len(lines) <= LONGEST_DAILY:
        return tuple(lines)
    weeks: dict[date, list[Total]] = {}
    for line in lines:
        monday = line.window.since - timedelta(days=line.window.since.weekday())
        weeks.setdefault(monday, []).append(line)
    return tuple(_added(parts) for _, parts in sorted(weeks.items()))


def _added(totals: list[Total] | tuple[Total, ...]) -> Total:
    if len(totals) == 1:
        return totals[0]
    return Total(
        window=Window(min(t.window.since for t in totals), max(t.window.until for t in totals)),
        territory=totals[0].territory if len({t.territory for t in totals}) == 1 else ALL,
        plays=_sum(t.plays for t in totals),
        viewers=None,
        viewers_low=None,
        viewers_high=None,
        watch_seconds=_sum(t.watch_seconds for t in totals),
        completions=_sum(t.completions for t in totals),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    """The sum; None where a part is missing, since a part of a sum would pass for the whole."""
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def share_at(retention: Result, second: int) -> float | None:
    """retention(t) at one content second."""
    for at, share in zip(
        retention.data["content_second"], retention.data["retention"], strict=True
    ):
        if at == second and isinstance(share, int | float):
            return float(share)
    return None


def hidden(results: Mapping[str, Result]) -> tuple[Hidden, ...]:
    """Empty cells by resource, column and reason, as `hidden_reason` gives them.

    Columns stand in the order of the resource's own.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    for name, result in results.items():
        alike = Counter(str(said) for said in result.data.get("hidden_reason", ()) if said)
        for said, rows in alike.items():
            for part in said.split(";"):
                column, _, reason = part.strip().rpartition(":")
                if reason:
                    counted[name, column, reason] += rows
    return tuple(
        Hidden(name, column or None, reason, rows)
        for (name, column, reason), rows in sorted(counted.items(), key=_in_order(results))
    )


def _in_order(results: Mapping[str, Result]) -> Callable[[Any], tuple[str, int, str]]:
    places = {
        name: {column: n for n, column in enumerate(result.data)}
        for name, result in results.items()
    }

    def key(entry: tuple[tuple[str, str, str], int]) -> tuple[str, int, str]:
        (name, column, reason), _ = entry
        return name, places[name].get(column, -1), reason

    return key


def chart_data(results: Mapping[str, Result]) -> dict[str, Any]:
    """The curve families as the chart builder reads them, column by column.

    Columns without a value are left out. So are the reasons, unless the whole curve is hidden:
    a lane names a reason only then, and they are most of the bytes.
    """
    return {name: {"data": _drawn(results[name])} for name in CURVES if name in results}


def _drawn(result: Result) -> dict[str, list[Cell]]:
    filled = {
        name: list(values)
        for name, values in result.data.items()
        if name != "hidden_reason" and any(value is not None for value in values)
    }
    if filled:
        return filled
    return {name: list(result.data.get(name, ())) for name in ("content_second", "hidden_reason")}
