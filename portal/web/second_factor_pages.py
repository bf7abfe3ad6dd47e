"""The pages of one's own second factors: django-allauth's views, with what we add around them.

Codes are checked by partners/second_factors.py (no code twice), a change ends the other sessions
and is mailed and recorded, and nobody who must have a factor removes their last one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.base import forms as base_forms
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from partners.login_events import record_of_login
from partners.models import User
from partners.second_factors import (
    RECOVERY_CODES,
    TOTP,
    accept_code,
    changed,
    factors_of,
    required_of,
    signs_in,
    tell,
    totp_step,
)
from portal.web.single_sign_on import this_sign_in

View = Callable[..., HttpResponseBase]


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets are kept encrypted; names come from settings, never from the request's Host."""

    def get_totp_issuer(self) -> str:
        return str(settings.PORTAL_NAME)

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": urlsplit(settings.BASE_URL).hostname or "", "name": settings.PORTAL_NAME}

    def generate_authenticator_name(self, user: User, type: str) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("Passkey %(number)s") % {"number": number}


def _cipher() -> MultiFernet:
    """Keys made of SECRET_KEY; after a rotation the earlier ones still open what they closed."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(f"second factor:{s}".encode()).digest() for s in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(d)) for d in digests])


class _CodeForm(base_forms.BaseAuthenticateForm):  # type: ignore[misc]
    reauthenticated = False

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        accepted = accept_code(self.user, code)
        if accepted is None:
            request = context.request
            way, _methods = this_sign_in(request, self.user)
            record_of_login(
                "sign_in.failed",
                self.user.email,
                actor=None,
                ways={way},
                request=request,
                by=["mfa"],
            )
            raise get_adapter().validation_error("incorrect_code")
        self.authenticator = accepted
        return code

    def save(self) -> None:
        request = context.request
        self.authenticator.user = self.user
        post_authentication(request, self.authenticator, reauthenticated=self.reauthenticated)
        if self.authenticator.type == RECOVERY_CODES:
            record_of_login("recovery_code.used", self.user.email, actor=self.user, request=request)
            tell(self.user, "recovery_code_used", request=request)


class AuthenticateForm(_CodeForm):
    """The second step of signing in."""


class ReauthenticateForm(_CodeForm):
    """The same, asked again of somebody who is in."""

    reauthenticated = True


class SetUpTOTPForm(ActivateTOTPForm):  # type: ignore[misc]
    """The code that shows that the app has the secret; it signs nobody in afterwards."""

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        self.step = totp_step(self.secret, "".join(code.split()))
        if self.step is None:
            raise get_adapter().validation_error("incorrect_code")
        context.request.totp_step = self.step
        return code


def own_factors(view: View, *, removes: bool = False) -> View:
    """A page that may change the factors of the person who is signed in."""

    @login_required
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        assert isinstance(user, User)
        before = factors_of(user)
        if removes and len(signs_in(before)) == 1 and required_of(user):
            messages.error(request, _("Set up another second factor before you remove this one."))
            return redirect("mfa_index")
        response = view(request, *args, **kwargs)
        if request.method == "POST" and factors_of(user) != before:
            _after_change(request, user, before)
        return response

    return page


def _after_change(request: HttpRequest, user: User, before: Any) -> None:
    _use_up_first_code(request, user)
    changed(user, before, request=request)
    update_session_auth_hash(request, user)  # this session stays; every other one is over
    if signs_in(factors_of(user)) - signs_in(before):
        record_authentication(request, user, "mfa")  # setting it up has shown it


def _use_up_first_code(request: HttpRequest, user: User) -> None:
    step = getattr(request, "totp_step", None)
    row = Authenticator.objects.filter(user=user, type=TOTP).first()
    if step is not None and row is not None:
        row.data["last_step"] = step
        row.save(update_fields=["data"])


@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    """Leads to the page that asks for the factor this person has, or to setting one up."""
    user = request.user
    assert isinstance(user, User)
    kinds = {kind for kind, _digest in signs_in(factors_of(user))}
    if not kinds:
        messages.info(request, _("Set up a second factor first: this page asks for one."))
        return redirect("mfa_index")
    page = "mfa_reauthenticate" if TOTP in kinds else "mfa_reauthenticate_webauthn"
    after = urlencode({REDIRECT_FIELD_NAME: request.GET.get(REDIRECT_FIELD_NAME, "")})
    return redirect(f"{reverse(page)}?{after}")


def only_by_factor(view: View) -> View:
    """Somebody who has a second factor confirms by it, not by the password alone."""

    @login_required
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        assert isinstance(user, User)
        if signs_in(factors_of(user)):
            query = request.META.get("QUERY_STRING", "")
            return redirect(f"{reverse('second_factor_confirm')}?{query}")
        return view(request, *args, **kwargs)

    return page
