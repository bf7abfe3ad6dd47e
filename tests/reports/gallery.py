"""What the charts are tested with: made-up answers of every family, in the shape of its columns.

A film of 50 minutes over four weeks: ages merged where few watch, provinces merged to areas,
a fan set without a lift, new viewers that wait, phrases as strangers write them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

RUNTIME = 3000
FIRST = date(2024, 10, 21)
DAYS = 28
Answer = dict[str, Any]

AGES = {
    "female": {"18-24": 4210, "25-30": 6120, "31-35": 4480, "36-40": 2210, "41+": 1530},
    "male": {
        "18-24": 2950, "25-30": 3870, "31-35": 2760, "36-40": 1490, "41-50": 1120,
        "51+|unknown": 460,
    },
    "unknown": {"*": 610},
}  # fmt: skip
REGIONS = {
    "CN-GD": 4120, "CN-JS": 2630, "CN-ZJ": 2480, "CN-SH": 2210, "CN-BJ": 1960, "CN-SD": 1690,
    "CN-SC": 1570, "CN-HA": 1420, "CN-HB": 1240, "CN-HN": 1130, "CN-FJ": 1010, "CN-AH": 840,
    "CN-HE": 830, "CN-LN": 710, "CN-SN": 640, "CN-CQ": 620, "CN-JX": 520, "CN-GX": 490,
    "CN-YN": 370, "CN-SX": 350, "CN-TJ": 320, "CN-HL": 300, "CN-GZ": 280, "CN-JL": 210,
    "CN-northwest-rest": 260, "CN-HI": 110, "CN-NM": 190, "rest": 90, "unknown": 140, "HK": 820,
    "TW": 610, "SG": 430, "MY": 380, "other": 240,
}  # fmt: skip
FAN_SETS: list[tuple[str, int | None, float | None, float | None, float | None, float | None]] = [
    ("fans-of-liang-yue", 9120, 0.286, 4.31, 4.12, 4.51),
    ("the-long-season-finishers", 4730, 0.148, 2.07, 1.93, 2.22),
    ("novel-readers-of-a-very-long-named-series-of-books", 2210, 0.069, 1.42, 1.24, 1.61),
    ("crime-drama", 6120, 0.192, 0.94, 0.88, 1.01),
    ("comedy", 1890, 0.059, 0.41, 0.33, 0.5),
    ("animation", 640, 0.02, None, None, None),
    ("documentary", None, None, None, None, None),
]
CHANNELS = {
    "wechat": 340, "wechat-moments": 180, "weibo": 150, "xiaohongshu": 110, "qq": 90,
    "douyin": 70, "copy-link": 20, "=HYPERLINK(1)": 130, "some-small-forum": 12,
}  # fmt: skip
PHRASES = [
    (210, "开场就封神", 41, 8.2), (210, "来了来了", 66, 3.1), (600, "哈哈哈哈", 210, 4.4),
    (630, "笑死", 96, 6.9), (930, "这谁顶得住", 38, 11.0), (1290, "泪目了", 74, 12.4),
    (1320, "妈妈", 51, 9.3), (1560, "导演出来挨打", 33, 15.5), (1800, "卧槽", 88, 5.6),
    (1830, "反转", 61, 21.0), (2100, "BGM 好听", 47, 7.7), (2430, "全体起立", 29, 30.2),
    (2700, "😭😭😭", 58, 10.8), (2730, "舍不得", 62, 13.9), (2970, "完结撒花", 120, 44.0),
]  # fmt: skip


def _columns(rows: list[Answer]) -> dict[str, Any]:
    return {"data": {name: [row.get(name) for row in rows] for name in rows[0]}}


def _far(viewers: int, finished: float) -> Answer:
    """Furthest points that fall evenly to the share who finished, by twentieths."""
    shares = np.linspace(0.97, finished * 0.92, 20)
    return {f"survival_{5 * n:02}": round(float(s), 4) for n, s in enumerate(shares, 1)}


def _weeks() -> list[tuple[date, date]]:
    return [(FIRST + timedelta(days=7 * n), FIRST + timedelta(days=7 * n + 7)) for n in range(4)]


def demographics() -> Answer:
    rows: list[Answer] = []
    for n, (since, until) in enumerate(_weeks()):
        for gender, ages in AGES.items():
            for k, (age, viewers) in enumerate(ages.items()):
                finished = 0.62 - 0.05 * k
                shown = viewers > 1000
                rows.append(
                    {
                        "from": since, "until": until, "territory": "*", "age_band": age,
                        "gender": gender, "viewers": viewers * (10 - n) // 10,
                        "finishers": round(viewers * (10 - n) // 10 * finished),
                        **(_far(viewers, finished) if shown else dict.fromkeys(_far(1, 1))),
                        "hidden_reason": None if shown else ";".join(
                            f"{name}:too_uncertain" for name in _far(1, 1)
                        ),
                    }
                )  # fmt: skip
    return {"demographics": _columns(rows)}


def geography() -> Answer:
    since, until = _weeks()[-1]
    rows: list[Answer] = [
        {
            "from": since, "until": until, "territory": "*", "region": region,
            "viewers": viewers, "finishers": viewers // 2, **_far(viewers, 0.3 + (n % 5) / 10),
            "hidden_reason": None,
        }
        for n, (region, viewers) in enumerate(REGIONS.items())
    ]  # fmt: skip
    return {"geography": _columns(rows)}


def hidden_people(family: str, **cell: str) -> Answer:
    """A week that is not shown: one cell, below the floor."""
    since, until = _weeks()[0]
    names = ("viewers", "finishers", *_far(1, 1))
    row = {"from": since, "until": until, "territory": "CN", **cell, **dict.fromkeys(names)}
    return {family: _columns([{**row, "hidden_reason": "below_floor"}])}


def danmu() -> Answer:
    seconds = np.arange(RUNTIME)
    peaks = {"laughter": 620, "tears": 1300, "shock": 1815, "praise": 2440, "complaint": 1570}
    counts = {
        name: np.round(
            (1 + n % 2) * (0.4 + 0.4 * np.sin(seconds / (90 + 20 * n)) ** 2)
            + 9 * np.exp(-(((seconds - at) / (45 + 10 * n)) ** 2))
        ).astype(int)
        for n, (name, at) in enumerate(peaks.items())
    }
    columns = {name: list(map(int, values)) for name, values in counts.items()}
    total = sum(counts.values()) + 3
    return {
        "danmu": {
            "data": {
                "content_second": list(map(int, seconds)), "comments": list(map(int, total)),
                **columns, "hidden_reason": [None] * RUNTIME,
            }
        }
    }  # fmt: skip


def phrases() -> Answer:
    rows = [
        {"from_second": s, "to_second": s + 30, "phrase": said, "comments": n, "lift": lift}
        for s, said, n, lift in PHRASES
    ]
    return {"danmu_phrases": _columns(rows)}


def discussion() -> Answer:
    rows: list[Answer] = [
        {
            "day": FIRST + timedelta(days=n), "territory": "CN", "posts": 40 + 260 // (n + 1),
            "replies": 90 + 700 // (n + 1) + (n % 7) * 9, "likes": 1200, "hidden_reason": None,
        }
        for n in range(DAYS)
        if n != 20
    ]  # fmt: skip
    return {"discussion": _columns(rows)}


def sharing() -> Answer:
    rows: list[Answer] = []
    for n in range(DAYS):
        for k, (channel, usual) in enumerate(CHANNELS.items()):
            shares = usual * (100 + 40 * (n % 7 in (5, 6)) - 2 * n) // 100
            told = channel != "douyin"
            new = shares * (4 - k // 3) // 2 if n < 26 and shares > 40 else None
            reason = (None if new else "waiting") if told else (
                "visits:not_measured" + ("" if new else ";new_viewers:waiting")
            )  # fmt: skip
            rows.append(
                {
                    "day": FIRST + timedelta(days=n), "territory": "CN", "channel": channel,
                    "shares": shares, "visits": shares * (2 + k) if told else None,
                    "new_viewers": new, "hidden_reason": reason,
                }
            )  # fmt: skip
    return {"sharing": _columns(rows)}


def sharing_offsets() -> Answer:
    seconds = np.arange(RUNTIME)
    shares = np.round(
        3 * np.exp(-(((seconds - 1815) / 40) ** 2)) + 5 * np.exp(-(((seconds - 2980) / 25) ** 2))
        + (seconds % 9 == 0)
    ).astype(int)  # fmt: skip
    return {
        "sharing_offsets": {
            "data": {"content_second": list(map(int, seconds)), "shares": list(map(int, shares))}
        }
    }


def fanbases() -> Answer:
    since, until = _weeks()[-1]
    rows: list[Answer] = [
        {
            "from": since, "until": until, "territory": "*", "fan_set": slug,
            "viewers_in_common": common, "share_of_title": share, "share_of_fan_set": None,
            "lift": lift, "lift_low": low, "lift_high": high,
            "hidden_reason": "below_floor" if common is None else ";".join(
                ["share_of_fan_set:not_measured"]
                + [f"{n}:too_uncertain" for n in ("lift", "lift_low", "lift_high") if lift is None]
            ),
        }
        for slug, common, share, lift, low, high in FAN_SETS
    ]  # fmt: skip
    return {"fanbases": _columns(rows)}


def curves() -> Answer:
    """Retention and rewatch with what is typical beside them."""
    seconds = np.arange(RUNTIME)
    plays = 128_460
    share = np.interp(
        seconds, [0, 60, 300, 1500, 2700, RUNTIME - 1], [1, 0.92, 0.8, 0.61, 0.5, 0.3]
    )
    sessions = np.round(share * plays).astype(int)
    again = np.round(plays * (0.02 + 0.12 * np.exp(-(((seconds - 1820) / 50) ** 2)))).astype(int)
    at = list(map(int, seconds))
    stops = np.append(-np.diff(sessions), sessions[-1])
    return {
        "retention": {
            "data": {
                "content_second": at, "sessions": list(map(int, sessions)),
                "retention": [round(float(s), 6) for s in sessions / plays],
                "stops": list(map(int, stops)),
                "typical_retention": [round(float(s) * 0.9, 6) for s in share],
            }
        },
        "rewatch": {
            "data": {
                "content_second": at, "times_played": list(map(int, sessions + again)),
                "rewatches": list(map(int, again)),
                "audience_watch_ratio": [round(float(s), 6) for s in (sessions + again) / plays],
                "typical_audience_watch_ratio": [round(float(s) * 0.95, 6) for s in share],
            }
        },
        **danmu(),
    }  # fmt: skip


def viewing() -> Answer:
    rows: list[Answer] = [
        {
            "from": FIRST + timedelta(days=n), "until": FIRST + timedelta(days=n + 1),
            "territory": "CN", "device": "*", "plays": 6000 - 110 * n,
        }
        for n in range(DAYS)
    ]  # fmt: skip
    return {"viewing": _columns(rows)}


MOMENTS = [
    {"n": 1, "kind": "danmu_peak", "from_second": 600, "to_second": 660},
    {"n": 2, "kind": "rewatch", "from_second": 1800, "to_second": 1850},
    {"n": 3, "kind": "stop", "from_second": 1500, "to_second": 1504},
]
NAMES = {"SG": "新加坡", "MY": "马来西亚", "CN": "中国"}
VIEW: Answer = {
    "language": "zh-hans", "runtime_s": RUNTIME, "names": NAMES,
    "fan_sets": {"fans-of-liang-yue": "梁月的影迷", "crime-drama": "罪案剧观众"},
}  # fmt: skip

GALLERY: dict[str, tuple[str, Answer, Answer]] = {
    "timeline": ("timeline", curves(), {"moments": MOMENTS}),
    "days": ("days", viewing(), {}),
    "ages": ("ages", demographics(), {}),
    "regions": ("regions", geography(), {}),
    "survival": ("survival", demographics(), {}),
    "survival-regions": ("survival", geography(), {}),
    "reactions": ("reactions", danmu(), {}),
    "phrases": ("phrases", phrases(), {}),
    "discussion": ("discussion", discussion(), {}),
    "sharing": ("sharing", sharing(), {}),
    "sharing-offsets": ("sharing_offsets", sharing_offsets(), {}),
    "fan-sets": ("fan_sets", fanbases(), {}),
    "ages-hidden": ("ages", hidden_people("demographics", age_band="*", gender="*"), {}),
    "regions-hidden": ("regions", hidden_people("geography", region="*"), {}),
    "survival-hidden": ("survival", hidden_people("demographics", age_band="*", gender="*"), {}),
}
"""Name: the builder, its data, and what it is told beside `VIEW`."""
