"""When a reporting day is settled: late rows are no longer expected."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.conf import settings
from django.utils import timezone


def settled_until(now: datetime | None = None) -> date:
    """The first reporting day that is not settled yet, in the platform's zone.

    A day D has settled once SETTLE_DAYS whole days have passed after it.
    """
    return timezone.localdate(now) - timedelta(days=settings.SETTLE_DAYS)
