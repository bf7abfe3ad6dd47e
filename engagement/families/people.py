"""What demographics and geography share: their columns after the cell, and their reading."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engagement.families import Alike, Column, Result
from engagement.families.columns import HIDDEN_REASON, column
from engagement.families.read import (
    Read,
    arguments_with_children,
    fetch,
    only_reason,
    why_empty,
    within_with_children,
)

SHARES = tuple(range(5, 101, 5))

VIEWERS = column(
    "viewers", "integer", "viewers", "观看人数", "Viewers",
    "该时段内的观看人数，每人只计一次，归入其首个会话的分组；加噪后发布。",
    "Viewers of the period, each once, in the cell of their first session; with noise.",
)  # fmt: skip
FINISHERS = column(
    "finishers", "integer", "viewers", "完播人数", "Finishers",
    "到达片长 90% 的观看人数；剧集为看完最新一集的人数。加噪后发布。",
    "Viewers who reached 90 % of the runtime; of a series its last episode's. With noise.",
)  # fmt: skip


SURVIVAL = Alike(
    "survival_05 … survival_100",
    {"zh": "到达 5% … 100%", "en": "Reached 5 % … 100 %"},
    {
        "zh": "每 5% 片长一列：最远到达该处的观看人数占比；误差超过 2 个百分点时不显示。",
        "en": "A column for every 5 % of the runtime: the share of viewers who came so far;"
        " not shown where uncertain.",
    },
)


def _survival(share: int) -> Column:
    told = column(
        f"survival_{share:02d}", "number", "share", f"到达 {share}%", f"Reached {share} %",
        f"最远到达片长 {share}% 的观看人数占比；误差超过 2 个百分点时不显示。",
        f"Share of viewers who came to {share} % of the runtime; not shown where uncertain.",
    )  # fmt: skip
    return replace(told, alike=SURVIVAL)


COLUMNS = (VIEWERS, FINISHERS, *(_survival(s) for s in SHARES), HIDDEN_REASON)


def read_people(read: Read, view: str, cell: tuple[str, ...]) -> Result:
    """A row a published period, territory and cell that lies wholly inside a block; where there is
    none, one with the reason.

    `extra["periods"]` are the periods read, longer than a week where weeks were joined.
    """
    names = ", ".join(f"fact.{c}" for c in cell)
    rows = fetch(
        f'SELECT fact."from", fact.until, fact.territory, {names}, fact.viewers,'
        " fact.finishers, fact.survival, fact.hidden_reason, fact.release_id::text"
        + within_with_children(view)
        + f' ORDER BY fact."from", fact.territory, {names}, fact.id',
        arguments_with_children(read),
    )
    if not rows:
        return replace(only_reason(read, why_empty(read, view)), extra={"periods": ()})
    data: dict[str, list[Any]] = {n: [] for n in read.resource.column_names()}
    for row in rows:
        *told, viewers, finishers, survival, hidden, _ = row
        for name, value in zip(("from", "until", "territory", *cell), told, strict=True):
            data[name].append(value)
        data["viewers"].append(viewers)
        data["finishers"].append(finishers)
        for share, value in zip(SHARES, survival or [None] * len(SHARES), strict=True):
            data[f"survival_{share:02d}"].append(value)
        data["hidden_reason"].append(_reason(hidden))
    periods = sorted({(row[0], row[1]) for row in rows})
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data=data,
        releases=tuple(sorted({row[-1] for row in rows})),
        hidden_cells=sum(bool(h) for h in data["hidden_reason"]),
        notes=("joined_weeks",) if any((u - s).days > 7 for s, u in periods) else (),
        extra={"periods": tuple(periods)},
    )


def _reason(hidden: str) -> str | None:
    """`survival` stands for its twenty columns."""
    pieces = []
    for piece in filter(None, hidden.split(";")):
        what, colon, why = piece.partition(":")
        if what == "survival":
            pieces += [f"survival_{share:02d}{colon}{why}" for share in SHARES]
        else:
            pieces.append(piece)
    return ";".join(pieces) or None
