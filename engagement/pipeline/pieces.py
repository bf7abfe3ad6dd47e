"""A title's settled days published in pieces: what protect.py decides, as rows of facts.

Runs inside the transaction of publish.py, on the title's lock.
"""

from __future__ import annotations

import json
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
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.partial import SERIES
from engagement.pipeline.protect import Cell, Piece, Plan, look_since, protect
from engagement.pipeline.restate import Totals, restate
from engagement.pipeline.sketches import Viewers
from engagement.scope import ALL

_SOME_BYTES = 24 + 8 * settings.FLOOR
"""Enough of a stored sketch to hold the floor of its viewers."""


def cut(days: Mapping[Title, Collection[date]], settled_until: date) -> None:
    """Publish what the settled days of titles allow. `days` are those whose partials were swapped.

    Of a title that has been published for years only what still waits or has changed is read,
    and the days that its pieces tie to that.
    """
    titles = {title.pk: title for title in days}
    loose = _loose(titles, settled_until)
    touched = _touched(days, settled_until)
    changed = {
        pk: {piece: v for piece, row in rows.items() if len((v := _changed(row)).hashes)}
        for pk, rows in touched.items()
    }
    since = {
        pk: first
        for pk in titles
        if (first := look_since(loose.get(pk, {}), changed.get(pk, {}), floor=settings.FLOOR))
    }
    kept = _kept(since)
    cells = _cells(since, settled_until)
    plans = {
        pk: protect(
            cells.get(pk, {}), list(kept.get(pk, ())), changed.get(pk), floor=settings.FLOOR
        )
        for pk in since
    }
    stood = {pk: _take_away(titles[pk], plan, kept.get(pk, ())) for pk, plan in plans.items()}
    _count({titles[pk]: plan.fresh for pk, plan in plans.items()})
    for pk, before in stood.items():
        _restate(titles[pk], before)
    held = {pk: plans[pk].held if pk in plans else _few(changed[pk]) for pk in touched}
    for pk, rows in touched.items():
        for piece, row in rows.items():
            waiting = held[pk].get(piece, 0)
            if row.waiting != waiting:  # one that was counted anew has another row, with none
                PublishedPiece.objects.filter(pk=row.pk).update(waiting=waiting)
    _say_who_waits(days, loose, touched, settled_until)


def _few(changed: Mapping[Piece, Viewers]) -> dict[Piece, int]:
    """How many viewers changed in pieces that are not replaced."""
    return {piece: viewers.at_least() for piece, viewers in changed.items()}


def _take_away(title: Title, plan: Plan, kept: Collection[Piece]) -> Totals:
    """Take away what is withdrawn or counted anew. The plays that it counted."""
    gone = [*plan.withdrawn, *(p for p in plan.fresh if p in kept)]
    before = _plays(title, gone)
    for piece in gone:
        _withdraw(title, piece)
    return before


def _plays(title: Title, pieces: Iterable[Piece]) -> Totals:
    """The plays that published curves count, by piece."""
    wanted = {(p.since, p.until, p.territory) for p in pieces}
    if not wanted:
        return {}
    return {
        key: {"plays": plays}
        for *key_parts, plays in RetentionFact.objects.filter(
            title=title, from_day__in={since for since, _, _ in wanted}
        ).values_list("from_day", "until", "territory", "plays")
        if (key := tuple(key_parts)) in wanted
    }


def _restate(title: Title, before: Totals) -> None:
    """Both curve families: their pieces are one."""
    if not before:
        return
    after = _plays(title, [Piece(where, since, until) for since, until, where in before])
    releases = {
        r.day: r
        for r in Release.objects.filter(
            kind=Release.Kind.SEGMENTS,
            title=title,
            day__in={since for since, _, _ in before},
            state=Release.State.DONE,
        )
        if r.day is not None
    }
    known = {key: totals for key, totals in before.items() if key[0] in releases}
    for family in ("retention", "rewatch"):
        restate(title, family, known, after, releases)


