"""To whom it went: deliveries of bundles, short notices, and what opens an encrypted report."""

from __future__ import annotations

import uuid
from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from reports.models.jobs import IS_OPEN, Job

NOT_ARRIVED = Q(state__in=["failed", "cancelled", "unknown", "bounced"])

_THINGS = ("grant", "request", "bundle", "run")
_ONE_THING = reduce(
    or_, (Q(**{f"{name}__isnull": name != thing for name in _THINGS}) for thing in _THINGS)
)


class Delivery(Job):
    """One message about one bundle to one recipient, at most once."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")

    bundle = models.ForeignKey(
        "reports.Bundle", models.CASCADE, related_name="deliveries", verbose_name=_("bundle")
    )
    recipient = models.ForeignKey(
        "partners.Membership", models.CASCADE, related_name="+", verbose_name=_("recipient")
    )
    channel = models.CharField(
        _("channel"), max_length=16, choices=Channel.choices, default=Channel.EMAIL
    )
    address = models.CharField(_("address"), max_length=320, blank=True)
    message_id = models.CharField(_("Message-ID"), max_length=200, unique=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    attached = models.BooleanField(
        _("attached"), default=False, help_text=_("The file itself left with the mail.")
    )
    bounced_at = models.DateTimeField(_("bounced"), null=True, blank=True)
    resent_at = models.DateTimeField(_("sent again"), null=True, blank=True)
    resent_by = models.ForeignKey(
        "partners.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sent again by"),
    )

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-made_at"]
        indexes = [
            models.Index(fields=["due_at"], condition=IS_OPEN, name="delivery_open"),
            models.Index(fields=["done_at"], condition=NOT_ARRIVED, name="delivery_that_failed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["bundle", "recipient", "channel"], name="one_delivery_per_bundle"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.address}"

    @property
    def about(self) -> uuid.UUID:
        """What the audit trail names as the target of its mail."""
        return self.bundle_id


class Notice(Job):
    """A short mail to one person: a grant nears its end, a request moved, a report did not arrive.

    Made once by its key.
    """

    user = models.ForeignKey(
        "partners.User", models.CASCADE, related_name="+", verbose_name=_("recipient")
    )
    grant = models.ForeignKey(
        "partners.Grant", models.CASCADE, null=True, related_name="+", verbose_name=_("grant")
    )
    request = models.ForeignKey(
        "partners.AccessRequest", models.CASCADE, null=True, related_name="+",
        verbose_name=_("access request"),
    )  # fmt: skip
    bundle = models.ForeignKey(
        "reports.Bundle", models.CASCADE, null=True, related_name="+", verbose_name=_("bundle")
    )
    run = models.ForeignKey(
        "reports.Run", models.CASCADE, null=True, related_name="+", verbose_name=_("run")
    )
    key = models.CharField(_("key"), max_length=120)
    message_id = models.CharField(_("Message-ID"), max_length=200, unique=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["due_at"], condition=IS_OPEN, name="notice_open")]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="each_notice_once"),
            models.CheckConstraint(
                condition=_ONE_THING,
                name="notice_is_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def about(self) -> uuid.UUID | None:
        """What the audit trail names as the target of its mail."""
        return self.grant_id or self.request_id or self.bundle_id or self.run_id


class ReportPassword(models.Model):
    """What opens a member's encrypted reports. Kept enciphered; shown after a fresh factor."""

    membership = models.OneToOneField(
        "partners.Membership", models.CASCADE, primary_key=True, related_name="+"
    )
    partner = models.ForeignKey("partners.Partner", models.CASCADE, related_name="+")
    enciphered = models.TextField()
    made_at = models.DateTimeField(_("made"), db_default=Now())

    class Meta:
        verbose_name = _("report password")
        verbose_name_plural = _("report passwords")

    def __str__(self) -> str:
        return str(self.membership_id)
