"""A member takes themselves off a schedule, by the link of its mail.

No sign-in: the link is bound to the member and the schedule (links.py), so that who holds it can
end that one mail and nothing else. An owner may put the member on again.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models.functions import Now
from django.http import HttpRequest

from engagement.roles import PARTNER, acting_as
from partners.audit import record
from partners.models import Membership, with_people
from reports import jobs
from reports.links import Leaving
from reports.models import Bundle, Delivery, Job, Schedule


@dataclass(frozen=True)
class Subscription:
    """What a link is about, for the page that asks."""

    schedule: Schedule
    member: Membership


def subscription(leaving: Leaving) -> Subscription | None:
    """What the member would leave; None where they are no recipient (any more)."""
    with acting_as(PARTNER, partner_id=leaving.partner):
        member = (
            with_people(Membership.objects.all(), "user")
            .select_related("partner")
            .filter(pk=leaving.member, partner_id=leaving.partner)
            .first()
        )
        schedule = (
            Schedule.objects.select_for_update()
            .filter(pk=leaving.schedule, recipients=leaving.member, partner_id=leaving.partner)
            .first()
        )
        return Subscription(schedule, member) if schedule and member else None


def leave(leaving: Leaving, *, request: HttpRequest | None = None) -> bool:
    """Take the member off the schedule and stop what still waits for them. False where they are
    no recipient: doing it twice is no error.
    """
    with acting_as(PARTNER, partner_id=leaving.partner):
        found = subscription(leaving)
        if found is None:
            return False
        schedule, member = found.schedule, found.member
        schedule.recipients.remove(member)
        waiting = Bundle.objects.filter(
            run__schedule=schedule,
            recipient=member,
            state__in=[Job.State.QUEUED, Job.State.RUNNING],
        )
        for bundle_id in list(waiting.values_list("pk", flat=True)):
            jobs.cancel(bundle_id)
        Delivery.objects.filter(
            bundle__run__schedule=schedule, recipient=member, state=Job.State.QUEUED
        ).update(
            state=Job.State.CANCELLED,
            failure=Job.Failure.WITHDRAWN,
            problem="the recipient left the schedule",
            done_at=Now(),
        )
        record(
            "schedule.left",
            actor=member.user,
            partner=member.partner,
            target=schedule.pk,
            request=request,
            by="the link of a mail",
        )
    return True
