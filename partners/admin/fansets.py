"""Fan sets and the consents that let one be built from somebody else's title."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _t

from engagement.admin_pages import ReadOnlyAdmin
from engagement.models import FanSet, FanSetVersion, Tag
from partners.admin.base import AuditedAdmin, staff
from partners.admin.choices import in_order
from partners.models import Consent, Holding


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    """Genres, cast and source works, to choose a fan set's from. They come with the titles."""

    list_display = ("name", "kind")
    list_filter = ("kind",)
    search_fields = ("name",)


class FanSetVersionForm(forms.ModelForm):
    class Meta:
        model = FanSetVersion
        fields = ("from_day", "rule", "titles", "tag")

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
                    _t("A version begins after the one before, which is of %s.") % newest,
                )


class FanSetVersionInline(admin.StackedInline):
    """Rules by date. A rule is never changed: a new version replaces it from its day on."""

    model = FanSetVersion
    form = FanSetVersionForm
    formset = OneNewVersion
    fields = ("version", "from_day", "until", "rule", "titles", "tag", "defined_by")
    readonly_fields = ("version", "until", "defined_by")
    autocomplete_fields = ("titles", "tag")
    ordering = ("-version",)
    extra = 0
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FanSet)
class FanSetAdmin(AuditedAdmin):
    audit_subject = "fan_set"
    list_display = ("slug", "name_zh", "name_en")
    search_fields = ("slug", "name_zh", "name_en")
    fields = ("slug", "name_zh", "name_en")
    inlines = (FanSetVersionInline,)
    actions = None

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
                tag=str(version.tag or ""),
            )


class ConsentForm(forms.ModelForm):
    class Meta:
        model = Consent
        fields = ("partner", "given_to", "title", "contract_reference", "from_day", "until")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        in_order(self, "from_day", "until")
        partner = cleaned.get("partner", self.instance.partner_id and self.instance.partner)
        if partner and partner == cleaned.get("given_to"):
            self.add_error("given_to", _t("A partner needs no consent of its own."))
        title = cleaned.get("title")
        if partner and title and not Holding.objects.filter(partner=partner, title=title).exists():
            self.add_error("title", _t("This partner does not hold that title."))
        return cleaned


@admin.register(Consent)
class ConsentAdmin(AuditedAdmin):
    """Recorded from a contract. Only its end may change: it bites with the next published week."""

    form = ConsentForm
    audit_subject = "consent"
    list_display = ("title", "partner", "given_to", "contract_reference", "from_day", "until")
    list_filter = (("partner", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("partner", "given_to", "title")
    search_fields = ("partner__slug", "given_to__slug", "title__slug", "contract_reference")
    autocomplete_fields = ("partner", "given_to", "title")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("partner", "given_to", "title", "contract_reference", "from_day")
        return fixed if obj else ()

    def save_model(
        self, request: HttpRequest, obj: Consent, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.recorded_by = staff(request)
        super().save_model(request, obj, form, change)
