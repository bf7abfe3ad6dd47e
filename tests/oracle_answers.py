"""What the allowed facts add up to, in the columns of the contract.

Sums and unions written out slowly, from the plain values of the test's world. How moments and
phrases are found in counts is engagement's own arithmetic, tested elsewhere: here it is given the
counts of the allowed facts and of no other.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from engagement import moments
from engagement.phrases import FEWEST, MOMENT_S, Said, standing_out
from engagement.reactions import REACTIONS
from tests.oracle import Asked, Fact
from tests.oracle_world import SECONDS, day

Rows = list[dict[str, Any]]
Told = dict[tuple[str, ...], list[Fact]]


def rows_of(q: Asked, cells: set[tuple[str, int]], told: Told) -> Rows:
    """The expected rows, in no order. A row of `nothing` has no number, only a reason."""
    facts = [f for fs in told.values() for f in fs if f.table == q.resource]
    if q.resource == "moments":
        return _moments(told)
    if q.resource in _TABLES:
        return _TABLES[q.resource](facts, cells, [f for fs in told.values() for f in fs])
    return [_COLUMNS[q.resource](f) for f in facts]


def runs(cells: set[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """(territory, first day, day after the last) of days that follow each other."""
    found: list[tuple[str, int, int]] = []
    for where, d in sorted(cells):
        if found and (found[-1][0], found[-1][2]) == (where, d):
            found[-1] = (where, found[-1][1], d + 1)
        else:
            found.append((where, d, d + 1))
    return found


def _viewing(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    rows = [
        _viewing_row(f.since, f.until, f.territory, f.values["device"], [f], f.values["viewers"],
                     f.values["finishers"])
        for f in facts
    ]  # fmt: skip
    for where, since, until in runs(cells):

        def inside(f: Fact, where: str = where, since: int = since, until: int = until) -> bool:
            return f.territory == where and since <= f.since and f.until <= until

        days = [f for f in facts if inside(f) and f.values["device"] == "*"]
        sketches = [f for f in every if f.table == "sketch" and inside(f)]
        if days and until - since > 1:
            people = {
                name: len(frozenset().union(*(f.values[name] for f in sketches)))
                for name in ("viewers", "finishers")
            }
            rows.append(_viewing_row(since, until, where, "*", days, **people))
    return rows


def _viewing_row(
    since: int, until: int, where: str, device: str, days: list[Fact], viewers: int, finishers: int
) -> dict[str, Any]:
    return {
        "from": day(since), "until": day(until), "territory": where, "device": device,
        "plays": sum(f.values["plays"] for f in days),
        "viewers": viewers, "viewers_low": viewers, "viewers_high": viewers,
        "watch_seconds": sum(f.values["watch_seconds"] for f in days),
        "completions": sum(f.values["completions"] for f in days),
        "finishers": finishers, "carried_on": None, "hidden_reason": "carried_on:not_measured",
    }  # fmt: skip


def _sum(facts: list[Fact]) -> Any:
    return sum(f.values["curves"] for f in facts)


def _typical(every: list[Fact], family: str, cells: set[tuple[str, int]]) -> float | None:
    """The last week's, where one territory is answered; the world's typical curves are flat."""
    if len({where for where, _ in cells}) != 1:
        return None
    weeks = [f for f in every if f.table == "typical" and f.family == family]
    last = max(weeks, key=lambda f: f.until, default=None)
    return None if last is None else int(last.values["curves"][0][0]) / 1_000_000


def _retention(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    if not facts:
        return []
    plays, total = sum(f.values["plays"] for f in facts), _sum(facts)
    typical = _typical(every, "retention", cells)
    return [
        {
            "content_second": s, "sessions": int(total[0][s]),
            "retention": round(int(total[0][s]) / plays, 6), "starts": int(total[1][s]),
            "stops": int(total[2][s]), "skips": int(total[3][s]), "typical_retention": typical,
            "hidden_reason": None if typical is not None else "typical_retention:not_measured",
        }
        for s in range(SECONDS)
    ]  # fmt: skip


def _rewatch(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    if not facts:
        return []
    plays, total = sum(f.values["plays"] for f in facts), _sum(facts)
    typical = _typical(every, "rewatch", cells)
    column = "typical_audience_watch_ratio"
    return [
        {
            "content_second": s, "times_played": int(total[0][s]), "rewatches": int(total[1][s]),
            "audience_watch_ratio": round(int(total[0][s]) / plays, 6), column: typical,
            "hidden_reason": None if typical is not None else f"{column}:not_measured",
        }
        for s in range(SECONDS)
    ]  # fmt: skip


def _danmu(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    names = ("comments", *REACTIONS)
    return [
        {"content_second": s, "hidden_reason": None}
        | {name: int(series[s]) for name, series in zip(names, _sum(facts), strict=True)}
        for s in range(SECONDS)
        if facts
    ]


def _offsets(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    return [
        {"content_second": s, "shares": int(_sum(facts)[0][s])} for s in range(SECONDS) if facts
    ]


def _phrases(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    comments = [f for f in every if f.table == "danmu_comments"]
    at = Counter(f.values["content_second"] // MOMENT_S for f in comments)
    said = Counter(
        (f.values["content_second"] // MOMENT_S, phrase)
        for f in comments
        for phrase in f.values["phrases"]
    )
    in_title: Counter[str] = Counter()
    for (_, phrase), n in said.items():
        in_title[phrase] += n
    found = standing_out(
        Said(moment, phrase, n, at[moment], in_title[phrase], len(comments))
        for (moment, phrase), n in said.items()
        if n >= FEWEST
    )
    return [
        {
            "from_second": f.moment * MOMENT_S, "to_second": (f.moment + 1) * MOMENT_S,
            "phrase": f.phrase, "comments": f.comments, "lift": round(f.lift, 2),
        }
        for f in found
    ]  # fmt: skip


def _sharing(facts: list[Fact], cells: set[tuple[str, int]], every: list[Fact]) -> Rows:
    """New viewers of two days are told to who may read both."""
    rows = []
    for f in facts:
        new, reason = f.values["new_viewers"], "waiting" if f.reaches_back is None else None
        if not f.whole:
            new, reason = None, "reaches_outside"
        rows.append(
            {"day": day(f.since), "territory": f.territory, "channel": "wechat",
             "shares": f.values["shares"], "visits": f.values["visits"], "new_viewers": new,
             "hidden_reason": reason}
        )  # fmt: skip
    return rows


def _moments(told: Told) -> Rows:
    retention = [f for f in told.get(("retention",), ()) if f.table == "retention"]
    rewatch = [f for f in told.get(("rewatch",), ()) if f.table == "rewatch"]
    both = told.get(("danmu", "retention"), [])
    watched = [f for f in both if f.table == "retention"]
    danmu = [f for f in both if f.table == "danmu"]
    found = []
    if retention:
        sessions, _, stops, _ = _sum(retention)
        for make in (moments.strongest_stops, moments.steady_stretches):
            found += [(m, "retention") for m in make(sessions, stops)]
        found += [(m, "retention") for m in moments.opening(sessions)]
    if rewatch:
        times, again = _sum(rewatch)
        found += [(m, "rewatch") for m in moments.strongest_rewatches(times - again, again)]
    if watched and danmu:
        peaks = moments.danmu_peaks(_sum(watched)[0], _sum(danmu)[0])
        found += [(m, "danmu|retention") for m in peaks]
    return [
        {"kind": m.kind, "from_second": m.from_second, "to_second": m.to_second,
         "score": m.score, "families": families}
        for m, families in found
    ]  # fmt: skip


def _people(f: Fact, *cell: str) -> dict[str, Any]:
    survival = {f"survival_{n * 5:02d}": v for n, v in enumerate(f.values["survival"], start=1)}
    return {
        "from": day(f.since), "until": day(f.until), "territory": f.territory,
        **{name: f.values[name] for name in (*cell, "viewers", "finishers")}, **survival,
        "hidden_reason": None,
    }  # fmt: skip


_TABLES = {
    "viewing": _viewing,
    "retention": _retention,
    "rewatch": _rewatch,
    "danmu": _danmu,
    "sharing_offsets": _offsets,
    "danmu_phrases": _phrases,
    "sharing": _sharing,
}
_COLUMNS: dict[str, Any] = {
    "demographics": lambda f: _people(f, "age_band", "gender"),
    "geography": lambda f: _people(f, "region"),
    "fanbases": lambda f: {
        "from": day(f.since), "until": day(f.until), "territory": f.territory,
        "fan_set": "readers", "share_of_fan_set": None, **f.values,
    },
    "danmu_comments": lambda f: {
        "content_second": f.values["content_second"], "day": day(f.since),
        **{n: f.values[n] for n in ("text", "repeats", "likes")},
    },
    "discussion": lambda f: {
        "day": day(f.since), "territory": f.territory, **f.values, "hidden_reason": None,
    },
    "discussion_posts": lambda f: {
        "day": day(f.since), **{n: f.values[n] for n in ("text", "likes", "replies")},
    },
}  # fmt: skip

SAYS_WHY = {"viewing", "retention", "rewatch", "danmu", "demographics", "geography", "fanbases"}
"""Resources whose answer without numbers is one row with a reason."""


def is_nothing(row: dict[str, Any]) -> bool:
    """A row that only says why there is no number."""
    return bool(row["hidden_reason"]) and all(
        value is None for name, value in row.items() if name != "hidden_reason"
    )


def as_told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def text_of(value: Any) -> str:
    return "" if value is None else str(as_told(value))
