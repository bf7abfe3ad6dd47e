"""The four roles of staff, and who gives them to whom.

A role is a group that the migrations made; what it may do is written there and changed nowhere
else. A superuser is made on the server alone and stands in for an administrator. The database
holds the same rules: nobody's own rights, no superuser, no administrator without two people.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from partners.audit import record
from partners.models import RoleChange, User


class Role(StrEnum):
    """The values are the names of the groups."""

    PARTNER_MANAGER = "Partner managers"
    DATA_OPERATIONS = "Data operations"
    AUDITOR = "Auditors"
    ADMINISTRATOR = "Administrators"


class RoleError(Exception):
    """A role that may not be given so, in words for the person who tried it."""


def hands_out_roles(user: User) -> bool:
    return user.is_active and user.is_staff and user.has_perm("partners.hand_out_roles")


def role_of(user: User) -> Role | None:
    """The role of staff; of several (made before there was one page for it) the first."""
    held = set(user.groups.values_list("name", flat=True))
    return next((role for role in Role if role in held), None)


@transaction.atomic
def give(
    user: User,
    role: Role | None,
    *,
    partners: Iterable[UUID] | None,
    by: User,
    request: HttpRequest | None = None,
) -> RoleChange | None:
    """Make `role` the one role of `user`, limited to `partners` (None: all; for managers alone).

    Without a role a person is not staff any more. An administrator is only proposed: the
    RoleChange comes back, and all stays as it is until a second person accepts it. Raises
    RoleError for the own rights, a superuser's, or more than `by` has.
    """
    user = User.objects.select_for_update().get(pk=user.pk)
    limit = None if partners is None else sorted(set(partners), key=str)
    _may_give(user, role, limit, by)
    if role is Role.ADMINISTRATOR:
        if role_of(user) is Role.ADMINISTRATOR:
            raise RoleError(_("This person is an administrator already."))
        if RoleChange.objects.filter(user=user, decided_at__isnull=True).exists():
            raise RoleError(_("This is proposed already; a second administrator decides it."))
        change = RoleChange.objects.create(user=user, made_by=by)
        record("role.proposed", actor=by, target=user.email, request=request, role=role.value)
        return change
    _set(user, role, limit, by, request)
    return None


@transaction.atomic
def accept(change: RoleChange, *, by: User, request: HttpRequest | None = None) -> None:
    """Make the person an administrator. Raises RoleError for the proposer and the person."""
    change = _decide(change, by, accepted=True)
    if not hands_out_roles(change.made_by):
        raise RoleError(_("Who proposed this is no administrator any more."))
    if not change.user.is_staff or not change.user.is_active:
        raise RoleError(_("This person is not active staff any more."))
    _set(change.user, Role.ADMINISTRATOR, None, by, request)


@transaction.atomic
def refuse(change: RoleChange, *, by: User, request: HttpRequest | None = None) -> None:
    change = _decide(change, by, accepted=False)
    record("role.refused", actor=by, target=change.user.email, request=request)


def _may_give(user: User, role: Role | None, limit: list[UUID] | None, by: User) -> None:
    if not hands_out_roles(by):
        raise RoleError(_("Only administrators hand out roles."))
    if user.pk == by.pk:
        raise RoleError(_("Nobody changes their own rights: ask another administrator."))
    if user.is_superuser:
        raise RoleError(_("A superuser's rights are changed on the server alone."))
    if not user.is_staff:
        raise RoleError(_("People join the staff by invitation."))
    if limit is not None and role is not Role.PARTNER_MANAGER:
        raise RoleError(_("Only a partner manager is limited to partners."))
    if by.limit_partners is not None and (
        limit is None or not set(limit) <= set(by.limit_partners)
    ):
        raise RoleError(_("Nobody gives more than they have."))


def _decide(change: RoleChange, by: User, *, accepted: bool) -> RoleChange:
    change = (
        RoleChange.objects.select_for_update(of=("self",))
        .select_related("user", "made_by")
        .get(pk=change.pk)
    )
    if change.decided_at is not None:
        raise RoleError(_("This has been decided already."))
    if not hands_out_roles(by):
        raise RoleError(_("Only administrators hand out roles."))
    if by.pk in (change.made_by_id, change.user_id):
        raise RoleError(_("This takes a second person: ask another administrator."))
    RoleChange.objects.filter(pk=change.pk).update(
        decided_by=by, decided_at=Now(), accepted=accepted
    )
    return change


def _set(
    user: User,
    role: Role | None,
    limit: list[UUID] | None,
    by: User,
    request: HttpRequest | None,
) -> None:
    before = role_of(user), user.limit_partners
    user.groups.set([Group.objects.get(name=role)] if role else [])
    user.is_staff = role is not None
    user.limit_partners = limit
    user.save(update_fields=["is_staff", "limit_partners"])
    record(
        "role.changed",
        actor=by,
        target=user.email,
        request=request,
        before=_said(*before),
        after=_said(role, limit),
    )


def _said(role: Role | None, limit: Iterable[UUID] | None) -> dict[str, object]:
    return {
        "role": role.value if role else None,
        "partners": None if limit is None else [str(partner) for partner in limit],
    }
