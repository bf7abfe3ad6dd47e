"""What was taken away, told once more to a database that was restored from before it.

The anchor holds it, outside of the database (partners/anchor.py). What cannot be taken again
by a rule is named, for a person to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from partners import anchor, credentials, grants, sealing
from partners.audit import record
from partners.models import (
    AuditEvent,
    AuditSeal,
    Credential,
    Grant,
    Membership,
    Partner,
    Session,
    User,
)
from partners.sealing import End, OutOfStep

Taken = Mapping[str, Any]
"""An event as the anchor holds it: action, target, partner (its id), detail, at."""

_PREFIX = re.compile(r"\((dly_\w{8})…\)$", re.ASCII)

# A writer that is under way ends first; nobody writes until the restore is told.
_NOBODY_WRITES = "LOCK TABLE partners_auditevent IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True)
class Replayed:
    """What a restore lost, and what became of it, each in words."""

    restored_from: int
    lost_seals: int
    done: tuple[str, ...]
    by_hand: tuple[str, ...]
    sessions: int


class _Undo(Exception):
    pass


def replay(*, by: User, dry_run: bool = False) -> Replayed | None:
    """Take away again what was taken after the backup, end every session, and re-anchor.

    None where the database has lost no seal. Raises OutOfStep where it is no older copy of what
    was anchored, and anchor.Busy.
    """
    done: Replayed | None = None
    try:
        with anchor.held():
            with transaction.atomic():
                done = _replay(by)
                if dry_run:
                    raise _Undo
            sealing.anchor_the_rest()
    except _Undo:
        pass
    return done


def _replay(by: User) -> Replayed | None:
    with connection.cursor() as cursor:
        cursor.execute(_NOBODY_WRITES)
    newest = AuditSeal.objects.last()
    known = list(anchor.lines())
    restored_from = newest.n if newest else 0
    lost = [line for line in known if line.n > restored_from]
    if not lost:
        return None
    if newest and newest.root not in {line.root for line in known if line.n == newest.n}:
        raise OutOfStep(f"seal {newest.n} is not the one that was anchored; see verify_audit")
    done: list[str] = []
    by_hand: list[str] = []
    for taken in (t for line in lost for t in line.taken):
        said = f"{taken['at']} {taken['action']} {taken['target']}"
        replayed = TAKEN[taken["action"]](taken, by)
        (done if replayed else by_hand).append(said)
    sessions, _ = Session.objects.all().delete()
    record(
        "audit.restored",
        actor=by,
        target=f"seal {restored_from}",
        lost_seals=len(lost),
        lost_root=lost[-1].root,
        replayed=done,
        by_hand=by_hand,
        sessions_ended=sessions,
    )
    sealing.chain(
        AuditEvent.objects.filter(link__isnull=True).order_by("pk").iterator(),
        after=End.of(lost[-1]),
        n=lost[-1].n + 1,
        upto=0,  # another server may count its transactions from the beginning
        floor=AuditEvent.objects.aggregate(last=Max("pk"))["last"],
        restored_from=restored_from,
    )
    return Replayed(restored_from, len(lost), tuple(done), tuple(by_hand), sessions)


# --- what each taking did, done again: True where it is done, False for a person to do ---------
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
    Membership.objects.filter(partner=taken["partner"], user__email=_person(taken)).delete()
    return True


def _close_member(taken: Taken, by: User) -> bool:
    """Of a role or limit that changed: nothing is open to them until a person has looked."""
    Membership.objects.filter(partner=taken["partner"], user__email=_person(taken)).update(
        limit_titles=[]
    )
    return False


def _close_person(taken: Taken, by: User) -> bool:
    """Of a person who was disabled, or lost a right of staff: no way in until a person looked."""
    after = taken["detail"].get("after", {})
    if after.get("is_active") is False:
        User.objects.filter(email=taken["target"]).update(is_active=False)
        return True
    if {"is_staff", "is_superuser", "groups", "user_permissions"} & set(after):
        User.objects.filter(email=taken["target"]).update(is_active=False)
        return False
    return True  # a name or a language


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
    """The address in a membership's name, which is `address (partner)`."""
    return str(taken["target"]).rpartition(" (")[0]


TAKEN: dict[str, Callable[[Taken, User], bool]] = {
    "grant.revoked": _revoke,
    "grant.narrowed": _close_grant,
    "grant.expiry_set": _expire,
    "grant.refreshed": _lose_titles,
    "partner.suspended": _suspend,
    "membership.removed": _remove_member,
    "membership.changed": _close_member,
    "user.changed": _close_person,
    "user.removed": _look,
    "holding.changed": _look,
    "holding.removed": _look,
    "consent.changed": _look,
    "consent.removed": _look,
    "title_change.accepted": _look,
    "invitation.removed": _look,
    "group.changed": _look,
    "group.removed": _look,
    "credential.revoked": _revoke_credential,
    "credential.rotated": _revoke_rotated,
    "second_factor.changed": _look,
    "second_factor.reset": _look,
}
"""How each action of TAKES_AWAY is done again."""
