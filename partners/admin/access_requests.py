"""What partners ask for: a proposal in two clicks, or a no with its reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import listed
from partners import access_requests, territories
from partners.admin.base import AuditedAdmin, staff, state_shown
from partners.admin.choices import FAMILY_NAMES
from partners.admin.filters import TypedPartner
from partners.models import AccessRequest, Holding

_COLOURS = {"waiting": "proposed", "proposed": "proposed", "granted": "approved"}


class DeclineForm(forms.Form):
    answer = forms.CharField(
        label=_("answer"),
        max_length=2000,
        widget=forms.Textarea({"rows": 4}),
        help_text=_("The partner reads it."),
    )


@admin.register(AccessRequest)
class AccessRequestAdmin(AuditedAdmin):
    """Asked on the partner's pages; here it is read and decided, never edited."""

    audit_subject = "access_request"
    change_form_template = "admin/partners/accessrequest/change_form.html"
    list_display = ("title", "partner", "asked_for", "state_told", "asked_by", "asked_at")
    list_filter = ("state", ("partner", TypedPartner))
    list_select_related = ("title", "partner", "asked_by")
    search_fields = ("title__slug", "title__name_zh", "title__name_en", "partner__slug")
    fields = readonly_fields = (
        "partner", "title", "asked_for", "held", "reason", "asked_by", "asked_at", "state_told",
        "proposal", "answer", "decided_by", "changed_at",
    )  # fmt: skip
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("asked for"))
    def asked_for(self, asked: AccessRequest) -> str:
        return listed(FAMILY_NAMES.get(f, f) for f in asked.families)

    @admin.display(description=_("state"), ordering="state")
    def state_told(self, asked: AccessRequest) -> SafeString:
        return state_shown(_COLOURS.get(asked.state, "revoked"), asked.get_state_display())

    @admin.display(description=_("held in"))
    def held(self, asked: AccessRequest) -> str:
        codes = Holding.objects.filter(partner=asked.partner_id, title=asked.title_id)
        return listed(sorted({territories.name(c) for h in codes for c in h.territories}))

    @admin.display(description=_("grant"))
    def proposal(self, asked: AccessRequest) -> str | SafeString:
        if asked.grant is None:
            return "–"
        url = reverse("admin:partners_grant_change", args=[asked.grant.pk])
        return format_html('<a href="{}">{}</a>', url, asked.grant)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "partners_accessrequest"
        return [
            path("<path:object_id>/propose/", wrap(self.propose), name=f"{name}_propose"),
            path("<path:object_id>/decline/", wrap(self.decline), name=f"{name}_decline"),
            *super().get_urls(),
        ]

    def propose(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """POST: a proposal of what is asked, to be looked over; another person approves it."""
        asked = self._for_change(request, object_id)
        if request.method != "POST":
            return self.back_to(asked)
        try:
            grant = access_requests.propose(asked, by=staff(request), request=request)
        except access_requests.RequestError as error:
            self.message_user(request, str(error), messages.ERROR)
            return self.back_to(asked)
        self.message_user(
            request,
            _t("Proposed as it was asked. Change it here; another person approves it."),
            messages.SUCCESS,
        )
        return HttpResponseRedirect(reverse("admin:partners_grant_change", args=[grant.pk]))

    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        asked = self._for_change(request, object_id)
        form = DeclineForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                access_requests.decline(
                    asked, form.cleaned_data["answer"], by=staff(request), request=request
                )
            except access_requests.RequestError as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, _t("Declined."), messages.SUCCESS)
                return self.back_to(asked)
        return self.step_page(
            request, asked, "admin/form.html", title=_t("Decline a request"), form=form
        )

    def _for_change(self, request: HttpRequest, object_id: str) -> AccessRequest:
        asked: AccessRequest = self.object_or_404(request, object_id)
        may = staff(request)
        if not (
            may.has_perm("partners.change_accessrequest") and may.has_perm("partners.add_grant")
        ):
            raise PermissionDenied
        return asked
