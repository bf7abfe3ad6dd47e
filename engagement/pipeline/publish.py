"""Units swapped whole: the facts of a title's days and their Releases.

Everything of a unit happens in one transaction under a lock on its title, in the role of the
publisher; many titles may share one, which costs the disk little more than one title does. A run
that is killed before leaves Releases STARTED and readers with the old units. `swap` is that, and
what every kind goes through; segments, whose pieces are cut after they are DONE, do the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from engagement.families import METRIC_VERSION
from engagement.models import DayPartial, Ingest, Release, Source, Title, ViewingFact
from engagement.pipeline import staging
from engagement.pipeline.cells import CellPartial
from engagement.pipeline.copying import copy_in, copy_objects
from engagement.pipeline.episodes import forget_carried_on, next_episodes
from engagement.pipeline.pieces import cut
from engagement.pipeline.restate import adjust, closed_days, restate, viewing_totals
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL

_ONE_DAY = timedelta(days=1)
_LOCK = 0x0DA1  # beside the title's id: the class of our advisory locks
_PUBLISHING = 0  # no title's id: shared by all who swap


class Stale(Exception):
    """Sources of the title came or went since its rows were read: read them again."""


@dataclass(frozen=True)
class Unit:
    """What one title's day is to become. `partials` may be none: then its rows vanish."""

    day: date
    digest: str
    sources: frozenset[int]
    rows: int
    rejected: Mapping[str, object]
    reaches: date | None
    partials: Sequence[CellPartial]
    people_file: str = ""
    engine: str = "embedded"


@contextmanager
def locked(*titles: Title) -> Iterator[None]:
    """A transaction as the publisher, alone on the titles.

    Always in the order of their ids: two that want some of the same wait, and never in a circle.
    Which months are closed does not change meanwhile.
    """
    with acting_as(PUBLISH):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [_LOCK, _PUBLISHING])
            cursor.execute(
                "SELECT count(pg_advisory_xact_lock(%s, id)) FROM unnest(%s::integer[]) AS id",
                [_LOCK, sorted(t.pk for t in titles)],
            )
        yield


def hold_publishing() -> None:
    """Wait for the swaps under way, and let none begin until the open transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, _PUBLISHING])


def begin(
    kind: str, units: Iterable[tuple[Title, date | None, str]], ingest: Ingest | None
) -> list[Release]:
    """Releases STARTED, committed before any work is done on them."""
    releases = [
        Release(
            kind=kind,
            title=title,
            day=day,
            metric_version=METRIC_VERSION,
            input_digest=digest,
            state=Release.State.STARTED,
            ingest=ingest,
        )
        for title, day, digest in units
    ]
    if releases:
        with acting_as(PUBLISH):
            copy_objects(releases)
    for release in releases:
        release._state.adding = False
    return releases


_SUPERSEDE = """
    UPDATE engagement_release AS earlier SET state = 'superseded'
    FROM unnest(%s::bigint[], %s::date[]) AS unit(title_id, day)
    WHERE earlier.kind = %s
      AND earlier.state = 'done'
      AND earlier.title_id = unit.title_id
      AND {same_day}
"""
_DONE = """
    UPDATE engagement_release AS release
    SET state = 'done',
        done_at = %s,
        rows = unit.rows,
        rejected = unit.rejected,
        reaches = unit.reaches,
        people_file = unit.people_file,
        engine = unit.engine,
        until = unit.until,
        epsilon = unit.epsilon
    FROM unnest(
        %s::uuid[], %s::bigint[], %s::jsonb[], %s::date[], %s::text[], %s::text[], %s::date[],
        %s::float8[]
    ) AS unit(id, rows, rejected, reaches, people_file, engine, until, epsilon)
    WHERE release.id = unit.id
