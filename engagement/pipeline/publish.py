"""Units swapped whole: the facts of a title's days and their Releases.

Everything of one title happens in one transaction under a lock on the title, in the role of the
publisher. A run that is killed before leaves a Release STARTED and readers with the old unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from engagement.families import METRIC_VERSION
from engagement.models import DayPartial, Ingest, Release, Source, Title, ViewingFact
from engagement.pipeline import staging
from engagement.pipeline.episodes import forget_carried_on
from engagement.pipeline.pieces import cut
from engagement.pipeline.restate import adjust, closed_days, restate, viewing_totals
from engagement.pipeline.rollup import CellPartial
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL

_ONE_DAY = timedelta(days=1)
_LOCK = 0x0DA1  # beside the title's id: the class of our advisory locks

_BATCH = 1000


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
def locked(title: Title) -> Iterator[None]:
    """A transaction as the publisher, alone on the title."""
    with acting_as(PUBLISH):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, title.pk])
        yield


def begin(
    title: Title, kind: str, units: Iterable[tuple[date | None, str]], ingest: Ingest | None
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
        for day, digest in units
    ]
    with acting_as(PUBLISH):
        return Release.objects.bulk_create(releases)


def finish(releases: Sequence[Release], made_of: Sequence[Iterable[int]]) -> None:
    """DONE, and the units' earlier Releases SUPERSEDED. Inside the transaction of the swap.

    `rows` and `rejected` of the releases are set; `made_of` are the Sources of each.
    """
    if not releases:
        return
    first = releases[0]
    days = Q(day__in=[r.day for r in releases]) if first.day else Q(day=None)
    Release.objects.filter(
        days, kind=first.kind, title=first.title, state=Release.State.DONE
    ).update(state=Release.State.SUPERSEDED)
    for release in releases:
        release.state, release.done_at = Release.State.DONE, timezone.now()
    Release.objects.bulk_update(
        releases,
        ["state", "done_at", "rows", "rejected", "reaches", "people_file", "engine"],
        _BATCH,
    )
    through = Release.sources.through
    through._default_manager.bulk_create(
        through(release_id=release.pk, source_id=source)
        for release, sources in zip(releases, made_of, strict=True)
        for source in sources
    )


def check_sources(title: Title, kind: str, seen: frozenset[int]) -> None:
    """Raises Stale where a Source that holds the title came or went since `seen` was read.

    Called under the title's lock.
    """
    now = frozenset(
        Source.objects.filter(kind=kind, state=Source.State.LIVE).values_list("id", flat=True)
    )
    if any(title.key in staging.units(source) for source in now ^ seen):
        raise Stale


def publish_segments(
    title: Title,
    units: Sequence[Unit],
    *,
    seen: frozenset[int],
    settled_until: date,
    ingest: Ingest | None = None,
) -> list[Release]:
    """Swap a title's days and cut its settled days into pieces.

    `seen` are the live Sources as the units were read. Without units the pieces alone are
    looked at: days settle by themselves. Raises Stale, with nothing changed but Releases that
    stay STARTED.
    """
    releases = begin(title, Release.Kind.SEGMENTS, [(u.day, u.digest) for u in units], ingest)
    with locked(title):
        if units:
            check_sources(title, Source.Kind.SEGMENTS, seen)
        by_day = {u.day: release for u, release in zip(units, releases, strict=True)}
        closed = closed_days(by_day)
        before = viewing_totals(title, by_day, settled_until)
        _swap_days(title, units, releases, closed)
        finish(releases, [u.sources for u in units])
        restate(title, "viewing", before, viewing_totals(title, by_day, settled_until), by_day)
        adjust(title, closed, by_day)
        cut(title, by_day.keys() - closed, settled_until)
        if units:
            forget_carried_on(title, min(u.day for u in units))
    return releases


def _swap_days(
    title: Title, units: Sequence[Unit], releases: Sequence[Release], closed: set[date]
) -> None:
    """Days of closed months keep the numbers they were settled with."""
    days = [u.day for u in units]
    DayPartial.objects.filter(title=title, day__in=days).delete()
    ViewingFact.objects.filter(
        title=title, from_day__in=[d for d in days if d not in closed], device=ALL
    ).delete()
    partials, totals = [], []
    for unit, release in zip(units, releases, strict=True):
        release.rows, release.rejected = unit.rows, dict(unit.rejected)
        release.reaches, release.people_file = unit.reaches, unit.people_file
        release.engine = unit.engine
        for partial in unit.partials:
            partials.append(_stored(title, partial))
            if partial.device == ALL and unit.day not in closed:
                totals.append(_total(title, partial, release))
    DayPartial.objects.bulk_create(partials, _BATCH)
    ViewingFact.objects.bulk_create(totals, _BATCH)


def _stored(title: Title, p: CellPartial) -> DayPartial:
    return DayPartial(
        title=title,
        day=p.day,
        territory=p.territory,
        device=p.device,
        plays=p.plays,
        viewers=p.viewers,
        watch_seconds=p.watch_seconds,
        completions=p.completions,
        finishers=p.finishers,
        curves=p.packed,
        viewer_sketch=p.viewer_bytes,
        finisher_sketch=p.finisher_bytes,
        content_sketch=p.content_bytes,
    )


def _total(title: Title, p: CellPartial, release: Release) -> ViewingFact:
    return ViewingFact(
        title=title,
        territory=p.territory,
        device=ALL,
        from_day=p.day,
        until=p.day + _ONE_DAY,
        release=release,
        plays=p.plays,
        viewers=p.viewers,
        watch_seconds=p.watch_seconds,
        completions=p.completions,
        finishers=p.finishers,
    )


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
