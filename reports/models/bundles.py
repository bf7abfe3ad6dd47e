"""What is made: one bundle for one recipient, what it was stamped on, and its file."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from reports.models.jobs import IS_OPEN, Job
from reports.models.kinds import PAPERS, REPORT_LANGUAGES, formats_field


class Bundle(Job):
    """One zip for one recipient: what was asked, under which scope, from which releases."""

    run = models.ForeignKey(
        "reports.Run",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="bundles",
        verbose_name=_("run"),
    )
    recipient = models.ForeignKey(
        "partners.Membership", models.CASCADE, related_name="bundles", verbose_name=_("recipient")
    )
    titles = ArrayField(models.BigIntegerField(), verbose_name=_("titles"), null=True, blank=True)
    from_day = models.DateField(_("from"))
    until = models.DateField(_("until"))
    language = models.CharField(_("language"), max_length=10, choices=REPORT_LANGUAGES)
    formats = formats_field()
    paper = models.CharField(_("paper"), max_length=8, choices=PAPERS, default="a4")
    rendering = models.ForeignKey(
        "reports.Rendering",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="bundles",
        verbose_name=_("rendering"),
    )
    step = models.CharField(_("step"), max_length=64, blank=True)
    progress = models.PositiveSmallIntegerField(_("per cent done"), default=0)
    scope = models.JSONField(
        _("scope"), default=list, help_text=_("Every (title, family, territory, window) inside.")
    )
    releases = models.JSONField(_("releases"), default=list)
    purged_at = models.DateTimeField(_("purged"), null=True, blank=True)
    opened_at = models.DateTimeField(
        _("opened"),
        null=True,
        blank=True,
        help_text=_("First looked at or downloaded by its recipient."),
    )

    class Meta:
        verbose_name = _("bundle")
        verbose_name_plural = _("bundles")
        ordering = ["-made_at"]
        indexes = [
            models.Index(fields=["due_at"], condition=IS_OPEN, name="bundle_open"),
            models.Index(fields=["recipient", "-made_at"], name="bundle_of_recipient"),
            models.Index(fields=["-claimed_at"], name="bundle_begun"),
            models.Index(
                fields=["done_at"], condition=Q(state="failed"), name="bundle_that_failed"
            ),
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


class Rendering(models.Model):
    """A report before it has a recipient: what all whose numbers are the same are stamped on.

    `key` is of everything that is in it: partner, scope, window, language, formats, paper and the
    answers themselves. No two partners share one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    partner = models.ForeignKey("partners.Partner", models.CASCADE, related_name="+")
    key = models.CharField(_("key"), max_length=64)
    path = models.CharField(_("stored at"), max_length=300, help_text=_("Below the storage."))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size_bytes = models.BigIntegerField(_("bytes"))
    made_at = models.DateTimeField(_("made"), db_default=Now())

    class Meta:
        verbose_name = _("rendering")
        verbose_name_plural = _("renderings")
        constraints = [
            models.UniqueConstraint(fields=["partner", "key"], name="one_rendering_per_key")
        ]

    def __str__(self) -> str:
        return self.key


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
    plain_sha256 = models.CharField(
        _("SHA-256 of the PDF"),
        max_length=64,
        blank=True,
        help_text=_("Stamped, but neither encrypted nor signed: the same bytes each time."),
    )
    size_bytes = models.BigIntegerField(_("bytes"))
    made_at = models.DateTimeField(_("made"), db_default=Now())

    class Meta:
        verbose_name = _("artefact")
        verbose_name_plural = _("artefacts")

    def __str__(self) -> str:
        return self.name
