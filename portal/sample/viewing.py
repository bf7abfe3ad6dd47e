"""Who watches which sample title when: releases, weekends, binges, resumed evenings.

Days are counted from the start of the sample's window, in Shanghai's time, which is the zone
the sample's platform reports in.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from portal.sample.audience import HOURS_FROM_SHANGHAI, Audience, Floats, Ints
from portal.sample.catalogue import TITLES, SampleTitle
from portal.sample.sessions import BOUNCES, SECOND_US, SHORT_FORM_S, Plays, joined, kept, play

ZONE = ZoneInfo("Asia/Shanghai")
DAY_US = 86_400 * SECOND_US
WEEK = (0.86, 0.82, 0.85, 0.92, 1.15, 1.45, 1.35)  # Monday to Sunday
DECAY_DAYS = {"film": 11.0, "episode": 8.0, "trailer": 7.0}
STRETCHES_PER_DRAW = 36.0
"""Stretches that all titles together make for each viewer of a title with `draw` 1 (measured;
it turns the number of segments wanted into viewers)."""


@dataclass
class Period:
    """The sample's window: `days` days up to and without `until`."""

    until: date
    days: int
    since: date = field(init=False)
    since_us: int = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.until - timedelta(days=self.days)
        midnight = datetime(self.since.year, self.since.month, self.since.day, tzinfo=ZONE)
        self.since_us = int(midnight.astimezone(UTC).timestamp()) * SECOND_US

    @property
    def until_us(self) -> int:
        return self.since_us + self.days * DAY_US

    def day_of(self, moment_us: Ints) -> Ints:
        return (moment_us - self.since_us) // DAY_US


def title_rng(seed: int, key: str, what: str) -> np.random.Generator:
    """A stream of its own for each title and purpose, so that one does not move another."""
    return np.random.default_rng([seed, zlib.crc32(f"{key} {what}".encode())])


def watch_all(audience: Audience, period: Period, *, seed: int, segments: int) -> dict[str, Plays]:
    """Every title's sessions in the period, by title key; about `segments` stretches in all."""
    unit = segments / STRETCHES_PER_DRAW
    watched: dict[str, Plays] = {}
    trailers = [t for t in TITLES if t.kind == "trailer"]
    others = [t for t in TITLES if t.kind not in ("trailer", "series")]
    for title in (*trailers, *others):
        rng = title_rng(seed, title.key, "viewing")
        wanted = title.viewers or max(20, round(title.draw * unit))
        before = _episode_before(title)
        if before is None or before.key not in watched:
            viewer = audience.draw(title, wanted, _boost(title, watched, audience), rng)
            begins_us = _moments(title, audience, viewer, period, rng)
        else:
            viewer, begins_us = _carried_on(title, watched[before.key], audience, period, rng)
        plays = _with_returns(title, audience, viewer, begins_us, period, rng)
        watched[title.key] = kept(plays, _inside(plays, period))
    return watched


def _episode_before(title: SampleTitle) -> SampleTitle | None:
    siblings = [t for t in TITLES if t.kind == "episode" and t.parent == title.parent]
    if title not in siblings or title is siblings[0]:
        return None
    return siblings[siblings.index(title) - 1]


def _boost(title: SampleTitle, watched: dict[str, Plays], audience: Audience) -> Floats:
    """Those who saw the trailer, or the film that this is a cut of, are likelier to come."""
    boost = np.ones(audience.size)
    lures = [t.key for t in TITLES if t.kind == "trailer" and t.parent in (title.key, title.parent)]
    for key, factor in [*((k, 3.0) for k in lures), (title.cut_of, 12.0)]:
        if key in watched and key != title.key:
            boost[np.unique(watched[key].viewer)] *= factor
    return boost


def _inside(plays: Plays, period: Period) -> np.ndarray:
    """Sessions that begin in the period and are over when it ends: logs land when closed."""
    return (plays.begins_us >= period.since_us) & (plays.ends_us < period.until_us)


def _moments(
    title: SampleTitle, audience: Audience, viewer: Ints, period: Period, rng: np.random.Generator
) -> Ints:
    """When each viewer first comes: release decay, weekends, and some noise."""
    days = np.arange(period.days)
    age = days - (title.released_on(period.until) - period.since).days
    decay = 0.055 + np.exp(-np.maximum(age, 0) / DECAY_DAYS[title.kind])
    week = np.array(WEEK)[(period.since.weekday() + days) % 7]
    weight = np.where(age >= 0, decay * week * rng.lognormal(0, 0.07, period.days), 0.0)
    day = rng.choice(period.days, len(viewer), p=weight / weight.sum())
    return _at_home(audience, viewer, day, period, rng)


