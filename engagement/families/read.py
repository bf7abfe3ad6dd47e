"""What a family's reader is given, and the SQL they share.

A reader runs as the role that sees the wall's views only, and names the blocks it may answer
from in its WHERE: each wall holds with the other open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from engagement import curves
from engagement.curves import Curves
from engagement.families import NOT_MEASURED, REACHES_OUTSIDE, WAITING, Cell, Resource, Result
from engagement.scope import Part, Query, TooManyRows, Window


@dataclass(frozen=True)
class Read:
    """One query whose blocks have been checked against the scope.

    `parts` are the blocks the answer states; `reach` the blocks that a row must lie wholly
    inside to be part of it, for a derived resource by the families that a row is computed from
    in `granted`. `runtime_s` is the title's, 0 where unknown; `partner_id` is whose
    scope it is, for rows that are made for one partner. `children` are the blocks that a
    series' children are granted for the same family: its own rows count them. `granted_ever` is
    the reach over all days. `viewing` is the same question asked of `viewing`, None where that is
    not granted, and `curves` are the blocks of the answer that are granted for a curve of those
    who watched: by one of them a reader may know that the title was watched.
    """

    resource: Resource
    query: Query
    parts: tuple[Part, ...]
    reach: tuple[Part, ...]
    exit: str
    runtime_s: int
    partner_id: UUID
    granted: Mapping[tuple[str, ...], tuple[Part, ...]] = field(default_factory=dict)
    children: Mapping[int, tuple[Part, ...]] = field(default_factory=dict)
    is_series: bool = False
    granted_ever: tuple[Part, ...] = ()
    viewing: Read | None = None
    curves: tuple[Part, ...] = ()

    @property
    def children_blocks(self) -> list[tuple[int, Part]]:
        return [(child, part) for child, parts in self.children.items() for part in parts]


_WITHIN = """
    FROM {view} AS fact
    WHERE fact.title_id = %s
      AND EXISTS (
          SELECT FROM unnest(%s::text[], %s::date[], %s::date[])
              AS reach(territory, since, until)
          WHERE {territory}
            AND fact."from" >= reach.since
            AND fact.until <= reach.until
      )
"""
_SAME_TERRITORY = "fact.territory = reach.territory"
_SAME_TERRITORY_OR_ALL = "reach.territory IN (fact.territory, '*')"


def within(view: str, *, all_reads_single: bool = False) -> str:
    """FROM and WHERE for `arguments(read)`: the rows that lie wholly inside one block.

    A block over all territories reads the rows counted over all; with `all_reads_single` those
    of each territory, for facts that have no row over all.
    """
    return _WITHIN.format(
        view=view, territory=_SAME_TERRITORY_OR_ALL if all_reads_single else _SAME_TERRITORY
    )


def arguments(read: Read) -> list[Any]:
    return [read.query.title_id, *block_arrays(read.reach)]


_CHILDREN = """
      AND (fact.counted IS NULL OR NOT EXISTS (
          SELECT FROM unnest(fact.counted) AS child(id)
          WHERE NOT EXISTS (
              SELECT FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::date[])
                  AS granted(title_id, territory, since, until)
              WHERE granted.title_id = child.id
                AND granted.territory IN (fact.territory, '*')
                AND fact."from" >= granted.since
                AND fact.until <= granted.until
          )
      ))
"""


COUNTING_VIEWS = frozenset(
    {"wall_viewing", "wall_viewer_sketch", "wall_demographics", "wall_geography", "wall_fanbases"}
)
"""Whose rows may be a series' own, with the children that they count."""


def children_of(view: str) -> str:
    """More of a WHERE over `view`: of a series' own rows those whose every counted child is
    granted. For `child_arrays(...)`; nothing in the view of a family that series have no part in.
    """
    return _CHILDREN if view in COUNTING_VIEWS else ""


def child_arrays(view: str, blocks: Sequence[tuple[int, Part]]) -> list[Any]:
    """The parameters of `children_of`: what is granted of each title that may be counted."""
    if view not in COUNTING_VIEWS:
        return []
    return [[child for child, _ in blocks], *block_arrays([part for _, part in blocks])]


def within_with_children(view: str) -> str:
    """`within`, and of a series' own rows those whose every counted child is granted.

    For `arguments_with_children(read)`.
    """
    return within(view) + _CHILDREN


def arguments_with_children(read: Read) -> list[Any]:
    return [*arguments(read), *child_arrays("wall_viewing", read.children_blocks)]


def block_arrays(blocks: Sequence[Part]) -> list[list[Any]]:
    return [
        [b.territory for b in blocks],
        [b.window.since for b in blocks],
        [b.window.until for b in blocks],
    ]


def fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


# --- why an answer is empty ----------------------------------------------------------------------


def why_empty(read: Read, view: str) -> str:
    """The reason of an answer for which `view` has no row inside the reach.

    `reaches_outside` where a published row that is granted counts days inside and outside of the
    answer, `waiting` where the title was watched on its days, else `not_measured`.
    """
    if _has_rows_across(read, view):
        return REACHES_OUTSIDE
    return WAITING if is_watched(read) else NOT_MEASURED


def why_no_curve(read: Read, view: str) -> str:
    """`why_empty` of a curve: a series has none to wait for."""
    return NOT_MEASURED if read.is_series else why_empty(read, view)


