"""A title's settled days published in pieces: what protect.py decides, as rows of facts.

Runs inside the transaction of publish.py, on the title's lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models import Q

from engagement import curves
from engagement.models import (
    DayPartial,
    PublishedPiece,
    Release,
    RetentionFact,
    RewatchFact,
    Title,
    ViewerSketch,
    ViewingFact,
)
from engagement.pipeline import sketches
from engagement.pipeline.protect import Cell, Piece, Plan, protect
from engagement.pipeline.restate import Totals, restate
from engagement.pipeline.rollup import SERIES
from engagement.pipeline.sketches import Viewers
from engagement.scope import ALL

_SOME_BYTES = 24 + 8 * settings.FLOOR
"""Enough of a stored sketch to hold the floor of its viewers."""

_BATCH = 500


def cut(title: Title, days: Collection[date], settled_until: date) -> None:
    """Publish what the settled days allow. `days` are those whose partials were swapped."""
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
    before = _plays(title, gone)
    for piece in gone:
        _withdraw(title, piece)
    _count(title, plan.fresh)
    _restate(title, before, _plays(title, gone))
    for piece, row in kept.items():
        waiting = plan.held.get(piece, 0)
        if piece not in gone and row.waiting != waiting:
            PublishedPiece.objects.filter(pk=row.pk).update(waiting=waiting)
    _say_who_waits(title, plan, settled_until)


def _plays(title: Title, pieces: Sequence[Piece]) -> Totals:
    """The plays that published curves count, by piece."""
    wanted = {(p.since, p.until, p.territory) for p in pieces}
    return {
        key: {"plays": plays}
        for *key_parts, plays in RetentionFact.objects.filter(
            title=title, from_day__in=[p.since for p in pieces]
        ).values_list("from_day", "until", "territory", "plays")
        if (key := tuple(key_parts)) in wanted
    }


def _restate(title: Title, before: Totals, after: Totals) -> None:
    """Both curve families: their pieces are one."""
    days = {since for since, _, _ in before}
    if not days:
        return
    releases = {
        r.day: r
        for r in Release.objects.filter(
            kind=Release.Kind.SEGMENTS, title=title, day__in=days, state=Release.State.DONE
        )
        if r.day is not None
    }
    known = {key: totals for key, totals in before.items() if key[0] in releases}
    for family in ("retention", "rewatch"):
        restate(title, family, known, after, releases)


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


def _count(title: Title, fresh: Iterable[Piece]) -> None:
    """Write the facts of pieces from the partials of their days."""
    pieces = sorted(fresh)
    if not pieces:
        return
    since, until = min(p.since for p in pieces), max(p.until for p in pieces)
    partials: dict[tuple[str, str], list[DayPartial]] = defaultdict(list)
    for partial in DayPartial.objects.filter(
        title=title, day__gte=since, day__lt=until, territory__in={p.territory for p in pieces}
    ).order_by("day"):
        partials[partial.territory, partial.device].append(partial)
    releases = {
        r.day: r
        for r in Release.objects.filter(
            kind=Release.Kind.SEGMENTS, title=title, state=Release.State.DONE, day__gte=since
        )
    }
    retention, rewatch, viewers, devices, published = [], [], [], [], []
    for piece in pieces:
        days = _inside(piece, partials[piece.territory, ALL])
        same = _same(title, piece, releases[days[-1].day])
        plays = sum(d.plays for d in days)
        whole = curves.unpack(days[0].curves)
        for day in days[1:]:
            whole = curves.add(whole, curves.unpack(day.curves))
        sessions, times_played = (
            whole[[SERIES.index(name)]] for name in ("sessions", "times_played")
        )
        ends = whole[[SERIES.index(name) for name in ("starts", "stops", "skips")]]
        retention.append(
            RetentionFact(**same, plays=plays, curves=curves.pack(np.vstack([sessions, ends])))
        )
        again = np.vstack([times_played, times_played - sessions])
        rewatch.append(RewatchFact(**same, plays=plays, curves=curves.pack(again)))
        viewers.append(
            ViewerSketch(
                **same,
                viewers=sketches.to_bytes(_people(d.viewer_sketch for d in days)),
                finishers=sketches.to_bytes(_people(d.finisher_sketch for d in days)),
            )
        )
        content = sketches.add_content(sketches.content_from_bytes(d.content_sketch) for d in days)
        published.append(
            PublishedPiece(
                **same,
                devices=sorted(piece.devices),
                content=sketches.content_to_bytes(content),
            )
        )
        for device in sorted(piece.devices):
            parts = _inside(piece, partials[piece.territory, device])
            devices.append(_of_device(same, device, parts))
    RetentionFact.objects.bulk_create(retention, _BATCH)
    RewatchFact.objects.bulk_create(rewatch, _BATCH)
    ViewerSketch.objects.bulk_create(viewers, _BATCH)
    ViewingFact.objects.bulk_create(devices, _BATCH)
    PublishedPiece.objects.bulk_create(published, _BATCH)


def _inside(piece: Piece, partials: Iterable[DayPartial]) -> list[DayPartial]:
    return [p for p in partials if piece.since <= p.day < piece.until]


def _same(title: Title, piece: Piece, release: Release) -> dict[str, Any]:
    """What the facts of one piece share. They name the Release of its last day."""
    return {
        "title": title,
        "territory": piece.territory,
        "from_day": piece.since,
        "until": piece.until,
        "release": release,
    }


def _of_device(same: Mapping[str, Any], device: str, parts: Sequence[DayPartial]) -> ViewingFact:
    return ViewingFact(
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
