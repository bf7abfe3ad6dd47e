"""Consents: a partner lets another's fan sets be built from one of its titles."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from partners import consents
from partners.admin.base import AuditedAdmin, by_whom, paragraphs, staff, state_shown
from partners.admin.choices import in_order
from partners.admin.filters import TypedPartner
from partners.models import Consent, Holding


class ConsentForm(forms.ModelForm):
    class Meta:
        model = Consent
        fields = ("partner", "given_to", "title", "contract_reference", "from_day", "until")
        help_texts = {
            "partner": _("Who holds the title and consents."),
            "given_to": _("Who may read fan sets that are built with the title. Nobody else may."),
            "title": _("One that the partner holds; a consent is for one title."),
            "contract_reference": _("Where the consent is written down."),
            "from_day": _("Weeks that begin on this day or later may be counted by it."),
            "until": _(
                "The first day without it; empty while it stands. To withdraw the consent, enter"
                " that day: weeks that end on it or later are no longer counted with the title."
                " Published weeks stay as they are, and stay readable."
            ),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        in_order(self, "from_day", "until")
        self._ends_no_later()
        partner = cleaned.get("partner", self.instance.partner_id and self.instance.partner)
        if partner and partner == cleaned.get("given_to"):
            self.add_error(
                "given_to", _t("A partner needs no consent for its own titles: name another.")
            )
        title = cleaned.get("title")
        if partner and title and not Holding.objects.filter(partner=partner, title=title).exists():
            self.add_error(
                "title",
                _t("%(partner)s does not hold %(title)s; only a holder can consent.")
                % {"partner": partner, "title": title},
            )
        return cleaned

    def _ends_no_later(self) -> None:
        before, after = self.initial.get("until"), self.cleaned_data.get("until")
        if self.instance.pk and before and (after is None or after > before):
            self.add_error("until", _t("A later end is a new consent: record that one."))


@admin.register(Consent)
class ConsentAdmin(AuditedAdmin):
    """Recorded from a contract by one person, approved by another. Then only its end may change,
    to come earlier: it bites with the next published week.
    """

    form = ConsentForm
    audit_subject = "consent"
    change_form_template = "admin/partners/consent/change_form.html"
    list_display = (
        "title", "partner", "given_to", "from_day", "until", "state", "contract_reference",
    )  # fmt: skip
    list_filter = (("partner", TypedPartner),)
    list_select_related = ("partner", "given_to", "title")
    search_fields = ("partner__slug", "given_to__slug", "title__slug", "contract_reference")
    autocomplete_fields = ("partner", "given_to", "title")
    actions = None
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "partner",
                    "given_to",
                    "title",
                    "contract_reference",
                    "from_day",
                    "until",
                ),
                "description": paragraphs(
                    _(
                        "A fan set that is built from titles of few partners is read by a partner"
                        " only if all of them are its own. With a consent, a title of another"
                        " partner may be among them. The partner then reads how many viewers of"
                        " its own titles are fans of the set; the other title's own numbers stay"
                        " closed to it as before."
                    ),
                    _("It is in force once another person has approved it."),
                    _(
                        "Once it is saved, only its end can be changed; withdraw it by its end."
                        " What partners already read stays."
                    ),
                ),
            },
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is withdrawn by its end, and stays to be shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = ("partner", "given_to", "title", "contract_reference", "from_day")
        return (*fixed, "recorded", "approved") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = super().get_fieldsets(request, obj)
        people = (_("State"), {"fields": ("recorded", "approved")})
        return (*asked, people) if obj else asked

    @admin.display(description=_("recorded by"))
    def recorded(self, consent: Consent) -> str:
        return by_whom(consent.recorded_by, consent.recorded_at)

    @admin.display(description=_("approved by"))
    def approved(self, consent: Consent) -> str:
        return by_whom(consent.approved_by, consent.approved_at)

    def get_urls(self) -> list[URLPattern]:
        approve = path(
            "<path:object_id>/approve/",
            self.admin_site.admin_view(self.approve),
            name="partners_consent_approve",
        )
        return [approve, *super().get_urls()]

    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET: what it lets in. POST by another person than who recorded it: in force."""
        consent: Consent = self.object_or_404(request, object_id)
        if not consents.may_approve(staff(request)):
            raise PermissionDenied
        if request.method == "POST":
            try:
                consents.approve(consent, by=staff(request), request=request)
            except consents.ConsentError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.log_change(request, consent, "approved")
                self.message_user(request, _t("The consent is approved."), messages.SUCCESS)
            return self.back_to(consent)
        return self.step_page(
            request,
            consent,
            "admin/partners/consent/approve.html",
            title=_t("Approve a consent"),
            fan_sets=consents.fan_sets_with(consent),
            is_recorder=consent.recorded_by_id == staff(request).pk,
        )

    def save_model(
        self, request: HttpRequest, obj: Consent, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.recorded_by = staff(request)
        super().save_model(request, obj, form, change)

    def audit_target(self, obj: Consent) -> str:
        return consents.said(obj)

    @admin.display(description=_("state"))
    def state(self, consent: Consent) -> SafeString:
        today = timezone.localdate()
        if consent.approved_by_id is None:
            return state_shown("proposed", _t("waiting for a second person"))
        if consent.until is not None and consent.until <= today:
            return state_shown("expired", _t("ended"))
        if consent.from_day > today:
            return state_shown("proposed", _t("not yet in force"))
        return state_shown("approved", _t("in force"))
