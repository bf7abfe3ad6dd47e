"""How each thing that was taken away is taken again, once more, from a database that was restored.

Each function does one event of the anchor again and says whether that is all: True where it is
done, False for a person to look at. Where no rule can repeat it, it closes what it can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet
from django.db.models.functions import Now

from partners import credentials, grants
from partners.models import (
    ClaimedDomain,
    Credential,
    Grant,
    IdentityProvider,
    Invitation,
    Membership,
    Partner,
    RoleChange,
    User,
)
from partners.roles import role_of

Taken = Mapping[str, Any]
"""An event as the anchor holds it: action, target, partner (its id), detail, at."""

_PREFIX = re.compile(r"\((dly_\w{8})…\)$", re.ASCII)
_ROLES = ("viewer", "analyst", "owner")
"""From the least to the most."""


def _revoke(taken: Taken, by: User) -> bool:
    for grant in Grant.objects.filter(pk=taken["target"]):
        grants.revoke(grant, by=by)
    return True


def _close_grant(taken: Taken, by: User) -> bool:
    """Of a grant that was narrowed: it ends, and what was left of it is granted anew by people."""
    _revoke(taken, by)
    return False


def _expire(taken: Taken, by: User) -> bool:
    at = datetime.fromisoformat(taken["detail"]["after"])
    for grant in Grant.objects.filter(pk=taken["target"], state=Grant.State.APPROVED):
        if grant.valid_until is None or at < grant.valid_until:
            grants.expire(grant, at=at, by=by)
    return True


def _lose_titles(taken: Taken, by: User) -> bool:
    lost = taken["detail"].get("lost", [])
    grants.close_titles(taken["target"], lost)
    return not lost  # the holding itself is to be put right, or they come back with it


def _suspend(taken: Taken, by: User) -> bool:
    Partner.objects.filter(pk=taken["partner"], suspended_at=None).update(suspended_at=Now())
    return True


def _remove_member(taken: Taken, by: User) -> bool:
    Membership.objects.filter(partner=taken["partner"], user__email__iexact=_person(taken)).delete()
    return True


def _close_member(taken: Taken, by: User) -> bool:
    """Of a role or limit that changed: nothing is open to them, and no more of a role than both
    before and after, until a person has looked.
    """
    after = str(taken["detail"].get("after", {}).get("role", ""))
    for member in Membership.objects.filter(
        partner=taken["partner"], user__email__iexact=_person(taken)
    ):
        if after in _ROLES and _ROLES.index(after) < _ROLES.index(member.role):
            member.role = after
        member.limit_titles = []
        member.save(update_fields=["role", "limit_titles"])
    return False


def _close_person(taken: Taken, by: User) -> bool:
    """Of a person who was disabled, or lost a right of staff: no way in until a person looked."""
    after = taken["detail"].get("after", {})
    if after.get("is_active") is False:
        return _disable(taken, by)
    if {"is_staff", "is_superuser", "groups", "user_permissions"} & set(after):
        _disable(taken, by)
        return False
    return True  # a name or a language


def _disable(taken: Taken, by: User) -> bool:
    _login(taken).update(is_active=False)
    return True


def _close_role(taken: Taken, by: User) -> bool:
    """Of staff: no staff any more, or without any right until an administrator gives a role."""
    after = taken["detail"]["after"]
    for user in _login(taken):
        limit = None if user.limit_partners is None else [str(p) for p in user.limit_partners]
        if (role_of(user), limit) == (after["role"], after["partners"]):
            continue
        user.groups.clear()
        user.is_staff = after["role"] is not None
        user.limit_partners = [] if user.is_staff else None
        user.save(update_fields=["is_staff", "limit_partners"])
    return after["role"] is None


def _refuse_role(taken: Taken, by: User) -> bool:
    open_ones = RoleChange.objects.filter(user__in=_login(taken), decided_at__isnull=True)
    open_ones.update(decided_at=Now(), accepted=False)
    return True


def _close_password(taken: Taken, by: User) -> bool:
    """The password of the backup is not theirs any more: they set another by the mail for it.

    The mailed links of before die with it.
    """
    for user in _login(taken):
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return True


def _take_factors(taken: Taken, by: User) -> bool:
    """The factors that were removed or replaced. What was added since is lost, and who only knows
    the password shall not set up factors of their own: it is closed.
    """
    removed = taken["detail"].get("removed", [])
    Authenticator.objects.filter(user__in=_login(taken), type__in=removed).delete()
    return _close_password(taken, by)


def _reset_factors(taken: Taken, by: User) -> bool:
    Authenticator.objects.filter(user__in=_login(taken)).delete()
    return True


def _take_recovery_codes(taken: Taken, by: User) -> bool:
    """The backup does not know which of them were used up."""
    Authenticator.objects.filter(
        user__in=_login(taken), type=Authenticator.Type.RECOVERY_CODES
    ).delete()
    return True


def _end_access(taken: Taken, by: User) -> bool:
    """Sessions end anyway."""
    made = Credential.objects.filter(maker__user__in=_login(taken), revoked_at__isnull=True)
    for credential in made.select_related("partner"):
        credentials.revoke(credential, by=by)
    return True


def _ask_for_second_factor(taken: Taken, by: User) -> bool:
    if taken["detail"].get("after", {}).get("requires_mfa") is True:
        Partner.objects.filter(pk=taken["partner"]).update(requires_mfa=True)
    return True


def _end_invitation(taken: Taken, by: User) -> bool:
    """Withdrawn, used up, or replaced by a newer link: the one of the backup opens nothing."""
    Invitation.objects.filter(
        partner=taken["partner"], email__iexact=taken["target"], accepted_at__isnull=True
    ).delete()
    return True


# Where single sign-on is enforced, a provider without its secret signs nobody in, and no password
# opens the partner either.
def _add_provider(taken: Taken, by: User) -> bool:
    """One that was enforced had closed the passwords' door. Its secret is to be entered again."""
    after = taken["detail"].get("after", {})
    if not after.get("enforced"):
        return True
    IdentityProvider.objects.update_or_create(
        partner_id=taken["partner"],
        defaults={
            "issuer": taken["target"],
            "client_id": after.get("client_id", ""),
            "client_secret_encrypted": "",
            "enabled": True,
            "enforced": True,
            "vouches_second_factor": False,
        },
    )
    return False


