"""A member's page of what opens their encrypted reports: behind a second factor shown just now.

Unlike a token it may be shown again: whoever kept last month's report needs it.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from partners.models import Membership
from portal.web.doors import partner_page
from portal.web.second_factor import fresh_mfa
from reports import passwords


@partner_page
def report_password(request: HttpRequest, membership: Membership) -> HttpResponse:
    passwords.check(membership)  # before a factor is asked for: to others the page is not there
    return _shown(request, membership)  # type: ignore[return-value]


@fresh_mfa
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("password")
def _shown(request: HttpRequest, membership: Membership) -> HttpResponse:
    if request.method == "POST":
        passwords.renew(membership, request)
        messages.success(request, _("Reports made from now on open with the new password."))
        return redirect("report-password", partner=membership.partner.slug)
    try:
        password = passwords.shown(membership, request)
    except passwords.Unreadable:
        password = ""
    return render(request, "partner/report_password.html", {"password": password})
