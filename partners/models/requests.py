"""What partners ask for (AccessRequest), what staff propose by a file (GrantBatch), and what they
look at in a partner's place (StaffView)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from partners.models.grants import Grant
from partners.models.people import Partner, User


class AccessRequest(models.Model):
    """A partner asks to see families of a title that it holds, and why."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        PROPOSED = "proposed", _("being decided")
        GRANTED = "granted", _("granted")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        Partner, models.PROTECT, related_name="access_requests", verbose_name=_("partner")
    )
    title = models.ForeignKey(
        "engagement.Title", models.PROTECT, related_name="+", verbose_name=_("title")
    )
    families = ArrayField(models.CharField(max_length=32), verbose_name=_("families"))
    reason = models.TextField(_("reason"), max_length=2000)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.WAITING
    )
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    asked_at = models.DateTimeField(_("asked at"), db_default=Now())
    grant = models.ForeignKey(
        Grant, models.SET_NULL, null=True, blank=True, related_name="access_requests",
        verbose_name=_("grant"),
    )  # fmt: skip
    answer = models.TextField(_("answer"), max_length=2000, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())

    class Meta:
        verbose_name = _("access request")
        verbose_name_plural = _("access requests")
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "title"],
                condition=Q(state__in=["waiting", "proposed"]),
                name="one_open_request_a_title",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(answer=""), name="declining_gives_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.partner.slug} {self.title.slug}"

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.WAITING, self.State.PROPOSED)


class GrantBatch(models.Model):
    """Grants that one file proposes: approved together, by a second person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("file"), max_length=200)
    sha256 = models.CharField(max_length=64, editable=False)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("made by"))
    made_at = models.DateTimeField(_("made at"), db_default=Now())
    grants = models.ManyToManyField(Grant, related_name="batches", verbose_name=_("grants"))

    class Meta:
        verbose_name = _("file of grants")
        verbose_name_plural = _("files of grants")
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return self.name


class StaffView(models.Model):
    """Half an hour in which one of the staff sees a partner's pages as the partner does."""

    LASTS = timedelta(minutes=30)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        Partner, models.PROTECT, related_name="+", verbose_name=_("partner")
    )
    seen_as = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("member")
    )
    staff = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("who"))
    reason = models.CharField(_("reason"), max_length=300)
    started_at = models.DateTimeField(_("started"), db_default=Now())
    ends_at = models.DateTimeField(_("ends"), db_default=Now() + models.Value(LASTS))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("view as a partner")
        verbose_name_plural = _("views as a partner")
        ordering = ["-started_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="staff_view_has_a_reason"),
            models.CheckConstraint(
                condition=Q(ends_at__lte=F("started_at") + timedelta(minutes=30)),
                name="staff_view_is_short",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.staff} {self.partner.slug}"
