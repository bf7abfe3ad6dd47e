"""Closing a month for settlement: what stands published of it then stays.

What is counted across episodes follows the episodes' own days in transactions after theirs. A
month that was closed in between would keep half of that for good, so one is closed only while
nothing is published, and when what landed is published and counted across episodes too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from engagement.models import ClosedMonth, Source
from engagement.pipeline import series, units
from engagement.pipeline.publish import hold_publishing
from engagement.pipeline.restate import month_of
from engagement.scope import Window


class NotSettled(Exception):
    """A month that still changes cannot be closed."""


def close_month(month: date, *, by: str, settled_until: date) -> ClosedMonth:
    """Close a month for settlement; a closed one stays as it is. Raises NotSettled,
    staging.Missing.

    In a transaction of the publisher's role, which waits for the swaps under way and lets none
    begin before it ends.
    """
    window = month_of(month)
    hold_publishing()
    closed = ClosedMonth.objects.filter(month=window.since).first()
    if closed is not None:
        return closed
    name = f"{window.since:%Y-%m}"
    if settled_until < window.until:
        raise NotSettled(f"{name} has days that have not settled yet")
    behind = next(_behind(window), None)
    if behind:
        raise NotSettled(f"{name} is not published to the end ({behind}): run manage.py ingest")
    return ClosedMonth.objects.create(month=window.since, closed_by=by)


def _behind(month: Window) -> Iterator[str]:
    """What of the month is not as the Sources, or the episodes, are now, in words."""
    stale = units.stale_segments(units.live(Source.Kind.SEGMENTS))
    yield from _inside(month, {day: min(titles) for day, titles in stale.items()})
    for one in series.all_series():
        days = {stale.day: one.key for stale in series.stale_days(one)}
        days |= {
            day: f"{episode.key}: who carried on"
            for episode in series.followers(one)
            for day in series.uncounted(episode)
        }
        yield from _inside(month, days)


def _inside(month: Window, days: Mapping[date, str]) -> Iterator[str]:
    for day, what in sorted(days.items()):
        if month.since <= day < month.until:
            yield f"{what}, {day}"
