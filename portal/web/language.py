"""The language switch: Django's own, remembered for the person who is signed in."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.i18n import LANGUAGE_QUERY_PARAMETER, set_language

from partners.models import User


def choose_language(request: HttpRequest) -> HttpResponseBase:
    """POST `language` and `next`. Mails and bundles follow the choice as well."""
    language = request.POST.get(LANGUAGE_QUERY_PARAMETER, "")
    known = request.method == "POST" and language in dict(settings.LANGUAGES)
    if known and isinstance(request.user, User) and request.user.language != language:
        request.user.language = language
        request.user.save(update_fields=["language"])
    return set_language(request)
