"""The made-up film's other families: who watched, what was written, what was passed on.

As film.py: drawn by rule, so that every number can be worked out by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from engagement.families import Cell, Result
from engagement.families.danmu import DANMU, DANMU_PHRASES
from engagement.families.demographics import DEMOGRAPHICS
from engagement.families.discussion import DISCUSSION, DISCUSSION_POSTS
from engagement.families.fanbases import FANBASES
from engagement.families.geography import GEOGRAPHY
from engagement.families.people import SHARES
from engagement.families.sharing import SHARING, SHARING_OFFSETS
from engagement.reactions import REACTIONS
from engagement.scope import Window
from reports.render.document import Restated, TitleReport, days_before
from tests.reports import film

AGES = ("18-24", "25-30", "31-35", "36-40", "41-50", "51+|unknown")
VIEWERS_OF_AGE = (4200, 5100, 3900, 2400, 1500, 700)
REGIONS = (
    ("CN-GD", 3120), ("CN-JS", 2140), ("CN-ZJ", 1980), ("CN-SD", 1720), ("CN-HA", 1500),
    ("CN-SC", 1480), ("CN-SH", 1310), ("CN-BJ", 1290), ("CN-HB", 1010), ("CN-HN", 990),
    ("CN-FJ", 760), ("CN-AH", 640), ("CN-LN", 610), ("CN-northwest", 420),
    ("CN-southwest-rest", 390), ("rest", 440),
)  # fmt: skip
CHANNELS = ("wechat", "wechat-moments", "weibo", "xiaohongshu", "qq", "douyin", "copy-link")
WEEKS = [film.WINDOW.since + timedelta(days=4 + 7 * n) for n in range(3)]


def _people(resource: str, cells: list[tuple[tuple[str, ...], int, bool]]) -> Result:
    """Three weeks of a table; a cell's survival is hidden where it is uncertain."""
    of = DEMOGRAPHICS if resource == "demographics" else GEOGRAPHY
    rows: list[list[Cell]] = []
    for n, monday in enumerate(WEEKS):
        for cell, viewers, certain in cells:
            count = viewers - 100 * n
            survival: list[Cell] = [
                round(1 - share * 0.007, 4) if certain else None for share in SHARES
            ]
            hidden = ";".join(f"survival_{share:02d}:too_uncertain" for share in SHARES)
            rows.append([monday, monday + timedelta(days=7), "CN", *cell, count, count // 2])
            rows[-1] += [*survival, None if certain else hidden]
    names = of.column_names()
    data = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return film.result(of, data, ("CN",))


def demographics() -> Result:
    cells = [
        ((age, gender), viewers + (300 if gender == "female" else 0), viewers > 1500)
        for age, viewers in zip(AGES, VIEWERS_OF_AGE, strict=True)
        for gender in ("female", "male|unknown")
    ]
    return _people("demographics", cells)


def geography() -> Result:
    return _people("geography", [((region,), n, n > 1400) for region, n in REGIONS])


def danmu() -> Result:
    """The film's, with a tenth to a half of them read as a reaction each."""
    counted = film.FILM.results["danmu"]
    comments = [int(n) for n in counted.data["comments"] if isinstance(n, int)]
    parts = dict(zip(REACTIONS, (2, 5, 9, 4, 10), strict=True))
    reactions: dict[str, list[Cell]] = {
        name: [n // by if at % by else n for at, n in enumerate(comments)]
        for name, by in parts.items()
    }
    data = {**counted.data, **reactions, "hidden_reason": [None] * len(comments)}
    return replace(counted, resource=DANMU, data=data)


def phrases() -> Result:
    said = [
        (120, "开始了", 41, 9.2), (1320, "笑死我了", 38, 6.1), (3240, "啊？", 129, 22.5),
        (3240, "你是真饿了", 64, 31.0), (3270, "演技封神", 51, 12.4), (5880, "再看一遍", 33, 8.8),
        (7140, "结尾好哭", 77, 19.3), (7140, "泪目", 70, 11.9),
    ]  # fmt: skip
    data: dict[str, list[Cell]] = {
        "from_second": [s for s, *_ in said],
        "to_second": [s + 30 for s, *_ in said],
        "phrase": [p for _, p, *_ in said],
        "comments": [n for _, _, n, _ in said],
        "lift": [lift for *_, lift in said],
    }
    return film.result(DANMU_PHRASES, data, ("CN",))


def discussion() -> Result:
    days = [film.WINDOW.since + timedelta(days=n) for n in range(28)]
    data: dict[str, list[Cell]] = {
        "day": list(days),
        "territory": ["CN"] * 28,
        "posts": [260 - 7 * n + (60 if n % 7 in (2, 3) else 0) for n in range(28)],
        "replies": [900 - 23 * n for n in range(28)],
        "likes": [5200 - 160 * n for n in range(28)],
        "hidden_reason": [None] * 28,
    }
    return film.result(DISCUSSION, data, ("CN",))


def posts() -> Result:
    texts = [
        ("看完沉默了很久，第二天又去看了一遍。", 1204, 88),
        ("贾玲太拼了，最后二十分钟全程泪目，出了影院还在哭；片尾有训练花絮。", 960, 41),
        ("The boxing scene is worth the ticket alone.", 312, 12),
        ("前半段有点慢，后半段值回票价", 290, 9),
    ]  # fmt: skip
    data: dict[str, list[Cell]] = {
        "day": [date(2024, 11, 2)] * len(texts),
        "text": [t for t, _, _ in texts],
        "likes": [n for _, n, _ in texts],
        "replies": [n for *_, n in texts],
    }
    return film.result(DISCUSSION_POSTS, data, ("CN",))


def sharing() -> Result:
    """New viewers stand on every seventh day; the days before wait for it."""
    rows: list[list[Cell]] = []
    for n in range(28):
        for place, channel in enumerate(CHANNELS):
            shares = 220 - 5 * n - 28 * place + (40 if n % 7 in (2, 3) else 0)
            told = n % 7 == 6
            rows.append(
                [
                    film.WINDOW.since + timedelta(days=n), "CN", channel, max(shares, 2),
                    max(shares, 2) * (place + 2), 60 + place if told else None,
                    None if told else "waiting",
                ]
            )  # fmt: skip
    names = SHARING.column_names()
    return film.result(SHARING, {c: [r[i] for r in rows] for i, c in enumerate(names)}, ("CN",))


def sharing_offsets() -> Result:
    seconds = list(range(film.RUNTIME))
    shares: list[Cell] = [
        3 if 3240 <= s < 3300 else 2 if s > 7300 and s % 5 == 0 else int(s % 40 == 0)
        for s in seconds
    ]
    return film.result(
        SHARING_OFFSETS, {"content_second": list(seconds), "shares": shares}, ("CN",)
    )


def fanbases() -> Result:
    sets = [
        ("jia-ling", 8123, 0.41, 0.52, 3.9, 3.6, 4.2), ("boxing", 3001, 0.15, None, 2.1, 1.8, 2.5),
        ("comedy", 9876, 0.5, None, 1.3, 1.25, 1.36), ("romance", 1204, 0.06, None, 0.8, 0.6, 1.1),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [WEEKS[-1], WEEKS[-1] + timedelta(days=7), "CN", name, common, share, of_set, *lift,
         None if of_set else "share_of_fan_set:not_measured"]
        for name, common, share, of_set, *lift in sets
    ]  # fmt: skip
    names = FANBASES.column_names()
    return film.result(FANBASES, {c: [r[i] for r in rows] for i, c in enumerate(names)}, ("CN",))


def typical(answer: Result, column: str, ratio: float) -> Result:
    """The curve with a typical one beside it."""
    of = "retention" if column == "typical_retention" else "audience_watch_ratio"
    values: list[Cell] = [
        round(float(v) * ratio, 6) if isinstance(v, float) else None for v in answer.data[of]
    ]
    data = {**answer.data, column: values, "hidden_reason": [None] * len(values)}
    return replace(answer, data=data)


def with_counted(results: dict[str, Result], plays: int) -> dict[str, Result]:
    """Curves that say how many plays they count."""
    return {
        name: replace(r, extra={**r.extra, "plays": plays})
        if name in ("retention", "rewatch")
        else r
        for name, r in results.items()
    }


def all_results() -> dict[str, Result]:
    results = dict(film.FILM.results)
    results["retention"] = typical(results["retention"], "typical_retention", 0.9)
    results["rewatch"] = typical(results["rewatch"], "typical_audience_watch_ratio", 0.95)
    return with_counted(results, film.PLAYS) | {
        "demographics": demographics(),
        "geography": geography(),
        "danmu": danmu(),
        "danmu_phrases": phrases(),
        "discussion": discussion(),
        "discussion_posts": posts(),
        "sharing": sharing(),
        "sharing_offsets": sharing_offsets(),
        "fanbases": fanbases(),
    }


BEFORE = days_before(film.WINDOW) or film.WINDOW


def shifted(answer: Result) -> Result:
    """The same answer of the days before, as plan.py asks for it."""
    days = film.WINDOW.since - BEFORE.since
    data = {
        name: [v - days if isinstance(v, date) else v for v in values]
        for name, values in answer.data.items()
    }
    return replace(
        answer,
        asked=replace(answer.asked, window=BEFORE),
        answered=tuple(replace(p, window=BEFORE) for p in answer.answered),
        data=data,
    )


def scaled(answer: Result, by: float, *columns: str) -> Result:
    data = {
        name: [round(v * by) if isinstance(v, int) else v for v in values]
        if name in columns
        else values
        for name, values in answer.data.items()
    }
    return replace(answer, data=data)


def before() -> dict[str, Result]:
    """As many days before: a tenth fewer plays, as many danmu, fewer moments."""
    results = all_results()
    counted = ("plays", "viewers", "viewers_low", "viewers_high", "watch_seconds", "completions")
    moments = results["moments"]
    kept = [n for n, kind in enumerate(moments.data["kind"]) if kind != "stop"]
    fewer = {name: [values[n] for n in kept] for name, values in moments.data.items()}
    found = {
        "viewing": scaled(results["viewing"], 0.9, *counted),
        "retention": results["retention"],
        "moments": replace(moments, data=fewer),
        "danmu": results["danmu"],
        "discussion": scaled(results["discussion"], 1.25, "posts", "replies"),
        "sharing": scaled(results["sharing"], 0.99, "shares"),
    }
    return {name: shifted(answer) for name, answer in found.items()}


RESTATED = (
    Restated("yolo", "viewing", "CN", Window(date(2024, 10, 12), date(2024, 10, 13)), "plays",
             5310, 5342, date(2024, 11, 1)),
    Restated("yolo", "danmu", "CN", Window(date(2024, 10, 13), date(2024, 10, 14)), "comments",
             812, 806, date(2024, 11, 3)),
)  # fmt: skip

FILM: TitleReport = replace(film.FILM, results=all_results(), before=before())
REPORT = replace(film.REPORT, titles=(FILM,), changes=RESTATED)
