"""The page of the delivery ledger: what became of each report, and sending one again."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from partners.models import Membership
from portal.reads import list_read
from portal.web.doors import may_order, partner_page
from reports.ledger import Line, State, lines_of
from reports.models import Schedule
from reports.resending import CannotResend, resend_for
from reports.schedules import schedules_of

LINES_A_PAGE = 50
TROUBLE = "trouble"


class FilterForm(forms.Form):
    schedule = forms.ChoiceField(label=_("Schedule"), required=False)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), (TROUBLE, _("Did not arrive")), *State.choices],
    )

    def __init__(self, *args: object, schedules: list[Schedule], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["schedule"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All schedules")), *((str(s.pk), s.name) for s in schedules)]


@partner_page
@require_GET
def deliveries(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = FilterForm(request.GET, schedules=list(schedules_of(membership)))
    form.is_valid()
    schedule, state = (form.cleaned_data.get(name) or "" for name in ("schedule", "state"))
    lines = lines_of(membership, schedule_id=UUID(schedule) if schedule else None)
    list_read(request, membership, "deliveries")
    page = Paginator(_chosen(lines, state), LINES_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "filtered": bool(schedule or state),
        "kept": f"schedule={schedule}&state={state}",
        "may_order": may_order(membership),
    }
    return render(request, "partner/deliveries.html", context)


@partner_page
@require_POST
def resend(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    try:
        resend_for(membership, id, request=request)
    except CannotResend as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, _("It is sent again."))
    ledger = reverse("deliveries", args=[membership.partner.slug])
    back = request.POST.get("next", "")
    if not (back.startswith(ledger) and url_has_allowed_host_and_scheme(back, None)):
        back = ledger
    return redirect(back)


def _chosen(lines: list[Line], state: str) -> list[Line]:
    if state == TROUBLE:
        return [line for line in lines if line.is_trouble]
    return [line for line in lines if not state or line.state == state]
