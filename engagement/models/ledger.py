"""The ledger of what came in and what was published from it.

A Source is one landed file, a Release the published numbers of one unit, an Ingest one run of
the command.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Ingest(models.Model):
    """One run of `manage.py ingest`, with what it read, refused and published."""

    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    summary = models.JSONField(_("summary"), default=dict)

    class Meta:
        verbose_name = _("ingest")
        verbose_name_plural = _("ingests")
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"


class Source(models.Model):
    """One landed file. The newest landing of a name is live until replaced or withdrawn."""

    class Kind(models.TextChoices):
        TITLES = "titles", _("titles")
        SEGMENTS = "segments", _("segments")
        DANMU = "danmu", _("danmu")
        DISCUSSION = "discussion", _("discussion")
        SHARES = "shares", _("shares")

    class State(models.TextChoices):
        LIVE = "live", _("live")
        REPLACED = "replaced", _("replaced")
        WITHDRAWN = "withdrawn", _("withdrawn")
        QUARANTINED = "quarantined", _("quarantined")

    name = models.CharField(_("name"), max_length=1000)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    format = models.CharField(_("format"), max_length=32)
    options = models.JSONField(
        _("options"), default=dict, help_text=_("--title, --territory, --day")
    )
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    ingest = models.ForeignKey(
        Ingest, models.PROTECT, related_name="sources", verbose_name=_("ingest")
    )
    landed_at = models.DateTimeField(_("landed"), auto_now_add=True)
    size_bytes = models.BigIntegerField(_("bytes"), default=0)
    rows_read = models.BigIntegerField(_("rows read"), default=0)
    rows_kept = models.BigIntegerField(_("rows kept"), default=0)
    problem = models.TextField(_("why quarantined"), blank=True)
    sample = models.BooleanField(_("sample data"), default=False)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["-landed_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(state="live"), name="one_live_source_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Rejected(models.Model):
    """How many rows of a source were refused for one reason, with examples."""

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="rejected", verbose_name=_("source")
    )
    reason = models.CharField(_("reason"), max_length=32)
    rows = models.BigIntegerField(_("rows"))
    examples = models.JSONField(
        _("examples"), default=list, help_text=_("Line and what was wrong.")
    )

    class Meta:
        verbose_name = _("rejected rows")
        verbose_name_plural = _("rejected rows")
        constraints = [
            models.UniqueConstraint(fields=["source", "reason"], name="reason_once_per_source")
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.rows}"


class ClosedMonth(models.Model):
    """A month that was settled with the partners: later changes stand beside it."""

    month = models.DateField(_("month"), unique=True, help_text=_("Its first day."))
    closed_at = models.DateTimeField(_("closed at"), auto_now_add=True)
    closed_by = models.CharField(_("closed by"), max_length=254)

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering = ["-month"]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class Release(models.Model):
    """The published numbers of one unit.

    A unit is (segments or shares, title, day), (danmu or discussion, title), or a protected
    family's (family, title, period).

    One row a version: a unit that is published again gets a new Release, and facts point at
    the one they come from. STARTED without DONE is a run that was killed; its facts were never
    visible, since they are swapped in the transaction that writes DONE. The next run that comes
    to its end leaves it SUPERSEDED.
    """

    class Kind(models.TextChoices):
        SEGMENTS = "segments", _("segments")
        DANMU = "danmu", _("danmu")
        DISCUSSION = "discussion", _("discussion")
        SHARES = "shares", _("shares")
        DEMOGRAPHICS = "demographics", _("demographics")
        GEOGRAPHY = "geography", _("geography")
        FANBASES = "fanbases", _("fanbases")
        TYPICAL = "typical", _("typical")

    class State(models.TextChoices):
        STARTED = "started", _("started")
        DONE = "done", _("done")
        SUPERSEDED = "superseded", _("superseded")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    title = models.ForeignKey(
        "engagement.Title", models.PROTECT, related_name="releases", verbose_name=_("title")
    )
    day = models.DateField(_("day"), null=True, blank=True)
    reaches = models.DateField(
        _("reaches"),
        null=True,
        blank=True,
        help_text=_("The last day on which a session of this day still played."),
    )
    sources = models.ManyToManyField(Source, related_name="releases", verbose_name=_("sources"))
    engine = models.CharField(_("engine"), max_length=16, default="embedded")
    metric_version = models.CharField(_("metric version"), max_length=16)
    input_digest = models.CharField(_("input digest"), max_length=64)
    state = models.CharField(_("state"), max_length=16, choices=State.choices)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    rows = models.BigIntegerField(_("rows"), default=0)
    rejected = models.JSONField(_("rejected"), default=dict)
    waiting_viewers = models.BigIntegerField(
        _("viewers waiting"),
        default=0,
        help_text=_("Viewers of days that wait for others until they reach the floor."),
    )
    ingest = models.ForeignKey(
        Ingest, models.PROTECT, null=True, related_name="releases", verbose_name=_("ingest")
    )
    until = models.DateField(
        _("until"), null=True, blank=True, help_text=_("Of a period longer than a day.")
    )
    epsilon = models.FloatField(
        _("privacy spent"), default=0, help_text=_("Epsilon of the noise drawn for it.")
    )
    people_file = models.CharField(
        _("people"),
        max_length=200,
        blank=True,
        help_text=_("Where the pipeline keeps who watched, under its own folder."),
    )

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        ordering = ["-started_at"]
        indexes = [
            models.Index(fields=["-started_at"], name="release_newest"),
            models.Index(fields=["day"], name="release_of_day"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "title", "day"],
                condition=Q(state="done"),
                name="one_done_release_per_unit",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.title.slug} {self.day or ''}"
