"""Typical: the median curve of like titles, computed at publish and stored as a fact of a title.

Like titles are of the same kind, share a genre and fall in the same band of runtime. Their curves
are those that stand published over the 28 days to the end of a settled week, stretched to 200
points. Five partners must stand behind them, none dominant (fansets.none_dominant); the title
itself is not among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engagement import curves
from engagement.families import TOO_FEW_PARTNERS
from engagement.families.typical import MILLIONTHS
from engagement.models import (
    Ingest,
    PublishedPiece,
    Release,
    RetentionFact,
    RewatchFact,
    Tag,
    Title,
    TypicalFact,
    ViewerSketch,
)
from engagement.models.facts import Fact
from engagement.pipeline import sketches
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.fansets import none_dominant
from engagement.pipeline.holders import Holders
from engagement.pipeline.publish import swap
from engagement.roles import PUBLISH, acting_as
from engagement.scope import Window

POINTS = 200
TRAILING = timedelta(days=28)
BANDS_S = (600, 1800, 3600, 6000)
"""Runtimes are alike under 10 minutes, to 30, to an hour, to 100 minutes, and beyond."""

_WEEK = timedelta(days=7)
Curve = NDArray[np.float64]


def band(runtime_s: int) -> int:
    return sum(runtime_s >= edge for edge in BANDS_S)


@dataclass(frozen=True)
class Shape:
    """One title's curves over some weeks in one territory, and by how many viewers."""

    retention: Curve
    watch_ratio: Curve
    viewers: int


@dataclass
class Shapes:
    """The shapes of one run: the titles' curves over the run's `windows`, each unpacked once."""

    windows: frozenset[Window]
    known: dict[int, dict[tuple[Window, str], Shape]] = field(default_factory=dict)

    def of(self, title: Title, window: Window, territory: str) -> Shape | None:
        """None where nothing of the title stands published in the window."""
        if title.pk not in self.known:
            self.known[title.pk] = _shapes(title, self.windows)
        return self.known[title.pk].get((window, territory))


@dataclass
class _Piece:
    """What one published piece adds to a shape."""

    window: Window
    plays: int = 0
    sessions: Curve = field(default_factory=lambda: np.zeros(POINTS))
    played: Curve = field(default_factory=lambda: np.zeros(POINTS))
    viewers: sketches.Viewers = sketches.NOBODY


def _shapes(title: Title, windows: frozenset[Window]) -> dict[tuple[Window, str], Shape]:
    found = {}
    for territory, pieces in _pieces(title, windows).items():
        for window in windows:
            inside = [p for p in pieces if window.holds(p.window)]
            plays = sum(p.plays for p in inside)
            if plays:
                found[window, territory] = Shape(
                    np.sum([p.sessions for p in inside], axis=0) / plays,
                    np.sum([p.played for p in inside], axis=0) / plays,
                    sketches.union(p.viewers for p in inside).count(),
                )
    return found


def _pieces(title: Title, windows: frozenset[Window]) -> dict[str, list[_Piece]]:
    """The title's pieces that may lie in one of the windows, by territory."""
    where = {
        "title": title,
        "from_day__gte": min(w.since for w in windows),
        "until__lte": max(w.until for w in windows),
    }
    found: dict[str, dict[Window, _Piece]] = defaultdict(dict)

    def piece(fact: Fact) -> _Piece:
        window = Window(fact.from_day, fact.until)
        return found[fact.territory].setdefault(window, _Piece(window))

    for fact in RetentionFact.objects.filter(**where):
        piece(fact).plays += fact.plays
        piece(fact).sessions += stretched(curves.unpack(fact.curves)[0], title.runtime_s)
    for again in RewatchFact.objects.filter(**where):
        piece(again).played += stretched(curves.unpack(again.curves)[0], title.runtime_s)
    for sketch in ViewerSketch.objects.filter(**where):
        piece(sketch).viewers = sketches.from_bytes(sketch.viewers)
    return {territory: list(of_window.values()) for territory, of_window in found.items()}


def stretched(curve: NDArray[np.int64], runtime_s: int) -> Curve:
    """The mean of a curve by 200ths of the runtime; what lies past the runtime is left out."""
    seconds = np.arange(min(len(curve), runtime_s))
    place = seconds * POINTS // runtime_s
    sums = np.bincount(place, curve[: len(seconds)], minlength=POINTS)
    counts = np.bincount(place, minlength=POINTS)
    # a title of under 200 s has points that no second falls in: they repeat the one before
    means = np.divide(sums, counts, out=np.zeros(POINTS), where=counts > 0)
    last = np.maximum.accumulate(np.where(counts > 0, np.arange(POINTS), 0))
    return np.asarray(means[last], np.float64)


