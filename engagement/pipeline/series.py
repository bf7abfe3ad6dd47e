"""Across the episodes of a series: its own days, and who carried on from the episode before.

Both are counted from what stands published of the episodes, and told to be stale from what is
stored: a series' day names the Releases of its episodes and their order, an episode's
`carried_on` is emptied with its own day or with an earlier one of the episode before. Days of
closed months keep the numbers that they were settled with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from django.conf import settings
from django.db.models import Sum

from engagement.families import METRIC_VERSION
from engagement.models import Ingest, Release, Title, ViewerSketch, ViewingFact
from engagement.pipeline import people, sketches
from engagement.pipeline.episodes import episodes
from engagement.pipeline.publish import begin, finish, locked
from engagement.pipeline.restate import closed_days
from engagement.pipeline.sketches import Viewers
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL, Window

_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)


def all_series() -> list[Title]:
    return list(Title.objects.filter(kind=Title.Kind.SERIES).order_by("pk"))


# --- who carried on ------------------------------------------------------------------------------


def count_carried_on(series: Title) -> int:
    """Fill what is empty of the series' episodes; how many days were counted.

    The viewers of an episode's day who had played the one before on that day or earlier, from
    people rows: exact, by territory and over all. Days that the series' own numbers are not made
    of yet are counted again: another episode may have come to stand before.
    """
    with acting_as(PUBLISH):
        order = episodes(series)
        changed = {d.day: {t.pk for t in d.counted} for d in stale_days(series)}
        first = ViewingFact.objects.filter(title__in=order[:1]).exclude(carried_on=None)
        known = first.order_by().values_list("from_day", flat=True).distinct()
        first.exclude(from_day__in=closed_days(known)).update(carried_on=None)
    counted = 0
    for before, episode in pairwise(order):
        with acting_as(PUBLISH):
            empty = ViewingFact.objects.filter(title=episode, device=ALL, carried_on=None)
            days = {day for day, titles in changed.items() if episode.pk in titles}
            days.update(empty.values_list("from_day", flat=True))
            days -= closed_days(days)
        if days:
            _count_days(before, episode, sorted(days))
            counted += len(days)
    return counted


def _count_days(before: Title, episode: Title, days: Sequence[date]) -> None:
    with locked(episode):
        played = people.of(before, _days_until(before, days[-1]))
        viewer, day = played["viewer"].to_numpy(), played["day"].cast("int32").to_numpy()
        order = np.lexsort((day, viewer))
        known, first = np.unique(viewer[order], return_index=True)
        since = day[order][first]  # of each viewer the first day of the episode before
        for at in days:
            number = (at - _EPOCH).days
            already = known[since <= number]
            rows = people.of(episode, [at])
            here = rows["viewer"].to_numpy()
            carried = np.isin(here, already)
            territories = np.array(rows["territory"].to_pylist(), dtype=object)
            for fact in ViewingFact.objects.filter(title=episode, device=ALL, from_day=at):
                inside = (
                    carried if fact.territory == ALL else carried & (territories == fact.territory)
                )
                ViewingFact.objects.filter(pk=fact.pk).update(
                    carried_on=len(np.unique(here[inside]))
                )


def _days_until(title: Title, last: date) -> list[date]:
    days = Release.objects.filter(
        kind=Release.Kind.SEGMENTS, title=title, state=Release.State.DONE, day__lte=last
    ).values_list("day", flat=True)
    return [d for d in days if d is not None]


# --- a series' own days --------------------------------------------------------------------------


@dataclass(frozen=True)
class SeriesDay:
    """One day of a series that is not as its episodes' days are now."""

    day: date
    digest: str
    counted: tuple[Title, ...]


def _last(order: Sequence[Title]) -> Title | None:
    """The last episode, in the order of a series, that has numbers; later ones are to come."""
    published = set(
        Release.objects.filter(
            kind=Release.Kind.SEGMENTS, title__in=order, state=Release.State.DONE, rows__gt=0
        ).values_list("title_id", flat=True)
    )
    return next((t for t in reversed(order) if t.pk in published), None)


def stale_days(series: Title) -> list[SeriesDay]:
    """Days whose Release is missing or made of other Releases; days without episodes go.

    A day is another one too where other episodes stand before those it counts, or where one of
    them has become, or is no longer, the last.
    """
    order = episodes(series)
    last = _last(order)
    before = {after.pk: title.pk for title, after in pairwise(order)}
    wanted: dict[date, list[tuple[Title, str]]] = {}
    by_pk = {t.pk: t for t in order}
    for title, day, release in (
        Release.objects.filter(
            kind=Release.Kind.SEGMENTS, title__in=order, state=Release.State.DONE, rows__gt=0
        )
        .order_by("day", "title_id")
        .values_list("title_id", "day", "id")
    ):
        if day is not None:
            wanted.setdefault(day, []).append((by_pk[title], str(release)))
    known = dict(
        Release.objects.filter(
            kind=Release.Kind.SEGMENTS, title=series, state=Release.State.DONE
        ).values_list("day", "input_digest")
    )
    found = []
    for day in sorted({*wanted, *(d for d in known if d is not None)}):
        made_of = wanted.get(day, [])
        each = (f"{t.pk}:{r}:{before.get(t.pk, '')}:{t == last}" for t, r in made_of)
        text = "|".join([METRIC_VERSION, *each])
        digest = hashlib.sha256(text.encode()).hexdigest()
        if known.get(day) != digest:
            found.append(SeriesDay(day, digest, tuple(t for t, _ in made_of)))
    return found


