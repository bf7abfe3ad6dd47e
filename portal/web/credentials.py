"""An owner's page of the partner's credentials: make, replace, revoke. The token is shown once.

The rules are partners/credentials.py's. A token stands in the answer to the form and nowhere
else: not in the session, not in a message, and no address shows it again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from engagement.families.registry import FAMILIES
from partners import credential_mails, credentials
from partners.models import Credential, Membership
from portal.reads import list_read
from portal.templatetags.dailies import family
from portal.web.doors import owner_page
from portal.web.second_factor import fresh_mfa

_DAYS = [
    (7, _("a week")),
    (30, _("30 days")),
    (90, _("90 days")),
    (180, _("180 days")),
    (365, _("a year")),
]
_GRACE_HOURS = [(24, _("in 24 hours")), (1, _("in an hour")), (0, _("at once"))]


class MakeForm(forms.Form):
    """Choices are offered here; partners/credentials.py checks them again."""

    name = forms.CharField(
        label=_("What it is for"), max_length=80, help_text=_("Such as the program that uses it.")
    )
    days = forms.TypedChoiceField(label=_("It lasts"), choices=_DAYS, coerce=int)
    reads = forms.TypedChoiceField(
        label=_("What it reads"),
        choices=[(0, _("JSON")), (1, _("JSON and CSV files"))],
        coerce=int,
    )
    families = forms.MultipleChoiceField(
        label=_("Only these data"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all that you may read yourself."),
    )
    networks = forms.CharField(
        label=_("Only from these networks"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("Addresses or networks such as 192.0.2.0/24, one a line. None: from anywhere."),
    )

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = membership.limit_families
        offered = [f for f in FAMILIES if limit is None or f in limit]
        field = self.fields["families"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(f, family(f)) for f in offered]

    def values(self) -> dict[str, Any]:
        """What partners/credentials.py asks for."""
        said = self.cleaned_data
        return {
            "name": said["name"],
            "exits": ["api", "export"] if said["reads"] else ["api"],
            "families": said["families"] or None,
            "networks": said["networks"].split(),
            "lasts": timedelta(days=said["days"]),
        }


class RotateForm(forms.Form):
    grace = forms.TypedChoiceField(
        label=_("The old token ends"), choices=_GRACE_HOURS, coerce=int, initial=24
    )
    days = forms.TypedChoiceField(label=_("The new one lasts"), choices=_DAYS, coerce=int)


@owner_page
@require_GET
def listing(request: HttpRequest, membership: Membership) -> HttpResponse:
    list_read(request, membership, "credentials")
    return render(
        request,
        "partner/credentials.html",
        {"credentials": list(credentials.credentials_of(membership)[:200])},
    )


@owner_page
@fresh_mfa
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("token")
def create(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = MakeForm(request.POST or None, membership=membership, initial={"days": 90, "reads": 0})
    if request.method == "POST" and form.is_valid():
        try:
            made, token = credentials.make(membership=membership, request=request, **form.values())
        except credentials.NotValid as problem:
            form.add_error(problem.field or None, problem.message)
        else:
            credential_mails.tell_owners(made, by=membership.user)
            return _shown_once(request, made, token)
    return render(request, "partner/credential_form.html", {"form": form, "old": None})


@owner_page
@fresh_mfa
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("token")
def rotate(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    old = credentials.credential_for(membership, id)
    form = RotateForm(request.POST or None, initial={"days": 90})
    if request.method == "POST" and form.is_valid():
        try:
            made, token = credentials.rotate(
                membership=membership,
                credential_id=id,
                grace=timedelta(hours=form.cleaned_data["grace"]),
                lasts=timedelta(days=form.cleaned_data["days"]),
                request=request,
            )
        except credentials.NotValid as problem:
            form.add_error(problem.field or None, problem.message)
        else:
            credential_mails.tell_owners(made, by=membership.user)
            return _shown_once(request, made, token)
    list_read(request, membership, f"credentials/{id}")
    return render(request, "partner/credential_form.html", {"form": form, "old": old})


@owner_page
@require_POST
def revoke(request: HttpRequest, membership: Membership, id: UUID) -> HttpResponse:
    """At once and without a second factor: whoever sees a token leak has no time to lose."""
    credential = credentials.credential_for(membership, id)
    credentials.revoke(credential, by=membership.user, request=request)
    messages.success(request, _("The credential is revoked: its token opens nothing any more."))
    return redirect("credentials", partner=membership.partner.slug)


def _shown_once(request: HttpRequest, made: Credential, token: str) -> HttpResponse:
    titles = reverse("api:titles", args=[made.partner.slug])
    context = {"made": made, "token": token, "example": f"{settings.BASE_URL}{titles}"}
    return render(request, "partner/credential_made.html", context)
