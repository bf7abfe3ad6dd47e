"""`/`: to the one partner of the member, a choice of several, or the admin."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from partners.models import Membership, User


@login_required
def home(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    memberships = list(
        Membership.objects.select_related("partner")
        .filter(user=request.user, partner__suspended_at__isnull=True)
        .order_by("partner__name_zh")
    )
    if len(memberships) == 1:
        return redirect("portfolio", partner=memberships[0].partner.slug)
    if not memberships and request.user.is_staff:
        return redirect("admin:index")
    return render(request, "partner/home.html", {"memberships": memberships})