def publish_series(
    series: Title, settled_until: date, *, ingest: Ingest | None = None
) -> list[Release]:
    """Swap the days of a series that are stale, and cut its settled days into sketches."""
    with acting_as(PUBLISH):
        days = stale_days(series)
        last = _last(episodes(series))
    if not days:
        return []
    releases = begin(series, Release.Kind.SEGMENTS, [(d.day, d.digest) for d in days], ingest)
    with locked(series):
        closed = closed_days(d.day for d in days)
        for day, release in zip(days, releases, strict=True):
            if day.day in closed:
                continue
            ViewingFact.objects.filter(title=series, from_day=day.day).delete()
            facts = list(_facts(series, day, last, release))
            ViewingFact.objects.bulk_create(facts)
            release.rows = len(facts)
        finish(releases, [[] for _ in releases])
        _cut(series, {d.day for d in days} - closed, settled_until)
    return releases


def _facts(
    series: Title, day: SeriesDay, last: Title | None, release: Release
) -> Iterator[ViewingFact]:
    """Plays, watch_seconds and completions are sums; viewers are distinct, finishers are those
    of the last published episode."""
    if not day.counted:
        return
    sums = {
        row["territory"]: row
        for row in ViewingFact.objects.filter(title__in=day.counted, device=ALL, from_day=day.day)
        .order_by()
        .values("territory")
        .annotate(p=Sum("plays"), w=Sum("watch_seconds"), c=Sum("completions"))
    }
    viewers, finishers = _who(day.counted, day.day, last)
    for territory, row in sorted(sums.items()):
        yield ViewingFact(
            title=series,
            territory=territory,
            device=ALL,
            from_day=day.day,
            until=day.day + _DAY,
            release=release,
            plays=row["p"],
            watch_seconds=row["w"],
            completions=row["c"],
            viewers=len(viewers.get(territory, ())),
            finishers=len(finishers.get(territory, ())),
            counted=[t.pk for t in day.counted],
        )


Hashes = np.ndarray


def _who(
    titles: Iterable[Title], day: date, last: Title | None
) -> tuple[dict[str, Hashes], dict[str, Hashes]]:
    """By territory and `*`: the distinct viewers of all titles, and who finished the last."""
    viewers: dict[str, list[Hashes]] = {}
    finishers: dict[str, list[Hashes]] = {}
    for title in titles:
        rows = people.of(title, [day])
        who = rows["viewer"].to_numpy()
        done = rows["completions"].to_numpy() > 0
        territory = np.array(rows["territory"].to_pylist(), dtype=object)
        for where in (ALL, *np.unique(territory)):
            inside = np.ones(len(who), bool) if where == ALL else territory == where
            viewers.setdefault(where, []).append(who[inside])
            if last is not None and title.pk == last.pk:
                finishers.setdefault(where, []).append(who[inside & done])
    return _distinct(viewers), _distinct(finishers)


def _distinct(parts: dict[str, list[Hashes]]) -> dict[str, Hashes]:
    return {where: np.unique(np.concatenate(each)) for where, each in parts.items()}


# --- its viewers over more than a day ------------------------------------------------------------


def _cut(series: Title, changed: set[date], settled_until: date) -> None:
    """Keep sketches of at least the floor of viewers: a day under it joins the days after it.

    A piece whose days changed is counted again; its days stay together.
    """
    last = _last(episodes(series))
    facts = ViewingFact.objects.filter(title=series, device=ALL, from_day__lt=settled_until)
    by_territory: dict[str, list[ViewingFact]] = {}
    for fact in facts.order_by("from_day"):
        by_territory.setdefault(fact.territory, []).append(fact)
    touched = [
        sketch.pk
        for sketch in ViewerSketch.objects.filter(title=series).only("from_day", "until")
        if any(sketch.from_day <= day < sketch.until for day in changed)
    ]
    ViewerSketch.objects.filter(pk__in=touched).delete()
    kept: dict[str, list[Window]] = {}
    for territory, since, until in ViewerSketch.objects.filter(title=series).values_list(
        "territory", "from_day", "until"
    ):
        kept.setdefault(territory, []).append(Window(since, until))
    rows = []
    for territory, days in by_territory.items():
        waiting: list[ViewingFact] = []
        together: Viewers = sketches.NOBODY
        done: Viewers = sketches.NOBODY
        for fact in days:
            if any(w.since <= fact.from_day < w.until for w in kept.get(territory, [])):
                waiting, together, done = [], sketches.NOBODY, sketches.NOBODY
                continue
            titles = Title.objects.filter(pk__in=fact.counted or [])
            viewers, finishers = _who(titles, fact.from_day, last)
            waiting.append(fact)
            none = np.zeros(0, np.uint64)
            together = sketches.union([together, sketches.smallest(viewers.get(territory, none))])
            done = sketches.union([done, sketches.smallest(finishers.get(territory, none))])
            if together.at_least() >= settings.FLOOR:
                rows.append(
                    ViewerSketch(
                        title=series,
                        territory=territory,
                        from_day=waiting[0].from_day,
                        until=fact.until,
                        release=fact.release,
                        viewers=sketches.to_bytes(together),
                        finishers=sketches.to_bytes(done),
                        counted=sorted({pk for f in waiting for pk in f.counted or []}),
                    )
                )
                waiting, together, done = [], sketches.NOBODY, sketches.NOBODY
    ViewerSketch.objects.bulk_create(rows)
