"""Typical: the median curve of like titles, computed at publish and stored as a fact of a title.

Like titles are of the same kind, share a genre and fall in the same band of runtime. Their curves
are those that stand published over the 28 days to the end of a settled week, stretched to 200
points. Five partners must stand behind them, none dominant (fansets.none_dominant); the title
itself is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from engagement.pipeline import sketches
from engagement.pipeline.fansets import none_dominant
from engagement.pipeline.holders import Holders
from engagement.pipeline.publish import begin, finish, locked
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
    """The shapes of one run, each unpacked once."""

    known: dict[tuple[int, Window, str], Shape | None] = field(default_factory=dict)

    def of(self, title: Title, window: Window, territory: str) -> Shape | None:
        key = title.pk, window, territory
        if key not in self.known:
            self.known[key] = _shape(title, window, territory)
        return self.known[key]


def _shape(title: Title, window: Window, territory: str) -> Shape | None:
    """None where nothing of the title stands published in the window."""
    where = {
        "title": title,
        "territory": territory,
        "from_day__gte": window.since,
        "until__lte": window.until,
    }
    plays, sessions, played = 0, np.zeros(POINTS), np.zeros(POINTS)
    for fact in RetentionFact.objects.filter(**where):
        plays += fact.plays
        sessions += stretched(curves.unpack(fact.curves)[0], title.runtime_s)
    for again in RewatchFact.objects.filter(**where):
        played += stretched(curves.unpack(again.curves)[0], title.runtime_s)
    if not plays:
        return None
    packed = ViewerSketch.objects.filter(**where).values_list("viewers", flat=True)
    viewers = sketches.union(map(sketches.from_bytes, packed)).count()
    return Shape(sessions / plays, played / plays, viewers)


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


def due(title: Title, settled_until: date) -> list[Window]:
    """The settled weeks in which something of the title stands published, and nothing typical."""
    days = PublishedPiece.objects.filter(title=title).values_list("from_day", "until")
    weeks = set()
    for since, until in days:
        monday = since - timedelta(days=since.weekday())
        while monday < until:
            weeks.add(monday)
            monday += _WEEK
    done = set(TypicalFact.objects.filter(title=title).values_list("from_day", flat=True))
    return [
        Window(monday, monday + _WEEK)
        for monday in sorted(weeks - done)
        if monday + _WEEK <= settled_until
    ]


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
    title: Title,
    holders: Holders,
    shapes: Shapes,
    settled_until: date,
    *,
    ingest: Ingest | None = None,
) -> list[Release]:
    """Store what is typical of the title's weeks that have none yet."""
    if title.kind == Title.Kind.SERIES or not title.runtime_s:
        return []
    with acting_as(PUBLISH):
        windows = due(title, settled_until)
        others = like(title) if windows else []
    done = []
    for window in windows:
        with acting_as(PUBLISH):
            facts = list(_facts(title, window, others, holders, shapes))
        (release,) = begin(title, Release.Kind.TYPICAL, [(window.since, str(window))], ingest)
        with locked(title):
            TypicalFact.objects.filter(title=title, from_day=window.since).delete()
            for fact in facts:
                fact.release = release
            TypicalFact.objects.bulk_create(facts)
            release.rows = len(facts)
            finish([release], [[]])
            Release.objects.filter(pk=release.pk).update(until=window.until)
        done.append(release)
    return done


def _facts(
    title: Title, window: Window, others: list[Title], holders: Holders, shapes: Shapes
) -> Iterator[TypicalFact]:
    trailing = Window(window.until - TRAILING, window.until)
    territories = PublishedPiece.objects.filter(
        title=title, from_day__lt=window.until, until__gt=window.since
    ).values_list("territory", flat=True)
    for territory in sorted(set(territories)):
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
