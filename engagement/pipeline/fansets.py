"""Whose fans a title's viewers are: who is in a fan set, and whom its rows may be made for.

Pure: viewers as sorted hashes in, plain numbers out. Noise is noise.py's, rows and periods are
publish_fanbases.py's business. A title never makes fans of itself: in its own rows a fan set
counts by its other titles alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engagement.pipeline.holders import Holders
from engagement.scope import Window

Viewers = NDArray[np.uint64]
"""Distinct keyed hashes, sorted."""

MOST_SETS = 20
"""A viewer counts once in each of at most so many sets of a title: the sensitivity of a draw."""

LEAST_PARTNERS = 5
MOST_OF_ONE = 0.5
MOST_OF_TWO = 0.8

OWN, CONSENTED, POOLED = "own", "consented", "pooled"


@dataclass(frozen=True)
class Rule:
    """One version of a fan set: who finished (or, of a tag, watched) any of `titles`.

    It counts what was watched from `since` on, and makes rows of periods that end before
    `until`.
    """

    version_id: int
    slug: str
    finished: bool
    titles: frozenset[int]
    since: date
    until: date | None = None

    def holds(self, window: Window) -> bool:
        return self.since < window.until and (self.until is None or window.until <= self.until)


@dataclass(frozen=True)
class Fans:
    """A fan set's viewers by title: what is needed to leave a title out."""

    by_title: Mapping[int, Viewers]

    @cached_property
    def everyone(self) -> Viewers:
        return _together(self.by_title.values())

    def without(self, titles: Iterable[int]) -> Viewers:
        left = set(titles) & set(self.by_title)
        if not left:
            return self.everyone
        return _together(v for title, v in self.by_title.items() if title not in left)


def _together(parts: Iterable[Viewers]) -> Viewers:
    kept = list(parts)
    return np.unique(np.concatenate(kept)) if kept else np.zeros(0, np.uint64)


def in_common(fans: Viewers, viewers: Viewers) -> int:
    return len(np.intersect1d(fans, viewers, assume_unique=True))


def none_dominant(viewers: Mapping[UUID, int]) -> bool:
    """Five partners, none above half of what they pool, no two above 80 %."""
    pooled = sum(viewers.values())
    most = sorted(viewers.values(), reverse=True)
    return (
        len([v for v in most if v]) >= LEAST_PARTNERS
        and most[0] <= MOST_OF_ONE * pooled
        and most[0] + most[1] <= MOST_OF_TWO * pooled
    )


def made_for(
    title_ids: Iterable[int], fans: Fans, holders: Holders, window: Window
) -> dict[UUID | None, str]:
    """Who reads a title's row of a fan set, and on what ground. None: everyone granted the title.

    `title_ids` are the title, or a series and its children. A partner of the title reads it where
    all other titles of the set are its own, or by consents given to it by everyone who holds them;
    everyone does where the set pools five partners' titles, none dominant. Empty: no row is made.
    """
    own = set(title_ids)
    others = {t for t in fans.by_title if t not in own}
    if not others:
        return {}
    found: dict[UUID | None, str] = {}
    holding = {t: holders.partners(t, window) for t in others}
    for partner in frozenset().union(*(holders.partners(t, window) for t in own)):
        foreign = {t for t in others if partner not in holding[t]}
        if not foreign:
            found[partner] = OWN
        elif all(_is_consented(holding[t], holders, t, partner, window) for t in foreign):
            found[partner] = CONSENTED
    if none_dominant(_pooled(fans, holding)):
        found[None] = POOLED
    return found


def _is_consented(
    holding: frozenset[UUID], holders: Holders, title: int, given_to: UUID, window: Window
) -> bool:
    """Whether all who hold the title let it be counted over the whole window.

    A consent of one who holds it no more says nothing for who holds it now.
    """
    givers = {
        c.partner_id
        for c in holders.consented
        if (c.title_id, c.given_to) == (title, given_to)
        and c.since <= window.since
        and (c.until is None or window.until <= c.until)
    }
    return bool(holding) and holding <= givers


def _pooled(fans: Fans, holding: Mapping[int, frozenset[UUID]]) -> dict[UUID, int]:
    """The distinct viewers that each partner brings; a co-production counts for each of them."""
    titles: dict[UUID, list[Viewers]] = {}
    for title, partners in holding.items():
        for partner in partners:
            titles.setdefault(partner, []).append(fans.by_title[title])
    return {p: len(np.unique(np.concatenate(parts))) for p, parts in titles.items()}


# --- what a noised count says ---------------------------------------------------------------


@dataclass(frozen=True)
class Between:
    """A number and what it lies between."""

    value: float
    low: float
    high: float


@cache
def half_width(scale: float, draws: int, error: float) -> int:
    """How far the sum of `draws` two-sided geometric draws lies from 0, but for `error`.

    The distribution is (1-a)/(1+a) a^|k| with a = exp(-1/scale) (Ghosh, Roughgarden and
    Sundararajan 2012); the sum's is its convolution. Returns the least q with
    P(|sum| > q) <= error.
    """
    a = math.exp(-1 / scale)
    reach = math.ceil(scale * (math.log(draws) + 25))
    one = (1 - a) / (1 + a) * a ** np.abs(np.arange(-reach, reach + 1))
    size = draws * 2 * reach + 1
    spectrum = np.fft.rfft(one, size) ** draws
    mass = np.clip(np.fft.irfft(spectrum, size), 0, None)
    middle = draws * reach
    outside = 1 - mass[middle]
    q = 0
    while outside > error:
        q += 1
        outside -= mass[middle - q] + mass[middle + q]
    return q


def noised(count: int, scale: float, draws: int, error: float) -> Between:
    """The count as published (never below 0) and its interval."""
    width = half_width(scale, draws, error)
    return Between(max(count, 0), max(count - width, 0), max(count + width, 0))


def lift(common: Between, viewers: Between, fans: Between, platform: Between) -> Between | None:
    """(common / viewers) / (fans / platform): how much likelier than on the whole platform.

    The four intervals hold their numbers at 98.75 % each, so that this one holds at 95 %
    (Bonferroni). None where a lower bound is 0 and nothing can be divided by it.
    """
    if not (viewers.low > 0 and fans.low > 0 and platform.low > 0):
        return None
    return Between(
        common.value / viewers.value / (fans.value / platform.value),
        common.low / viewers.high / (fans.high / platform.low),
        common.high / viewers.low / (fans.low / platform.high),
    )


ERROR_OF_ONE = 0.05 / 4
"""What each of the four numbers behind a lift may err, so that together they err at 5 %."""
