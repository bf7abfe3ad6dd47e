"""Whose titles are (holdings), and what grants make of it (entitlements)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin, listed
from engagement.scope import EVER
from partners import territories
from partners.admin.base import staff
from partners.admin.choices import EXIT_NAMES, FAMILY_NAMES, TerritoriesField, in_order
from partners.admin.comparison import AsksBeforeSaving
from partners.admin.filters import TypedPartner
from partners.blocks import Reach
from partners.difference import as_granted
from partners.models import Entitlement, Holding
from partners.refreshing import refresh


class HoldingForm(forms.ModelForm):
    territories = TerritoriesField(label=_("territories"))

    class Meta:
        model = Holding
        fields = ("partner", "title", "territories", "from_day", "until")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        in_order(self, "from_day", "until")
        return cleaned


@admin.register(Holding)
class HoldingAdmin(AsksBeforeSaving):
    """Saving or removing one closes what granted series no longer open, once that was seen; what
    they would open besides waits for a second person.
    """

    form = HoldingForm
    opens_by_two = True
    audit_subject = "holding"
    ordering = ("-pk",)  # by name, every holding there is would be sorted for each page
    actions = None
    list_display = ("title", "partner", "where", "from_day", "until")
    list_filter = (("partner", TypedPartner),)
    list_select_related = ("partner", "title")
    search_fields = (
        "partner__slug", "partner__name_zh", "partner__name_en",
        "title__slug", "title__name_zh", "title__name_en",
    )  # fmt: skip
    autocomplete_fields = ("partner", "title")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("partner", "title") if obj else ()

    def compared(self, request: HttpRequest, object_id: str | None) -> Callable[[], Reach]:
        """What stands of its title; nothing where the form names none, and is not valid."""
        held = self.get_object(request, unquote(object_id)) if object_id else None
        named = str(held.title_id) if held is not None else request.POST.get("title", "")
        return lambda: as_granted(int(named)) if named.isdecimal() else {}

    @admin.display(description=_("territories"))
    def where(self, holding: Holding) -> str:
        return listed(territories.name(t) for t in holding.territories)

    def save_model(
        self, request: HttpRequest, obj: Holding, form: forms.ModelForm, change: bool
    ) -> None:
        obj.recorded_by, obj.recorded_at = staff(request), timezone.now()
        super().save_model(request, obj, form, change)
        self._refresh(request, obj)

    def delete_model(self, request: HttpRequest, obj: Holding) -> None:
        super().delete_model(request, obj)
        self._refresh(request, obj)

    def _refresh(self, request: HttpRequest, holding: Holding) -> None:
        for effect in refresh([holding.title_id], by=staff(request), request=request):
            told = (
                _t(
                    "%(partner)s sees more of %(title)s by grant %(grant)s once another person"
                    " approves the grant that is proposed in its place."
                )
                if effect.gains
                else _t("%(partner)s no longer sees %(title)s by grant %(grant)s.")
            )
            self.message_user(
                request,
                told
                % {
                    "partner": effect.grant.partner,
                    "title": effect.title,
                    "grant": effect.grant.contract_reference,
                },
                messages.WARNING,
            )


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnlyAdmin):
    """Why can this partner see that title: the rows that both walls read."""

    list_display = fields = (
        "of_partner", "of_title", "of_grant", "which_families", "which_territories", "which_exits",
        "days_from", "days_until", "open_from", "open_until",
    )  # fmt: skip
    list_filter = (("partner", TypedPartner),)
    list_select_related = ("partner", "title", "grant", "grant__partner")
    search_fields = ("partner__slug", "title__slug", "title__name_zh", "grant__contract_reference")

    @admin.display(description=_("partner"), ordering="partner__name_zh")
    def of_partner(self, row: Entitlement) -> str:
        return row.partner.name

    @admin.display(description=_("title"), ordering="title__slug")
    def of_title(self, row: Entitlement) -> str:
        return row.title.name

    @admin.display(description=_("grant"), ordering="grant__contract_reference")
    def of_grant(self, row: Entitlement) -> str:
        return str(row.grant)

    @admin.display(description=_("families"))
    def which_families(self, row: Entitlement) -> str:
        return listed(FAMILY_NAMES.get(f, f) for f in row.families)

    @admin.display(description=_("territories"))
    def which_territories(self, row: Entitlement) -> str:
        return listed(territories.name(t) for t in row.territories)

    @admin.display(description=_("exits"))
    def which_exits(self, row: Entitlement) -> str:
        return listed(EXIT_NAMES.get(e, e) for e in row.exits)

    @admin.display(description=_("data from"), ordering="data_from")
    def days_from(self, row: Entitlement) -> date | None:
        return None if row.data_from == EVER.since else row.data_from

    @admin.display(description=_("data until"), ordering="data_until")
    def days_until(self, row: Entitlement) -> date | None:
        return None if row.data_until == EVER.until else row.data_until

    @admin.display(description=_("valid from"), ordering="valid_from")
    def open_from(self, row: Entitlement) -> datetime:
        return row.valid_from

    @admin.display(description=_("valid until"), ordering="valid_until")
    def open_until(self, row: Entitlement) -> datetime | None:
        return row.valid_until
