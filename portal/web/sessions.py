"""Where one is signed in: the list, and ending one or all others."""

from __future__ import annotations

import re
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from partners.models import User
from partners.session_store import SessionStore, hash_of
from partners.sessions import end_other_sessions, end_session, sessions_of

_BROWSERS = ("Edg", "OPR", "MicroMessenger", "Firefox", "Chrome", "Safari")
_NAMES = {"Edg": "Edge", "OPR": "Opera", "MicroMessenger": "WeChat"}
_SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac OS X", "Linux")


class SessionMiddleware(DjangoSessionMiddleware):
    """Django's, with the address and browser a session is used from."""

    def process_request(self, request: HttpRequest) -> None:
        store = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        store.ip = request.META.get("REMOTE_ADDR") or None
        store.user_agent = request.META.get("HTTP_USER_AGENT", "")
        request.session = store


@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    here = hash_of(request.session.session_key or "")
    rows = [
        {"session": row, "here": row.key_sha256 == here, "device": device(row.user_agent)}
        for row in sessions_of(request.user)
    ]
    return render(request, "account/sessions.html", {"rows": rows, "others": len(rows) > 1})


@require_POST
@login_required
def end_others(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    end_other_sessions(request.user, request=request)
    messages.success(request, _("Every other session has ended."))
    return redirect("sessions")


@require_POST
@login_required
def end_one(request: HttpRequest, id: UUID) -> HttpResponse:
    assert isinstance(request.user, User)
    if not end_session(request.user, id, request=request):
        raise Http404
    messages.success(request, _("The session has ended."))
    return redirect("sessions")


def device(user_agent: str) -> str:
    """ "Firefox, Windows" of a browser's long line; its first words where it is none we know."""
    found = [
        next((_NAMES.get(n, n) for n in names if re.search(rf"{n}\b", user_agent)), "")
        for names in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(filter(None, found)) or user_agent[:40]
