"""Who of the staff looked as which partner, and why; beginning it and ending it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from engagement.admin_pages import ReadOnlyAdmin
from partners import staff_views
from partners.admin.base import AuditedAdmin, staff
from partners.admin.filters import TypedPartner
from partners.models import Membership, Partner, StaffView


class ViewForm(forms.Form):
    member = forms.ModelChoiceField(
        Membership.objects.none(),
        label=_("member"),
        required=False,
        empty_label=_("the partner itself"),
        help_text=_("With a member, what the member's limit leaves."),
    )
    reason = forms.CharField(
        label=_("reason"), max_length=300, help_text=_("Recorded, and read by the partner.")
    )

    def __init__(self, data: Any, partner: Partner) -> None:
        super().__init__(data)
        members = Membership.objects.filter(partner=partner).select_related("user", "partner")
        self.fields["member"].queryset = members  # type: ignore[attr-defined]


def view_page(page: AuditedAdmin, request: HttpRequest, partner: Partner) -> HttpResponse:
    """GET: the form. POST: half an hour of the partner's pages."""
    form = ViewForm(request.POST or None, partner)
    if request.method == "POST" and form.is_valid():
        try:
            staff_views.start(partner, by=staff(request), request=request, **form.cleaned_data)
        except staff_views.StaffViewError as error:
            form.add_error(None, str(error))
        else:
            return HttpResponseRedirect(reverse("portfolio", args=[partner.slug]))
    return page.step_page(
        request,
        partner,
        "admin/partners/partner/view_as.html",
        title=_t("View as the partner"),
        form=form,
    )


@admin.register(StaffView)
class StaffViewAdmin(ReadOnlyAdmin):
    list_display = ("staff", "partner", "seen_as", "reason", "started_at", "ends_at", "ended_at")
    list_filter = (("partner", TypedPartner),)
    list_select_related = ("staff", "partner", "seen_as")
    search_fields = ("staff__email", "partner__slug", "reason")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/end/", wrap(self.end), name="partners_staffview_end"),
            *super().get_urls(),
        ]

    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """POST by who looks; back to the partner in the admin."""
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:partners_staffview_changelist"))
        try:
            view = StaffView.objects.filter(pk=object_id, staff=staff(request)).first()
        except ValidationError:  # not an id at all
            view = None
        if view is None:
            raise Http404
        staff_views.end(view, by=staff(request), request=request)
        self.message_user(request, _t("You see the admin again."), messages.SUCCESS)
        return HttpResponseRedirect(
            reverse("admin:partners_partner_change", args=[view.partner_id])
        )
