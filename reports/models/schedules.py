"""When a report comes (Schedule), and each time it did (Run)."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from reports.models.kinds import PAPERS, REPORT_LANGUAGES, formats_field


class Schedule(models.Model):
    """A report that comes again: of each day, week or month once it has settled, or of each
    release, at a local time.
    """

    class Cadence(models.TextChoices):
        DAILY = "daily", _("daily")
        WEEKLY = "weekly", _("weekly")
        MONTHLY = "monthly", _("monthly")
        RELEASE = "release", _("after each release")

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
    cadence = models.CharField(
        _("how often"), max_length=16, choices=Cadence.choices, default=Cadence.WEEKLY
    )
    weekday = models.PositiveSmallIntegerField(
        _("weekday"), default=2, validators=[MaxValueValidator(6)], help_text=_("0 is Monday.")
    )
    monthday = models.PositiveSmallIntegerField(
        _("day of the month"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_("Of a month that has no such day: its last."),
    )
    hour = models.PositiveSmallIntegerField(
        _("hour"), default=9, validators=[MaxValueValidator(23)]
    )
    zone = models.CharField(_("time zone"), max_length=64, default="Asia/Shanghai")
    deadline_hours = models.PositiveSmallIntegerField(
        _("hours to wait for late numbers"),
        default=24,
        validators=[MaxValueValidator(240)],
        help_text=_("Then the report goes out with what there is, and says that it is delayed."),
    )
    skip_unchanged = models.BooleanField(_("skip when nothing changed"), default=False)
    language = models.CharField(
        _("language"), max_length=10, choices=REPORT_LANGUAGES, default="zh-hans"
    )
    formats = formats_field()
    paper = models.CharField(_("paper"), max_length=8, choices=PAPERS, default="a4")
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
                condition=Q(weekday__lte=6, hour__lte=23, monthday__range=(1, 31)),
                name="schedule_time_is_real",
            ),
            models.CheckConstraint(
                condition=Q(cadence__in=["daily", "weekly", "monthly", "release"]),
                name="schedule_cadence_is_known",
            ),
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
    period = models.CharField(
        _("period"),
        max_length=80,
        help_text=_("What it reports on, and the key that makes it once: week:2026-03-02."),
    )
    from_day = models.DateField(_("from"))
    until = models.DateField(_("until"))
    due_at = models.DateTimeField(_("due"))
    made_at = models.DateTimeField(_("made"), db_default=Now())
    late = models.BooleanField(_("late"), default=False)
    held_until = models.DateTimeField(
        _("held until"),
        null=True,
        blank=True,
        help_text=_("Waits for late numbers, at most until then."),
    )
    delayed = models.BooleanField(_("delayed"), default=False)
    skipped = models.BooleanField(_("skipped: nothing changed"), default=False)
    asked_by = models.ForeignKey(
        "partners.Membership",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-from_day"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "period"], name="one_run_per_period"),
            models.CheckConstraint(condition=Q(from_day__lt=F("until")), name="run_has_a_period"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.period}"
