"""Django's own admin, for platform staff, with the portal's one sign-in.

What it shows of each subject is in engagement/admin.py, partners/admin/ and reports/admin.py.
Sign-in, sign-out and passwords are the portal's: the admin has no second door.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth import REDIRECT_FIELD_NAME, get_permission_codename, logout
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.views.i18n import JavaScriptCatalog

from partners.staff_limits import limit_of, limited

_RECENT = 50
"""So many own actions are looked at for the ten that limited staff are shown."""


class ChoicesOfAField(AutocompleteJsonView):
    """Django asks for the right to see what is chosen; here also for the form it is chosen in."""

    def process_request(self, request: HttpRequest) -> Any:
        term, page, field, to_field = super().process_request(request)
        may = {
            f"{field.model._meta.app_label}.{get_permission_codename(action, field.model._meta)}"
            for action in ("add", "change")
        }
        if not any(request.user.has_perm(permission) for permission in may):
            raise PermissionDenied
        return term, page, field, to_field


_OF_SCRIPTS = {
    'Choose %s by selecting them and then select the "Choose" arrow button.': _(
        'Choose %s by selecting them and then select the "Choose" arrow button.'
    ),
    'Remove %s by selecting them and then select the "Remove" arrow button.': _(
        'Remove %s by selecting them and then select the "Remove" arrow button.'
    ),
    "Choose all %s": _("Choose all %s"),
    "Choose selected %s": _("Choose selected %s"),
    "Remove all %s": _("Remove all %s"),
    "Remove selected %s": _("Remove selected %s"),
    "(click to clear)": _("(click to clear)"),
}
"""What the admin's scripts say and Django 5.2 has no Chinese for."""


class Catalogue(JavaScriptCatalog):
    packages = ["django.contrib.admin"]

    def get_catalog(self) -> dict[str, Any]:
        return {**super().get_catalog(), **{said: str(ours) for said, ours in _OF_SCRIPTS.items()}}


class AdminSite(admin.AdminSite):
    site_title = settings.PORTAL_NAME
    site_header = format_lazy("{} {}", settings.PORTAL_NAME, _("for staff"))
    index_title = _("Overview")
    empty_value_display = "–"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Every page keeps to the limits of who is signed in; none can be registered without."""
        super().register(model_or_iterable, limited(admin_class or admin.ModelAdmin), **options)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:  # type: ignore[override]
        return ChoicesOfAField.as_view(admin_site=self)(request)

    def i18n_javascript(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        return Catalogue.as_view()(request)

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """Recent actions: the own ones, without rows that are not theirs to see any more."""
        own = super().get_log_entries(request).filter(user=request.user.pk)
        if limit_of(request) is None:
            return own
        return own.filter(
            pk__in=[entry.pk for entry in own[:_RECENT] if self._seen(entry, request)]
        )

    def _seen(self, entry: LogEntry, request: HttpRequest) -> bool:
        model = entry.content_type and entry.content_type.model_class()
        page = self._registry.get(model) if model else None
        return page is not None and page.get_object(request, entry.object_id or "") is not None

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
