"""What an owner reads of the audit trail: the own organisation's, views by staff included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from engagement.scope import Refused
from partners.audit import ACTIONS, SHOWN_TO_PARTNERS
from partners.models import AuditEvent, Membership

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


@dataclass(frozen=True)
class Wanted:
    """Which records: of one person or of staff, of one action, of one day, before an id."""

    person: UUID | None = None
    staff: bool = False
    action: str = ""
    day: date | None = None
    before: int | None = None


@dataclass(frozen=True)
class Entry:
    """One record as an owner reads it. `person` and `ip` are told of the own people alone."""

    id: int
    at: datetime
    name: str
    person: str
    staff: bool
    action: str
    target: str
    detail: Mapping[str, Any]
    ip: str

    @property
    def said(self) -> str:
        return str(ACTIONS[self.action])


def activity_of(
    membership: Membership, wanted: Wanted, *, most: int
) -> tuple[list[Entry], int | None]:
    """The newest records first, and the id before which the next page starts; None at the end.

    Raises Refused for any other than an owner.
    """
    if membership.role != Membership.Role.OWNER:
        raise Refused
    found = list(_events(membership, wanted)[: most + 1])
    rest = found[most - 1].pk if len(found) > most else None
    return [_entry(event) for event in found[:most]], rest


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
    return events.select_related("actor").order_by("-pk")


def _entry(event: AuditEvent) -> Entry:
    actor = event.actor
    own = actor is not None and not actor.is_staff
    return Entry(
        id=event.pk,
        at=event.at,
        name=(actor.get_full_name() if own else actor.name) if actor else "",
        person=actor.email if actor and own else "",
        staff=actor is not None and actor.is_staff,
        action=event.action,
        target=str(event.detail.get("contract") or event.target),
        detail={key: event.detail[key] for key in _TOLD if event.detail.get(key) not in (None, "")},
        ip=event.ip or "" if own else "",
    )