Due = dict[Window, frozenset[str]]
"""Weeks, and the territories of which something stands published in each."""


def due(title: Title, settled_until: date) -> Due:
    """The settled weeks in which something of the title stands published, and nothing typical."""
    if title.kind == Title.Kind.SERIES or not title.runtime_s:
        return {}
    territories: dict[date, set[str]] = defaultdict(set)
    for territory, since, until in PublishedPiece.objects.filter(title=title).values_list(
        "territory", "from_day", "until"
    ):
        monday = since - timedelta(days=since.weekday())
        while monday < until:
            territories[monday].add(territory)
            monday += _WEEK
    return {
        Window(monday, monday + _WEEK): frozenset(territories[monday])
        for monday in sorted(territories.keys() - _published(title))
        if monday + _WEEK <= settled_until
    }


def _published(title: Title) -> set[date]:
    """The Mondays of the weeks that have something typical."""
    return set(TypicalFact.objects.filter(title=title).values_list("from_day", flat=True))


def like(title: Title) -> list[Title]:
    genres = title.tags.filter(kind=Tag.Kind.GENRE)
    found = (
        Title.objects.filter(kind=title.kind, tags__in=genres, runtime_s__gt=0)
        .exclude(pk=title.pk)
        .exclude(cut_of=title)
        .distinct()
        .order_by("pk")
    )
    return [t for t in found if band(t.runtime_s) == band(title.runtime_s)]


def publish_typical(
    titles: Sequence[Title],
    holders: Holders,
    settled_until: date,
    *,
    ingest: Ingest | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Release]:
    """Store what is typical of the titles' weeks that have none yet."""
    with acting_as(PUBLISH):
        found = ((title, due(title, settled_until)) for title in titles)
        wanted = [(title, weeks) for title, weeks in found if weeks]
    shapes = Shapes(frozenset(_trailing(week) for _, weeks in wanted for week in weeks))
    done: list[Release] = []
    for number, (title, weeks) in enumerate(wanted):
        progress(number, len(wanted))
        with acting_as(PUBLISH):
            others = like(title)
            facts = {
                week: list(_facts(title, week, territories, others, holders, shapes))
                for week, territories in weeks.items()
            }
        done += _publish(title, facts, ingest)
    progress(len(wanted), len(wanted))
    return done


def _publish(
    title: Title, facts: Mapping[Window, Sequence[TypicalFact]], ingest: Ingest | None
) -> list[Release]:
    units = {title: [(week.since, str(week)) for week in facts]}
    with swap(Release.Kind.TYPICAL, units, ingest=ingest) as releases:
        published = _published(title)  # by another run too, meanwhile
        done = [
            (week, release)
            for week, release in zip(facts, releases, strict=True)
            if week.since not in published
        ]
        releases[:] = [release for _, release in done]
        for week, release in done:
            for fact in facts[week]:
                fact.release = release
            release.rows, release.until = len(facts[week]), week.until
        copy_objects([fact for week, _ in done for fact in facts[week]])
    return releases


def _trailing(week: Window) -> Window:
    return Window(week.until - TRAILING, week.until)


def _facts(
    title: Title,
    window: Window,
    territories: Iterable[str],
    others: list[Title],
    holders: Holders,
    shapes: Shapes,
) -> Iterator[TypicalFact]:
    trailing = _trailing(window)
    for territory in sorted(territories):
        alike = {
            other: shape
            for other in others
            if (shape := shapes.of(other, trailing, territory)) is not None
        }
        partners = _by_partner(alike, holders, trailing)
        allowed = none_dominant(partners)
        for family, name in (("retention", "retention"), ("rewatch", "watch_ratio")):
            median = np.zeros((1, 0), np.int64)
            if allowed:
                stack = np.stack([getattr(shape, name) for shape in alike.values()])
                median = np.round(np.median(stack, axis=0) * MILLIONTHS).astype(np.int64)[None]
            yield TypicalFact(
                title=title,
                territory=territory,
                from_day=window.since,
                until=window.until,
                family=family,
                curves=curves.pack(median),
                like={"kind": title.kind, "band": band(title.runtime_s)},
                titles=len(alike) if allowed else 0,
                partners=len(partners) if allowed else 0,
                hidden_reason="" if allowed else TOO_FEW_PARTNERS,
            )


def _by_partner(alike: Mapping[Title, Shape], holders: Holders, window: Window) -> dict[UUID, int]:
    """The viewers that each partner's titles bring."""
    viewers: dict[UUID, int] = {}
    for title, shape in alike.items():
        for partner in holders.partners(title.pk, window):
            viewers[partner] = viewers.get(partner, 0) + shape.viewers
    return viewers
