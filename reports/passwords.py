"""What opens a member's encrypted reports: made at first need, shown to that member alone.

It is in no mail, no log and no trail. A member may have another from now on; what was made before
still opens with the one before.
"""

from __future__ import annotations

import secrets

from cryptography.fernet import InvalidToken
from django.db.models.functions import Now
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from engagement.scope import Refused
from partners import sealed
from partners.audit import record
from partners.models import Membership
from reports.models import ReportPassword

_PURPOSE = b"dailies report password"
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is taken for something else
_GROUPS, _LETTERS = 5, 4  # 99 bits


class Unreadable(RuntimeError):
    """SECRET_KEY was changed since the password was made: its member takes a new one."""


@sensitive_variables()
def password_of(membership: Membership) -> str:
    """The member's password, made if there is none. Raises Unreadable."""
    row, _made = ReportPassword.objects.get_or_create(
        membership_id=membership.pk,
        defaults={"partner_id": membership.partner_id, "enciphered": _sealed(_fresh())},
    )
    try:
        return sealed.box(_PURPOSE).decrypt(row.enciphered.encode()).decode()
    except InvalidToken:
        raise Unreadable(
            "the member's report password cannot be deciphered: they take a new one"
        ) from None


@sensitive_variables()
def shown(membership: Membership, request: HttpRequest | None = None) -> str:
    """The password, for its own member. Raises Refused where no report needs one, Unreadable."""
    check(membership)
    password = password_of(membership)
    _record("report_password.shown", membership, request)
    return password


def renew(membership: Membership, request: HttpRequest | None = None) -> None:
    """Another password for what is made from now on. Raises Refused as `shown` does."""
    check(membership)
    ReportPassword.objects.update_or_create(
        membership_id=membership.pk,
        defaults={
            "partner_id": membership.partner_id,
            "enciphered": _sealed(_fresh()),
            "made_at": Now(),
        },
    )
    _record("report_password.renewed", membership, request)


def has_one(membership: Membership) -> bool:
    """Whether the member's reports open with a password, or some did. Never of staff who look."""
    if membership.staff_view is not None:
        return False
    return (
        membership.partner.encrypt_reports
        or ReportPassword.objects.filter(membership_id=membership.pk).exists()
    )


def check(membership: Membership) -> None:
    if not has_one(membership):
        raise Refused


def _record(action: str, membership: Membership, request: HttpRequest | None) -> None:
    record(
        action,
        actor=membership.user,
        partner=membership.partner,
        target=membership.pk,
        request=request,
    )


def _fresh() -> str:
    return "-".join(
        "".join(secrets.choice(_READABLE) for _ in range(_LETTERS)) for _ in range(_GROUPS)
    )


def _sealed(password: str) -> str:
    return sealed.box(_PURPOSE).encrypt(password.encode()).decode()
