"""How the sample audience watches: where a session begins, ends, jumps back and skips.

A session is a list of stretches in content seconds; between two stretches lies a jump. All of
a title's sessions are made at once, in arrays.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portal.sample.audience import Floats, Ints
from portal.sample.catalogue import SampleTitle

SECOND_US = 1_000_000
BOUNCES = 0.20
SEEKS_BACK = 0.35
SHORT_FORM_S = 300
"""Under this a title is a trailer: its bounces, seeks and credits are a matter of seconds."""


@dataclass(frozen=True)
class Plays:
    """Sessions of one title and their stretches.

    Per session: `viewer` (index), `begins_us` (epoch), `ends_us`, `far_s` (furthest position).
    Per stretch, in the order played: `session` (index), `from_s`, `to_s`, `started_us`.
    """

    viewer: Ints
    begins_us: Ints
    ends_us: Ints
    far_s: Ints
    session: Ints
    from_s: Ints
    to_s: Ints
    started_us: Ints


def credits_from(title: SampleTitle) -> int:
    """The second at which the closing credits begin."""
    length = {"film": 230, "episode": 100}.get(title.kind, 4)
    return title.runtime_s - length


def minor_spots(title: SampleTitle) -> tuple[Floats, Floats]:
    """(seconds, shares) of the small moments of a title that nobody planned: a mumbled line, a
    cut, a shot to look at twice. They give the curves their grain."""
    rng = np.random.default_rng(zlib.crc32(title.key.encode()))
    count = 4 if title.runtime_s < SHORT_FORM_S else 4 + title.runtime_s // 240
    shares = rng.exponential(1.0, count) + 0.1
    return np.sort(rng.uniform(0.04, 0.93, count)) * title.runtime_s, shares / shares.sum()


def play(
    title: SampleTitle,
    viewer: Ints,
    begins_us: Ints,
    begin_s: Floats,
    rng: np.random.Generator,
    *,
    bounces: float = BOUNCES,
) -> Plays:
    """Play `title` once for each viewer from `begin_s`, on the wall clock from `begins_us`."""
    end_s = _ends(title, begin_s, bounces, rng)
    at, where, to = _jumps(title, begin_s, end_s, rng)
    session, from_s, to_s = _stretches(begin_s, end_s, at, where, to)
    # A jump costs a few seconds of wall clock, now and then the viewer makes tea.
    pause = 0.8 + rng.exponential(1.5, len(session))
    pause += np.where(rng.random(len(session)) < 0.04, rng.uniform(60, 1500, len(session)), 0.0)
    spent_us = ((to_s - from_s) * SECOND_US + (pause * SECOND_US).astype(np.int64)).astype(np.int64)
    before = np.cumsum(spent_us) - spent_us
    first = np.searchsorted(session, np.arange(len(viewer)))
    started_us = begins_us[session] + before - before[first][session]
    ends_us = np.zeros(len(viewer), dtype=np.int64)
    np.maximum.at(ends_us, session, started_us + (to_s - from_s) * SECOND_US)
    far_s = np.zeros(len(viewer), dtype=np.int64)
    np.maximum.at(far_s, session, to_s)
    return Plays(viewer, begins_us, ends_us, far_s, session, from_s, to_s, started_us)


def joined(parts: list[Plays]) -> Plays:
    """Several lots of sessions as one."""
    shifts = np.cumsum([0] + [len(p.viewer) for p in parts])[:-1]
    return Plays(
        viewer=np.concatenate([p.viewer for p in parts]),
        begins_us=np.concatenate([p.begins_us for p in parts]),
        ends_us=np.concatenate([p.ends_us for p in parts]),
        far_s=np.concatenate([p.far_s for p in parts]),
        session=np.concatenate([p.session + s for p, s in zip(parts, shifts, strict=True)]),
        from_s=np.concatenate([p.from_s for p in parts]),
        to_s=np.concatenate([p.to_s for p in parts]),
        started_us=np.concatenate([p.started_us for p in parts]),
    )


def kept(plays: Plays, keep: NDArray[np.bool_]) -> Plays:
    """Only the sessions that `keep` marks."""
    number = np.cumsum(keep) - 1
    rows = keep[plays.session]
    return Plays(
        plays.viewer[keep],
        plays.begins_us[keep],
        plays.ends_us[keep],
        plays.far_s[keep],
        number[plays.session[rows]],
        plays.from_s[rows],
        plays.to_s[rows],
        plays.started_us[rows],
    )


def _ends(title: SampleTitle, begin_s: Floats, bounces: float, rng: np.random.Generator) -> Floats:
    """Where each session ends: a bounce, the credits, the lull, or somewhere, sooner likelier."""
    n, runtime = len(begin_s), float(title.runtime_s)
    short = runtime < SHORT_FORM_S
    credits = credits_from(title)
    left = runtime - begin_s
    drift = begin_s + left * np.clip(rng.beta(0.95, 1.4, n), 0.003, 0.97)
    spots, shares = minor_spots(title)
    spot = spots[rng.choice(len(spots), n, p=shares)] + rng.exponential(3 if short else 25, n)
    drift = np.where((rng.random(n) < 0.3) & (spot > begin_s), spot, drift)
    bounce = begin_s + 2 + rng.exponential(5 if short else 55, n)
    into_credits = rng.random(n)
    finish = np.where(
        into_credits < 0.55,
        credits + rng.exponential(1 if short else 14, n),
        np.where(into_credits < 0.8, rng.uniform(credits, runtime, n), runtime),
    )
    kind = rng.random(n)
    finishes = 0.88 * title.finish + (BOUNCES - bounces if bounces < BOUNCES else 0)
    end = np.where(kind < bounces, bounce, drift)
    end = np.where((kind >= bounces) & (kind < bounces + finishes), finish, end)
    if title.lull is not None:
        low, high = title.lull[0] * 60, title.lull[1] * 60
        bored = (kind >= 0.93) & (begin_s < low)
        end = np.where(bored, rng.triangular(low, low + (high - low) / 3, high, n), end)
    return np.clip(end, np.minimum(begin_s + 1.5, runtime), runtime)


def _jumps(
    title: SampleTitle, begin_s: Floats, end_s: Floats, rng: np.random.Generator
) -> tuple[Ints, Floats, Floats]:
    """All jumps as (session, from position, to position), those that fit, in order."""
    found = [_seeks_back(title, begin_s, end_s, rng), *_skips(title, begin_s, end_s, rng)]
    at = np.concatenate([f[0] for f in found])
    where = np.concatenate([f[1] for f in found])
    to = np.concatenate([f[2] for f in found])
    fits = (where > begin_s[at] + 2) & (where < end_s[at] - 1) & (to < end_s[at] - 2) & (to >= 0)
    at, where, to = at[fits], where[fits], to[fits]
    order = np.lexsort((where, at))
    at, where, to = at[order], where[order], to[order]
    while len(at):
        # A jump must be reached after the one before it: past where that left and landed.
        same = np.r_[False, at[1:] == at[:-1]]
        reached = np.r_[0.0, np.maximum(where[:-1], to[:-1]) + 2]
        fits = ~same | (where >= reached)
        if fits.all():
            break
        at, where, to = at[fits], where[fits], to[fits]
    return at, where, to


def _seeks_back(
    title: SampleTitle, begin_s: Floats, end_s: Floats, rng: np.random.Generator
) -> tuple[Ints, Floats, Floats]:
    """Seek-backs, most of them to a scene just seen, the others to what was missed."""
    short = title.runtime_s < SHORT_FORM_S
    long_enough = end_s - begin_s > (15 if short else 120)
    # Bounces cannot seek, so those who stay do it the more often: SEEKS_BACK is of all.
    staying = max(0.2, float(long_enough.mean()) if len(end_s) else 1.0)
    keen = long_enough & (rng.random(len(end_s)) < SEEKS_BACK / staying)
    at = np.repeat(np.flatnonzero(keen), 1 + rng.poisson(0.55, int(keen.sum())))
    n = len(at)
    span = end_s[at] - begin_s[at]
    where = begin_s[at] + span * rng.uniform(0.1, 0.99, n)
    spots, shares = minor_spots(title)
    spot = spots[rng.choice(len(spots), n, p=shares)] + rng.exponential(2 if short else 8, n)
    near = (rng.random(n) < 0.5) & (spot > begin_s[at] + 5) & (spot < end_s[at] - 2)
    where = np.where(near, spot, where)
    to = where - (3 + rng.exponential(4 if short else 18, n))
    if title.scenes:
        weights = np.array([s.weight for s in title.scenes])
        scene = rng.choice(len(title.scenes), n, p=weights / weights.sum())
        starts = np.array([s.minute * 60 for s in title.scenes])[scene]
        lengths = np.array([float(s.seconds) for s in title.scenes])[scene]
        leave = starts + lengths * rng.normal(1.0, 0.12, n) + rng.exponential(2 if short else 9, n)
        back = starts + rng.normal(-2, 4 if not short else 1, n) + rng.exponential(4, n)
        hot = (rng.random(n) < 0.72) & (leave < end_s[at] - 1) & (back > begin_s[at])
        hot &= back < leave - 3
        where, to = np.where(hot, leave, where), np.where(hot, back, to)
    to = np.maximum(to, begin_s[at])
    return at.astype(np.int64), where, np.minimum(to, where - 2)


def _skips(
    title: SampleTitle, begin_s: Floats, end_s: Floats, rng: np.random.Generator
) -> list[tuple[Ints, Floats, Floats]]:
    """Skips ahead: the opening titles by their button, the lull, and anything anywhere."""
    n = len(begin_s)
    if title.runtime_s < SHORT_FORM_S:
        return []
    found = []
    if title.opening is not None:
        opens, closes = title.opening
        at = np.flatnonzero((begin_s < opens + 1) & (rng.random(n) < 0.58))
        where = opens + 2.1 + rng.exponential(4, len(at))
        exact = rng.random(len(at)) < 0.75
        to = np.where(exact, closes, closes + rng.normal(0, 5, len(at)))
        found.append((at, where, to))
    if title.lull is not None:
        low, high = title.lull[0] * 60, title.lull[1] * 60
        at = np.flatnonzero((begin_s < low) & (end_s > high) & (rng.random(n) < 0.09))
        where = low + rng.exponential(30, len(at))
        to = where + rng.uniform(0.4, 1.0, len(at)) * (high - low)
        found.append((at, where, to))
    at = np.flatnonzero(rng.random(n) < 0.16)
    where = begin_s[at] + (end_s - begin_s)[at] * rng.uniform(0.03, 0.95, len(at))
    found.append((at, where, where + 10 * np.ceil(rng.exponential(3.5, len(at)))))
    return [(a.astype(np.int64), w, t) for a, w, t in found]


def _stretches(
    begin_s: Floats, end_s: Floats, at: Ints, where: Floats, to: Floats
) -> tuple[Ints, Ints, Ints]:
    """(session, from_s, to_s) in whole seconds, in the order played, none empty."""
    n = len(begin_s)
    session = np.concatenate([np.arange(n), at])
    from_s = np.concatenate([begin_s, to])
    order = np.lexsort((np.concatenate([np.zeros(n), where]), session))
    session, from_s = session[order], from_s[order]
    to_s = np.concatenate([where, end_s])
    order = np.lexsort(
        (np.concatenate([where, np.full(n, np.inf)]), np.concatenate([at, np.arange(n)]))
    )
    to_s = to_s[order]
    whole_from = np.floor(from_s).astype(np.int64)
    whole_to = np.maximum(np.floor(to_s).astype(np.int64), whole_from + 1)
    return session.astype(np.int64), whole_from, whole_to
