"""The facts of published pieces: counted from the partials of their days, and taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
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
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.partial import SERIES
from engagement.pipeline.protect import Piece
from engagement.pipeline.sketches import Viewers
from engagement.scope import ALL

_DAYS_AT_ONCE = 2000
"""Days of pieces whose partials are held in memory together."""


def count(fresh: Mapping[Title, Iterable[Piece]]) -> None:
    """Write the facts of pieces from the partials of their days."""
    together: list[tuple[Title, Piece]] = []
    days = 0
    for title, pieces in fresh.items():
        for piece in sorted(pieces):
            length = (piece.until - piece.since).days
            if together and days + length > _DAYS_AT_ONCE:
                _count_together(together)
                together, days = [], 0
            together.append((title, piece))
            days += length
    if together:
        _count_together(together)


def _count_together(pieces: Sequence[tuple[Title, Piece]]) -> None:
    partials = _partials(pieces)
    releases = {
        (r.title_id, r.day): r
        for r in Release.objects.filter(
            kind=Release.Kind.SEGMENTS,
            title__in={title for title, _ in pieces},
            day__in={parts[ALL][-1].day for parts in partials.values()},
            state=Release.State.DONE,
        )
    }
    retention, rewatch, viewers, devices, published = [], [], [], [], []
    for title, piece in pieces:
        parts = partials[title.pk, piece]
        days = parts[ALL]
        same = _same(title, piece, releases[title.pk, days[-1].day])
        plays = sum(d.plays for d in days)
        whole = curves.total(day.curves for day in days)
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
        devices += [_of_device(same, device, parts[device]) for device in sorted(piece.devices)]
    for rows in (retention, rewatch, viewers, devices, published):
        copy_objects(rows)


def _partials(
    pieces: Sequence[tuple[Title, Piece]],
) -> dict[tuple[int, Piece], dict[str, list[DayPartial]]]:
    """By piece and device, in the order of the days: all devices and those that it shows."""
    found: dict[tuple[int, Piece], dict[str, list[DayPartial]]] = {}
    for row in DayPartial.objects.raw(
        """
        SELECT partial.*, asked.number
        FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::date[]) WITH ORDINALITY
            AS asked(title_id, territory, since, until, number)
        JOIN engagement_daypartial AS partial
          ON partial.title_id = asked.title_id
         AND partial.territory = asked.territory
         AND partial.day >= asked.since
         AND partial.day < asked.until
        ORDER BY partial.day
        """,
        [
            [title.pk for title, _ in pieces],
            [piece.territory for _, piece in pieces],
            [piece.since for _, piece in pieces],
            [piece.until for _, piece in pieces],
        ],
    ):
        title, piece = pieces[vars(row)["number"] - 1]
        if row.device == ALL or row.device in piece.devices:
            found.setdefault((title.pk, piece), {}).setdefault(row.device, []).append(row)
    return found


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


def withdraw(title: Title, piece: Piece) -> None:
    where = Q(title=title, territory=piece.territory, from_day=piece.since, until=piece.until)
    for model in (RetentionFact, RewatchFact, ViewerSketch, PublishedPiece):
        model._default_manager.filter(where).delete()
    ViewingFact.objects.filter(where).exclude(device=ALL).delete()
