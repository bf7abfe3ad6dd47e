"""A title's settled days published in pieces: what protect.py decides, as rows of facts.

Runs inside the transaction of publish.py, on the title's lock. What it is decided from is read by
piece_days.py, the facts are counted by piece_facts.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date

from django.conf import settings
from django.db import connection

from engagement.models import PublishedPiece, Release, RetentionFact, Title
from engagement.pipeline.piece_days import (
    changed_viewers,
    kept_pieces,
    loose_days,
    settled_cells,
    touched_pieces,
)
from engagement.pipeline.piece_facts import count, withdraw
from engagement.pipeline.protect import Cell, Piece, Plan, look_since, protect
from engagement.pipeline.restate import Totals, restate
from engagement.pipeline.sketches import Viewers
from engagement.scope import ALL


def cut(days: Mapping[Title, Collection[date]], settled_until: date) -> None:
    """Publish what the settled days of titles allow. `days` are those whose partials were swapped.

    Of a title that has been published for years only what still waits or has changed is read,
    and the days that its pieces tie to that.
    """
    titles = {title.pk: title for title in days}
    loose = loose_days(titles, settled_until)
    touched = touched_pieces(days, settled_until)
    changed = {
        pk: {piece: v for piece, row in rows.items() if len((v := changed_viewers(row)).hashes)}
        for pk, rows in touched.items()
    }
    since = {
        pk: first
        for pk in titles
        if (first := look_since(loose.get(pk, {}), changed.get(pk, {}), floor=settings.FLOOR))
    }
    kept = kept_pieces(since)
    cells = settled_cells(since, settled_until)
    plans = {
        pk: protect(
            cells.get(pk, {}), list(kept.get(pk, ())), changed.get(pk), floor=settings.FLOOR
        )
        for pk in since
    }
    stood = {pk: _take_away(titles[pk], plan, kept.get(pk, ())) for pk, plan in plans.items()}
    count({titles[pk]: plan.fresh for pk, plan in plans.items()})
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
        withdraw(title, piece)
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