"""


def finish(releases: Sequence[Release], made_of: Sequence[Iterable[int]]) -> None:
    """DONE, and the units' earlier Releases SUPERSEDED. Inside the transaction of the swap.

    What the releases say of themselves (`rows`, `rejected`, `until`, `epsilon` ...) is set;
    `made_of` are the Sources of each. They are of one kind, and all have a day or none has.
    """
    if not releases:
        return
    now = timezone.now()
    with connection.cursor() as cursor:
        same_day = "earlier.day = unit.day" if releases[0].day else "earlier.day IS NULL"
        cursor.execute(
            _SUPERSEDE.format(same_day=same_day),
            [[r.title_id for r in releases], [r.day for r in releases], releases[0].kind],
        )
        cursor.execute(
            _DONE,
            [
                now,
                [r.pk for r in releases],
                [r.rows for r in releases],
                [json.dumps(r.rejected) for r in releases],
                [r.reaches for r in releases],
                [r.people_file for r in releases],
                [r.engine for r in releases],
                [r.until for r in releases],
                [r.epsilon for r in releases],
            ],
        )
    for release in releases:
        release.state, release.done_at = Release.State.DONE, now
    copy_in(
        Release.sources.through,
        ("release_id", "source_id"),
        (
            (release.pk, source)
            for release, sources in zip(releases, made_of, strict=True)
            for source in sorted(set(sources))
        ),
    )


def give_up_begun(run: Ingest) -> None:
    """Releases STARTED by the run or before it, of a run that has published all there is.

    They were given up, or their runs were killed. One that is still under way ends DONE even so.
    """
    begun = Q(ingest=run) | Q(started_at__lt=run.started_at)
    Release.objects.filter(begun, state=Release.State.STARTED).update(
        state=Release.State.SUPERSEDED
    )


def made_of_others(sources: Mapping[UUID, Collection[int]]) -> None:
    """Of Releases whose rows are the same, write the Sources they are made of now."""
    pairs = [(release, source) for release, made_of in sources.items() for source in made_of]
    through = Release.sources.through
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM engagement_release_sources WHERE release_id = ANY(%s)", [list(sources)]
        )
    copy_in(through, ("release_id", "source_id"), pairs)


def _check_sources(titles: Iterable[Title], kind: str, seen: frozenset[int]) -> None:
    """Raises Stale where a Source that holds one of the titles came or went since `seen` was read.

    Called under the titles' locks.
    """
    now = frozenset(
        Source.objects.filter(kind=kind, state=Source.State.LIVE).values_list("id", flat=True)
    )
    keys = {title.key for title in titles}
    if any(not keys.isdisjoint(staging.units(source)) for source in now ^ seen):
        raise Stale


@contextmanager
def swap(
    kind: str,
    units: Mapping[Title, Iterable[tuple[date | None, str]]],
    *,
    seen: frozenset[int] | None = None,
    made_of: Collection[int] = (),
    ingest: Ingest | None = None,
) -> Iterator[list[Release]]:
    """A block that puts new facts of titles' units in place of the old ones.

    `units` are (day, input digest) by title. Their Releases, in that order, are STARTED before
    the block and DONE after it, made of the Sources `made_of`; the block says what they hold
    (`rows`, `rejected` ...), and takes out of the list those of units that another run has
    published meanwhile, or left no room for. In the block one is the publisher, alone on the
    titles, and everything is committed with its end. Where it raises, or the run is killed,
    readers keep the old facts. Releases that are not DONE then stay STARTED, until a run has come
    to its end. `seen` are the live Sources as the units were read: raises Stale where others are
    now.
    """
    releases = begin(
        kind, [(title, *unit) for title, of_title in units.items() for unit in of_title], ingest
    )
    with locked(*units):
        if seen is not None:
            _check_sources(units, kind, seen)
        yield releases
        finish(releases, [made_of] * len(releases))


def publish_segments(
    units: Mapping[Title, Sequence[Unit]],
    *,
    seen: frozenset[int],
    settled_until: date,
    ingest: Ingest | None = None,
) -> list[Release]:
    """Swap days of titles and cut their settled days into pieces, all in one transaction.

    `seen` are the live Sources as the units were read. Of a title without units the pieces alone
    are looked at: days settle by themselves. Raises Stale, with nothing changed but Releases
    that stay STARTED.
    """
    swapped = [(title, unit) for title, days in units.items() for unit in days]
    releases = begin(
        Release.Kind.SEGMENTS, [(title, unit.day, unit.digest) for title, unit in swapped], ingest
    )
    with acting_as(PUBLISH):
        after = next_episodes([title for title, days in units.items() if days])
    with locked(*{*units, *after.values()}):
        closed = closed_days({unit.day for _, unit in swapped})
        changed = {title: {unit.day for unit in days} for title, days in units.items()}
        if swapped:
            _check_sources({title for title, _ in swapped}, Source.Kind.SEGMENTS, seen)
            _swap(swapped, releases, closed, settled_until)
        cut({title: days - closed for title, days in changed.items()}, settled_until)
        forget_carried_on({after[title]: min(changed[title]) for title in after})
    return releases


def _swap(
    swapped: Sequence[tuple[Title, Unit]],
    releases: Sequence[Release],
    closed: set[date],
    settled_until: date,
) -> None:
    """Put the days in place, and say what that changed of settled and of closed ones."""
    by_title: dict[Title, dict[date, Release]] = {}
    for (title, unit), release in zip(swapped, releases, strict=True):
        by_title.setdefault(title, {})[unit.day] = release
    before = viewing_totals(by_title, settled_until)
    _swap_days(swapped, releases, closed)
    finish(releases, [unit.sources for _, unit in swapped])
    after = viewing_totals({t: by_title[t] for t in before}, settled_until)
    for title, totals in before.items():
        restate(title, "viewing", totals, after.get(title, {}), by_title[title])
    for title, days in by_title.items():
        adjust(title, closed & days.keys(), days)


_FORGET_DAYS = """
    DELETE FROM {table} AS old
    USING unnest(%s::bigint[], %s::date[]) AS unit(title_id, day)
    WHERE old.title_id = unit.title_id AND old.{day} = unit.day
