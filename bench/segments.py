"""Segments like a platform's, as many as asked for: seeded, invented, the same every time.

Thirty days, one Parquet file a day in the order of arrival, as the pipeline stages them: 500
titles by Zipf's law, sessions of one to twelve stretches with seeks back to a few hot scenes,
skips ahead, bounces and finishes. Sessions that play on after midnight lie in two files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engagement.pipeline import session_index

SEED = 20260831
FIRST = date(2026, 8, 31)
DAYS = 30
TITLES = 500
EPISODES = 120
"""The last so many titles are episodes, in series of twelve."""

AGE_BANDS = ("<18", "18-24", "25-30", "31-35", "36-40", "41-50", "51+", "unknown")
GENDERS = ("female", "male", "unknown")
TERRITORIES = ("CN", "HK", "MY", "SG", "TW", "US")
DEVICES = ("pc", "phone", "tablet", "tv")
PROVINCES = (
    "AH BJ CQ FJ GD GS GX GZ HA HB HE HI HL HN JL JS JX LN NM NX QH SC SD SH SN SX TJ XJ XZ YN ZJ"
)
REGIONS = tuple(f"CN-{code}" for code in PROVINCES.split())


@dataclass(frozen=True)
class Platform:
    """What stays the same over the days."""

    runtimes: NDArray[np.int64]
    weights: NDArray[np.float64]
    viewers: int

    def titles(self) -> list[str]:
        return [f"t{n:03d}" for n in range(TITLES)]


def platform(rows: int) -> Platform:
    random = np.random.default_rng(SEED)
    weights = 1 / np.arange(1, TITLES + 1)
    return Platform(
        random.integers(2700, 7201, TITLES), weights / weights.sum(), max(rows // 25, 100)
    )


def generate(folder: Path, rows: int) -> list[Path]:
    """About `rows` segments over 30 days. Files that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    house = platform(rows)
    paths = []
    late: pa.Table | None = None  # rows that were played after midnight
    for day in range(DAYS):
        path = folder / f"{(FIRST + timedelta(days=day)).isoformat()}.parquet"
        paths.append(path)
    if all(path.exists() for path in paths):
        return paths
    for day, path in enumerate(paths):
        table = _day(house, day, rows // DAYS)
        midnight = pa.scalar(_midnight(day + 1) * 1_000_000, pa.int64()).cast(pa.timestamp("us"))
        in_time = pc.less(table["started_at"], midnight)
        today = table.filter(in_time)
        if late is not None:
            today = pa.concat_tables([late, today])
        late = table.filter(pc.invert(in_time))
        date_of = pa.scalar(FIRST + timedelta(days=day), pa.date32())
        session_index.write(today.append_column("day", pa.repeat(date_of, len(today))), path)
    return paths


def _midnight(day: int) -> int:
    """When a day begins in Shanghai, in seconds since 1970."""
    return (FIRST + timedelta(days=day) - date(1970, 1, 1)).days * 86_400 - 8 * 3600


def _day(house: Platform, day: int, rows: int) -> pa.Table:
    random = np.random.default_rng([SEED, day])
    sessions = int(rows / 2.55)
    title = random.choice(TITLES, sessions, p=house.weights)
    runtime = house.runtimes[title]
    viewer = random.integers(0, house.viewers, sessions)
    # 39 % play one stretch; the others go on, up to twelve
    lengths = np.minimum(
        1 + random.geometric(0.42, sessions) * (random.random(sessions) > 0.39), 12
    )
    session = np.repeat(np.arange(sessions), lengths)
    step = np.arange(len(session)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    of_title, of_runtime = title[session], runtime[session]
    # where it ends: a fifth leave at once, some finish, the others fall off on the way
    fate = random.random(sessions)
    end = np.where(
        fate < 0.2,
        random.integers(1, 120, sessions),
        np.where(fate < 0.55, runtime, np.maximum(random.beta(0.9, 1.6, sessions) * runtime, 1)),
    ).astype(np.int64)
    share = (step + 1) / lengths[session]
    to_s = np.maximum((end[session] * share).astype(np.int64), 1)
    from_s = np.where(step > 0, (end[session] * step / lengths[session]).astype(np.int64), 0)
    # every stretch but the first begins somewhere else than the last ended
    jump = random.random(len(session))
    hot = (of_title * 7919 + random.integers(0, 5, len(session)) * 613) % np.maximum(
        of_runtime - 60, 1
    )
    back = (jump < 0.35) & (step > 0)
    from_s = np.where(
        back,
        np.where(
            jump < 0.175, np.minimum(hot, to_s - 1), from_s - random.integers(5, 300, len(step))
        ),
        from_s,
    )
    ahead = (jump > 0.7) & (step > 0)
    from_s = np.where(ahead, from_s + random.integers(5, 200, len(step)), from_s)
    from_s = np.clip(from_s, 0, to_s - 1)
    begun = random.integers(0, 86_400, sessions)
    # a stretch begins when the one before has been played, and some seconds
    took = np.where(
        step == lengths[session] - 1, 0, to_s - from_s + random.integers(1, 60, len(step))
    )
    since = np.cumsum(took) - took
    since -= np.repeat(since[np.flatnonzero(step == 0)], lengths)
    started = (begun[session] + since) * 1_000_000
    order = np.argsort(started, kind="stable")
    who = viewer[session]
    table = {
        "session_id": _ids(np.arange(sessions) + (day << 40))[session],
        "viewer_id": _ids(viewer)[session] >> np.uint64(1),
        "title_id": (of_title, [f"t{n:03d}" for n in range(TITLES)]),
        "started_at": started + _midnight(day) * 1_000_000,
        "from_s": from_s.astype(np.int32),
        "to_s": to_s.astype(np.int32),
        "device": (random.integers(0, len(DEVICES), sessions)[session], DEVICES),
        "territory": (np.where(who % 10 < 7, 0, who % 6), TERRITORIES),
        "region": (np.where(who % 10 < 7, who % 31, 31), (*REGIONS, "")),
        "age_band": (who // 7 % len(AGE_BANDS), AGE_BANDS),
        "gender": (who // 11 % len(GENDERS), GENDERS),
    }
    columns = {}
    for name, values in table.items():
        if isinstance(values, tuple):
            codes, words = values
            columns[name] = pa.DictionaryArray.from_arrays(
                pa.array(codes[order].astype(np.int32)), pa.array(words)
            )
        elif name == "started_at":
            columns[name] = pa.array(values[order]).cast(pa.timestamp("us"))
        else:
            columns[name] = pa.array(values[order])
    return pa.table(columns)


def _ids(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Numbers scattered over 64 bits, as hashed ids are (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