# --- what a plan is made of ------------------------------------------------------------------

_CLOSED = """
    SELECT FROM engagement_closedmonth AS closed
    WHERE closed.month = date_trunc('month', {day})
"""

_SETTLED = f"""
      AND partial.day < %s
      AND partial.viewers > 0
      -- what lands in a closed month has no number there, and so no curve
      AND (
          NOT EXISTS ({_CLOSED.format(day="partial.day")})
          OR EXISTS (
              SELECT FROM engagement_viewingfact AS shown
              WHERE shown.title_id = partial.title_id
                AND shown.territory = partial.territory
                AND shown.device = '*'
                AND shown."from" = partial.day
          )
      )
"""


def _loose(titles: Collection[int], settled_until: date) -> dict[int, dict[str, dict[date, Cell]]]:
    """By title and territory: the settled days, over all devices, that no piece holds."""
    found: dict[int, dict[str, dict[date, Cell]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT partial.title_id, partial.territory, partial.day, partial.viewers,
                   substring(partial.viewer_sketch FROM 1 FOR %s)
            FROM engagement_daypartial AS partial
            WHERE partial.title_id = ANY (%s)
              AND partial.device = '*'
              {_SETTLED}
              AND coalesce(
                  (
                      SELECT piece.until <= partial.day
                      FROM engagement_publishedpiece AS piece
                      WHERE piece.title_id = partial.title_id
                        AND piece.territory = partial.territory
                        AND piece."from" <= partial.day
                      ORDER BY piece."from" DESC
                      LIMIT 1
                  ),
                  true
              )
            """,  # noqa: S608 the SQL is this module's own
            [_SOME_BYTES, list(titles), settled_until],
        )
        for title, territory, day, viewers, packed in cursor.fetchall():
            cell = Cell(viewers, sketches.some_hashes(packed))
            found.setdefault(title, {}).setdefault(territory, {})[day] = cell
    return found


def _touched(
    days: Mapping[Title, Collection[date]], settled_until: date
) -> dict[int, dict[Piece, PublishedPiece]]:
    """The kept pieces that may not be as they were published, but those of closed months.

    Of a title of which no settled day was swapped there are none: what waits, waits on.
    """
    found: dict[int, dict[Piece, PublishedPiece]] = {}
    pairs = [(title.pk, day) for title, its in days.items() for day in its if day < settled_until]
    if not pairs:
        return found
    for row in PublishedPiece.objects.raw(
        f"""
        SELECT piece.*
        FROM engagement_publishedpiece AS piece
        WHERE piece.title_id = ANY (%s)
          AND (
              piece.waiting > 0
              OR EXISTS (
                  SELECT FROM unnest(%s::bigint[], %s::date[]) AS swapped(title_id, day)
                  WHERE swapped.title_id = piece.title_id
                    AND piece."from" <= swapped.day
                    AND swapped.day < piece.until
              )
          )
          AND NOT EXISTS ({_CLOSED.format(day='piece."from"')})
          AND NOT EXISTS ({_CLOSED.format(day="piece.until - 1")})
        """,  # noqa: S608 the SQL is this module's own
        [[pk for pk, _ in pairs], [pk for pk, _ in pairs], [day for _, day in pairs]],
    ):
        piece = Piece(row.territory, row.from_day, row.until, frozenset(row.devices))
        found.setdefault(row.title_id, {})[piece] = row
    return found


def _kept(since: dict[int, date]) -> dict[int, set[Piece]]:
    """The titles' pieces that do not end before a day, which is moved back over those across it."""
    kept: dict[int, set[Piece]] = {}
    asked = dict(since)
    while asked:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT piece.title_id, piece.territory, piece."from", piece.until, piece.devices
                FROM unnest(%s::bigint[], %s::date[]) AS asked(title_id, since)
                JOIN engagement_publishedpiece AS piece
                  ON piece.title_id = asked.title_id AND piece.until > asked.since
                """,
                [list(asked), list(asked.values())],
            )
            for title, territory, first, until, devices in cursor:
                shown = frozenset(json.loads(devices) if isinstance(devices, str) else devices)
                kept.setdefault(title, set()).add(Piece(territory, first, until, shown))
        back = {pk: min([day, *(p.since for p in kept.get(pk, ()))]) for pk, day in asked.items()}
        asked = {pk: day for pk, day in back.items() if day < since[pk]}
        since.update(asked)
    return kept


def _cells(
    since: Mapping[int, date], settled_until: date
) -> dict[int, dict[date, dict[tuple[str, str], Cell]]]:
    """By title, settled day from a first one on, territory and device."""
    found: dict[int, dict[date, dict[tuple[str, str], Cell]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT partial.title_id, partial.day, partial.territory, partial.device,
                   partial.viewers, substring(partial.viewer_sketch FROM 1 FOR %s)
            FROM unnest(%s::bigint[], %s::date[]) AS asked(title_id, since)
            JOIN engagement_daypartial AS partial
              ON partial.title_id = asked.title_id AND partial.day >= asked.since
            WHERE true {_SETTLED}
            """,  # noqa: S608 the SQL is this module's own
            [_SOME_BYTES, list(since), list(since.values()), settled_until],
        )
        for title, day, territory, device, viewers, packed in cursor.fetchall():
            cell = Cell(viewers, sketches.some_hashes(packed))
            found.setdefault(title, {}).setdefault(day, {})[territory, device] = cell
    return found


def _changed(row: PublishedPiece) -> Viewers:
    today = DayPartial.objects.filter(
        title=row.title_id,
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


# --- the facts of pieces ---------------------------------------------------------------------

_DAYS_AT_ONCE = 2000
"""Days of pieces whose partials are held in memory together."""


def _count(fresh: Mapping[Title, Iterable[Piece]]) -> None:
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


def _say_who_waits(
    days: Mapping[Title, Collection[date]],
    loose: Mapping[int, Mapping[str, Mapping[date, Cell]]],
    touched: Mapping[int, Iterable[Piece]],
    settled_until: date,
) -> None:
    """Keep `waiting_viewers` of the titles' Releases true, from the first day that may differ.

    Of a settled day in no piece of `*`: its viewers. Of a day in a piece that changed by too
    few to be replaced: those few.
    """
    first = {}
    for title, swapped in days.items():
        looked = (p.since for p in touched.get(title.pk, ()) if p.territory == ALL)
        differ = [*swapped, *loose.get(title.pk, {}).get(ALL, {}), *looked]
        if differ:
            first[title.pk] = min(differ)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH now AS (
                SELECT release.id,
                       CASE
                           WHEN release.day >= %s THEN 0
                           WHEN piece.id IS NOT NULL THEN piece.waiting
                           ELSE coalesce(fact.viewers, 0)
                       END AS waiting
                FROM unnest(%s::bigint[], %s::date[]) AS asked(title_id, since)
                JOIN engagement_release AS release
                  ON release.kind = 'segments'
                 AND release.state = 'done'
                 AND release.title_id = asked.title_id
                 AND release.day >= asked.since
                LEFT JOIN engagement_publishedpiece AS piece
                  ON piece.title_id = release.title_id
                 AND piece.territory = '*'
                 AND piece."from" <= release.day
                 AND release.day < piece.until
                LEFT JOIN engagement_viewingfact AS fact
                  ON fact.title_id = release.title_id
                 AND fact.territory = '*'
                 AND fact.device = '*'
                 AND fact."from" = release.day
            )
            UPDATE engagement_release AS release SET waiting_viewers = now.waiting
            FROM now
            WHERE release.id = now.id AND release.waiting_viewers <> now.waiting
            """,
            [settled_until, list(first), list(first.values())],
        )