"""


def _swap_days(
    swapped: Sequence[tuple[Title, Unit]], releases: Sequence[Release], closed: set[date]
) -> None:
    """Days of closed months keep the numbers they were settled with."""
    for (_, unit), release in zip(swapped, releases, strict=True):
        release.rows, release.rejected = unit.rows, dict(unit.rejected)
        release.reaches, release.people_file = unit.reaches, unit.people_file
        release.engine = unit.engine
    shown = [(title, unit.day) for title, unit in swapped if unit.day not in closed]
    with connection.cursor() as cursor:
        cursor.execute(
            _FORGET_DAYS.format(table="engagement_daypartial", day="day"),
            [[title.pk for title, _ in swapped], [unit.day for _, unit in swapped]],
        )
        cursor.execute(
            _FORGET_DAYS.format(table="engagement_viewingfact", day='"from"')
            + "AND old.device = '*'",
            [[title.pk for title, _ in shown], [day for _, day in shown]],
        )
    copy_in(
        DayPartial,
        (
            "title_id", "day", "territory", "device", "plays", "viewers", "watch_seconds",
            "completions", "finishers", "curves", "viewer_sketch", "finisher_sketch",
            "content_sketch",
        ),
        (
            (
                title.pk, p.day, p.territory, p.device, p.plays, p.viewers, p.watch_seconds,
                p.completions, p.finishers, p.packed, p.viewer_bytes, p.finisher_bytes,
                p.content_bytes,
            )
            for title, unit in swapped
            for p in unit.partials
        ),
    )  # fmt: skip
    copy_in(
        ViewingFact,
        (
            "title_id", "territory", "device", "from_day", "until", "release_id", "plays",
            "viewers", "watch_seconds", "completions", "finishers",
        ),
        (
            (
                title.pk, p.territory, ALL, p.day, p.day + _ONE_DAY, release.pk, p.plays,
                p.viewers, p.watch_seconds, p.completions, p.finishers,
            )
            for (title, unit), release in zip(swapped, releases, strict=True)
            if unit.day not in closed
            for p in unit.partials
            if p.device == ALL
        ),
    )  # fmt: skip


def titles_with_loose_days(settled_until: date, *, at_least: int = 0) -> list[Title]:
    """Titles with settled days, of at least so many viewers, that no piece of `*` holds yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT partial.title_id
            FROM engagement_daypartial AS partial
            WHERE partial.territory = '*' AND partial.device = '*' AND partial.day < %s
              AND partial.viewers >= %s
              AND NOT EXISTS (
                  SELECT FROM engagement_publishedpiece AS piece
                  WHERE piece.title_id = partial.title_id AND piece.territory = '*'
                    AND piece."from" <= partial.day AND partial.day < piece.until
              )
            """,
            [settled_until, at_least],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Title.objects.filter(pk__in=ids).order_by("pk"))
