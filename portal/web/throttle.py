"""Every door where something can be guessed: how often it may be tried, and how fast it answers.

Counted before the request's own transaction, so that neither a roll-back nor a crowd of requests
at once makes room for more guesses. A form that is accepted answers with a redirect: its try is
given back. The admin signs in by account_login; the API has the door of its credentials.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from partners.attempts import Key, account_of, give_back, is_known_at, network_of, spent, take
from portal.errors import error_body

_QUARTER, _HOUR = 900, 3600

_NAMES = {
    "account_login": "login",
    "account_reset_password": "email",
    "single_sign_on_ask": "email",
}
"""Doors where an address is given, and the field it is in."""
_MAILS = {"account_reset_password", "single_sign_on_ask"}
"""Of these, what answers every address alike and sends it a mail."""
_OF_A_USER = {
    "account_change_password",
    "account_reauthenticate",
    "mfa_activate_totp",
    "mfa_authenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
}
"""Doors where somebody who is in, or half-way in, gives a code or password."""
_OF_A_LINK = {"account_reset_password_from_key", "account_confirm_email", "invitation"}
"""Doors that open to whoever holds a link."""


class ClientAddressMiddleware:
    """REMOTE_ADDR is the client's, by X-Forwarded-For as far as TRUSTED_PROXIES wrote it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.trusted = [ipaddress.ip_network(n) for n in settings.TRUSTED_PROXIES]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        said = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = request.META.get("REMOTE_ADDR", "")
        while said and self._is_trusted(address):
            nearer = said.pop().strip()
            if not nearer:
                break
            address = nearer
        address = address.partition("%")[0]  # the zone of a link-local address is our own
        request.META["REMOTE_ADDR"] = address if _is_address(address) else ""
        return self.get_response(request)

    def _is_trusted(self, address: str) -> bool:
        return _is_address(address) and any(
            ipaddress.ip_address(address) in network for network in self.trusted
        )


class ThrottleMiddleware:
    """Stands inside the sessions and outside of RoleMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        door = door_of(request)
        if door == "api":
            return self._api(request)
        if door is None or request.method != "POST":
            return self.get_response(request)
        began = time.monotonic()
        keys = keys_of(request, door)
        if take(keys):
            response = self.get_response(request)
            if response.status_code == 302 and door not in _MAILS:
                give_back(keys)
        else:
            response = _too_many(request)
        if door in _NAMES:
            _answer_in_step(began)
        return response

    def _api(self, request: HttpRequest) -> HttpResponse:
        """Credentials that are refused count against the network they come from."""
        key = Key("api", _network(request), 100, _QUARTER)
        if "Authorization" not in request.headers:
            return self.get_response(request)
        if spent(key):
            return _too_many(request)
        response = self.get_response(request)
        if response.status_code == 401:
            take([key])
        return response


def door_of(request: HttpRequest) -> str | None:
    """The door's URL name, "api" for all of the API; None where nothing is guessed."""
    if request.path_info.startswith("/api/"):
        return "api"
    if not request.path_info.startswith("/account/"):
        return None
    try:
        name = resolve(request.path_info).view_name
    except Resolver404:
        return None
    return name if name in {*_NAMES, *_OF_A_USER, *_OF_A_LINK} else None


def keys_of(request: HttpRequest, door: str) -> list[Key]:
    """What a try at `door` is counted by; the network first, which refuses for all that follow."""
    network = _network(request)
    if door in _OF_A_LINK:
        return [Key("link", network, 100, _QUARTER)]
    if door in _OF_A_USER:
        pending = request.session.get("account_login") or {}
        who = request.user.pk or pending.get("user_pk") or network
        return [Key("own", str(who), 10, _QUARTER)]
    name = request.POST.get(_NAMES[door], "")
    account = account_of(name)
    if door in _MAILS:
        return [Key("reset", network, 50, _HOUR), Key("reset", account, 5, _HOUR)]
    keys = [
        Key("sign-in", network, 100, _QUARTER),
        Key("sign-in", f"{account} {network}", 10, _QUARTER),
    ]
    if not is_known_at(name, network):
        keys.append(Key("sign-in", account, 100, _HOUR))
    return keys


def _answer_in_step(began: float) -> None:
    """Wait for the next step of the clock: what was looked up does not show in the time."""
    if settings.ANSWER_SECONDS > 0:
        passed = time.monotonic() - began
        time.sleep(math.ceil(passed / settings.ANSWER_SECONDS) * settings.ANSWER_SECONDS - passed)


def _too_many(request: HttpRequest) -> HttpResponse:
    headers = {"Retry-After": str(_QUARTER)}
    if request.path_info.startswith("/api/"):
        body = error_body("too_many_attempts", _("Too many attempts. Try again later."))
        return JsonResponse(body, status=429, headers=headers)
    response = render(request, "account/lockout.html", status=429)
    response["Retry-After"] = headers["Retry-After"]
    return response


def _network(request: HttpRequest) -> str:
    return network_of(request.META.get("REMOTE_ADDR", ""))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
