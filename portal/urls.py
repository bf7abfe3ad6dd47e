"""Every URL of the site: pages, sign-in, admin, REST, health."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from portal.web.language import choose_language

urlpatterns = [
    path("", include("portal.web.urls")),
    path("account/", include("portal.web.account_urls")),
    path("language/", choose_language, name="language"),
    # one sign-in for everybody
    path("admin/login/", RedirectView.as_view(pattern_name="account_login", query_string=True)),
    path("admin/", admin.site.urls),
]
