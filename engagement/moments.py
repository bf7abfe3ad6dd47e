"""The moments of a title that stand out, found in its published curves by stated rules.

Pure functions over counts per content second; docs/numbers.md states the same rules in words.
Which families a moment is computed from, and so who may read it, is families/moments.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]

OPENING_S = 30
ENDING_SHARE = 0.9
"""Where a title is completed: from there on leaving is no loss."""

LEAST_SESSIONS = 50
"""Seconds that fewer played say nothing."""

MOST = 5
"""So many moments of a kind at most, the strongest."""

SURE = 5.0
"""How many standard deviations above the usual a count must stand, by its Poisson deviance,
which holds for small counts too. Of titles in which nothing happens next to none has a moment."""

ENOUGH = 100
WIDEST_S = 15
"""Rates are smoothed over the seconds that hold ENOUGH events at the usual rate, at most so
many: a title with many plays is told to the second, one with few is not read into noise."""

APART_S = 15
"""Two moments of a kind are parted by so much, and each is the highest point within it."""

AROUND_S = 300
"""What is usual for leaving is the median of the five minutes before and after."""

LEAST_STOPS = 5
STOP_SHARE = 0.01  # of those then watching, more than usual
STOP_TIMES = 2.0  # the usual
REWATCH_SHARE = 0.02
REWATCH_TIMES = 1.05
LEAST_COMMENTS = 10
COMMENT_TIMES = 2.0
STEADY_S = 60
STEADY_RATE = 0.5  # of the usual rate of leaving
STEADY_STEP_S = 5  # its ends are told to so many seconds


@dataclass(frozen=True)
class Moment:
    """A stretch [from_second, to_second) of content that stands out, and by how much."""

    kind: str
    from_second: int
    to_second: int
    score: float


def opening(sessions: Counts) -> list[Moment]:
    """How many are still there at 30 s: sessions of second 30, of the most that any second
    before it had. (Sessions that resume further on have seen no opening.)
    """
    if len(sessions) <= OPENING_S or sessions[: OPENING_S + 1].max() < LEAST_SESSIONS:
        return []
    share = sessions[OPENING_S] / sessions[: OPENING_S + 1].max()
    return [Moment("opening", 0, OPENING_S, round(float(share), 4))]


def strongest_stops(sessions: Counts, stops: Counts) -> list[Moment]:
    """Where more leave than around it, between the opening and the end. The score is the share
    of those then watching who left beyond the usual.
    """
    until = int(len(sessions) * ENDING_SHARE)
    rates = _Rates(stops, sessions, OPENING_S, until, LEAST_STOPS)
    if not rates.any:
        return []
    usual = _rolling_median(rates.rate, rates.valid, AROUND_S)
    found = rates.peaks(usual, usual * STOP_TIMES, STOP_SHARE)
    return [Moment("stop", p.since, p.until, round(p.excess, 4)) for p in found]


def strongest_rewatches(
    sessions: Counts, rewatches: Counts, opening_s: int = OPENING_S
) -> list[Moment]:
    """Where more go back than usual, of those then watching; everybody starts at the opening,
    so it is left out. The score is rewatches per session, above the title's median.
    """
    rates = _Rates(rewatches, sessions, opening_s, len(sessions), ENOUGH // 10)
    if not rates.any:
        return []
    usual = np.full(len(sessions), np.median(rates.rate[rates.valid]))
    found = rates.peaks(usual, usual * REWATCH_TIMES, REWATCH_SHARE, each=True, runs=True)
    return [Moment("rewatch", p.since, p.until, round(p.excess, 4)) for p in found]


def danmu_peaks(sessions: Counts, comments: Counts) -> list[Moment]:
    """Where those then watching write more than usual. The score is how many times the usual."""
    rates = _Rates(comments, sessions, 0, min(len(sessions), len(comments)), LEAST_COMMENTS)
    if not rates.any:
        return []
    written, watched = rates.events[rates.valid].sum(), rates.base[rates.valid].sum()
    usual = np.full(len(rates.rate), written / watched)
    found = rates.peaks(usual, usual * COMMENT_TIMES, 0.0, each=True)
    return [
        Moment("danmu_peak", p.since, p.until, round(1 + p.excess / float(usual[0]), 2))
        for p in found
    ]


def steady_stretches(sessions: Counts, stops: Counts) -> list[Moment]:
    """Stretches of a minute or more in which people leave at most half as fast as in the whole
    title between the opening and the end. The score is by how much slower, 1 where nobody left.
    """
    until = int(len(sessions) * ENDING_SHARE)
    here = sessions[OPENING_S:until].astype(float)
    left = stops[OPENING_S:until].astype(float)
    if not len(here) or here.min() < LEAST_SESSIONS or not left.sum():
        return []
    usual = left.sum() / here.sum()
    found = []
    steps = np.arange(0, len(here), STEADY_STEP_S)
    kept = np.add.reduceat(usual * STEADY_RATE * here - left, steps)
    for first, last in _highest_sums(kept):
        since, to = first * STEADY_STEP_S, min(last * STEADY_STEP_S, len(here))
        expected, gone = usual * here[since:to].sum(), left[since:to].sum()
        if to - since >= STEADY_S and _surprise(gone, expected) >= SURE:
            score = round(float(1 - gone / expected), 4)
            found.append(Moment("steady", OPENING_S + since, OPENING_S + to, score))
    longest = sorted(found, key=lambda m: m.from_second - m.to_second)[:MOST]
    return sorted(longest, key=lambda m: -m.score)


@dataclass(frozen=True)
class _Peak:
    since: int
    until: int
    excess: float


class _Rates:
    """Events per session, second by second, over as many seconds as it takes to tell."""

    def __init__(
        self, events: Counts, base: Counts, since: int, until: int, least_events: int
    ) -> None:
        self.events, self.base = events[:until].astype(float), base[:until].astype(float)
        self.valid = self.base >= LEAST_SESSIONS
        self.valid[: min(since, until)] = False
        self.any = bool(self.valid.any())
        self.least_events = least_events
        if self.any:
            usual = max(self.events[self.valid].mean(), 1e-9)
            self.window = int(np.clip(np.ceil(ENOUGH / usual), 1, WIDEST_S)) | 1
            self.near = self._summed(self.events)
            self.people = self._summed(self.base)
            self.rate = np.divide(
                self.near, self.people, out=np.zeros_like(self.near), where=self.people > 0
            )

    def _summed(self, values: Rates) -> Rates:
        """The sum over the window around each second, of the seconds that count."""
        sums = np.cumsum(np.r_[0.0, np.where(self.valid, values, 0.0)])
        at, half = np.arange(len(values)), self.window // 2
        low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
        return np.asarray(sums[high] - sums[low])

    def _most(self, values: Rates) -> Rates:
        """The greatest value in the window around each second."""
        half = self.window // 2
        near = np.lib.stride_tricks.sliding_window_view(
            np.pad(values, half, mode="edge"), 2 * half + 1
        )
        return np.asarray(near.max(axis=1))

    def peaks(
        self,
        usual: Rates,
        least: Rates,
        share: float,
        *,
        each: bool = False,
        runs: bool = False,
    ) -> list[_Peak]:
        """The highest points that stand out, each widened to where half its excess is left.

        `least` is the rate that they must reach, `share` the excess: of the window's events per
        session, or with `each` of a second's. With `runs` one act makes events of many seconds
        on end, and the seconds of a window are no more evidence than one of them.
        """
        # against the most that watched in the window: who left is not among those after it
        seconds = self.people / np.maximum(self._most(self.base), 1.0)
        excess = (self.rate - usual) * (1.0 if each else seconds)
        mean = self.events[self.valid].sum() / self.base[self.valid].sum()
        expected = np.maximum(usual, mean / 2) * self.people
        shared = self.window if runs else 1
        stands_out = (
            self.valid
            & (self.near >= self.least_events)
            & (self.rate > usual)
            & (_surprise(self.near / shared, expected / shared) >= SURE)
            & (self.rate >= least)
            & (excess >= share)
        )
        found: list[_Peak] = []
        taken = np.zeros(len(self.rate), bool)
        for at in sorted(np.flatnonzero(stands_out).tolist(), key=lambda t: (-excess[t], t)):
            around = slice(max(0, at - APART_S), at + APART_S + 1)
            highest = excess[around][self.valid[around]].max()
            if taken[at] or excess[at] < highest:
                continue
            since, until = self._half_height(at, excess)
            taken[max(0, since - APART_S) : until + APART_S] = True
            found.append(_Peak(since, until, float(excess[at])))
            if len(found) == MOST:
                break
        return found

    def _half_height(self, at: int, excess: Rates) -> tuple[int, int]:
        above = self.valid & (excess >= excess[at] / 2)
        since = until = at
        while since > 0 and above[since - 1]:
            since -= 1
        while until < len(above) and above[until]:
            until += 1
        return since, until


def _surprise(count: Rates | float, expected: Rates | float) -> Rates:
    """How far a Poisson count lies from what was expected, in standard deviations: the root of
    its deviance (McCullagh and Nelder, Generalized Linear Models, 2.4).
    """
    counted, mean = np.asarray(count, float), np.maximum(expected, 1e-9)
    logs = np.log(np.maximum(counted, 1e-9) / mean)
    return np.asarray(np.sqrt(np.maximum(2 * (counted * logs - (counted - mean)), 0.0)))


def _rolling_median(values: Rates, valid: NDArray[np.bool_], around: int) -> Rates:
    """The median of the valid among `around` values before and after each, fewer at the ends.

    It changes slowly: every fifteenth is computed, from every fifth value, and stands for those
    after it.
    """
    step, every = 15, 5
    medians = []
    for at in range(0, len(values), step):
        near = slice(max(0, at - around), at + around + 1, every)
        counted = values[near][valid[near]]
        medians.append(float(np.median(counted)) if len(counted) else 0.0)
    return np.repeat(medians, step)[: len(values)]


def _highest_sums(values: Rates) -> Iterator[tuple[int, int]]:
    """All maximal stretches of positive sum, none of which can be made greater by growing or
    shrinking (Ruzzo and Tompa, ISMB 1999).
    """
    found: list[tuple[int, int, float, float]] = []  # since, until, sum before, sum after
    total = 0.0
    for at, value in enumerate(values.tolist()):
        if value > 0:
            since, before, after = at, total, total + value
            while found:
                lower = next(
                    (n for n in range(len(found) - 1, -1, -1) if found[n][2] < before), None
                )
                if lower is None or found[lower][3] >= after:
                    break
                since, before = found[lower][0], found[lower][2]
                del found[lower:]
            found.append((since, at + 1, before, after))
        total += value
    return ((since, until) for since, until, _, _ in found)
