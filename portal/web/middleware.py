"""Which database role a request runs in.

A request is one transaction. It starts as the web's own role, which has no right on any
partner's rows; a URL that names a partner becomes that partner's role once the member is known,
and the admin becomes the staff's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from engagement.roles import PARTNER, WEB, acting_as, become, become_staff
from partners.access import membership_for
from partners.audit import Unrecorded
from partners.credentials import keep_use
from partners.models import Membership, StaffView, User
from partners.single_sign_on import opens
from partners.staff_views import as_membership, view_of
from portal.api import bearer
from portal.errors import storage_away, unavailable
from portal.web.single_sign_on import sign_in_elsewhere, ways
from reports.downloads import Unreachable

log = logging.getLogger(__name__)

_WITHOUT_DATABASE = ("/healthz", "/static/")
PERMISSIONS = (
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(),"
    " gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
)
"""What of the device a page may use: nothing of it. Passkeys stay the page's own."""


class NoStoreMiddleware:
    """`no-store`, on every answer: of a view, of the middleware around it, of an error of either.

    It stands outermost. Only files of the site itself may be kept, and no page that says that
    there is none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path_info.startswith("/static/") or response.status_code >= 400:
            patch_cache_control(response, private=True, no_store=True)
        return response


class PermissionsMiddleware:
    """`Permissions-Policy`, on every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = PERMISSIONS
        return response


class RoleMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_WITHOUT_DATABASE):
            return self.get_response(request)
        with acting_as(WEB):
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
        if hasattr(request, "credential"):
            keep_use(request.credential)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        match = request.resolver_match
        assert match is not None
        if match.namespaces[:1] == ["api"] and match.url_name != "nothing":
            refused = bearer.enter(request)
            if refused is not None:
                return refused
        if "partner" in kwargs and match.namespaces[:1] != ["admin"]:
            return self._enter_partner(request, kwargs)
        elif match.namespaces[:1] == ["admin"] and request.user.is_staff:
            become_staff(request.user.pk, partners=request.user.limit_partners)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """No record, no data: the transaction is rolled back, and the answer reads nothing."""
        if isinstance(exception, Unreachable):
            log.error("%s: the storage is away", request.path_info, exc_info=exception)
            return storage_away(request)
        if not isinstance(exception, Unrecorded):
            return None
        log.error("%s: the audit trail cannot be written", request.path_info, exc_info=exception)
        return unavailable(request)

    def _enter_partner(self, request: HttpRequest, kwargs: dict[str, Any]) -> HttpResponse | None:
        """The one door to a partner's URLs: a member of a partner that is not suspended.

        An answer where the member's session was not signed in by a way that opens the partner.
        """
        if not request.user.is_authenticated:
            return None  # the view asks for sign-in before it looks at anything
        view = _staff_view(request, kwargs["partner"])
        if view is not None:
            self._look(request, as_membership(view))
            return None
        membership = _membership(request, kwargs["partner"])
        if membership is None:
            raise Http404
        if not hasattr(request, "credential") and not opens(ways(request), membership.partner):
            return sign_in_elsewhere(request, membership.partner)
        self._be(request, membership)
        return None

    def _look(self, request: HttpRequest, place: Membership) -> None:
        """Staff in the partner's place: they read only; portal/reads.py records what."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        self._be(request, place)

    def _be(self, request: HttpRequest, membership: Membership) -> None:
        request.membership = membership  # type: ignore[attr-defined]
        request.partner = membership.partner  # type: ignore[attr-defined]
        become(PARTNER, partner_id=membership.partner_id)


def _membership(request: HttpRequest, partner_slug: str) -> Membership | None:
    """The place of whoever asks in the partner of the URL: a token has one partner only."""
    credential = getattr(request, "credential", None)
    if credential is None:
        return membership_for(request.user, partner_slug)  # type: ignore[arg-type]
    return credential.maker if credential.partner.slug == partner_slug else None


def _staff_view(request: HttpRequest, partner_slug: str) -> StaffView | None:
    """What one of the staff looks by; a program that calls by token never does."""
    user = request.user
    if not isinstance(user, User) or not user.is_staff or hasattr(request, "credential"):
        return None
    return view_of(user, partner_slug)
