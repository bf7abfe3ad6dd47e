"""What an owner reads of the audit trail: the own organisation's, views by staff included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from engagement.scope import Refused
from partners.audit import ACTIONS, SHOWN_TO_PARTNERS
from partners.models import AuditEvent, Membership, with_people

STAFF = "staff"
"""What pages and REST call whoever of the platform, where a person's id may stand."""

_TOLD = (
    "window",
    "territory",
    "families",
    "titles",
    "releases",
    "bytes",
    "sent",
    "contract",
    "role",
    "reason",
)
"""What of a record's detail is told: nothing that only the platform's staff should know."""

_STAFFS_REASON = frozenset({"access.ended", "second_factor.reset"})
"""Why staff did it to a login is between them and the person, who may be of other partners too."""

_OF_STRANGERS = frozenset({"sign_in.failed", "single_sign_on.refused", "credential.refused"})


@dataclass(frozen=True)
class Wanted:
    """Which records: of one person or of staff, of one action, of one day, before one
    (`record_of` knows it by the id that was told).
    """

    person: UUID | None = None
    staff: bool = False
    action: str = ""
    day: date | None = None
    before: int | None = None


@dataclass(frozen=True)
class Entry:
    """One record as an owner reads it. `person` is told of the own people alone, `ip` not of staff;
    `unknown` is somebody whom the portal did not know.

    `id` is as long as it is so that nothing can be told from it: the trail numbers the records of
    all partners in a row, and whoever saw the numbers could count what the others do.
    """

    id: UUID
    at: datetime
    name: str
    person: str
    staff: bool
    action: str
    target: str
    detail: Mapping[str, Any]
    ip: str
    unknown: bool = False

    @property
    def said(self) -> str:
        return str(ACTIONS[self.action])


def activity_of(
    membership: Membership, wanted: Wanted, *, most: int
) -> tuple[list[Entry], UUID | None]:
    """The newest records first, and the id before which the next page starts; None at the end.

    Raises Refused for any other than an owner.
    """
    if membership.role != Membership.Role.OWNER:
        raise Refused
    found = list(_events(membership, wanted)[: most + 1])
    entries = [_entry(event) for event in found[:most]]
    return entries, entries[-1].id if len(found) > most else None


def record_of(membership: Membership, told: UUID) -> int:
    """The record that was told to the partner by that id. Raises ValueError for any other."""
    block = _cipher().decryptor().update(told.bytes)
    if block[:8] != membership.partner_id.bytes[:8]:
        raise ValueError("before is the id that an answer calls next")
    return int.from_bytes(block[8:], "big")


def _told(event: AuditEvent) -> UUID:
    assert event.partner_id is not None
    block = event.partner_id.bytes[:8] + event.pk.to_bytes(8, "big")
    return UUID(bytes=_cipher().encryptor().update(block))


def _cipher() -> Cipher[modes.ECB]:
    """One block of 16 bytes each, all different: what ECB would show of equal ones is not there."""
    key = salted_hmac("partners.activity", "", algorithm="sha256").digest()
    return Cipher(algorithms.AES(key), modes.ECB())


def _events(membership: Membership, wanted: Wanted) -> QuerySet[AuditEvent]:
    shown = SHOWN_TO_PARTNERS & {wanted.action} if wanted.action else SHOWN_TO_PARTNERS
    events = AuditEvent.objects.filter(partner_id=membership.partner_id, action__in=shown)
    if wanted.staff:
        events = events.filter(actor__is_staff=True)
    if wanted.person is not None:
        events = events.filter(actor=wanted.person, actor__is_staff=False)
    if wanted.day is not None:
        since = timezone.make_aware(datetime.combine(wanted.day, time.min))
        until = timezone.make_aware(datetime.combine(wanted.day + timedelta(days=1), time.min))
        events = events.filter(at__gte=since, at__lt=until)
    if wanted.before is not None:
        events = events.filter(pk__lt=wanted.before)
    return with_people(events, "actor").order_by("-pk")


def _entry(event: AuditEvent) -> Entry:
    actor = event.actor
    own = actor is not None and not actor.is_staff
    secret = {"reason"} if event.action in _STAFFS_REASON else set()
    return Entry(
        id=_told(event),
        at=event.at,
        name=(actor.get_full_name() if own else actor.name) if actor else "",
        person=actor.email if actor and own else "",
        staff=actor is not None and actor.is_staff,
        action=event.action,
        target=str(event.detail.get("contract") or event.target),
        detail={
            key: event.detail[key]
            for key in _TOLD
            if key not in secret and event.detail.get(key) not in (None, "")
        },
        ip=event.ip or "" if own or actor is None else "",
        unknown=event.action in _OF_STRANGERS,
    )
