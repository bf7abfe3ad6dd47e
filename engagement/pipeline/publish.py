"""Units swapped whole: the facts of a title's days, its pieces, and their Releases.

Everything of one title happens in one transaction under a lock on the title, in the role of the
publisher. A run that is killed before leaves a Release STARTED and readers with the old unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from engagement import curves
from engagement.families import METRIC_VERSION
from engagement.models import (
    DayPartial,
    Ingest,
    PublishedPiece,
    Release,
    RetentionFact,
    RewatchFact,
    Source,
    Title,
    ViewerSketch,
    ViewingFact,
)
from engagement.pipeline import sketches, staging
from engagement.pipeline.protect import Cell, Piece, Plan, protect
from engagement.pipeline.rollup import SERIES, Partial
from engagement.pipeline.sketches import Viewers
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL

_ONE_DAY = timedelta(days=1)
_LOCK = 0x0DA1  # beside the title's id: the class of our advisory locks

_SOME_BYTES = 24 + 8 * settings.FLOOR
"""Enough of a stored sketch to hold the floor of its viewers."""


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
    partials: Sequence[Partial]


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


def finish(
    release: Release, sources: Iterable[int], *, rows: int, rejected: Mapping[str, object]
) -> None:
    """DONE, and the unit's earlier Release SUPERSEDED. Inside the transaction of the swap."""
    Release.objects.filter(
        kind=release.kind, title=release.title, day=release.day, state=Release.State.DONE
    ).update(state=Release.State.SUPERSEDED)
    release.state = Release.State.DONE
    release.done_at = timezone.now()
    release.rows = rows
    release.rejected = dict(rejected)
    release.save(update_fields=["state", "done_at", "rows", "rejected"])
    release.sources.set(sources)


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
        for unit, release in zip(units, releases, strict=True):
            _swap_day(title, unit, release)
            finish(release, unit.sources, rows=unit.rows, rejected=unit.rejected)
        _cut(title, {u.day for u in units}, settled_until)
    return releases


def _swap_day(title: Title, unit: Unit, release: Release) -> None:
    DayPartial.objects.filter(title=title, day=unit.day).delete()
    ViewingFact.objects.filter(title=title, from_day=unit.day, device=ALL).delete()
    DayPartial.objects.bulk_create(
        DayPartial(
            title=title,
            day=unit.day,
            territory=p.territory,
            device=p.device,
            plays=p.plays,
            viewers=p.viewers,
            watch_seconds=p.watch_seconds,
            completions=p.completions,
            finishers=p.finishers,
            curves=curves.pack(p.curves),
            viewer_sketch=sketches.to_bytes(p.viewer_sketch),
            finisher_sketch=sketches.to_bytes(p.finisher_sketch),
            content_sketch=sketches.content_to_bytes(p.content) if p.device == ALL else b"",
        )
        for p in unit.partials
    )
    ViewingFact.objects.bulk_create(
        ViewingFact(
            title=title,
            territory=p.territory,
            device=ALL,
            from_day=unit.day,
            until=unit.day + _ONE_DAY,
            release=release,
            plays=p.plays,
            viewers=p.viewers,
            watch_seconds=p.watch_seconds,
            completions=p.completions,
            finishers=p.finishers,
        )
        for p in unit.partials
        if p.device == ALL
    )


def _cut(title: Title, days: set[date], settled_until: date) -> None:
    """Publish what the settled days allow; see protect.py."""
    stored = list(PublishedPiece.objects.filter(title=title))
    kept = {Piece(p.territory, p.from_day, p.until, frozenset(p.devices)): p for p in stored}
    changed = {
        piece: viewers
        for piece, row in kept.items()
        if row.waiting or any(piece.since <= d < piece.until for d in days)
        if len((viewers := _changed(title, row)).hashes)
    }
    plan = protect(_cells(title, settled_until), list(kept), changed, floor=settings.FLOOR)
    gone = [*plan.withdrawn, *(p for p in plan.fresh if p in kept)]
    for piece in gone:
        _withdraw(title, piece)
    for piece in sorted(plan.fresh):
        _count(title, piece)
    for piece, row in kept.items():
        waiting = plan.held.get(piece, 0)
        if piece not in gone and row.waiting != waiting:
            PublishedPiece.objects.filter(pk=row.pk).update(waiting=waiting)
    _say_who_waits(title, plan, settled_until)


def _cells(title: Title, settled_until: date) -> dict[date, dict[tuple[str, str], Cell]]:
    found: dict[date, dict[tuple[str, str], Cell]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, territory, device, viewers, substring(viewer_sketch FROM 1 FOR %s)"
            " FROM engagement_daypartial WHERE title_id = %s AND day < %s",
            [_SOME_BYTES, title.pk, settled_until],
        )
        for day, territory, device, viewers, packed in cursor:
            cell = Cell(viewers, sketches.some_hashes(packed))
            found.setdefault(day, {})[territory, device] = cell
    return found


