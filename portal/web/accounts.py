"""How sign-in differs from allauth's defaults: nobody signs up without an invitation."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context as allauth_context
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import ngettext_lazy

from partners.login_events import record_of_login
from partners.models import User
from partners.second_factors import factors_of, signs_in, tell
from partners.single_sign_on import (
    PASSWORD,
    password_is_closed,
    provider_of,
    sign_in_address,
)
from portal.web.second_factor import is_fresh
from portal.web.single_sign_on import this_sign_in, ways

# Django 5.2 says this without a Chinese translation: named here, our own catalogue has one.
_TOO_SHORT = ngettext_lazy(
    "This password is too short. It must contain at least %d character.",
    "This password is too short. It must contain at least %d characters.",
    "number",
)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """Built from BASE_URL, never from the request's Host."""
        path = reverse("account_confirm_email", kwargs={"key": emailconfirmation.key})
        return str(settings.BASE_URL) + path

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Built from BASE_URL, never from the request's Host."""
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return str(settings.BASE_URL) + path.replace("UID-KEY", key)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        context["current_site"] = None
        context["PORTAL_NAME"] = settings.PORTAL_NAME  # a subject is rendered without the request
        super().send_mail(template_prefix, email, context)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        """Where no password opens anything, the mail says where the sign-in is instead."""
        if password_is_closed(user):
            provider = provider_of(user)
            context = {**context, "instead": provider and sign_in_address(provider)}
            self.send_mail("account/email/single_sign_on", email, context)
        else:
            super().send_password_reset_mail(user, email, context)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """A disabled login is no login, also for who knows its password; and a password is none
        where single sign-on is enforced."""
        user = super().authenticate(request, **credentials)
        if not isinstance(user, User):
            return None
        if not user.is_active or password_is_closed(user):
            self.authentication_failed(request, **credentials)
            return None
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        name = str(credentials.get("email", ""))
        record_of_login("sign_in.failed", name, actor=None, ways={PASSWORD}, request=request)

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        way, methods = this_sign_in(request, user)
        record_of_login("sign_in", user.email, actor=user, ways={way}, request=request, by=methods)

    def set_password(self, user: User, password: str) -> None:
        """A new password, by the form or by a mailed link: told to its owner, and recorded."""
        super().set_password(user, password)
        request = allauth_context.request
        record_of_login(
            "password.changed", user.email, actor=user, ways={PASSWORD}, request=request
        )
        tell(user, "password_changed", request=request)

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        if isinstance(user, User):
            record_of_login("sign_out", user.email, actor=user, ways=ways(request), request=request)
        super().logout(request)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """A sign-in or confirmation of a short while ago need not be repeated.

        It counts by the second factor where there is one, else by the password.
        """
        request = allauth_context.request
        if signs_in(factors_of(request.user)):
            return not is_fresh(request)
        records = get_authentication_records(request, request.user)
        at = max((float(r["at"]) for r in records), default=0.0)
        return bool(time.time() - at >= settings.FRESH_SECOND_FACTOR_SECONDS)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Who has a second factor confirms by it: the password alone is a weaker door."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        by_factor = [m for m in methods if m["id"] != "reauthenticate"]
        return by_factor or methods
