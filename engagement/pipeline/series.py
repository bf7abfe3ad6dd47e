"""Across the episodes of a series: its own days, and who carried on from the episode before.

Both are counted from what stands published of the episodes, and told to be stale from what is
stored: a series' day names the Releases of its episodes and their order, an episode's
`carried_on` is emptied with its own day or with an earlier one of the episode before. Days of
closed months keep the numbers that they were settled with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.db import connection

from engagement.families import METRIC_VERSION
from engagement.models import Ingest, Release, Title, ViewerSketch, ViewingFact
from engagement.pipeline import people_days, sketches
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.episodes import episodes
from engagement.pipeline.people_days import TitleDay
from engagement.pipeline.publish import locked, swap
from engagement.pipeline.restate import closed_days
from engagement.pipeline.sketches import Viewers
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL, Window

_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)

Hashes = np.ndarray


def all_series() -> list[Title]:
    return list(Title.objects.filter(kind=Title.Kind.SERIES).order_by("pk"))


# --- who carried on ------------------------------------------------------------------------------


def followers(series: Title) -> list[Title]:
    """The episodes that have one before them."""
    return episodes(series)[1:]


def uncounted(episode: Title) -> set[date]:
    """The days of an episode on which nobody has counted yet who carried on to it."""
    empty = ViewingFact.objects.filter(title=episode, device=ALL, carried_on=None)
    return set(empty.values_list("from_day", flat=True))


def count_carried_on(series: Title) -> int:
    """Fill what is empty of the series' episodes; how many days were counted.

    The viewers of an episode's day who had played the one before on that day or earlier, from
    people rows: exact, by territory and over all. Days that the series' own numbers are not made
    of yet are counted again: another episode may have come to stand before.
    """
    with acting_as(PUBLISH):
        order = episodes(series)
        changed = {d.day: {t.pk for t in d.counted} for d in stale_days(series)}
    if order:
        _empty(order[0])
    counted = 0
    for before, episode in pairwise(order):
        again = {day for day, titles in changed.items() if episode.pk in titles}
        with acting_as(PUBLISH):
            wanted = again | uncounted(episode)
            wanted -= closed_days(wanted)
        if wanted:
            counted += _count_days(before, episode, again)
    return counted


def _empty(first: Title) -> None:
    """Of the first episode nobody carries on, whatever stood before it once."""
    filled = ViewingFact.objects.filter(title=first).exclude(carried_on=None)
    with acting_as(PUBLISH):
        if not filled.exists():
            return
    with locked(first):
        days = set(filled.order_by().values_list("from_day", flat=True).distinct())
        filled.filter(from_day__in=days - closed_days(days)).update(carried_on=None)


_WRITE_CARRIED_ON = """
    UPDATE engagement_viewingfact AS fact SET carried_on = counted.carried_on
    FROM unnest(%s::bigint[], %s::bigint[]) AS counted(id, carried_on)
    WHERE fact.id = counted.id
