"""One shape for every error: JSON under /api/, a page elsewhere.

Absent, foreign, revoked and expired are one answer, made here, so that they cannot differ in
status, body or headers.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)


def error_body(code: str, message: str, details: Any = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": details or {}}}


def _answer(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return JsonResponse(error_body(code, message), status=status)
    return render(request, f"{status}.html", {"message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "bad_request", _("The request could not be understood."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "forbidden", _("This is not open to you."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    response = _answer(request, 404, "not_found", _("There is nothing here, or not for you."))
    patch_vary_headers(response, ["Accept-Language", "Cookie"])
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Nothing of what went wrong but an id, by which staff find it in the log."""
    id = uuid4().hex[:12]
    log.error("error %s: %s %s", id, request.method, request.path_info)
    message = _("Something went wrong on our side. To ask about it, name %(id)s.") % {"id": id}
    return _answer(request, 500, "server_error", message)


def unavailable(request: HttpRequest) -> HttpResponse:
    message = _("The audit trail cannot be written, so nothing is read or exported now.")
    return _answer(request, 503, "unavailable", message)


def storage_away(request: HttpRequest) -> HttpResponse:
    message = _("The stored files cannot be reached now.")
    return _answer(request, 503, "unavailable", message)


def range_not_satisfiable(request: HttpRequest, size: int) -> HttpResponse:
    """For programs that fetch parts; a page never asks for one."""
    message = _("The file has no such bytes.")
    response = JsonResponse(error_body("range_not_satisfiable", message), status=416)
    response["Content-Range"] = f"bytes */{size}"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403, "csrf_failed", _("The form is too old: open the page again."))
