"""Answers that are files: the same headers whoever asked, page or REST."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from engagement.families import Result
from partners.models import Membership
from portal.errors import range_not_satisfiable
from portal.ranges import Unsatisfiable, part_asked
from portal.reads import list_read
from reports.downloads import Sending, artefact_for, open_bundle
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
    """The zip of a finished bundle, or the part of it that is asked for, recorded with its bytes.

    Raises Refused and Unreachable as `open_bundle`.
    """
    artefact = artefact_for(membership, bundle_id)
    etag, size = f'"{artefact.sha256}"', artefact.size_bytes
    response: HttpResponseBase | None = get_conditional_response(request, etag=etag)
    part = None
    if response is None:
        try:
            part = part_asked(request, etag, size)
        except Unsatisfiable:
            response = range_not_satisfiable(request, size)
    if response is None and request.method == "HEAD":
        response = HttpResponse(content_type="application/zip", headers={"Content-Length": size})
    if response is None:
        _, file = open_bundle(membership, bundle_id, part=part, request=request)
        response = StreamingHttpResponse(
            Sending(membership, bundle_id, artefact, file, part=part, request=request),
            content_type="application/zip",
            headers={"Content-Length": size if part is None else len(part)},
        )
        if part is not None:
            response.status_code = 206
            response["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    else:
        list_read(request, membership, f"bundles/{bundle_id}")  # its size and hash, no byte of it
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    if response.status_code >= 400:
        return response
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
