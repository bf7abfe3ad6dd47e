"""What changed after it had settled: restatements, and adjustments beside closed months.

Both are written in the transaction of the swap that changes the numbers. A month is closed once
it was settled with the partners: its published totals then stay, and what later files make of
them stands beside, by title, territory and metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from django.db import connection, models
from django.db.models import Count, QuerySet, Sum

from engagement.models import (
    Adjustment,
    ClosedMonth,
    DayPartial,
    Release,
    Restatement,
    Title,
    ViewingFact,
)
from engagement.scope import ALL, Window

METRICS = ("plays", "viewers", "watch_seconds", "completions", "finishers")
MONEY = ("plays", "watch_seconds", "completions")
"""What adds up over the days of a month."""

Key = tuple[date, date, str]
"""(from, until, territory)"""
Totals = Mapping[Key, Mapping[str, int]]


def closed_days(days: Iterable[date]) -> set[date]:
    """Those of `days` that lie in a closed month."""
    months = set(ClosedMonth.objects.values_list("month", flat=True))
    return {d for d in days if d.replace(day=1) in months}


def month_of(day: date) -> Window:
    first = day.replace(day=1)
    return Window(first, (first + timedelta(days=31)).replace(day=1))


def viewing_totals(
    days: Mapping[Title, Iterable[date]], settled_until: date
) -> dict[Title, Totals]:
    """The exact totals of titles' settled days, as they stand published; none has none."""
    settled = [(t, d) for t, its in days.items() for d in its if d < settled_until]
    found: dict[int, dict[Key, dict[str, int]]] = {}
    if settled:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT fact.title_id, fact."from", fact.until, fact.territory, fact.plays,
                       fact.viewers, fact.watch_seconds, fact.completions, fact.finishers
                FROM unnest(%s::bigint[], %s::date[]) AS asked(title_id, day)
                JOIN engagement_viewingfact AS fact
                  ON fact.title_id = asked.title_id AND fact."from" = asked.day
                WHERE fact.device = '*'
                """,
                [[t.pk for t, _ in settled], [d for _, d in settled]],
            )
            for title, since, until, territory, *totals in cursor:
                cells = found.setdefault(title, {})
                cells[since, until, territory] = dict(zip(METRICS, totals, strict=True))
    return {t: found[t.pk] for t in days if t.pk in found}


def day_totals(
    facts: type[models.Model], title: Title, metrics: Sequence[str], settled_until: date
) -> Totals:
    """The totals of a title's settled days as they stand published in a table of exact counts.

    By day and territory, over whatever else the table's rows are apart by (channels of shares).
    A cell of nothing is none: a row may stand for another of its numbers alone. What was not
    measured of every row has no total.
    """
    rows = (
        facts._default_manager.filter(title=title, from_day__lt=settled_until)
        .order_by()
        .values_list("from_day", "until", "territory")
        .annotate(
            Count("pk"),
            *(Count(metric) for metric in metrics),
            *(Sum(metric) for metric in metrics),
        )
    )
    found: dict[Key, dict[str, int]] = {}
    for since, until, territory, held, *counted in rows:
        measured, sums = counted[: len(metrics)], counted[len(metrics) :]
        if any(sums):
            found[since, until, territory] = {
                metric: int(total)
                for metric, of, total in zip(metrics, measured, sums, strict=True)
                if of == held
            }
    return found


def restate(
    title: Title,
    family: str,
    before: Totals,
    after: Totals,
    releases: Mapping[date, Release],
) -> None:
    """Write old and new of every number that stood settled before and is another now.

    A number that vanished has no new one, and one of a territory that is new no old one; a day
    that had nothing published is no restatement.
    """
    published = {(since, until) for since, until, _ in before}
    rows = []
    for key in sorted({*before, *after}):
        since, until, territory = key
        if (since, until) not in published:
            continue
        old, new = before.get(key, {}), after.get(key, {})
        rows += [
            Restatement(
                title=title,
                family=family,
                territory=territory,
                from_day=since,
                until=until,
                metric=metric,
                old=old.get(metric),
                new=new.get(metric),
                release=releases[since],
            )
            for metric in sorted({*old, *new})
            if old.get(metric) != new.get(metric)
        ]
    Restatement.objects.bulk_create(rows)


def adjust(title: Title, days: Iterable[date], releases: Mapping[date, Release]) -> None:
    """Write what closed months' totals would be now, where that is another than last said."""
    last_of: dict[Window, date] = {}
    for day in sorted(days):
        last_of[month_of(day)] = day
    rows = []
    for month, day in last_of.items():
        published = _by_territory(
            ViewingFact.objects.filter(
                title=title, device=ALL, from_day__gte=month.since, until__lte=month.until
            )
        )
        counted = _by_territory(
            DayPartial.objects.filter(
                title=title, device=ALL, day__gte=month.since, day__lt=month.until
            )
        )
        said = {
            (a.territory, a.metric): a.new
            for a in Adjustment.objects.filter(
                title=title, from_day=month.since, until=month.until
            ).order_by("at", "pk")
        }
        for territory in sorted({*published, *counted, *(t for t, _ in said)}):
            for metric in MONEY:
                settled = published.get(territory, {}).get(metric, 0)
                old = said.get((territory, metric), settled)
                new = counted.get(territory, {}).get(metric, 0)
                if new != old:
                    rows.append(
                        Adjustment(
                            title=title,
                            family="viewing",
                            territory=territory,
                            from_day=month.since,
                            until=month.until,
                            metric=metric,
                            old=old,
                            new=new,
                            difference=new - old,
                            release=releases[day],
                        )
                    )
    Adjustment.objects.bulk_create(rows)


def _by_territory(
    rows: QuerySet[ViewingFact] | QuerySet[DayPartial],
) -> dict[str, dict[str, int]]:
    sums = rows.order_by().values_list("territory").annotate(*(Sum(m) for m in MONEY))
    return {t: dict(zip(MONEY, map(int, totals), strict=True)) for t, *totals in sums}
