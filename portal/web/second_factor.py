"""Where a second factor is asked for.

Before anything opens: of staff always, of members where a partner of theirs asks for it. Again
before a sensitive step: `fresh_mfa` on a view of ours, a name in FRESH for a page of the admin.
What a session has proven stands in the session itself, as django-allauth records it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from partners.models import User
from partners.second_factors import required_of
from partners.single_sign_on import may_change_sign_in
from portal.errors import error_body
from portal.web.single_sign_on import vouched, ways

View = Callable[..., HttpResponseBase]

FRESH = {
    "partners_claimeddomain_add",
    "partners_claimeddomain_delete",
    "partners_claimeddomain_verify",
    "partners_identityprovider_add",
    "partners_identityprovider_change",
    "partners_identityprovider_delete",
    "engagement_titlechange_decide",
    "partners_consent_add",
    "partners_consent_approve",
    "partners_grant_approve",
    "partners_grantbatch_approve",
    "partners_membership_change",
    "partners_membership_delete",
    "partners_partner_change",
    "partners_partner_invite",
    "partners_rolechange_decide",
    "partners_partner_view_as",
    "partners_user_change",
    "partners_user_end_access",
    "partners_user_invite",
    "partners_user_role",
    "partners_user_second_factor",
}
"""Pages of the admin, by URL name, that ask for a second factor again."""

OPEN = {
    "account_logout",
    "account_reauthenticate",
    "admin:logout",
    "healthz",
    "invitation",
    "language",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_index",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_view_recovery_codes",
    "readyz",
    "second_factor_confirm",
}
"""What is open to a person who must still set up, or show, a second factor."""


CHANGES = {
    "account_change_password",
    "account_set_password",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_generate_recovery_codes",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
}
"""What changes how somebody signs in, or shows it."""


def proven_at(request: HttpRequest) -> float | None:
    """When this session last showed a second factor, in seconds since 1970; None for never."""
    records = get_authentication_records(request, request.user)
    return max((float(r["at"]) for r in records if r.get("method") == "mfa"), default=None)


def is_fresh(request: HttpRequest) -> bool:
    at = proven_at(request)
    return at is not None and time.time() - at < settings.FRESH_SECOND_FACTOR_SECONDS


def fresh_mfa(view: View) -> View:
    """A view that asks for sign-in, and for a second factor shown a short while ago."""

    @login_required
    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if is_fresh(request) else ask_again(request)

    return asked


def ask_again(request: HttpRequest) -> HttpResponse:
    """To the page that asks for the factor and comes back; a sent form must be sent anew."""
    if request.path_info.startswith("/api/"):
        message = _("Confirm your second factor in the portal first.")
        return JsonResponse(error_body("second_factor_required", message), status=403)
    if request.method == "POST":
        messages.warning(request, _("Nothing was changed yet: confirm that it is you, then send."))
    return redirect(_with_next("second_factor_confirm", request.get_full_path()))


class SecondFactorMiddleware:
    """Stands before RoleMiddleware: nothing of a partner is looked at before this is settled."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        match = request.resolver_match
        assert match is not None
        user = request.user
        if not isinstance(user, User):
            return None
        if match.view_name in CHANGES and not may_change_sign_in(ways(request), user):
            return render(request, "account/single_sign_on_keeps.html", status=403)
        if match.view_name in OPEN:
            return None
        if proven_at(request) is None and not vouched(request) and required_of(user):
            return ask_again(request)
        if match.namespaces[:1] == ["admin"] and match.url_name in FRESH and not is_fresh(request):
            return ask_again(request)
        return None


def _with_next(name: str, path: str) -> str:
    return f"{reverse(name)}?{urlencode({REDIRECT_FIELD_NAME: path})}"
