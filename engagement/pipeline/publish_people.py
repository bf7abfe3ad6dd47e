"""Demographics and geography of a title's settled weeks: noised once, merged, published.

What is drawn is kept (NoisedTable); every published row is a function of it. Whether weeks wait
is decided on viewers that `viewing` publishes anyway, never on cells. docs/privacy.md says what
this promises.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import pyarrow as pa
from django.conf import settings
from django.db.models import Max, Min, Model, QuerySet, Sum

from engagement.models import (
    DayPartial,
    Ingest,
    NoisedTable,
    Release,
    Title,
)
from engagement.pipeline import people, sketches, weeks
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.episodes import episodes
from engagement.pipeline.holders import Holders
from engagement.pipeline.people_tables import (
    EPSILON,
    FAMILIES,
    Family,
    Noised,
    kept,
    noise,
    published,
)
from engagement.pipeline.publish import swap
from engagement.pipeline.restate import restate
from engagement.pipeline.weeks import Watchers
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL, Window

MOST_DRAWS = 3
REDRAWN_AT = 0.01
"""A period is drawn again where its exact plays changed by more than this share."""

_WEEK = timedelta(days=7)


# --- whose, and when ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """A title, or a series and the children whose viewers are its viewers."""

    title: Title
    counted: tuple[Title, ...]

    @property
    def is_series(self) -> bool:
        return self.title.kind == Title.Kind.SERIES

    def rows(self, window: Window) -> pa.Table:
        days = [window.since + timedelta(days=n) for n in range(window.days)]
        return pa.concat_tables(
            [people.of(t, days, weeks.COLUMNS).drop_columns("day") for t in self.counted]
        ).unify_dictionaries()

    def watchers(self, window: Window) -> Watchers:
        finishers = None
        if self.is_series:
            finishers = people.viewers(self.counted[-1], window, finished=True)
        return weeks.watchers(self.rows(window), self.title.runtime_s, finishers)

    def days(self) -> tuple[date | None, date | None]:
        found = DayPartial.objects.filter(title__in=self.counted).aggregate(
            first=Min("day"), last=Max("day")
        )
        return found["first"], found["last"]

    def _whole_days(self, window: Window) -> QuerySet[DayPartial]:
        return DayPartial.objects.filter(
            title__in=self.counted, territory=ALL, device=ALL,
            day__gte=window.since, day__lt=window.until,
        )  # fmt: skip

    def viewers(self, window: Window) -> int:
        """As `viewing` publishes them: from sketches."""
        packed = self._whole_days(window).values_list("viewer_sketch", flat=True)
        return sketches.union(map(sketches.from_bytes, packed)).count()

    def plays(self, window: Window) -> int:
        return int(self._whole_days(window).aggregate(n=Sum("plays"))["n"] or 0)


def subjects() -> Iterator[Subject]:
    """Every title that has been watched, and every series of such; series come last."""
    watched = set(DayPartial.objects.order_by().values_list("title_id", flat=True).distinct())
    for title in Title.objects.filter(pk__in=watched).order_by("pk"):
        yield Subject(title, (title,))
    for title in Title.objects.filter(kind=Title.Kind.SERIES).order_by("pk"):
        children = tuple(t for t in episodes(title) if t.pk in watched)
        if children:
            yield Subject(title, children)


def due(subject: Subject, settled_until: date) -> list[Window]:
    """The settled weeks to publish, joined until `viewing` tells of enough viewers.

    Weeks run from Monday. One that waits joins the weeks after it; what is published stays, and
    weeks that come late between two periods join each other only.
    """
    first, last = subject.days()
    if first is None or last is None:
        return []
    published = _published(subject)
    found = []
    since = first - timedelta(days=first.weekday())
    until = since
    while until + _WEEK <= settled_until and until <= last:
        week = Window(until, until + _WEEK)
        until = week.until
        if any(p.common(week) for p in published):
            since = until
            continue
        window = Window(since, until)
        if subject.viewers(window) >= 2 * settings.FLOOR:
            found.append(window)
            since = until
    return found


def _published(subject: Subject) -> list[Window]:
    rows = Release.objects.filter(
        kind=Release.Kind.DEMOGRAPHICS, title=subject.title, state=Release.State.DONE
    ).values_list("day", "until")
    return [Window(since, until) for since, until in rows if since and until]


# --- drawing and publishing ----------------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """One family of one period, counted and noised, not stored yet."""

    window: Window
    number: int
    plays: int
    noised: Noised


def publish_people(
    subject: Subject, holders: Holders, settled_until: date, *, ingest: Ingest | None = None
) -> list[Release]:
    """Publish what has become due, and draw again what has changed enough."""
    with acting_as(PUBLISH):
        wanted = [(w, f, 1) for w in due(subject, settled_until) for f in FAMILIES]
        wanted += _again(subject)
    draws: dict[str, list[Draw]] = {family.name: [] for family in FAMILIES}
    bins = 2 if subject.is_series else weeks.BINS
    for window, of_window in groupby(wanted, key=lambda d: d[0]):
        with acting_as(PUBLISH):
            who = subject.watchers(window)
            plays = subject.plays(window)
        named = sorted(holders.territories(subject.title.pk, window))
        for _, family, number in of_window:
            noised = noise(family, who, named, bins=bins)
            draws[family.name].append(Draw(window, number, plays, noised))
    return [
        release
        for family in FAMILIES
        for release in _publish(subject, family, draws[family.name], ingest)
    ]


def _again(subject: Subject) -> Iterator[tuple[Window, Family, int]]:
    """What of the published periods to draw; of the others that changed, words keep the change.

    Each family is looked at by itself: a killed run may have drawn only the first.
    """
    for window in _published(subject):
        plays = subject.plays(window)
        for family in FAMILIES:
            tables = NoisedTable.objects.filter(
                title=subject.title,
                family=family.name,
                from_day=window.since,
                until=window.until,
            )
            last = tables.order_by("-draw").first()
            if last is None:
                yield window, family, 1
                continue
            change = plays - last.plays
            if abs(change) > REDRAWN_AT * last.plays and last.draw < MOST_DRAWS:
                yield window, family, last.draw + 1
            elif change != last.changed_plays:
                _say(subject, last, change)


def _say(subject: Subject, last: NoisedTable, change: int) -> None:
    """Keep that the plays of a period are others by now, and tell it in words.

    Of a series nothing is told: its rows are read by the children they count, and each of those
    tells its own.
    """
    same = NoisedTable.objects.filter(pk=last.pk, changed_plays=last.changed_plays)
    if not same.update(changed_plays=change) or subject.is_series:
        return  # another run has told it
    window = Window(last.from_day, last.until)
    release = Release.objects.get(
        kind=last.family, title=subject.title, day=window.since, state=Release.State.DONE
    )
    _restate(
        subject.title,
        last.family,
        "plays",
        {window: (last.plays + last.changed_plays, last.plays + change)},
        {window.since: release},
    )


def _restate(
    title: Title,
    family: str,
    metric: str,
    changes: Mapping[Window, tuple[int, int]],
    releases: Mapping[date, Release],
) -> None:
    """Old and new of periods, over all territories, which is what a period is drawn by."""
    before, after = (
        {(w.since, w.until, ALL): {metric: pair[n]} for w, pair in changes.items()} for n in (0, 1)
    )
    restate(title, family, before, after, releases)


def _publish(
    subject: Subject, family: Family, draws: Sequence[Draw], ingest: Ingest | None
) -> list[Release]:
    """Store a family's draws and what is published of them, all in one transaction."""
    if not draws:
        return []
    units = {subject.title: [(d.window.since, f"{d.window} draw {d.number}") for d in draws]}
    with swap(family.name, units, ingest=ingest) as releases:
        last, periods = _last_draws(subject.title, family), _published(subject)
        done = [
            (draw, release)
            for draw, release in zip(draws, releases, strict=True)
            if draw.number > last.get(draw.window, 0)
            # another run may have come to other periods, of more viewers: they must not overlap
            and not any(p != draw.window and p.common(draw.window) for p in periods)
        ]
        releases[:] = [release for _, release in done]
        if not subject.is_series:
            _restate(
                subject.title,
                family.name,
                "viewers",
                _drawn_again(subject.title, family, [draw for draw, _ in done]),
                {draw.window.since: release for draw, release in done},
            )
        copy_objects([_table(subject.title, family, draw) for draw, _ in done])
        family.model._default_manager.filter(
            title=subject.title, from_day__in=[draw.window.since for draw, _ in done]
        ).delete()
        facts: list[Model] = []
        for draw, release in done:
            rows = list(_facts(subject, family, draw, release))
            facts += rows
            release.rows, release.until = len(rows), draw.window.until
            release.epsilon = 2 * EPSILON
        copy_objects(facts)
    return releases


