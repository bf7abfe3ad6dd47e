"""Reports: when (Schedule, Run), what (Bundle, Artefact) and to whom (Delivery).

The rows are the truth about the work; the broker only rings. Each Run, Bundle and Delivery is
claimed with a lease and finished by whoever still holds it (reports/jobs.py).
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]


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
        CANCELLED = "cancelled", _("cancelled: access changed")
        UNKNOWN = "unknown", _("unknown: may have been sent")

    class Failure(models.TextChoices):
        """Why it is not done, in words for whoever waits for it."""

        NOTHING = "nothing", _("There are no settled numbers in this period yet.")
        REFUSED = "refused", _("What was asked for is not granted, or not any more.")
        TROUBLE = "trouble", _("Something went wrong; it is being tried again.")
        BROKEN = "broken", _("It could not be made. Please ask the platform.")
        REJECTED = "rejected", _("The mail server refused the message.")
        UNCERTAIN = "uncertain", _("The mail may or may not have arrived; it is not sent again.")

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


_IS_OPEN = Q(state__in=["queued", "running", "sending"])


class Schedule(models.Model):
    """A weekly report: Monday to Sunday, sent at a local time once the week has settled."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey(
        "partners.Partner", models.CASCADE, related_name="schedules", verbose_name=_("partner")
    )
    name = models.CharField(_("name"), max_length=120)
    owner = models.ForeignKey(
        "partners.Membership", models.CASCADE, related_name="+", verbose_name=_("owner")
    )
    titles = ArrayField(
        models.BigIntegerField(),
        verbose_name=_("titles"),
        null=True,
        blank=True,
        help_text=_("Empty: all that the recipient may see."),
    )
    weekday = models.PositiveSmallIntegerField(
        _("weekday"), default=2, validators=[MaxValueValidator(6)], help_text=_("0 is Monday.")
    )
    hour = models.PositiveSmallIntegerField(
        _("hour"), default=9, validators=[MaxValueValidator(23)]
    )
    zone = models.CharField(_("time zone"), max_length=64, default="Asia/Shanghai")
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES, default="zh-hans")
    recipients = models.ManyToManyField(
        "partners.Membership", related_name="+", verbose_name=_("recipients")
    )
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    active_from = models.DateTimeField(
        _("active from"),
        db_default=Now(),
        help_text=_("Made or resumed then: reports due before are not sent afterwards."),
    )
    made_at = models.DateTimeField(_("made"), db_default=Now())

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(weekday__lte=6, hour__lte=23), name="schedule_time_is_real"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One period of one schedule. The unique key makes any number of beats harmless."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    schedule = models.ForeignKey(
        Schedule, models.CASCADE, related_name="runs", verbose_name=_("schedule")
    )
    partner = models.ForeignKey(
        "partners.Partner", models.CASCADE, related_name="+", verbose_name=_("partner")
    )
    from_day = models.DateField(_("from"))
    until = models.DateField(_("until"))
    due_at = models.DateTimeField(_("due"))
    made_at = models.DateTimeField(_("made"), db_default=Now())
    late = models.BooleanField(_("late"), default=False)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-from_day"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "from_day"], name="one_run_per_period"),
            models.CheckConstraint(condition=Q(from_day__lt=F("until")), name="run_has_a_period"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.from_day}"


class Bundle(Job):
    """One zip for one recipient: what was asked, under which scope, from which releases."""

    run = models.ForeignKey(
        Run, models.CASCADE, null=True, blank=True, related_name="bundles", verbose_name=_("run")
    )
    recipient = models.ForeignKey(
        "partners.Membership", models.CASCADE, related_name="bundles", verbose_name=_("recipient")
    )
    titles = ArrayField(models.BigIntegerField(), verbose_name=_("titles"), null=True, blank=True)
    from_day = models.DateField(_("from"))
    until = models.DateField(_("until"))
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES)
    step = models.CharField(_("step"), max_length=64, blank=True)
    progress = models.PositiveSmallIntegerField(_("per cent done"), default=0)
    scope = models.JSONField(
        _("scope"), default=list, help_text=_("Every (title, family, territory, window) inside.")
    )
    releases = models.JSONField(_("releases"), default=list)
    purged_at = models.DateTimeField(_("purged"), null=True, blank=True)

    class Meta:
        verbose_name = _("bundle")
        verbose_name_plural = _("bundles")
        ordering = ["-made_at"]
        indexes = [
            models.Index(fields=["due_at"], condition=_IS_OPEN, name="bundle_open"),
            models.Index(fields=["recipient", "-made_at"], name="bundle_of_recipient"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "recipient"],
                condition=Q(run__isnull=False),
                name="one_bundle_per_run_and_recipient",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class Artefact(models.Model):
    """A stored file, by the SHA-256 of its bytes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey("partners.Partner", models.CASCADE, related_name="+")
    bundle = models.OneToOneField(
        Bundle, models.CASCADE, related_name="artefact", verbose_name=_("bundle")
    )
    name = models.CharField(_("file name"), max_length=200)
    path = models.CharField(_("stored at"), max_length=300, help_text=_("Below the storage."))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size_bytes = models.BigIntegerField(_("bytes"))
    made_at = models.DateTimeField(_("made"), db_default=Now())

    class Meta:
        verbose_name = _("artefact")
        verbose_name_plural = _("artefacts")

    def __str__(self) -> str:
        return self.name


class Delivery(Job):
    """One message about one bundle to one recipient, at most once."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")

    bundle = models.ForeignKey(
        Bundle, models.CASCADE, related_name="deliveries", verbose_name=_("bundle")
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

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["due_at"], condition=_IS_OPEN, name="delivery_open")]
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
    """A short mail to one person: a grant nears its end, a request moved. Made once by its key."""

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
    key = models.CharField(_("key"), max_length=120)
    message_id = models.CharField(_("Message-ID"), max_length=200, unique=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["due_at"], condition=_IS_OPEN, name="notice_open")]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="each_notice_once"),
            models.CheckConstraint(
                condition=Q(grant__isnull=True, request__isnull=False)
                | Q(grant__isnull=False, request__isnull=True),
                name="notice_is_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def about(self) -> uuid.UUID | None:
        """What the audit trail names as the target of its mail."""
        return self.grant_id or self.request_id


class Heartbeat(models.Model):
    """When a part of the background was last heard from (reports/heartbeat.py)."""

    kind = models.CharField(_("part"), max_length=32, primary_key=True)
    at = models.DateTimeField(_("last heard from"), db_default=Now())

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.kind
