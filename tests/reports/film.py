"""A made-up film of 129 minutes as its results would be: what a report is tested with.

The curves are drawn by rule, so every figure can be worked out by hand: 128,460 plays over
28 days, the comments peak in content minute 54 with 510.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from engagement.families import Cell, Resource, Result
from engagement.families.danmu import DANMU, DANMU_COMMENTS
from engagement.families.moments import MOMENTS as MOMENTS_RESOURCE
from engagement.families.retention import RETENTION
from engagement.families.rewatch import REWATCH
from engagement.families.viewing import VIEWING
from engagement.reactions import REACTIONS
from engagement.scope import Part, Query, Window
from reports.render.document import Moment, Report, TitleReport

RUNTIME = 7771
WINDOW = Window(date(2024, 10, 24), date(2024, 11, 21))
PLAYS_A_DAY = [6000 - 110 * n + (1500 if n % 7 in (2, 3) else 0) for n in range(28)]
PLAYS = sum(PLAYS_A_DAY)
COMPLETIONS = sum(p * 46 // 100 for p in PLAYS_A_DAY)


def result(resource: Resource, data: dict[str, list[Cell]], territories: tuple[str, ...]) -> Result:
    parts = tuple(Part(t, WINDOW) for t in territories)
    return Result(
        resource=resource,
        asked=Query(1, resource.name, WINDOW),
        answered=parts,
        data=data,
        releases=("9f0c2b1e-segments-2024-11-20",),
        data_through=date(2024, 11, 20),
        sample=True,
    )


def viewing(territories: tuple[str, ...] = ("CN",)) -> Result:
    rows: list[list[Cell]] = []
    for territory in territories:
        for n, plays in enumerate(PLAYS_A_DAY):
            day = WINDOW.since + timedelta(days=n)
            viewers, watched, done = plays * 9 // 10, plays * 4000, plays * 46 // 100
            next_day = day + timedelta(days=1)
            people = [viewers, viewers, viewers]
            rows.append([day, next_day, territory, "*", plays, *people, watched, done])
            rows[-1] += [done * 9 // 10, None, "carried_on:not_measured"]
        people = [100_412, 98_904, 101_957]
        rows.append([WINDOW.since, WINDOW.until, territory, "*", PLAYS, *people, PLAYS * 4000])
        rows[-1] += [COMPLETIONS, 43_810, None, "carried_on:not_measured"]
    names = VIEWING.column_names()
    return result(VIEWING, {n: [r[i] for r in rows] for i, n in enumerate(names)}, territories)


def curves() -> dict[str, Result]:
    seconds = np.arange(RUNTIME)
    share = np.interp(
        seconds,
        [0, 120, 600, 1500, 1620, 4700, 4800, 6900, 7300, RUNTIME - 1],
        [1, 0.93, 0.77, 0.69, 0.655, 0.47, 0.45, 0.35, 0.31, 0.245],
    )
    sessions = np.round(share * PLAYS).astype(int)
    stops = np.append(-np.diff(sessions), sessions[-1])
    again = np.round(
        PLAYS
        * (
            0.03
            + 0.16 * np.exp(-(((seconds - 3240) / 60) ** 2))
            + 0.22 * np.exp(-(((seconds - 5900) / 90) ** 2))
        )
    ).astype(int)
    comments = np.zeros(RUNTIME, dtype=int)
    comments[seconds % 2 == 0] = 1
    comments[3240:3300] = [8] * 30 + [9] * 30  # 510 in content minute 54
    comments[0:60] = 4
    nothing: list[Cell] = [None] * RUNTIME
    at: list[Cell] = list(map(int, seconds))
    return {
        "retention": result(
            RETENTION,
            {
                "content_second": at,
                "sessions": list(map(int, sessions)),
                "retention": list(map(float, sessions / PLAYS)),
                "starts": [PLAYS] + [0] * (RUNTIME - 1),
                "stops": list(map(int, stops)),
                "skips": [0] * RUNTIME,
                "typical_retention": nothing,
                "hidden_reason": ["typical_retention:not_measured"] * RUNTIME,
            },
            ("CN",),
        ),
        "rewatch": result(
            REWATCH,
            {
                "content_second": at,
                "times_played": list(map(int, sessions + again)),
                "rewatches": list(map(int, again)),
                "audience_watch_ratio": list(map(float, (sessions + again) / PLAYS)),
                "typical_audience_watch_ratio": nothing,
                "hidden_reason": ["typical_audience_watch_ratio:not_measured"] * RUNTIME,
            },
            ("CN",),
        ),
        "danmu": result(
            DANMU,
            {
                "content_second": at,
                "comments": list(map(int, comments)),
                **dict.fromkeys(REACTIONS, nothing),
                "hidden_reason": [";".join(f"{r}:not_measured" for r in REACTIONS)] * RUNTIME,
            },
            ("CN",),
        ),
    }


def comments() -> Result:
    return result(
        DANMU_COMMENTS,
        {
            "content_second": [3241, 3242, 3250],
            "day": [date(2024, 11, 2)] * 3,
            "text": ["啊？", '=HYPERLINK("http://evil.example")', "你是真饿了"],
            "repeats": [70, 3, 4],
            "likes": [12, 0, 1],
        },
        ("CN",),
    )


MOMENTS = (
    Moment("opening", 0, 30, 0.91),
    Moment("stop", 1320, 1324, 0.042, ("笑死我了",)),
    Moment("rewatch", 3300, 3360, 0.31, ()),
    Moment("steady", 1500, 2700, 0.8),
    Moment("danmu_peak", 3240, 3300, 5.1, ("啊？", "你是真饿了", "雷佳音：拍完电影得算工伤")),
    Moment("danmu_peak", 7140, 7200, 2.4, ("结尾好哭",)),
)

SOURCE = {
    "opening": {"retention"}, "stop": {"retention"}, "steady": {"retention"},
    "rewatch": {"rewatch"}, "danmu_peak": {"retention", "danmu"},
}  # fmt: skip
"""The families that a moment of each kind is computed from."""


def moments() -> Result:
    return result(
        MOMENTS_RESOURCE,
        {
            "kind": [m.kind for m in MOMENTS],
            "from_second": [m.from_second for m in MOMENTS],
            "to_second": [m.to_second for m in MOMENTS],
            "score": [m.score for m in MOMENTS],
            "families": ["|".join(sorted(SOURCE[m.kind])) for m in MOMENTS],
        },
        ("CN",),
    )


FILM = TitleReport(
    slug="yolo",
    name_zh="热辣滚烫",
    name_en="YOLO",
    kind="film",
    runtime_s=RUNTIME,
    territories=("CN",),
    results={
        "viewing": viewing(),
        **curves(),
        "danmu_comments": comments(),
        "moments": moments(),
    },
    moments=MOMENTS,
)

REPORT = Report(
    bundle_id="0193a2f0-7c1e-7d1a-9a55-2f1f3f4b8c10",
    portal_name="Dailies",
    partner_name="星河影业",
    recipient_name="林晓 <lin@xinghe.example>",
    language="zh-hans",
    window=WINDOW,
    data_through=date(2024, 11, 20),
    sample=True,
    titles=(FILM,),
    releases=tuple(f"segments-yolo-2024-11-{n:02}-9f0c2b1e" for n in range(1, 21)),
    created_at=datetime(2024, 11, 22, 1, 30, tzinfo=UTC),
)


def only(*names: str) -> TitleReport:
    """The film with only these resources granted."""
    kept = {name: FILM.results[name] for name in names}
    moments = tuple(m for m in MOMENTS if SOURCE[m.kind] <= set(names))
    return replace(FILM, results=kept, moments=moments if "moments" in kept else ())


def without_rows() -> TitleReport:
    """The film before anything was published of it."""
    empty = {
        name: replace(r, data={c: [] for c in r.resource.column_names()}, sample=False)
        for name, r in FILM.results.items()
    }
    empty["retention"] = replace(
        FILM.results["retention"],
        data={c: [None] if c != "hidden_reason" else ["waiting"] for c in RETENTION.column_names()},
    )
    return replace(FILM, results=empty, moments=())
