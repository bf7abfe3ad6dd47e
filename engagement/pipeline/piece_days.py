"""What the pieces of a title are decided from, read from the database as protect.py's values."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date

from django.conf import settings
from django.db import connection

from engagement.models import DayPartial, PublishedPiece, Title
from engagement.pipeline import sketches
from engagement.pipeline.protect import Cell, Piece
from engagement.pipeline.sketches import Viewers
from engagement.scope import ALL

_SOME_BYTES = 24 + 8 * settings.FLOOR
"""Enough of a stored sketch to hold the floor of its viewers."""

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


def loose_days(
    titles: Collection[int], settled_until: date
) -> dict[int, dict[str, dict[date, Cell]]]:
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


def touched_pieces(
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


def kept_pieces(since: dict[int, date]) -> dict[int, set[Piece]]:
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


def settled_cells(
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


def changed_viewers(row: PublishedPiece) -> Viewers:
    today = DayPartial.objects.filter(
        title=row.title_id,
        territory=row.territory,
        device=ALL,
        day__gte=row.from_day,
        day__lt=row.until,
    ).values_list("content_sketch", flat=True)
    content = sketches.add_content(map(sketches.content_from_bytes, today))
    return sketches.changed(sketches.content_from_bytes(row.content), content)
