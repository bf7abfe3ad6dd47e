"""Fan sets: whose fans a title's viewers are, by rules that staff state, each from a day on.

Whose titles a set may be built from besides its reader's own is in consents.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max, Q, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, listed
from engagement.models import FanSet, FanSetVersion, Tag, Title
from engagement.pipeline.fansets import LEAST_PARTNERS
from partners.admin.base import AuditedAdmin, paragraphs, staff, state_shown
from partners.models import Holding, Partner


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    """Genres, cast and source works, to choose a fan set's from. They come with the titles."""

    list_display = ("name", "kind")
    list_filter = ("kind",)
    search_fields = ("name",)


_FEW = 3
"""So many names stand in a list; the page of the fan set has all."""

_TAGGED = {
    Tag.Kind.CAST: _("Watched any title with %(name)s in the cast"),
    Tag.Kind.SOURCE_WORK: _("Watched any title based on %(name)s"),
    Tag.Kind.GENRE: _("Watched any title of the genre %(name)s"),
}


def rule_in_words(version: FanSetVersion, most: int | None = None) -> str:
    """Who is a fan by it; at most so many titles are named."""
    if version.tag is not None:
        return str(_TAGGED[Tag.Kind(version.tag.kind)]) % {"name": version.tag.name}
    return _t("Finished any of: %(titles)s") % {"titles": named(version.titles.all(), most)}


def named(things: Iterable[object], most: int | None = None) -> str:
    """Names in a line; of more than `most`, the first and how many there are."""
    names = [str(thing) for thing in things]
    if most is None or len(names) <= most:
        return listed(names)
    return _t("%(names)s …, %(n)s in all") % {"names": listed(names[:most]), "n": len(names)}


def whose_titles(version: FanSetVersion, most: int | None = None) -> SafeString:
    """Who holds the rule's titles today, and what that means for who reads the set."""
    titles = version.tag.titles.all() if version.tag else version.titles.all()
    counted = {title.pk for title in titles if title.kind != Title.Kind.SERIES}
    of_partner: dict[Partner, set[int]] = {}
    for holding in holdings_on(timezone.localdate(), counted):
        of_partner.setdefault(holding.partner, set()).add(holding.title_id)
    owners = [partner for partner, held in of_partner.items() if held == counted]
    return format_html(
        '{}<span class="quiet">{}</span>',
        named(of_partner, most),
        _who_reads(owners, len(of_partner)),
    )


def holdings_on(day: date, titles: Iterable[int]) -> QuerySet[Holding]:
    return (
        Holding.objects.filter(title__in=titles)
        .filter(Q(from_day=None) | Q(from_day__lte=day), Q(until=None) | Q(until__gt=day))
        .select_related("partner")
        .order_by("partner__slug")
    )


def _who_reads(owners: list[Partner], partners: int) -> str:
    if partners >= LEAST_PARTNERS:
        return _t("Titles of %s partners: may be pooled while no partner dominates.") % partners
    if owners:
        return _t("All titles are held by %s; others read it by consent alone.") % listed(owners)
    return _t(
        "Too few partners to pool (%(n)s of %(least)s): read only where consents cover the titles"
        " of others."
    ) % {"n": partners, "least": LEAST_PARTNERS}


class FanSetVersionForm(forms.ModelForm):
    class Meta:
        model = FanSetVersion
        fields = ("from_day", "rule", "titles", "tag")
        help_texts = {
            "from_day": _(
                "What is watched from this day on makes fans; it may lie in the past. Weeks that"
                " end on this day or later are counted by this rule, and the rule before it ends."
            ),
            "rule": _(
                "Finished: reached 90 % of the runtime of any of the titles. Watched: played any"
                " part of any title with the actor, source work or genre."
            ),
            "titles": _(
                "For the rule of titles finished. A series is finished by its episodes: name"
                " those, not the series."
            ),
            "tag": _(
                "For the other rule: an actor, source work or genre. Titles that are tagged so"
                " later count too."
            ),
        }

    def clean_titles(self) -> Any:
        titles = self.cleaned_data["titles"]
        series = [title for title in titles if title.kind == Title.Kind.SERIES]
        if series:
            raise forms.ValidationError(
                _t("Nobody finishes a series as such. Name episodes in place of: %s")
                % listed(series)
            )
        return titles

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        titles, tag = cleaned.get("titles"), cleaned.get("tag")
        if cleaned.get("rule") == FanSetVersion.Rule.FINISHED:
            if not titles:
                self.add_error("titles", _t("Name the titles whose finishers are the fans."))
            if tag:
                self.add_error("tag", _t("A tag belongs to the other rule."))
        elif cleaned.get("rule") == FanSetVersion.Rule.TAGGED:
            if not tag:
                self.add_error("tag", _t("Name the actor, source work or genre."))
            if titles:
                self.add_error("titles", _t("Titles belong to the other rule: the tag says which."))
        return cleaned


class OneNewVersion(BaseInlineFormSet):
    """At most one version is added at a time, and it begins after the one before."""

    def clean(self) -> None:
        super().clean()
        fresh = [f for f in self.extra_forms if f.has_changed() and f.is_valid()]
        if len(fresh) > 1:
            raise forms.ValidationError(_t("Add one version at a time."))
        newest = self.instance.pk and self.instance.versions.aggregate(day=Max("from_day"))["day"]
        for form in fresh:
            day = form.cleaned_data.get("from_day")
            if newest and day and day <= newest:
                form.add_error(
                    "from_day",
                    _t("A version begins after the one before, which began on %s.")
                    % date_format(newest),
                )


