"""Django's own admin, for platform staff, with the portal's one sign-in.

What it shows of each subject is in engagement/admin.py, partners/admin/ and reports/admin.py.
Sign-in, sign-out and passwords are the portal's: the admin has no second door.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _


class AdminConfig(DjangoAdminConfig):
    default_site = "portal.admin_site.AdminSite"


class AdminSite(admin.AdminSite):
    site_title = settings.PORTAL_NAME
    site_header = format_lazy("{} {}", settings.PORTAL_NAME, _("for staff"))
    index_title = _("Overview")
    empty_value_display = "–"

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The portal's sign-in. A member who is signed in goes to their own pages."""
        if request.user.is_authenticated and not self.has_permission(request):
            return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)
        back = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
            back = request.path.removesuffix("login/")
        if request.user.is_authenticated:
            return HttpResponseRedirect(back)
        query = urlencode({REDIRECT_FIELD_NAME: back})
        return HttpResponseRedirect(f"{settings.LOGIN_URL}?{query}")

    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        logout(request)
        return HttpResponseRedirect(settings.LOGIN_URL)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect("/account/password/change/")
