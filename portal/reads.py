"""Telling the audit trail what was read: one record a page or answer, whatever it holds.

`numbers_read` for numbers, `list_read` for what holds none; of staff who look in the partner's
place both record that they did. They stand in the request's own
transaction: where the record cannot be written, nothing is answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from engagement.families import Result
from engagement.scope import Window
from partners.audit import record
from partners.models import Membership

RELEASES_NAMED = 40
"""A record names so many releases; of more it says how many, and the hash of all their ids."""


def numbers_read(
    request: HttpRequest,
    membership: Membership,
    results: Iterable[Result],
    *,
    target: str,
    window: Window | None,
    territory: str | None = None,
    action: str = "numbers.read",
    **detail: Any,
) -> None:
    """Numbers leave: of which resources, for which window and territory, of which releases.

    `window` and `territory` are what was asked for; None for all that is granted.
    """
    read = list(results)
    _tell(
        request,
        membership,
        action,
        target,
        window=str(window) if window else None,
        territory=territory,
        families=sorted({r.resource.name for r in read}),
        releases=_releases({release for r in read for release in r.releases}),
        **detail,
    )


def list_read(request: HttpRequest, membership: Membership, target: str, **detail: Any) -> None:
    """A list or an object without numbers was read."""
    _tell(request, membership, "list.read", target, **detail)


def _tell(
    request: HttpRequest, membership: Membership, action: str, target: str, **detail: Any
) -> None:
    """One record, of a member or of one of the staff who looks in the partner's place."""
    if membership.staff_view is not None:
        action, detail["view"] = "staff_view.page", str(membership.staff_view.pk)
    record(
        action,
        actor=membership.user,
        partner=membership.partner,
        target=target,
        request=request,
        **detail,
    )


def _releases(ids: set[str]) -> dict[str, Any]:
    """`in_all`, and either the `ids` or the `sha256` of all of them, sorted, a line each."""
    told = sorted(ids)
    if len(told) <= RELEASES_NAMED:
        return {"in_all": len(told), "ids": told}
    return {"in_all": len(told), "sha256": hashlib.sha256("\n".join(told).encode()).hexdigest()}
