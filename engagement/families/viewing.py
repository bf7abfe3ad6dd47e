"""viewing: how many people, how long, on what, did they finish."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from engagement.families import NOT_MEASURED, WAITING, Resource, Result
from engagement.families.columns import FROM, HIDDEN_REASON, TERRITORY, UNTIL, column
from engagement.families.read import (
    Read,
    arguments_with_children,
    fetch,
    only_reason,
    within_with_children,
)
from engagement.scope import ALL, Part, Window
from engagement.sketches import Estimate, union

VIEWING = Resource(
    name="viewing",
    family="viewing",
    title={"zh": "观看", "en": "Viewing"},
    columns=(
        FROM,
        UNTIL,
        TERRITORY,
        column(
            "device", "string", "", "设备", "Device",
            "* 为全部设备的准确合计；单个设备仅在满足最低人数时列出。",
            "* is the exact total of all devices; single devices only where the floor allows.",
        ),
        column(
            "plays", "integer", "plays", "播放次数", "Plays",
            "播放了至少 1 秒的会话数。", "Sessions that played at least one second.",
        ),
        column(
            "viewers", "integer", "viewers", "观看人数", "Viewers",
            "不同观看者的人数。单日为准确值；多日为估计值（≈），并给出 95% 区间。",
            "Distinct viewers. Exact for one day; over more an estimate (≈) with 95 % bounds.",
        ),
        column(
            "viewers_low", "integer", "viewers", "观看人数下限", "Viewers, lower bound",
            "观看人数 95% 区间的下限。", "Lower end of the 95 % bounds of viewers.",
        ),
        column(
            "viewers_high", "integer", "viewers", "观看人数上限", "Viewers, upper bound",
            "观看人数 95% 区间的上限。", "Upper end of the 95 % bounds of viewers.",
        ),
        column(
            "watch_seconds", "integer", "s", "观看时长", "Watch seconds",
            "播放的内容秒数；同一秒播放两次计两次。",
            "Content seconds played; a second played twice counts twice.",
        ),
        column(
            "completions", "integer", "plays", "完播", "Completions",
            "到达片长 90% 的会话数。", "Sessions that reached 90 % of the runtime.",
        ),
        column(
            "finishers", "integer", "viewers", "完播人数", "Finishers",
            "在任一会话中完播的不同观看者人数；多日为估计值。",
            "Distinct viewers who completed in any session; over more days an estimate.",
        ),
        column(
            "carried_on", "integer", "viewers", "续播人数", "Carried on",
            "当日观看本集、且当日或之前看过上一集的人数。",
            "Viewers of the day who had played the episode before on that day or earlier.",
        ),
        HIDDEN_REASON,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class _Cell:
    """A row of facts: one day of one territory, or one device over one published piece."""

    since: date
    until: date
    territory: str
    device: str
    plays: int
    viewers: int
    watch_seconds: int
    completions: int
    finishers: int
    carried_on: int | None
    release: str

    def lies_in(self, part: Part) -> bool:
        return self.territory == part.territory and part.window.holds(
            Window(self.since, self.until)
        )


@dataclass(frozen=True)
class _Piece:
    """Who watched in one published piece, as sketches."""

    since: date
    until: date
    territory: str
    viewers: bytes
    finishers: bytes

    def covers(self, day: _Cell) -> bool:
        return self.territory == day.territory and self.since <= day.since < self.until

    def lies_in(self, part: Part) -> bool:
        return self.territory == part.territory and part.window.holds(
            Window(self.since, self.until)
        )


@dataclass(frozen=True)
class Total:
    """All days of one block, or of all blocks together: sums exact, people estimated."""

    plays: int
    watch_seconds: int
    completions: int
    viewers: Estimate
    finishers: Estimate


def read(read: Read) -> Result:
    """A row a day, single devices by piece, and per territory one row for the whole window.

    `extra["total"]` is the Total of all blocks together, None where there are no plays: then one
    row says that nothing was counted.
    """
    cells = [
        _Cell(*fields)
        for fields in fetch(
            'SELECT fact."from", fact.until, fact.territory, fact.device, fact.plays,'
            " fact.viewers, fact.watch_seconds, fact.completions, fact.finishers,"
            " fact.carried_on, fact.release_id::text"
            + within_with_children("wall_viewing")
            + ' ORDER BY fact.territory, fact."from", fact.device',
            arguments_with_children(read),
        )
    ]
    if not cells:
        return replace(only_reason(read, NOT_MEASURED), extra={"total": None})
    pieces = [
        _Piece(*fields)
        for fields in fetch(
            'SELECT fact."from", fact.until, fact.territory, fact.viewers, fact.finishers'
            + within_with_children("wall_viewer_sketch"),
            arguments_with_children(read),
        )
    ]
    days = [c for c in cells if c.device == ALL]
    rows = [_cell_row(c) for c in cells]
    for part in read.parts:
        inside = [d for d in days if d.lies_in(part)]
        if inside and part.window.days > 1:
            total = _total(inside, [p for p in pieces if p.lies_in(part)])
            rows.append(_total_row(part, total))
    together = _total(days, pieces) if days else None
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={name: [row[name] for row in rows] for name in VIEWING.column_names()},
        releases=tuple(sorted({c.release for c in cells})),
        hidden_cells=sum(
            len((row["hidden_reason"] or "").split(";")) if row["hidden_reason"] else 0
            for row in rows
        ),
        notes=("estimate",) if together and together.viewers.low < together.viewers.high else (),
        extra={"total": together},
    )


def _total(days: list[_Cell], pieces: list[_Piece]) -> Total:
    return Total(
        plays=sum(d.plays for d in days),
        watch_seconds=sum(d.watch_seconds for d in days),
        completions=sum(d.completions for d in days),
        viewers=_people(days, pieces, "viewers"),
        finishers=_people(days, pieces, "finishers"),
    )


def _people(days: list[_Cell], pieces: list[_Piece], what: str) -> Estimate:
    """Distinct people over the days, from the sketches of the pieces.

    Days that no piece covers (they wait until they reach the floor) have no sketch. Their
    people may all have been counted already or all be new, which widens the bounds; where they
    are more than a twentieth of all, the number stays open.
    """
    counts = [getattr(d, what) for d in days]
    if len(days) == 1:
        return Estimate(counts[0], counts[0], counts[0])
    loose = sum(
        count
        for day, count in zip(days, counts, strict=True)
        if not any(p.covers(day) for p in pieces)
    )
    estimate, low, high = union(getattr(p, what) for p in pieces)
    low, high = max(low, *counts), min(high + loose, sum(counts))
    if loose * 20 > sum(counts):
        return Estimate(None, low, high)
    return Estimate(min(max(estimate, low), high), low, high)


def _cell_row(cell: _Cell) -> dict[str, Any]:
    exact = Estimate(cell.viewers, cell.viewers, cell.viewers)
    return _row(
        cell.since, cell.until, cell.territory, cell.device,
        Total(cell.plays, cell.watch_seconds, cell.completions, exact,
              Estimate(cell.finishers, cell.finishers, cell.finishers)),
        cell.carried_on,
    )  # fmt: skip


def _total_row(part: Part, total: Total) -> dict[str, Any]:
    return _row(part.window.since, part.window.until, part.territory, ALL, total)


def _row(
    since: date,
    until: date,
    territory: str,
    device: str,
    total: Total,
    carried_on: int | None = None,
) -> dict[str, Any]:
    """`carried_on` is counted of an episode's single days."""
    hidden = [
        f"{name}:{WAITING}"
        for name, people in (("viewers", total.viewers), ("finishers", total.finishers))
        if people.count is None
    ]
    return {
        "from": since,
        "until": until,
        "territory": territory,
        "device": device,
        "plays": total.plays,
        "viewers": total.viewers.count,
        "viewers_low": total.viewers.low,
        "viewers_high": total.viewers.high,
        "watch_seconds": total.watch_seconds,
        "completions": total.completions,
        "finishers": total.finishers.count,
        "carried_on": carried_on,
        "hidden_reason": ";".join(
            [*hidden, *([f"carried_on:{NOT_MEASURED}"] if carried_on is None else [])]
        )
        or None,
    }
