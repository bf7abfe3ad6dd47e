"""What the tests of the team page ask for and read."""

from __future__ import annotations

import re

from partners.invitations import invite
from partners.models import AuditEvent, Membership
from reports import schedules
from reports.models import Schedule
from tests.cast import Cast

TEAM = "/p/aurora/team/"
INVITED = {"email": "nora@example.com", "role": "analyst", "language": "en"}


def link_in(body: object) -> str:
    [link] = re.findall(r"http://localhost:8000(/account/invitation/\S+)", str(body))
    return str(link)


def actions(partner: object) -> list[str]:
    return list(
        AuditEvent.objects.filter(partner=partner)
        .exclude(action="list.read")  # what the pages tell of themselves
        .order_by("pk")
        .values_list("action", flat=True)
    )


def schedule_of(owner: Membership, *recipients: Membership) -> Schedule:
    return schedules.create(
        membership=owner, name="Weekly", titles=None, weekday=2, hour=9, zone="Asia/Shanghai",
        language="en", recipients=[m.pk for m in recipients],
    )  # fmt: skip


def invited_by_staff(cast: Cast, email: str) -> None:
    invite(email=email, partner=cast.aurora, role="viewer", language="en", by=cast.stella)
