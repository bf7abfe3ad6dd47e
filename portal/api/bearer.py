"""Who calls the API: a member by session, or a program by token. Decided before any view.

A request that names a token is the token's alone: no cookie beside it counts. Whatever is wrong
with one, the answer is the same 401, and nothing of any partner has been looked up.
"""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers

from partners.audit import record
from partners.credentials import BadToken, look_up, looks_like_a_token
from portal.errors import error_body

log = logging.getLogger(__name__)

_NAMES = {"access_token", "token", "api_token"}


def enter(request: HttpRequest) -> HttpResponse | None:
    """Let the caller in: None, with `request.credential` set where it is a program, or the 401."""
    try:
        if _is_in_the_url(request):
            raise BadToken("in the URL")
        given = request.headers.get("Authorization")
        if given is None:
            return None if request.user.is_authenticated else unauthorised()
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer":
            raise BadToken("another scheme")
        credential = look_up(token.strip(), address=request.META.get("REMOTE_ADDR"))
    except BadToken as bad:
        _refused(request, bad)
        return unauthorised()
    assert credential.maker is not None
    request.user = credential.maker.user
    request.credential = credential  # type: ignore[attr-defined]
    return None


def unauthorised() -> HttpResponse:
    response = JsonResponse(
        error_body("not_authenticated", "Sign in, or send a valid token."), status=401
    )
    response["WWW-Authenticate"] = "Bearer"
    patch_vary_headers(response, ["Authorization", "Cookie"])  # whichever of them was looked at
    return response


def _is_in_the_url(request: HttpRequest) -> bool:
    """URLs end up in logs and histories: a token in one is not taken, and is known by now."""
    return any(
        name.lower() in _NAMES or looks_like_a_token(value)
        for name, values in request.GET.lists()
        for value in values
    )


def _refused(request: HttpRequest, bad: BadToken) -> None:
    """One line in the log and one record, neither of them with anything of the token."""
    credential = bad.credential
    log.warning("token refused: %s (%s)", bad.reason, credential.prefix if credential else "?")
    record(
        "credential.refused",
        actor=None,
        partner=credential.partner if credential else None,
        target=credential or "",
        request=request,
        reason=bad.reason,
    )
