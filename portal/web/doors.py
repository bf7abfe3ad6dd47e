"""The doors of the partner pages: who is in, and which object they may load.

A view never loads an object by an id of its own accord: titles come by partners/access.py,
bundles by reports/downloads.py, schedules by reports/schedules.py. What those refuse (absent,
foreign, revoked, expired) is the same 404.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from engagement.scope import Refused
from partners.models import Membership
from reports.schedules import may_own

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


def owner_page(
    view: Callable[Concatenate[HttpRequest, Membership, P], HttpResponseBase],
) -> View:
    """A page of one partner that its owners alone have: to others it does not exist."""

    @wraps(view)
    def owned(request: HttpRequest, membership: Membership, *args: Any, **kwargs: Any) -> Any:
        if membership.role != Membership.Role.OWNER:
            raise Refused
        return view(request, membership, *args, **kwargs)

    return partner_page(owned)


def may_order(membership: Membership) -> bool:
    """Owners and analysts ask for bundles and keep schedules; a viewer receives them."""
    return may_own(membership)
