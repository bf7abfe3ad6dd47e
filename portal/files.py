"""Answers that are files: the same headers whoever asked, page or REST."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from engagement.families import Result
from partners.models import Membership
from reports.downloads import Sending, open_bundle
from reports.render.csv import to_csv

Response = TypeVar("Response", bound=HttpResponseBase)

LONGEST_NAME = 120
"""In bytes of UTF-8, with its ending: below what any file system takes (255)."""

_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def csv_response(result: Result, title_slug: str) -> HttpResponse:
    """One resource of one title, as a CSV to be kept."""
    response = HttpResponse(to_csv(result), content_type="text/csv; charset=utf-8")
    return attached(response, f"{title_slug}-{result.resource.name}", ".csv")


def bundle_response(
    request: HttpRequest, membership: Membership, bundle_id: UUID
) -> HttpResponseBase:
    """The zip of a finished bundle, recorded with its bytes. Raises Refused as `open_bundle`."""
    artefact, file = open_bundle(membership, bundle_id, request=request)
    response = StreamingHttpResponse(
        Sending(membership, bundle_id, artefact, file, request=request),
        content_type="application/zip",
    )
    response["Content-Length"] = str(artefact.size_bytes)
    return attached(response, artefact.name.removesuffix(".zip"), ".zip")


def attached(response: Response, stem: str, ending: str) -> Response:
    """The answer as a file of that name, to be kept and never shown in the portal's place.

    RFC 6266: the name is quoted, and beyond ASCII encoded as RFC 5987 says.
    """
    header = content_disposition_header(True, safe_name(stem, ending))
    assert header is not None
    response["Content-Disposition"] = header
    response["X-Content-Type-Options"] = "nosniff"
    return response


def safe_name(stem: str, ending: str) -> str:
    """A file name that is one on every system: no path, no control, nothing that turns the text.

    What a name may not hold becomes a hyphen; a name of nothing else is `file`.
    """
    stem = unicodedata.normalize("NFC", stem)
    kept = (
        "-" if c in '/\\:*?"<>|;%' or (unicodedata.category(c)[0] in "CZ" and c != " ") else c
        for c in stem
    )
    stem = re.sub(r"-{2,}", "-", "".join(kept)).strip(" .-") or "file"
    if _DEVICES.match(stem):
        stem = f"_{stem}"
    room = LONGEST_NAME - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(" .-") + ending