def _close_provider(taken: Taken, by: User) -> bool:
    after = taken["detail"].get("after", {})
    found = IdentityProvider.objects.filter(partner=taken["partner"])
    if after.get("vouches_second_factor") is False:
        found.update(vouches_second_factor=False)
    if after.get("enabled") is False:
        found.update(enabled=False, enforced=False)
    if after.get("enforced") is True:
        found.update(enabled=True, enforced=True)
    if not {"issuer", "client_id", "client_secret"} & set(after):
        return True
    found.update(client_secret_encrypted="")  # the one of the backup may be in wrong hands
    return False


def _remove_provider(taken: Taken, by: User) -> bool:
    IdentityProvider.objects.filter(partner=taken["partner"], issuer=taken["target"]).delete()
    return True


def _remove_domain(taken: Taken, by: User) -> bool:
    ClaimedDomain.objects.filter(partner=taken["partner"], domain=taken["target"]).delete()
    return True


def _revoke_credential(taken: Taken, by: User) -> bool:
    return _end_credential(taken, str(taken["target"]), by)


def _revoke_rotated(taken: Taken, by: User) -> bool:
    """The old one. The one that replaced it was made after the backup and is not there."""
    return _end_credential(taken, str(taken["detail"].get("old", "")), by)


def _end_credential(taken: Taken, name: str, by: User) -> bool:
    """`name` ends with the token's first characters, which tell it from every other."""
    prefix = _PREFIX.search(name)
    if prefix is None:
        return False
    for credential in Credential.objects.filter(partner=taken["partner"], prefix=prefix[1]):
        credentials.revoke(credential, by=by)
    return True


def _look(taken: Taken, by: User) -> bool:
    return False


def _person(taken: Taken) -> str:
    """The address of a member: staff's pages write `address (partner)`, the team's the address."""
    return str(taken["target"]).partition(" (")[0]


def _login(taken: Taken) -> QuerySet[User]:
    return User.objects.filter(email__iexact=taken["target"])


TAKEN: dict[str, Callable[[Taken, User], bool]] = {
    "grant.revoked": _revoke,
    "grant.narrowed": _close_grant,
    "grant.expiry_set": _expire,
    "grant.refreshed": _lose_titles,
    "grant.removed": _look,
    "partner.suspended": _suspend,
    "partner.changed": _ask_for_second_factor,
    "membership.removed": _remove_member,
    "membership.changed": _close_member,
    "user.changed": _close_person,
    "user.removed": _disable,
    "role.changed": _close_role,
    "role.refused": _refuse_role,
    "holding.changed": _look,
    "holding.removed": _look,
    "consent.changed": _look,
    "consent.removed": _look,
    "title_change.accepted": _look,
    "invitation.sent": _end_invitation,
    "invitation.accepted": _end_invitation,
    "invitation.removed": _end_invitation,
    "group.changed": _look,
    "group.removed": _look,
    "credential.revoked": _revoke_credential,
    "credential.rotated": _revoke_rotated,
    "access.ended": _end_access,
    "password.changed": _close_password,
    "second_factor.changed": _take_factors,
    "second_factor.reset": _reset_factors,
    "recovery_code.used": _take_recovery_codes,
    "identity_provider.added": _add_provider,
    "identity_provider.changed": _close_provider,
    "identity_provider.removed": _remove_provider,
    "claimed_domain.removed": _remove_domain,
}
"""How each action of TAKES_AWAY (partners/audit.py) is done again."""
