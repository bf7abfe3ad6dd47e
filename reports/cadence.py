"""What a schedule reports on, and when that is due: arithmetic of days, zones and clocks alone.

A period is a day, a week (Monday to Sunday) or a month in the platform's zone. It is due at the
schedule's first local slot after its last day has settled: each period has exactly one such
moment, whatever clocks do. A schedule that follows releases has no calendar: reports/runs.py asks
what has been published.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from engagement.scope import Window
from engagement.settling import settled_until
from reports.models import Schedule

Cadence = Schedule.Cadence
CAUGHT_UP = {Cadence.DAILY: 7, Cadence.WEEKLY: 2, Cadence.MONTHLY: 2}
"""How many settled periods are looked back on: a beat that stood still for days is made good."""

_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """What one run reports on. `key` is unique within a schedule."""

    key: str
    window: Window


def period_before(cadence: str, day: date) -> Period:
    """The last whole period that ends on or before the start of `day`."""
    if cadence == Cadence.MONTHLY:
        until = day.replace(day=1)
        since = (until - _A_DAY).replace(day=1)
        return Period(f"month:{since:%Y-%m}", Window(since, until))
    if cadence == Cadence.WEEKLY:
        until = day - timedelta(days=day.weekday())
        since = until - timedelta(days=7)
        return Period(f"week:{since}", Window(since, until))
    return Period(f"day:{day - _A_DAY}", Window(day - _A_DAY, day))


def period_after(cadence: str, window: Window) -> Period:
    """The period that begins where the window ends."""
    if cadence == Cadence.MONTHLY:
        days = monthrange(window.until.year, window.until.month)[1]
    else:
        days = 7 if cadence == Cadence.WEEKLY else 1
    return period_before(cadence, window.until + timedelta(days=days))


def settled_periods(cadence: str, now: datetime, most: int | None = None) -> list[Period]:
    """The last periods that have settled, the oldest first."""
    found = [period_before(cadence, settled_until(now))]
    while len(found) < (most or CAUGHT_UP[Cadence(cadence)]):
        found.insert(0, period_before(cadence, found[0].window.since))
    return found


def settles_at(window: Window) -> datetime:
    """The moment at which its last day has settled: a midnight in the platform's zone."""
    day = window.until + timedelta(days=settings.SETTLE_DAYS)
    return datetime.combine(day, time(), ZoneInfo(settings.TIME_ZONE))


def slot_at_or_after(moment: datetime, schedule: Schedule) -> datetime:
    """The schedule's first slot that is not before `moment`, in UTC.

    An hour that the clocks skip is the moment they skip at plus as much; one that they repeat
    is its first. A day of the month that a month has not is its last.
    """
    zone = ZoneInfo(schedule.zone)
    first = moment.astimezone(zone).date()
    for n in count():
        day = first + n * _A_DAY
        if _is_slot_day(day, schedule):
            slot = datetime.combine(day, time(schedule.hour), zone).astimezone(UTC)
            if slot >= moment:
                return slot
    raise AssertionError  # there is always another day


def due_at(schedule: Schedule, window: Window) -> datetime:
    """When the report of a period is due."""
    return slot_at_or_after(settles_at(window), schedule)


def next_due(schedule: Schedule, now: datetime | None = None) -> tuple[datetime, Window] | None:
    """When the next report goes out and of what; None while paused, or where releases tell."""
    upcoming = next_dues(schedule, 1, now)
    return upcoming[0] if upcoming else None


def next_dues(
    schedule: Schedule, most: int, now: datetime | None = None
) -> list[tuple[datetime, Window]]:
    """The next reports, each with when it is due. None while paused, or where releases tell."""
    if schedule.paused_at is not None or schedule.cadence == Cadence.RELEASE:
        return []
    now = now or timezone.now()
    period = settled_periods(schedule.cadence, now)[0]
    found: list[tuple[datetime, Window]] = []
    while len(found) < most:
        due = due_at(schedule, period.window)
        if due > now:
            found.append((due, period.window))
        period = period_after(schedule.cadence, period.window)
    return found


def _is_slot_day(day: date, schedule: Schedule) -> bool:
    if schedule.cadence == Cadence.WEEKLY:
        return day.weekday() == schedule.weekday
    if schedule.cadence == Cadence.MONTHLY:
        return day.day == min(schedule.monthday, monthrange(day.year, day.month)[1])
    return True
