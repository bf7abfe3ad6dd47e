"""Every URL of the site: pages, sign-in, admin, REST, health."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from portal import errors
from portal.health import healthz, readyz
from portal.web.language import choose_language

urlpatterns = [
    path("", include("portal.web.urls")),
    path("account/", include("portal.web.account_urls")),
    path("language/", choose_language, name="language"),
    path("admin/", admin.site.urls),  # its sign-in leads to account/login/: portal/admin_site.py
    path("api/v1/", include("portal.api.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
