"""Work as a row: a lease, a fence and how it went."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

IS_OPEN = Q(state__in=["queued", "running", "sending"])


class Job(models.Model):
    """A piece of work as a row: who holds it, until when, and how it went.

    `attempts` counts the claims and is the fence: whoever finishes names the attempt it holds.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SENDING = "sending", _("sending")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        UNKNOWN = "unknown", _("unknown: may have been sent")
        BOUNCED = "bounced", _("bounced: came back")

    class Failure(models.TextChoices):
        """Why it is not done, in words for whoever waits for it."""

        NOTHING = "nothing", _("There are no settled numbers in this period yet.")
        REFUSED = "refused", _("What was asked for is not granted, or not any more.")
        TROUBLE = "trouble", _("Something went wrong; it is being tried again.")
        BROKEN = "broken", _("It could not be made. Please ask the platform.")
        REJECTED = "rejected", _("The mail server refused the message.")
        UNCERTAIN = "uncertain", _("The mail may or may not have arrived; it is not sent again.")
        WITHDRAWN = "withdrawn", _("Cancelled by whoever may.")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        "partners.Partner", models.CASCADE, related_name="+", verbose_name=_("partner")
    )
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due"), db_default=Now())
    ring_at = models.DateTimeField(
        _("rung again"), db_default=Now() + Value(timedelta(seconds=5)), editable=False
    )
    claimed_at = models.DateTimeField(_("last begun"), null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    leases_lost = models.PositiveSmallIntegerField(_("workers lost"), default=0)
    failure = models.CharField(_("reason"), max_length=16, choices=Failure.choices, blank=True)
    problem = models.TextField(_("problem"), blank=True, help_text=_("For the platform's staff."))
    made_at = models.DateTimeField(_("made"), db_default=Now())
    done_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        """Whether something may still become of it."""
        return self.state in (self.State.QUEUED, self.State.RUNNING, self.State.SENDING)


class Heartbeat(models.Model):
    """When a part of the background was last heard from (reports/heartbeat.py)."""

    kind = models.CharField(_("part"), max_length=32, primary_key=True)
    at = models.DateTimeField(_("last heard from"), db_default=Now())

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.kind