def _drawn_again(
    title: Title, family: Family, draws: Sequence[Draw]
) -> dict[Window, tuple[int, int]]:
    """Of periods that were drawn before, the noised viewers then and now, at the floor or more."""
    changes = {}
    for draw in draws:
        before = NoisedTable.objects.filter(
            title=title, family=family.name, from_day=draw.window.since, until=draw.window.until,
            draw=draw.number - 1,
        ).first()  # fmt: skip
        if before is None:
            continue
        totals = kept(before).total(), draw.noised.total()
        if min(totals) >= settings.FLOOR:
            changes[draw.window] = totals
    return changes


def _last_draws(title: Title, family: Family) -> dict[Window, int]:
    """The last draw of each period."""
    last = (
        NoisedTable.objects.filter(title=title, family=family.name)
        .values_list("from_day", "until")
        .annotate(last=Max("draw"))
    )
    return {Window(since, until): draw for since, until, draw in last}


def _table(title: Title, family: Family, draw: Draw) -> NoisedTable:
    return NoisedTable(
        title=title,
        family=family.name,
        from_day=draw.window.since,
        until=draw.window.until,
        draw=draw.number,
        plays=draw.plays,
        epsilon=2 * EPSILON,
        noised=zlib.compress(json.dumps(draw.noised.as_json(), sort_keys=True).encode()),
    )


def _facts(subject: Subject, family: Family, draw: Draw, release: Release) -> Iterator[Model]:
    for row in published(family, draw.noised, settings.FLOOR, subject.title.runtime_s):
        yield family.model(
            title=subject.title,
            from_day=draw.window.since,
            until=draw.window.until,
            release=release,
            counted=[t.pk for t in subject.counted] if subject.is_series else None,
            **row,
        )
