"""Fan sets: whose fans a title's viewers are, by a rule that staff state.

Who is in one is worked out by the pipeline; no table lists a set's viewers.
"""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from engagement.models.catalogue import Tag, Title


class FanSet(models.Model):
    """A named set: an actor's fans, a novel's readers, an earlier title's finishers."""

    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=200, blank=True)
    name_en = models.CharField(_("English name"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("fan set")
        verbose_name_plural = _("fan sets")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        names = [self.name_zh, self.name_en]
        if (get_language() or "zh-hans").startswith("en"):
            names.reverse()
        return next((n for n in names if n), self.slug)

    def version_on(self, day: date) -> FanSetVersion | None:
        """The rule that holds on a day; where none does yet, the first that will."""
        rules = sorted(self.versions.all(), key=lambda v: v.from_day)
        begun = [v for v in rules if v.from_day <= day]
        return next(iter(begun[-1:] or rules), None)


class FanSetVersion(models.Model):
    """The rule of a fan set from a day on. A rule is never changed: a new version replaces it."""

    class Rule(models.TextChoices):
        FINISHED = "finished", _("finished any of these titles")
        TAGGED = "tagged", _("watched any title with this tag")

    fan_set = models.ForeignKey(
        FanSet, models.PROTECT, related_name="versions", verbose_name=_("fan set")
    )
    version = models.PositiveIntegerField(_("version"))
    from_day = models.DateField(_("from"))
    until = models.DateField(_("until"), null=True, blank=True)
    rule = models.CharField(_("rule"), max_length=16, choices=Rule.choices)
    titles = models.ManyToManyField(Title, blank=True, related_name="+", verbose_name=_("titles"))
    tag = models.ForeignKey(
        Tag, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("tag")
    )
    defined_by = models.CharField(_("defined by"), max_length=254)
    defined_at = models.DateTimeField(_("defined at"), auto_now_add=True)

    class Meta:
        verbose_name = _("fan set version")
        verbose_name_plural = _("fan set versions")
        ordering = ["fan_set", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["fan_set", "version"], name="fan_set_version_once"),
            models.CheckConstraint(
                condition=Q(rule="finished", tag=None) | Q(rule="tagged", tag__isnull=False),
                name="fan_set_rule_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(fan_set)s, version %(version)s from %(day)s") % {
            "fan_set": self.fan_set,
            "version": self.version,
            "day": date_format(self.from_day),
        }
