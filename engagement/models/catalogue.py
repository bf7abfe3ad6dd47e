"""The catalogue: titles and what they are tagged with.

Whose a title is, and who may see it, is partners/'s business.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _


class Tag(models.Model):
    """A genre, a member of the cast, or the work a title is made after."""

    class Kind(models.TextChoices):
        GENRE = "genre", _("genre")
        CAST = "cast", _("cast")
        SOURCE_WORK = "source_work", _("source work")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="tag_once_per_kind")]

    def __str__(self) -> str:
        return gettext("%(name)s (%(kind)s)") % {"name": self.name, "kind": self.get_kind_display()}


class Title(models.Model):
    """A film, series, episode or trailer. A re-edit is a title of its own (`cut_of`)."""

    class Kind(models.TextChoices):
        FILM = "film", _("film")
        SERIES = "series", _("series")
        EPISODE = "episode", _("episode")
        TRAILER = "trailer", _("trailer")

    key = models.CharField(
        _("title_id"), max_length=200, unique=True, help_text=_("The platform's own id.")
    )
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    name_zh = models.CharField(_("Chinese name"), max_length=300, blank=True)
    name_en = models.CharField(_("English name"), max_length=300, blank=True)
    runtime_s = models.PositiveIntegerField(_("runtime (s)"), default=0)
    released_on = models.DateField(_("released on"), null=True, blank=True)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )
    cut_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="cuts", verbose_name=_("cut of")
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="titles", verbose_name=_("tags"))
    sample = models.BooleanField(_("sample data"), default=False)

    class Meta:
        verbose_name = _("title")
        verbose_name_plural = _("titles")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language, or the other one where that is missing."""
        return self.name_in(get_language() or "zh-hans")

    def name_in(self, language: str) -> str:
        names = [self.name_zh, self.name_en]
        if language.startswith("en"):
            names.reverse()
        return next((n for n in names if n), self.key)


class TitleChange(models.Model):
    """A change of parent or kind that a titles file asks for, held for a second person.

    Either may widen what a granted series opens, so it waits until staff have seen who gains
    and who loses.
    """

    title = models.ForeignKey(
        Title, models.CASCADE, related_name="changes", verbose_name=_("title")
    )
    kind = models.CharField(_("new kind"), max_length=16, choices=Title.Kind.choices)
    parent = models.ForeignKey(
        Title, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("new parent")
    )
    source = models.ForeignKey(
        "engagement.Source", models.PROTECT, related_name="title_changes", verbose_name=_("source")
    )
    asked_at = models.DateTimeField(_("asked at"), auto_now_add=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    accepted = models.BooleanField(_("accepted"), null=True, blank=True)

    class Meta:
        verbose_name = _("title change")
        verbose_name_plural = _("title changes")
        ordering = ["-asked_at"]

    def __str__(self) -> str:
        return f"{self.title}: {self.kind}" + (f", {self.parent}" if self.parent else "")
