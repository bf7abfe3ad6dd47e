"""Named moments: which stretches of a title stand out, by the rules of engagement/moments.py.

Computed as they are read, from the curves of the families that each row names. A moment of two
families is there only where one granted tuple holds both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from engagement import moments
from engagement.curves import Curves
from engagement.families import NOT_MEASURED, WAITING, Resource, Result
from engagement.families.columns import column
from engagement.families.read import Read, is_watched, read_curves
from engagement.moments import Moment

_KINDS = ("opening", "stop", "rewatch", "steady", "danmu_peak")
_RETENTION, _REWATCH, _DANMU = ("retention",), ("rewatch",), ("danmu", "retention")

MOMENTS = Resource(
    name="moments",
    family="retention",
    title={"zh": "关键时刻", "en": "Moments"},
    computed_from=(_RETENTION, _REWATCH, _DANMU),
    columns=(
        column(
            "kind", "string", "", "类型", "Kind",
            "opening：开头 30 秒；stop：离开集中处；rewatch：回看集中处；steady：留存平稳段；"
            "danmu_peak：相对当时观看人数的弹幕高峰。",
            "opening: the first 30 s; stop: more leave; rewatch: more go back; steady: few leave; "
            "danmu_peak: more danmu than the people then watching usually write.",
        ),
        column(
            "from_second", "integer", "s", "起始秒", "From second",
            "该时刻的第一个内容秒。", "First content second of the moment.",
        ),
        column(
            "to_second", "integer", "s", "结束秒（不含）", "To second",
            "该时刻最后一个内容秒的下一秒。", "The second after its last.",
        ),
        column(
            "score", "number", "", "强度", "Score",
            "opening：30 秒时仍在观看的比例；stop：当时观看者中比平常多离开的比例；rewatch："
            "每会话比平常多的回看次数；steady：离开速度比全片慢的比例；danmu_peak：平常弹幕率的倍数。",
            "opening: share still there at 30 s; stop: share of those watching who left beyond the "
            "usual; rewatch: rewatches a session beyond the usual; steady: how much slower they "
            "leave than in the whole title; danmu_peak: times the usual rate.",
        ),
        column(
            "families", "string", "", "数据类别", "Families",
            "计算所用的数据类别，以 | 分隔。", "The families it is computed from, parted by |.",
        ),
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    """The moments of the window, by kind, the strongest of each kind first.

    Where no curve is published there are none, and a note says whether it waits.
    """
    retention = _retention(read, _RETENTION)
    rewatch = _sum(read, _REWATCH, "wall_rewatch", "plays", 2)
    same = read.granted.get(_DANMU) == read.granted.get(_RETENTION)
    watched = retention if same else _retention(read, _DANMU)
    danmu = _sum(read, _DANMU, "wall_danmu", "comments", 1)
    found: list[tuple[Moment, tuple[str, ...]]] = []
    if retention is not None:
        sessions, _, stops, _ = retention.curves
        found += _each(moments.opening(sessions), _RETENTION)
        found += _each(moments.strongest_stops(sessions, stops), _RETENTION)
        found += _each(moments.steady_stretches(sessions, stops), _RETENTION)
    if rewatch is not None:
        times_played, rewatches = rewatch.curves
        found += _each(moments.strongest_rewatches(times_played - rewatches, rewatches), _REWATCH)
    if watched is not None and danmu is not None:
        found += _each(moments.danmu_peaks(watched.curves[0], danmu.curves[0]), _DANMU)
    found.sort(key=lambda pair: _KINDS.index(pair[0].kind))
    curves = (retention, rewatch, watched)
    answers = [rows for rows in (*curves, danmu) if rows is not None]
    return Result(
        resource=read.resource,
        asked=read.query,
        answered=read.parts,
        data={
            "kind": [m.kind for m, _ in found],
            "from_second": [m.from_second for m, _ in found],
            "to_second": [m.to_second for m, _ in found],
            "score": [m.score for m, _ in found],
            "families": ["|".join(families) for _, families in found],
        },
        releases=tuple(sorted({release for rows in answers for release in rows.releases})),
        notes=() if any(rows is not None for rows in curves) else (_why_none(read),),
    )


def _why_none(read: Read) -> str:
    return WAITING if not read.is_series and is_watched(read) else NOT_MEASURED


def _each(
    found: Iterable[Moment], families: tuple[str, ...]
) -> list[tuple[Moment, tuple[str, ...]]]:
    return [(moment, families) for moment in found]


@dataclass(frozen=True)
class _Sum:
    """A family's curves, added up, and the releases they are of."""

    curves: Curves
    releases: tuple[str, ...]


def _retention(read: Read, families: tuple[str, ...]) -> _Sum | None:
    return _sum(read, families, "wall_retention", "plays", 4)


def _sum(
    read: Read, families: tuple[str, ...], view: str, counted: str, series: int
) -> _Sum | None:
    """Added up over the blocks that grant all of `families`; None where nothing is there."""
    if families not in read.granted:
        return None
    rows = read_curves(replace(read, reach=read.granted[families]), view, counted, series)
    return _Sum(rows.sums[0].curves, rows.releases) if rows.sums else None
