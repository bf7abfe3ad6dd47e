"""Scheduled bundles whose mail waits to be sent, for tests of what becomes of it."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from engagement.models import Release, Title
from partners.models import Membership
from reports.build import build
from reports.models import Bundle, Delivery, Schedule
from reports.runs import make_runs
from tests.cast import publish_days

WEDNESDAY = datetime(2026, 1, 14, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
"""The week from 5 January is due then; the cast's numbers lie in it."""


def schedule_for(*members: Membership) -> Schedule:
    """A weekly report of the first member's own, due since long."""
    owner = members[0]
    schedule = Schedule.objects.create(
        partner=owner.partner, name="Weekly", owner=owner, language="en",
        active_from=datetime(2026, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai")),
    )  # fmt: skip
    schedule.recipients.set(members)
    return schedule


def run_of(schedule: Schedule) -> list[Bundle]:
    """Its run of that week, made: a bundle for each recipient, in the order of their addresses."""
    if not Release.objects.filter(kind="segments", day=date(2026, 1, 11)).exists():
        publish_days(Title.objects.get(slug="film"), date(2026, 1, 1), date(2026, 1, 12))
    assert make_runs(WEDNESDAY) == 1
    return list(Bundle.objects.filter(run__schedule=schedule).order_by("recipient__user__email"))


def waiting(*members: Membership) -> list[Delivery]:
    """Built, the mails still to be sent, in the order of their addresses."""
    bundles = run_of(schedule_for(*members))
    for bundle in bundles:
        assert build(bundle.pk)
    return list(Delivery.objects.filter(bundle__in=bundles).order_by("address"))


def due_now(delivery: Delivery) -> Delivery:
    Delivery.objects.filter(pk=delivery.pk).update(due_at=timezone.now())
    return delivery


def state_of(delivery: Delivery) -> tuple[str, str, int]:
    delivery.refresh_from_db()
    return delivery.state, delivery.failure, delivery.attempts