def _at_home(
    audience: Audience, viewer: Ints, day: Ints, period: Period, rng: np.random.Generator
) -> Ints:
    """A moment of that day: the evening mostly, lunch, the way to work, late at night."""
    n = len(viewer)
    centre = np.array([20.4, 12.6, 8.1, 23.2, 15.5])
    spread = np.array([1.5, 0.7, 0.6, 1.0, 2.2])
    habit = rng.choice(5, n, p=[0.55, 0.14, 0.05, 0.13, 0.13])
    hour = (
        rng.normal(centre[habit], spread[habit])
        + np.array(HOURS_FROM_SHANGHAI)[audience.territory[viewer]]
    )
    within = ((hour % 24) * 3600 * SECOND_US).astype(np.int64)
    moments: Ints = period.since_us + np.asarray(day, dtype=np.int64) * DAY_US + within
    return moments


def _carried_on(
    title: SampleTitle, before: Plays, audience: Audience, period: Period, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The viewers of the episode before who carry on, at once or some day, and a few new ones."""
    last = np.zeros(audience.size, dtype=np.int64)
    np.maximum.at(last, before.viewer, before.ends_us)
    far = np.zeros(audience.size, dtype=np.int64)
    np.maximum.at(far, before.viewer, before.far_s)
    seen = np.unique(before.viewer)
    second = title.key.endswith("E02")
    finished = far[seen] > 0.85 * title.runtime_s
    stays = np.where(finished, 0.88 if second else 0.95, 0.12 if second else 0.35)
    on = seen[rng.random(len(seen)) < stays]
    out_day = (title.released_on(period.until) - period.since).days
    at_once = last[on] + (rng.uniform(8, 90, len(on)) * SECOND_US).astype(np.int64)
    binge = (period.day_of(at_once) >= out_day) & (rng.random(len(on)) < 0.58)
    later = np.maximum(period.day_of(last[on]) + 1, out_day) + rng.geometric(0.42, len(on)) - 1
    begins = np.where(binge, at_once, _at_home(audience, on, later, period, rng))
    fresh = np.setdiff1d(audience.draw(title, max(1, len(seen) // 25), None, rng), seen)
    news = _moments(title, audience, fresh, period, rng)
    return np.concatenate([on, fresh]), np.concatenate([begins, news])


def _with_returns(
    title: SampleTitle,
    audience: Audience,
    viewer: Ints,
    begins_us: Ints,
    period: Period,
    rng: np.random.Generator,
) -> Plays:
    """First sessions, those resumed where they stopped, second viewings, and shared moments."""
    n, runtime = len(viewer), title.runtime_s
    begin_s = np.zeros(n)
    linked = rng.random(n) < 0.05
    begin_s[linked] = rng.uniform(0, runtime * 0.8, int(linked.sum()))
    # Who carries on into an episode knows what it is, and rarely leaves at once.
    bounces = BOUNCES if _episode_before(title) is None else 0.07
    first = play(title, viewer, begins_us, begin_s, rng, bounces=bounces)
    parts = [first]

    def again(who: np.ndarray, from_s: Floats, bounces: float) -> None:
        days = period.day_of(first.ends_us[who]) + rng.geometric(0.45, len(who))
        moment = _at_home(audience, viewer[who], days, period, rng)
        moment = np.maximum(moment, first.ends_us[who] + 600 * SECOND_US)
        parts.append(play(title, viewer[who], moment, from_s, rng, bounces=bounces))

    if runtime >= SHORT_FORM_S:
        stopped = (first.far_s > 0.06 * runtime) & (first.far_s < 0.86 * runtime)
        who = np.flatnonzero(stopped & (rng.random(n) < 0.3))
        back_s = np.maximum(first.far_s[who] - rng.uniform(0, 20, len(who)), 0)
        again(who, back_s, bounces=0.06)
        if title.scenes:
            who = np.flatnonzero((first.far_s > 0.8 * runtime) & (rng.random(n) < 0.03))
            scene = rng.integers(0, len(title.scenes), len(who))
            starts = np.array([s.minute * 60 for s in title.scenes])[scene]
            again(who, np.maximum(starts - rng.uniform(2, 12, len(who)), 0), bounces=0.85)
    who = np.flatnonzero((first.far_s > 0.8 * runtime) & (rng.random(n) < 0.05))
    again(who, np.zeros(len(who)), bounces=0.1)
    return joined(parts)