def is_watched(read: Read) -> bool:
    """Whether the reader may know that the title was watched in the blocks of the answer.

    By `viewing`, which is exact; without a grant of it by the days of the releases, which are
    listed to a grant of curves. Without either nobody is told.
    """
    if read.viewing is not None:
        sql = "SELECT EXISTS (SELECT" + within_with_children("wall_viewing") + ")"
        [(found,)] = fetch(sql, arguments_with_children(read.viewing))
    else:
        [(found,)] = fetch(
            "SELECT EXISTS (SELECT FROM wall_release AS release WHERE release.kind = 'segments'"
            " AND release.title_id = %s AND EXISTS ("
            "   SELECT FROM unnest(%s::text[], %s::date[], %s::date[])"
            "       AS known(territory, since, until)"
            "   WHERE known.since <= release.day AND release.day < known.until))",
            [read.query.title_id, *block_arrays(read.curves)],
        )
    return bool(found)


def _has_rows_across(read: Read, view: str) -> bool:
    [(found,)] = fetch(
        "SELECT EXISTS (SELECT"  # noqa: S608 the view's name is a module's own, never a caller's
        + within(view)
        + children_of(view)
        + " AND EXISTS (SELECT FROM unnest(%s::text[], %s::date[], %s::date[])"
        "     AS block(territory, since, until)"
        "     WHERE block.territory = fact.territory"
        '     AND fact."from" < block.until AND block.since < fact.until))',
        [
            *arguments(replace(read, reach=read.granted_ever)),
            *child_arrays(view, read.children_blocks),
            *block_arrays(read.parts),
        ],
    )
    return bool(found)


def only_reason(read: Read, reason: str) -> Result:
    """The answer without numbers: one row that says why, every other cell of it empty."""
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={
            name: [reason if name == "hidden_reason" else None]
            for name in read.resource.column_names()
        },
        hidden_cells=1,
    )


# --- curves --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CurveSum:
    """The pieces of one answer (or of one territory and period of it), added up."""

    since: date | None
    until: date | None
    territory: str
    plays: int
    curves: Curves


@dataclass(frozen=True)
class CurveRows:
    """The pieces of a curve family inside the reach, summed by the grain of the query."""

    sums: tuple[CurveSum, ...]
    releases: tuple[str, ...]
    covered: tuple[Part, ...]  # the days of the pieces, neighbours joined


def _joined(pieces: Sequence[Part]) -> tuple[Part, ...]:
    blocks: list[Part] = []
    for piece in sorted(pieces, key=lambda p: (p.territory, p.window.since)):
        last = blocks[-1] if blocks else None
        if last and (last.territory, last.window.until) == (piece.territory, piece.window.since):
            blocks[-1] = Part(last.territory, Window(last.window.since, piece.window.until))
        else:
            blocks.append(piece)
    return tuple(blocks)


def read_curves(read: Read, view: str, plays: str, series: int) -> CurveRows:
    """All pieces of `view` inside the reach; `plays` names the column that counts them.

    With grain `window` one sum over everything, with grain `day` one a piece.
    """
    rows = fetch(
        f'SELECT fact."from", fact.until, fact.territory, fact.{plays}, fact.curves,'
        " fact.release_id::text" + within(view) + ' ORDER BY fact."from", fact.territory',
        arguments(read),
    )
    if read.query.grain == "window" and rows:
        whole = curves.total(packed for *_, packed, _ in rows)[:series]
        missing = max(0, read.runtime_s - whole.shape[1])
        plays_of_all = sum(count for _, _, _, count, _, _ in rows)
        sums: tuple[CurveSum, ...] = (
            CurveSum(None, None, "", plays_of_all, np.pad(whole, ((0, 0), (0, missing)))),
        )
    else:
        sums = tuple(
            CurveSum(since, until, territory, count, curves.unpack(packed))
            for since, until, territory, count, packed, _ in rows
        )
    return CurveRows(
        sums,
        tuple(sorted({r[5] for r in rows})),
        _joined([Part(territory, Window(since, until)) for since, until, territory, *_ in rows]),
    )


def curve_result(
    read: Read,
    rows: CurveRows,
    columns: Sequence[tuple[str, Sequence[Any]]],
    empty: Mapping[str, str],
) -> Result:
    """The Result of a curve family from its columns, one value per content second and sum.

    Columns of `empty` stand so with their reason. Where there is no piece, `no_curve` answers.
    Raises TooManyRows.
    """
    length, most = sum(s.curves.shape[1] for s in rows.sums), read.query.most_rows
    if most is not None and length > most:
        raise TooManyRows(length, most)
    periods = _periods(read)
    data: dict[str, list[Any]] = {name: [] for name in (*periods, *read.resource.column_names())}
    for s in rows.sums:
        seconds = s.curves.shape[1]
        data["content_second"] += range(seconds)
        for period, value in zip(periods, (s.since, s.until, s.territory), strict=False):
            data[period] += [value] * seconds
    for name, values in columns:
        data[name] += values
    for name in empty:
        data[name] += [None] * length
    reason = ";".join(f"{name}:{why}" for name, why in empty.items()) or None
    data["hidden_reason"] += [reason] * length
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data=data,
        releases=rows.releases,
        hidden_cells=length * len(empty),
        extra={
            "plays": sum(s.plays for s in rows.sums),
            "covered": rows.covered,
        },
    )


def no_curve(read: Read, reason: str) -> Result:
    """The answer of a curve family where there is no piece at all."""
    result = only_reason(read, reason)
    periods: dict[str, list[Cell]] = {name: [None] for name in _periods(read)}
    return replace(result, data={**periods, **result.data}, extra={"plays": 0, "covered": ()})


def _periods(read: Read) -> tuple[str, ...]:
    return ("from", "until", "territory") if read.query.grain == "day" else ()
