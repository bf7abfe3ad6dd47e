"""What the links of a report's mail lead to. Neither page reads a number or needs a session."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from reports.leaving import leave, subscription
from reports.links import NotOurs, follow, leaving_by


@require_GET
def report(request: HttpRequest, token: str) -> HttpResponse:
    """To the bundle's page, which asks for sign-in; after seven days, to where the file is."""
    try:
        link = follow(token)
    except NotOurs:
        raise Http404 from None
    if link.ended:
        return render(request, "mailed/ended.html", {"inbox": link.inbox}, status=410)
    return redirect(link.bundle)


@csrf_exempt  # a mail program posts without a cookie (RFC 8058); the link itself is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def leaving(request: HttpRequest, token: str) -> HttpResponse:
    """Looking at it changes nothing: mail scanners look at every link."""
    try:
        asked = leaving_by(token)
    except NotOurs:
        raise Http404 from None
    if request.method == "POST":
        leave(asked, request=request)
        return render(request, "mailed/left.html")
    found = subscription(asked)
    if found is None:
        return render(request, "mailed/left.html")
    return render(request, "mailed/leave.html", {"schedule": found.schedule})
