"""What happens to a login, in the audit trail of each organisation that it concerns.

A login may open several partners. Each of them gets a record of its own, in its own rows and as
if there were no other: who reads one learns nothing of the rest. Records of one thing share a
transaction, by which staff know them for one. Of staff, and of a name that is nobody's, there is
one record, of no partner.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest

from partners.audit import record_for_each
from partners.models import Membership, User
from partners.single_sign_on import opens


def record_of_login(
    action: str,
    email: str,
    *,
    actor: User | None,
    ways: Collection[str] | None = None,
    request: HttpRequest | None = None,
    **detail: Any,
) -> None:
    """Record what was done to, or tried with, the login of that address.

    It concerns the organisations that a session by `ways` opens (partners/single_sign_on.py), so
    that one is not told of a sign-in through another's provider; where it opens none, or `ways`
    is None, all of the login's.
    """
    memberships = list(
        Membership.objects.filter(user__email__iexact=email, user__is_staff=False)
        .select_related("partner__identity_provider")
        .order_by("partner_id")
    )
    all_of_them = [m.partner for m in memberships]
    opened = [p for p in all_of_them if ways is not None and opens(ways, p)]
    record_for_each(
        opened or all_of_them or [None],
        action,
        actor=actor,
        target=email,
        request=request,
        **detail,
    )
