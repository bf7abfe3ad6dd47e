"""The page an invitation's link opens: a form, and nothing happens until it is sent."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import (
    password_validators_help_texts,
    validate_password,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from partners.invitations import InvitationError, accept, join, login_of, open_invitation
from partners.models import Invitation, User

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


class AcceptForm(forms.Form):
    name = forms.CharField(
        label=_("Your name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    repeated = forms.CharField(
        label=_("Password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password")
        if password and cleaned.get("repeated") and password != cleaned["repeated"]:
            self.add_error("repeated", _("The two passwords are not the same."))
        if password:
            try:
                validate_password(password, User(email=self.email, name=cleaned.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


@sensitive_post_parameters("password", "repeated")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    found = open_invitation(token)
    if found is None:
        raise Http404
    try:
        if login_of(found) is None:
            return _accept(request, found, token)
        return _join(request, found, token)
    except InvitationError:
        raise Http404 from None


def _accept(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    form = AcceptForm(request.POST if request.method == "POST" else None, email=found.email)
    if request.method == "POST" and form.is_valid():
        user = accept(
            token,
            name=form.cleaned_data["name"],
            password=form.cleaned_data["password"],
            language=get_language() or found.language,
            request=request,
        )
        login(request, user, backend=_BACKEND)
        record_authentication(request, user, "password")
        return redirect("home")
    return render(
        request,
        "account/invitation.html",
        {"invitation": found, "form": form, "rules": password_validators_help_texts()},
    )


def _join(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    """The address has a login: its owner signs in and sends one button."""
    user = request.user
    theirs = isinstance(user, User) and user.email.lower() == found.email.lower()
    if request.method == "POST" and theirs:
        assert isinstance(user, User)
        join(token, user=user, request=request)
        return redirect("home")
    return render(request, "account/join.html", {"invitation": found, "theirs": theirs})