"""


def _count_days(before: Title, episode: Title, again: Collection[date]) -> int:
    """Count the days of `again` and those that are empty; how many. Which of them lie in a closed
    month is asked on the lock: one may have been closed since they were looked up.
    """
    with locked(episode):
        wanted = {*again, *uncounted(episode)}
        days = sorted(wanted - closed_days(wanted))
        if not days:
            return 0
        known, since = _first_days(before, days[-1])
        cells: dict[date, dict[str, int]] = {}
        for at in people_days.published(titles=[episode.pk], days=days):
            rows = at.rows(("viewer", "territory"))
            carried = np.isin(rows["viewer"].to_numpy(), known[since <= (at.day - _EPOCH).days])
            cells[at.day] = {
                territory: len(viewers)
                for territory, viewers in _by_territory(rows.filter(pa.array(carried))).items()
            }
        facts = list(
            ViewingFact.objects.filter(title=episode, device=ALL, from_day__in=days).values_list(
                "pk", "from_day", "territory"
            )
        )
        with connection.cursor() as cursor:
            cursor.execute(
                _WRITE_CARRIED_ON,
                [
                    [pk for pk, _, _ in facts],
                    [cells.get(day, {}).get(territory, 0) for _, day, territory in facts],
                ],
            )
    return len(days)


def _first_days(title: Title, last: date) -> tuple[Hashes, np.ndarray]:
    """(the title's viewers, sorted; of each the first day, since 1970), up to the day `last`."""
    viewers, days = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
    for at in people_days.published(titles=[title.pk], until=last + _DAY):
        viewers.append(at.rows(("viewer",))["viewer"].to_numpy())
        days.append(np.full(len(viewers[-1]), (at.day - _EPOCH).days, np.int32))
    # days are in their order, so the first row of a viewer is of the first day
    known, first = np.unique(np.concatenate(viewers), return_index=True)
    return known, np.concatenate(days)[first]


def _by_territory(rows: pa.Table) -> dict[str, Hashes]:
    """The distinct viewers of people rows, by territory and over all."""
    viewer = rows["viewer"].to_numpy()
    codes, words = people_days.words(rows, "territory")
    found = {ALL: np.unique(viewer)}
    for code in np.unique(codes).tolist():
        found[words[code]] = np.unique(viewer[codes == code])
    return found


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
    units = {series: [(d.day, d.digest) for d in days]}
    with swap(Release.Kind.SEGMENTS, units, ingest=ingest) as releases:
        closed = closed_days(d.day for d in days)
        swapped = [(d, r) for d, r in zip(days, releases, strict=True) if d.day not in closed]
        crowds = _crowds({d.day: {t.pk for t in d.counted} for d, _ in swapped}, last)
        sums = _sums([d for d, _ in swapped])
        ViewingFact.objects.filter(title=series, from_day__in=[d.day for d, _ in swapped]).delete()
        facts: list[ViewingFact] = []
        for day, release in swapped:
            here = crowds.get(day.day, {})
            of_day = [
                _fact(series, day, territory, its, here.get(territory, NOBODY), release)
                for territory, its in sorted(sums.get(day.day, {}).items())
            ]
            release.rows = len(of_day)
            facts += of_day
        copy_objects(facts)
        _cut(series, crowds, last, {d.day for d, _ in swapped}, settled_until)
    return releases


Sums = tuple[int, int, int]
"""plays, watch_seconds, completions"""


def _sums(days: Iterable[SeriesDay]) -> dict[date, dict[str, Sums]]:
    """What the counted episodes' published days add up to, by territory and `*`."""
    counted = {day.day: {t.pk for t in day.counted} for day in days}
    found: dict[date, dict[str, Sums]] = {}
    for title, day, territory, *numbers in ViewingFact.objects.filter(
        title__in=set().union(*counted.values()), device=ALL, from_day__in=counted
    ).values_list("title_id", "from_day", "territory", "plays", "watch_seconds", "completions"):
        if title in counted[day]:
            of_day = found.setdefault(day, {})
            before = of_day.get(territory, (0, 0, 0))
            plays, watched, completed = (a + b for a, b in zip(before, numbers, strict=True))
            of_day[territory] = plays, watched, completed
    return found


@dataclass(frozen=True)
class Crowd:
    """A series' distinct viewers of one day and territory, and the finishers of its last episode.

    How many they are, and their sketches.
    """

    viewers: int
    finishers: int
    viewer_sketch: Viewers
    finisher_sketch: Viewers


NOBODY = Crowd(0, 0, sketches.NOBODY, sketches.NOBODY)

Crowds = dict[date, dict[str, Crowd]]
"""By day, then by territory and `*`."""


def _fact(
    series: Title, day: SeriesDay, territory: str, sums: Sums, who: Crowd, release: Release
) -> ViewingFact:
    """Plays, watch_seconds and completions are sums; viewers are distinct, finishers are those
    of the last published episode."""
    plays, watch_seconds, completions = sums
    return ViewingFact(
        title=series,
        territory=territory,
        device=ALL,
        from_day=day.day,
        until=day.day + _DAY,
        release=release,
        plays=plays,
        watch_seconds=watch_seconds,
        completions=completions,
        viewers=who.viewers,
        finishers=who.finishers,
        counted=[t.pk for t in day.counted],
    )


def _crowds(counted: Mapping[date, Collection[int]], last: Title | None) -> Crowds:
    """Who watched the titles counted of each day: one day's people in memory at a time."""
    of_day: dict[date, list[TitleDay]] = {}
    for at in people_days.published(titles=set().union(*counted.values()), days=counted):
        if at.title_id in counted[at.day]:
            of_day.setdefault(at.day, []).append(at)
    return {day: _crowds_of_day(titles, last) for day, titles in of_day.items()}


def _crowds_of_day(titles: Iterable[TitleDay], last: Title | None) -> dict[str, Crowd]:
    viewers: dict[str, list[Hashes]] = {}
    finishers: dict[str, Hashes] = {}
    for at in titles:
        rows = at.rows(("viewer", "territory", "completions"))
        for territory, who in _by_territory(rows).items():
            viewers.setdefault(territory, []).append(who)
        if last is not None and at.title_id == last.pk:
            finishers = _by_territory(rows.filter(pc.greater(rows["completions"], 0)))
    nobody = np.zeros(0, np.uint64)
    found = {}
    for territory, parts in viewers.items():
        distinct = np.unique(np.concatenate(parts))
        finished = finishers.get(territory, nobody)
        found[territory] = Crowd(
            len(distinct), len(finished), sketches.smallest(distinct), sketches.smallest(finished)
        )
    return found


# --- its viewers over more than a day ------------------------------------------------------------


def _cut(
    series: Title, crowds: Crowds, last: Title | None, changed: set[date], settled_until: date
) -> None:
    """Keep sketches of at least the floor of viewers: a day under it joins the days after it.

    A piece whose days changed is counted again; its days stay together. `crowds` are those of
    the changed days; of other days that are cut with them they are counted here.
    """
    _forget_changed(series, changed)
    runs = _loose_runs(series, settled_until)
    others = {
        fact.from_day: fact.counted or []
        for run in runs
        for fact in run
        if fact.from_day not in changed
    }
    known = {**crowds, **_crowds(others, last)}
    copy_objects([piece for run in runs for piece in _joined(series, run, known)])


def _forget_changed(series: Title, changed: set[date]) -> None:
    touched = [
        sketch.pk
        for sketch in ViewerSketch.objects.filter(title=series).only("from_day", "until")
        if any(sketch.from_day <= day < sketch.until for day in changed)
    ]
    ViewerSketch.objects.filter(pk__in=touched).delete()


def _loose_runs(series: Title, settled_until: date) -> list[list[ViewingFact]]:
    """Settled days of one territory that are in no piece: those between two pieces together."""
    kept: dict[str, list[Window]] = {}
    for territory, since, until in ViewerSketch.objects.filter(title=series).values_list(
        "territory", "from_day", "until"
    ):
        kept.setdefault(territory, []).append(Window(since, until))
    facts = ViewingFact.objects.filter(title=series, device=ALL, from_day__lt=settled_until)
    runs: dict[str, list[list[ViewingFact]]] = {}
    for fact in facts.order_by("from_day"):
        of_territory = runs.setdefault(fact.territory, [[]])
        if any(w.since <= fact.from_day < w.until for w in kept.get(fact.territory, [])):
            of_territory.append([])
        else:
            of_territory[-1].append(fact)
    return [run for of_territory in runs.values() for run in of_territory if run]


def _joined(series: Title, run: Iterable[ViewingFact], crowds: Crowds) -> Iterator[ViewerSketch]:
    """The pieces of days that follow each other; the last of them that are too few wait."""
    waiting: list[ViewingFact] = []
    together: Viewers = sketches.NOBODY
    done: Viewers = sketches.NOBODY
    for fact in run:
        who = crowds.get(fact.from_day, {}).get(fact.territory, NOBODY)
        waiting.append(fact)
        together = sketches.union([together, who.viewer_sketch])
        done = sketches.union([done, who.finisher_sketch])
        if together.at_least() >= settings.FLOOR:
            yield ViewerSketch(
                title=series,
                territory=fact.territory,
                from_day=waiting[0].from_day,
                until=fact.until,
                release_id=fact.release_id,
                viewers=sketches.to_bytes(together),
                finishers=sketches.to_bytes(done),
                counted=sorted({pk for f in waiting for pk in f.counted or []}),
            )
            waiting, together, done = [], sketches.NOBODY, sketches.NOBODY
