"""The delivery ledger: one line for each (schedule, period, recipient), and what is to be done.

Nothing is kept here: a line is read from its Run, Bundle and Delivery, each of which is there once
by its constraint. An owner of a schedule reads all lines of it, any other member their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engagement.scope import Refused, Window
from partners.models import Membership, with_people
from reports.models import Bundle, Delivery, Job, Run, Schedule
from reports.schedules import schedules_of

LISTED = 500
Failure = Job.Failure


class State(models.TextChoices):
    HELD = "held", _("held: waits for late numbers")
    QUEUED = "queued", _("queued")
    BUILT = "built", _("built, the mail waits")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    BOUNCED = "bounced", _("bounced: came back")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown: may have arrived")
    REFUSED = "refused", _("cancelled: access changed")
    CANCELLED = "cancelled", _("cancelled")
    SKIPPED = "skipped", _("skipped: nothing changed")


@dataclass(frozen=True)
class Line:
    """What became of one report for one recipient."""

    state: State
    at: datetime
    recipient: Membership
    window: Window
    schedule: Schedule | None
    bundle: Bundle | None = None
    delivery: Delivery | None = None
    attempts: int = 0
    reason: str | Promise = ""
    advice: str | Promise = ""

    @property
    def is_trouble(self) -> bool:
        return self.state in _TROUBLE

    @property
    def may_go_again(self) -> bool:
        """Whether a person may have it sent again; whether the recipient may have it is asked
        when they do.
        """
        return self.bundle is not None and self.state in _AGAIN


_TROUBLE = {State.BOUNCED, State.FAILED, State.UNKNOWN, State.REFUSED}
_AGAIN = {State.BOUNCED, State.FAILED, State.UNKNOWN, State.REFUSED}

_OF_BUNDLES = {
    Job.State.QUEUED: State.QUEUED,
    Job.State.RUNNING: State.QUEUED,
    Job.State.FAILED: State.FAILED,
    Job.State.CANCELLED: State.CANCELLED,
    Job.State.DONE: State.BUILT,
}
_OF_MAILS = {
    Job.State.QUEUED: State.BUILT,
    Job.State.RUNNING: State.SENDING,
    Job.State.SENDING: State.SENDING,
    Job.State.DONE: State.SENT,
    Job.State.FAILED: State.FAILED,
    Job.State.BOUNCED: State.BOUNCED,
    Job.State.UNKNOWN: State.UNKNOWN,
    Job.State.CANCELLED: State.CANCELLED,
}
_ADVICE = {
    State.HELD: _("It goes out by itself, at the latest when its deadline comes."),
    State.BOUNCED: _("Ask the recipient whether the address is right, then send it again."),
    State.UNKNOWN: _("Ask the recipient whether it is there; if it is not, send it again."),
    State.REFUSED: _("Nothing is to be done unless access is given again; then send it again."),
}
_ADVICE_OF_FAILURES = {
    Failure.NOTHING: _("Send it again once the numbers of the period are there."),
    Failure.BROKEN: _("Send it again, or ask the platform, which has the reason."),
    Failure.REJECTED: _("Ask the recipient whether the address is right, then send it again."),
}


def lines_of(membership: Membership, *, schedule_id: UUID | None = None) -> list[Line]:
    """The newest lines that the member may read, the newest first; of one schedule if it is named.

    A schedule that is not theirs to read has none.
    """
    bundles = _told_to(membership)
    runs = Run.objects.filter(
        partner_id=membership.partner_id, schedule__in=schedules_of(membership)
    )
    if schedule_id is not None:
        bundles = bundles.filter(run__schedule=schedule_id)
        runs = runs.filter(schedule=schedule_id)
    return _newest(bundles, runs)


def line_for(membership: Membership, bundle_id: UUID) -> Line:
    """The line of one bundle, of any age. Raises Refused where the member may not read it."""
    bundle = with_lines(_told_to(membership)).filter(pk=bundle_id).first()
    if bundle is None:
        raise Refused
    return line_of(bundle)


def line_of(bundle: Bundle) -> Line:
    """The line of a bundle, which is loaded with its run, recipient and deliveries."""
    delivery = next(iter(bundle.deliveries.all()), None)
    job: Job = delivery or bundle
    state = _state(bundle, delivery)
    told = {
        "attempts": job.attempts,
        "reason": job.get_failure_display() if job.failure else "",
        "advice": _advice(state, job),
    }
    return Line(
        state=state,
        at=_at(bundle, delivery),
        recipient=bundle.recipient,
        window=Window(bundle.from_day, bundle.until),
        schedule=bundle.run.schedule if bundle.run else None,
        bundle=bundle,
        delivery=delivery,
        **told,
    )


def with_lines(bundles: QuerySet[Bundle]) -> QuerySet[Bundle]:
    """The bundles with all that `line_of` asks of them."""
    return (
        with_people(bundles, "recipient__user")
        .select_related("run__schedule", "partner")
        .prefetch_related("deliveries")
    )


def _told_to(membership: Membership) -> QuerySet[Bundle]:
    return Bundle.objects.filter(partner_id=membership.partner_id).filter(
        Q(recipient=membership) | Q(run__schedule__in=schedules_of(membership))
    )


def _newest(bundles: QuerySet[Bundle], runs: QuerySet[Run]) -> list[Line]:
    found = [line_of(b) for b in with_lines(bundles).order_by("-made_at", "-pk")[:LISTED]]
    waiting = runs.filter(bundles__isnull=True).filter(
        Q(skipped=True) | Q(held_until__gt=timezone.now())
    )
    for run in waiting.select_related("schedule").order_by("-made_at")[:LISTED]:
        found += _of_a_run(run)
    return sorted(found, key=lambda line: line.at, reverse=True)[:LISTED]


def _of_a_run(run: Run) -> Iterable[Line]:
    """Of one that has no bundles: it waits for numbers, or there was nothing new to tell."""
    state = State.SKIPPED if run.skipped else State.HELD
    people = with_people(run.schedule.recipients.all(), "user")
    for recipient in people:
        yield Line(
            state=state,
            at=run.made_at,
            recipient=recipient,
            window=Window(run.from_day, run.until),
            schedule=run.schedule,
            advice=_ADVICE.get(state, ""),
        )


def _state(bundle: Bundle, delivery: Delivery | None) -> State:
    job: Job = delivery or bundle
    if delivery is None and bundle.run_id and bundle.is_open and job.failure == Failure.NOTHING:
        return State.HELD
    if job.failure == Failure.REFUSED and not job.is_open:
        return State.REFUSED
    return (_OF_MAILS if delivery else _OF_BUNDLES)[Job.State(job.state)]


def _advice(state: State, job: Job) -> Any:
    if state == State.FAILED:
        return _ADVICE_OF_FAILURES.get(Failure(job.failure) if job.failure else Failure.BROKEN, "")
    if job.is_open and job.failure == Failure.TROUBLE:
        return _("Nothing is to be done: it is tried again by itself for a day.")
    return _ADVICE.get(state, "")


def _at(bundle: Bundle, delivery: Delivery | None) -> datetime:
    """When it came to this."""
    if delivery is None:
        return bundle.done_at or bundle.made_at
    moments = (delivery.bounced_at, delivery.sent_at, delivery.done_at, delivery.resent_at)
    return next((at for at in moments if at is not None), delivery.made_at)
