"""The doors of the partner pages: who is in, and which object they may load.

A view never loads an object by an id of its own accord. What is absent, foreign, revoked or
expired is the same 404.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from engagement.models import Title
from engagement.scope import Refused, Scope
from partners.access import title_for
from partners.models import Membership
from reports.models import Bundle, Schedule

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]


def partner_page(
    view: Callable[Concatenate[HttpRequest, Membership, P], HttpResponseBase],
) -> View:
    """A page of one partner: asks for sign-in first, then hands the view the membership.

    A Refused inside the view is a 404, as for a URL that does not exist.
    """

    @login_required
    @wraps(view)
    def signed_in(request: HttpRequest, partner: str, *args: Any, **kwargs: Any) -> Any:
        membership = getattr(request, "membership", None)
        if not isinstance(membership, Membership) or membership.partner.slug != partner:
            raise Http404
        try:
            return view(request, membership, *args, **kwargs)
        except Refused:
            raise Http404 from None

    return signed_in


def title_or_404(scope: Scope, slug: str) -> Title:
    try:
        return title_for(scope, slug)
    except Refused:
        raise Http404 from None


def may_order(membership: Membership) -> bool:
    """Owners and analysts ask for bundles and keep schedules; a viewer receives them."""
    return membership.role in (Membership.Role.OWNER, Membership.Role.ANALYST)


def require_order(membership: Membership) -> None:
    if not may_order(membership):
        raise PermissionDenied


def bundle_or_404(membership: Membership, id: UUID) -> Bundle:
    """A bundle made for this member."""
    bundle = (
        Bundle.objects.select_related("artefact", "run__schedule")
        .filter(pk=id, partner_id=membership.partner_id, recipient_id=membership.pk)
        .first()
    )
    if bundle is None:
        raise Http404
    return bundle


def schedule_or_404(membership: Membership, id: UUID) -> Schedule:
    """A schedule of the partner: the owner role sees all, an analyst their own."""
    schedules = Schedule.objects.filter(pk=id, partner_id=membership.partner_id)
    if membership.role != Membership.Role.OWNER:
        schedules = schedules.filter(owner_id=membership.pk)
    schedule = schedules.first()
    if schedule is None:
        raise Http404
    return schedule
