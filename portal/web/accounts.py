"""How sign-in differs from allauth's defaults: nobody signs up without an invitation."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import ngettext_lazy

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