class FanSetVersionInline(admin.StackedInline):
    """Rules by date. A rule is never changed: a new version replaces it from its day on."""

    model = FanSetVersion
    form = FanSetVersionForm
    formset = OneNewVersion
    verbose_name = _("rule")
    verbose_name_plural = _("Rules, the newest first")
    fields = ("said", "whose", "from_day", "until", "defined_by", "rule", "titles", "tag")
    readonly_fields = ("said", "whose", "until", "defined_by")
    autocomplete_fields = ("titles", "tag")
    ordering = ("-version",)
    extra = 0
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("who is a fan"))
    def said(self, version: FanSetVersion) -> str:
        return rule_in_words(version) if version.pk else self.get_empty_value_display()

    @admin.display(description=_("whose titles"))
    def whose(self, version: FanSetVersion) -> SafeString | str:
        return whose_titles(version) if version.pk else self.get_empty_value_display()


class FanSetForm(forms.ModelForm):
    class Meta:
        model = FanSet
        fields = ("slug", "name_zh", "name_en")
        help_texts = {
            "slug": _(
                "Partners read it in their tables, in the column fan_set. It cannot be changed"
                " later."
            ),
        }


@admin.register(FanSet)
class FanSetAdmin(AuditedAdmin):
    form = FanSetForm
    audit_subject = "fan_set"
    list_display = ("called", "said", "number", "since", "whose", "state")
    search_fields = ("slug", "name_zh", "name_en")
    fieldsets = (
        (
            None,
            {
                "fields": ("slug", "name_zh", "name_en"),
                "description": paragraphs(
                    _(
                        "A fan set is a rule: who finished any of the titles named, or watched any"
                        " title of the actor, source work or genre named. In the numbers of a"
                        " title that is itself in the set, the set counts by its other titles"
                        " alone."
                    ),
                    _(
                        "A rule is never changed. To change what counts, add a rule below with"
                        " the day from which it holds: it ends the one before, and begins anew,"
                        " with what is watched from its own first day on. What is published stays"
                        " as it is."
                    ),
                    _(
                        "Who reads it: a partner alone, where all other titles of the set are its"
                        " own or are covered by consents given to it; everybody who is granted"
                        " fanbases of a title, where the set pools the titles of at least five"
                        " partners, none with more than half of the viewers pooled and no two"
                        " with more than 80 %. Else nobody does."
                    ),
                ),
            },
        ),
    )
    inlines = (FanSetVersionInline,)
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[FanSet]:
        sets: QuerySet[FanSet] = super().get_queryset(request)
        return sets.prefetch_related(
            "versions__titles", "versions__tag__titles", "versions__fan_set"
        )

    @admin.display(description=_("fan set"), ordering="slug")
    def called(self, fan_set: FanSet) -> SafeString:
        return format_html('{}<span class="quiet">{}</span>', fan_set, fan_set.slug)

    @admin.display(description=_("who is a fan"))
    def said(self, fan_set: FanSet) -> str:
        rule = fan_set.version_on(timezone.localdate())
        return rule_in_words(rule, _FEW) if rule else self.get_empty_value_display()

    @admin.display(description=_("version"))
    def number(self, fan_set: FanSet) -> int | None:
        rule = fan_set.version_on(timezone.localdate())
        return rule.version if rule else None

    @admin.display(description=_("in force from"))
    def since(self, fan_set: FanSet) -> date | None:
        rule = fan_set.version_on(timezone.localdate())
        return rule.from_day if rule else None

    @admin.display(description=_("whose titles"))
    def whose(self, fan_set: FanSet) -> SafeString | str:
        rule = fan_set.version_on(timezone.localdate())
        return whose_titles(rule, _FEW) if rule else self.get_empty_value_display()

    @admin.display(description=_("state"))
    def state(self, fan_set: FanSet) -> SafeString:
        today = timezone.localdate()
        rule = fan_set.version_on(today)
        if rule is None:
            return state_shown("proposed", _t("no rule yet"))
        if rule.from_day > today:
            return state_shown("proposed", _t("not yet in force"))
        if rule.until is not None:
            return state_shown(
                "approved", _t("in force; a new rule from %s") % date_format(rule.until)
            )
        return state_shown("approved", _t("in force"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what was published under it stays

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for version in formset.save(commit=False):
            earlier = FanSetVersion.objects.filter(fan_set=version.fan_set)
            version.version = (earlier.aggregate(n=Max("version"))["n"] or 0) + 1
            version.defined_by = staff(request).email
            earlier.filter(until=None).update(until=version.from_day)
            version.save()
            formset.save_m2m()
            self.audit(
                request,
                "version_added",
                version.fan_set,
                version=version.version,
                rule=version.rule,
                from_day=version.from_day.isoformat(),
                titles=sorted(version.titles.values_list("slug", flat=True)),
                tag=f"{version.tag.kind} {version.tag.name}" if version.tag else "",
            )

    def audit_target(self, obj: FanSet) -> str:
        return obj.slug
