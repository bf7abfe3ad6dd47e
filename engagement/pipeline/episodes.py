"""The episodes of a series in their order, and what one of them knows of the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise

from django.db import connection

from engagement.models import Title


def in_order(title: Title) -> tuple[date, str]:
    """Episodes by their release day, those of one day by the numbers in their title_id."""
    digits = "".join(c if c.isdigit() else " " for c in title.key).split()
    number = " ".join(f"{int(d):09d}" for d in digits)
    return title.released_on or date.max, f"{number} {title.key}"


def episodes(series: Title) -> list[Title]:
    return sorted(series.children.filter(kind=Title.Kind.EPISODE), key=in_order)


def next_episodes(titles: Iterable[Title]) -> dict[Title, Title]:
    """The episode after each of `titles`, of those that have one."""
    wanted = {t for t in titles if t.kind == Title.Kind.EPISODE and t.parent_id is not None}
    by_series: dict[int | None, list[Title]] = {}
    for episode in Title.objects.filter(
        parent__in={t.parent_id for t in wanted}, kind=Title.Kind.EPISODE
    ):
        by_series.setdefault(episode.parent_id, []).append(episode)
    return {
        before: after
        for order in by_series.values()
        for before, after in pairwise(sorted(order, key=in_order))
        if before in wanted
    }


def forget_carried_on(since: Mapping[Title, date]) -> None:
    """Empty what episodes know of the ones before them from a day on. On the swap of those.

    Days of closed months keep what they were settled with.
    """
    if not since:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE engagement_viewingfact AS fact SET carried_on = NULL
            FROM unnest(%s::bigint[], %s::date[]) AS changed(title_id, since)
            WHERE fact.title_id = changed.title_id
              AND fact."from" >= changed.since
              AND fact.carried_on IS NOT NULL
              AND NOT EXISTS (
                  SELECT FROM engagement_closedmonth AS closed
                  WHERE closed.month = date_trunc('month', fact."from")
              )
            """,
            [[title.pk for title in since], list(since.values())],
        )
