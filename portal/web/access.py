"""The access page: what is measured of the partner's titles and not granted, and asking for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from engagement.scope import Refused
from partners import access_requests
from partners.access_requests import Askable
from partners.models import Membership
from portal.reads import list_read
from portal.templatetags.dailies import family
from portal.web.doors import partner_page


class AskForm(forms.Form):
    """Families of one title, and what for."""

    families = forms.MultipleChoiceField(
        label=_("What you ask for"), widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(
        label=_("What you need it for"),
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("The platform reads it before it decides."),
    )

    def __init__(self, *args: Any, missing: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["families"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(f, family(f)) for f in missing]


@partner_page
@require_http_methods(["GET", "HEAD"])
def access(request: HttpRequest, membership: Membership) -> HttpResponse:
    list_read(request, membership, "access")
    return render(
        request,
        "partner/access.html",
        {
            "titles": access_requests.askable(membership),
            "asked": access_requests.requests_of(membership),
            "may_ask": access_requests.may_ask(membership),
        },
    )


@partner_page
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    """GET: the form for one title. POST: asked."""
    found = _held(membership, slug)
    form = AskForm(request.POST or None, missing=found.missing)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            access_requests.ask(membership, slug, said["families"], said["reason"], request=request)
        except access_requests.RequestError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _t("The platform has your request."))
            return redirect("access", partner=membership.partner.slug)
    list_read(request, membership, f"access/{slug}")
    return render(request, "partner/access_ask.html", {"entry": found, "form": form})


@partner_page
@require_POST
def withdraw(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    try:
        access_requests.withdraw(membership, id, request=request)
    except access_requests.RequestError as error:
        messages.error(request, str(error))
    return redirect("access", partner=membership.partner.slug)


def _held(membership: Membership, slug: str) -> Askable:
    """Raises Refused where it is not held, and for a member who may not ask."""
    if access_requests.may_ask(membership):
        for entry in access_requests.askable(membership):
            if entry.title.slug == slug:
                return entry
    raise Refused
