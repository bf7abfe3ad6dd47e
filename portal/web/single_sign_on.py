"""Signing in through a partner's own provider: the way there, the way back, and how it is found.

Nobody is told whether an address or a partner uses single sign-on: the address of a sign-in comes
by mail. After the first time the person's browser knows it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.app_settings import EmailVerificationMethod
from allauth.account.internal.flows.login import (
    get_authentication_records,
    perform_login,
    record_authentication,
)
from allauth.account.models import Login
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from partners.audit import record
from partners.models import IdentityProvider, Partner, User
from partners.single_sign_on import (
    PASSWORD,
    SignOnRefused,
    answer_address,
    person_for,
    provider_at,
    provider_of_address,
    sign_in_address,
)
from portal.web import oidc

METHOD = "single_sign_on"
VOUCHED = "second_factor_vouched"
"""Of the session's record of the sign-in: the provider said that it asked for a second factor."""
KNOWN = "single_sign_on"
"""The cookie that lets the sign-in page offer the way that this browser took before."""
_KNOWN_S = 400 * 24 * 3600
_SECOND_FACTORS = {"mfa", "otp", "hwk", "swk", "fpt", "face", "sms"}
"""RFC 8176's words for more than a password."""

log = logging.getLogger(__name__)


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput({"autocomplete": "email"})
    )


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Mails an address where its sign-in is; the page says the same of every address."""
    form = AddressForm(request.POST or None)
    sent = request.method == "POST" and form.is_valid()
    if sent:
        email = form.cleaned_data["email"].strip().lower()
        provider = provider_of_address(email)
        get_adapter().send_mail(
            "account/email/single_sign_on", email, {"url": provider and sign_in_address(provider)}
        )
    return render(request, "account/single_sign_on_ask.html", {"form": form, "sent": sent})


@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """A page with one button; sending it begins an attempt, and its page goes on to the provider.

    Not by a redirect: browsers hold those of a form to the policy's `form-action` too.
    """
    provider = _provider(id)
    next_url = request.POST.get("next") or request.GET.get("next", "")
    if request.method != "POST":
        return render(request, "account/single_sign_on.html", {"next": next_url})
    try:
        url, kept = oidc.begin(provider, answer_address(provider))
    except (oidc.SignOnFailed, SignOnRefused) as error:
        return _failed(request, provider, error)
    request.session[_key(provider)] = {**kept, "next": _own(request, next_url)}
    return render(request, "account/single_sign_on_going.html", {"url": url})


@require_GET
def finish(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """The provider sends the browser back here: the answer to this browser's own attempt, once."""
    provider = _provider(id)
    kept = request.session.pop(_key(provider), {})
    try:
        claims = oidc.finish(provider, answer_address(provider), kept, request.GET.dict())
        user = person_for(provider, claims, request)
    except (oidc.SignOnFailed, SignOnRefused) as error:
        return _failed(request, provider, error)
    if request.user.is_authenticated and request.user != user:
        logout(request)  # nothing of the other login's session is carried over
    vouched = provider.vouches_second_factor and _asked_for_more(claims)
    record_authentication(
        request, user, METHOD, provider=str(provider.pk), **({VOUCHED: True} if vouched else {})
    )
    login = Login(
        user=user,
        email_verification=EmailVerificationMethod.NONE,  # the provider's word, and bound to it
        redirect_url=kept.get("next") or reverse("portfolio", args=[provider.partner.slug]),
    )
    response: HttpResponse = perform_login(request, login)
    response.set_cookie(
        KNOWN,
        str(provider.pk),
        max_age=_KNOWN_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
        path=reverse("account_login"),
    )
    return response


def ways(request: HttpRequest) -> frozenset[str]:
    """How the session's holder has shown who they are: providers' ids, and PASSWORD."""
    records = get_authentication_records(request, request.user)
    through = {r["provider"] for r in records if r["method"] == METHOD}
    own = any(_is_password(r) for r in records)
    return frozenset(through | ({PASSWORD} if own or not through else set()))


def this_sign_in(request: HttpRequest, user: User) -> tuple[str, list[str]]:
    """The way of the newest sign-in alone, and its methods; the session may know earlier ones."""
    methods: set[str] = set()
    for r in reversed(get_authentication_records(request, user)):
        methods.add(r["method"])
        if r["method"] == METHOD:
            return r["provider"], sorted(methods)
        if _is_password(r):
            break
    return PASSWORD, sorted(methods)


def _is_password(shown: dict[str, Any]) -> bool:
    """Whether what was shown is a password or passkey of the portal's, which can stand alone."""
    return shown["method"] in ("password", "password_reset") or bool(shown.get("passwordless"))


def vouched(request: HttpRequest) -> bool:
    """Whether a provider that is trusted with it said that it asked for a second factor."""
    records = get_authentication_records(request, request.user)
    return any(r["method"] == METHOD and r.get(VOUCHED) for r in records)


def sign_in_elsewhere(request: HttpRequest, partner: Partner) -> HttpResponse:
    """To a member whose session does not open their partner: where to sign in for it.

    Raises PermissionDenied under /api/, where there is no page to go to.
    """
    if request.path_info.startswith("/api/"):
        raise PermissionDenied
    provider: IdentityProvider | None = getattr(partner, "identity_provider", None)
    if provider is not None and provider.enforced:
        return redirect(f"{path_of(provider)}?{urlencode({'next': request.path})}")
    return render(request, "account/single_sign_on_other.html", status=403)


def known_to(request: HttpRequest) -> str | None:
    """The way that this browser took before; None where it took none or that is no more."""
    try:
        provider = provider_at(uuid.UUID(request.COOKIES.get(KNOWN, "")))
    except ValueError:
        return None
    return path_of(provider) if provider is not None else None


def path_of(provider: IdentityProvider) -> str:
    return reverse("single_sign_on", args=[provider.pk])


def _provider(id: uuid.UUID) -> IdentityProvider:
    provider = provider_at(id)
    if provider is None:
        raise Http404
    return provider


def _key(provider: IdentityProvider) -> str:
    return f"single_sign_on:{provider.pk}"


def _own(request: HttpRequest, url: str) -> str:
    safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    return url if url and safe else ""


def _asked_for_more(claims: dict[str, Any]) -> bool:
    methods = claims.get("amr")
    return isinstance(methods, Collection) and bool(_SECOND_FACTORS & {str(m) for m in methods})


def _failed(request: HttpRequest, provider: IdentityProvider, error: Exception) -> HttpResponse:
    """One page for every reason; the reason itself is the staff's and the owner's to read."""
    log.warning("single sign-on of %s: %s", provider.partner.slug, error)
    record(
        "single_sign_on.refused",
        actor=None,
        partner=provider.partner,
        target=provider.issuer,
        request=request,
        reason=str(error),
    )
    return render(
        request,
        "account/single_sign_on_failed.html",
        {"again": path_of(provider)},
        status=403,
    )