def _changed(title: Title, row: PublishedPiece) -> Viewers:
    today = DayPartial.objects.filter(
        title=title,
        territory=row.territory,
        device=ALL,
        day__gte=row.from_day,
        day__lt=row.until,
    ).values_list("content_sketch", flat=True)
    content = sketches.add_content(map(sketches.content_from_bytes, today))
    return sketches.changed(sketches.content_from_bytes(row.content), content)


def _withdraw(title: Title, piece: Piece) -> None:
    where = Q(title=title, territory=piece.territory, from_day=piece.since, until=piece.until)
    for model in (RetentionFact, RewatchFact, ViewerSketch, PublishedPiece):
        model._default_manager.filter(where).delete()
    ViewingFact.objects.filter(where).exclude(device=ALL).delete()


def _count(title: Title, piece: Piece) -> None:
    """Write the facts of one piece from the partials of its days."""
    days = list(
        DayPartial.objects.filter(
            title=title,
            territory=piece.territory,
            device=ALL,
            day__gte=piece.since,
            day__lt=piece.until,
        ).order_by("day")
    )
    whole = curves.unpack(days[0].curves)
    for day in days[1:]:
        whole = curves.add(whole, curves.unpack(day.curves))
    series = dict(zip(SERIES, whole, strict=True))
    plays = sum(d.plays for d in days)
    same = {
        "title": title,
        "territory": piece.territory,
        "from_day": piece.since,
        "until": piece.until,
        "release": Release.objects.get(
            kind=Release.Kind.SEGMENTS, title=title, day=days[-1].day, state=Release.State.DONE
        ),
    }
    shown = whole[[SERIES.index(n) for n in ("sessions", "starts", "stops", "skips")]]
    RetentionFact.objects.create(**same, plays=plays, curves=curves.pack(shown))
    again = whole[[SERIES.index("times_played")] * 2].copy()
    again[1] -= series["sessions"]
    RewatchFact.objects.create(**same, plays=plays, curves=curves.pack(again))
    ViewerSketch.objects.create(
        **same,
        viewers=sketches.to_bytes(_people(d.viewer_sketch for d in days)),
        finishers=sketches.to_bytes(_people(d.finisher_sketch for d in days)),
    )
    PublishedPiece.objects.create(
        **same,
        devices=sorted(piece.devices),
        content=sketches.content_to_bytes(
            sketches.add_content(sketches.content_from_bytes(d.content_sketch) for d in days)
        ),
    )
    for device in sorted(piece.devices):
        parts = list(
            DayPartial.objects.filter(
                title=title,
                territory=piece.territory,
                device=device,
                day__gte=piece.since,
                day__lt=piece.until,
            )
        )
        ViewingFact.objects.create(
            **same,
            device=device,
            plays=sum(p.plays for p in parts),
            viewers=_people(p.viewer_sketch for p in parts).count(),
            watch_seconds=sum(p.watch_seconds for p in parts),
            completions=sum(p.completions for p in parts),
            finishers=_people(p.finisher_sketch for p in parts).count(),
        )


def _people(packed: Iterable[bytes | memoryview]) -> Viewers:
    return sketches.union(map(sketches.from_bytes, packed))


def _say_who_waits(title: Title, plan: Plan, settled_until: date) -> None:
    """Keep `waiting_viewers` of each of the title's Releases true.

    Of a settled day in no piece of `*`: its viewers. Of a day in a piece that changed by too
    few to be replaced: those few.
    """
    wholes = [p for p in plan.pieces if p.territory == ALL]
    viewers = dict(
        ViewingFact.objects.filter(title=title, territory=ALL, device=ALL).values_list(
            "from_day", "viewers"
        )
    )
    done = Release.objects.filter(
        kind=Release.Kind.SEGMENTS, title=title, state=Release.State.DONE
    ).values_list("id", "day", "waiting_viewers")
    for release, day, said in done:
        if day is None:
            continue
        piece = next((p for p in wholes if p.since <= day < p.until), None)
        waiting = plan.held.get(piece, 0) if piece else viewers.get(day, 0)
        if day >= settled_until:
            waiting = 0
        if waiting != said:
            Release.objects.filter(pk=release).update(waiting_viewers=waiting)


def titles_with_loose_days(settled_until: date) -> list[Title]:
    """Titles with settled days that no piece of `*` holds yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT partial.title_id
            FROM engagement_daypartial AS partial
            WHERE partial.territory = '*' AND partial.device = '*' AND partial.day < %s
              AND NOT EXISTS (
                  SELECT FROM engagement_publishedpiece AS piece
                  WHERE piece.title_id = partial.title_id AND piece.territory = '*'
                    AND piece."from" <= partial.day AND partial.day < piece.until
              )
            """,
            [settled_until],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Title.objects.filter(pk__in=ids).order_by("pk"))
