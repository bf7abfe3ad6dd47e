"""Exceptions to answers in the one error shape."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from engagement.scope import EVER, OutsideScope, Part, Refused, TooManyRows
from portal.errors import error_body


class BadParameter(exceptions.APIException):
    """A query parameter or field that cannot be used, and why."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_parameter"


class BodyTooLarge(exceptions.APIException):
    """A body that nothing here asks for; it is not read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = "The body is larger than any that can be used."


class ExportNotGranted(exceptions.APIException):
    """The same words for every file of a title that may only be looked at."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "export_not_granted"
    default_detail = "Files of this title and family are not granted."


class BeyondScope(exceptions.APIException):
    """A window or territory beyond what is granted, which the answer names."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "outside_scope"
    default_detail = "The window or territory reaches beyond what is granted."


class TooLarge(exceptions.APIException):
    """An answer by day that is too large for one request, and how to ask for less."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "too_many_rows"

    def __init__(self, error: TooManyRows) -> None:
        super().__init__(
            f"The answer has {error.rows} rows; one request answers at most {error.most}. Ask for"
            " fewer days (from, until), one territory, or grain=window."
        )


def handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exception, Refused | Http404):
        raise Http404 from None  # answered by portal.errors, as for a URL that does not exist
    transaction.set_rollback(True)
    granted: list[dict[str, str | None]] = []
    if isinstance(exception, OutsideScope):
        granted = [block(p) for p in exception.granted]
        exception = BeyondScope()
    elif isinstance(exception, TooManyRows):
        exception = TooLarge(exception)
    elif isinstance(exception, PermissionDenied):
        exception = exceptions.PermissionDenied()
    response = exception_handler(exception, context)
    if response is None:
        return None
    request = context.get("request")
    if request is not None:  # asked for as CSV, an error is still JSON
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    if isinstance(exception, exceptions.ValidationError):
        response.data = error_body("invalid", "Some fields cannot be used.", exception.detail)
    elif isinstance(exception, exceptions.APIException):
        response.data = error_body(
            str(exception.get_codes()),
            str(exception.detail),
            {"granted": granted} if granted else None,
        )
    return response


def block(part: Part) -> dict[str, str | None]:
    """A granted or answered block; an open end is null."""
    window = part.window
    return {
        "territory": part.territory,
        "from": None if window.since == EVER.since else window.since.isoformat(),
        "until": None if window.until == EVER.until else window.until.isoformat(),
    }
