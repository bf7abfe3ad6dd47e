"""Why can X see Y, and what exactly can X see: for staff, from the rows that decide it.

`why` reads the same entitlements by the same conditions as access.scope_for (models.LIVE), so
that an explanation cannot say other than the wall does; tests/partners/test_explain.py compares
them over made-up grants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from engagement.models import Title
from engagement.scope import ALL, EXITS
from partners.access import exits_of
from partners.blocks import Piece, joined
from partners.difference import member_reach
from partners.grants import reach_of_rows
from partners.models import Entitlement, Grant, Membership, Partner

CONDITIONS: dict[str, str | Promise] = {
    "member": _("is a member of the partner"),
    "active": _("the login is active"),
    "partner": _("the partner is not suspended"),
    "role": _("the role may use this exit"),
    "limit of titles": _("the member's limit leaves this title"),
    "limit of families": _("the member's limit leaves this family"),
    "approved": _("the grant is approved"),
    "not revoked": _("the grant is not revoked"),
    "the partner's own": _("the grant is this partner's own"),
    "opens": _("the grant opens this title: named, or a child that the partner holds"),
    "begun": _("valid already"),
    "not expired": _("not expired"),
    "not suspended": _("the partner is not suspended"),
    "exit": _("this exit"),
    "family": _("this family"),
    "territory": _("this territory"),
    "day": _("this day's data"),
}


@dataclass(frozen=True)
class Question:
    """May the partner (or one of its members) see this? Every part is asked for one value."""

    partner: Partner
    title: Title
    family: str
    territory: str
    day: date
    exit: str
    member: Membership | None = None


@dataclass(frozen=True)
class Condition:
    name: str
    passed: bool

    @property
    def words(self) -> str:
        return str(CONDITIONS[self.name])


@dataclass(frozen=True)
class Reason:
    """One grant that speaks of the title, by one of its entitlements or (None) by none."""

    grant: Grant
    entitlement: Entitlement | None
    conditions: tuple[Condition, ...]

    @property
    def opens(self) -> bool:
        return self.entitlement is not None and all(c.passed for c in self.conditions)


@dataclass(frozen=True)
class Answer:
    question: Question
    of_person: tuple[Condition, ...]
    reasons: tuple[Reason, ...]

    @property
    def sees(self) -> bool:
        return all(c.passed for c in self.of_person) and any(r.opens for r in self.reasons)


def why(question: Question) -> Answer:
    """Every row that speaks of the title to this partner, and each condition, passed or failed."""
    rows = (
        Entitlement.objects.explained(question.partner.pk, question.exit)
        .filter(title=question.title)
        .select_related("grant__made_by", "grant__approved_by")
        .order_by("grant_id", "pk")
    )
    reasons = [Reason(row.grant, row, _of_row(question, row)) for row in rows]
    silent = (
        Grant.objects.filter(
            Q(titles=question.title) | Q(titles=question.title.parent_id),
            partner=question.partner,
        )
        .exclude(pk__in=[r.grant.pk for r in reasons])
        .select_related("made_by", "approved_by")
        .distinct()
        .order_by("-made_at")
    )
    reasons += [
        Reason(
            grant,
            None,
            (
                Condition("approved", grant.state == Grant.State.APPROVED),
                Condition("not revoked", grant.state != Grant.State.REVOKED),
                Condition("opens", False),
            ),
        )
        for grant in silent
    ]
    opening_first = tuple(sorted(reasons, key=lambda r: not r.opens))
    return Answer(question, _of_person(question), opening_first)


def what(partner: Partner, member: Membership | None = None) -> tuple[Piece, ...]:
    """Exactly what the partner, or one of its members, may see now through each exit."""
    if member is not None:
        return joined(member_reach(member))
    reach = {
        key: boxes
        for exit in EXITS
        for key, boxes in reach_of_rows(Entitlement.objects.live(partner.pk, exit)).items()
        if key.exit == exit
    }
    return joined(reach)


def _of_row(question: Question, row: Entitlement) -> tuple[Condition, ...]:
    said: dict[str, bool] = row.said  # type: ignore[attr-defined]
    return (
        *(Condition(name, passed) for name, passed in said.items()),
        Condition("family", question.family in row.families),
        Condition("territory", ALL in row.territories or question.territory in row.territories),
        Condition("day", row.data_from <= question.day < row.data_until),
    )


def _of_person(question: Question) -> tuple[Condition, ...]:
    suspended = Condition("partner", question.partner.suspended_at is None)
    member = question.member
    if member is None:
        return (suspended,)
    titles, families = member.limit_titles, member.limit_families
    return (
        Condition("member", member.partner_id == question.partner.pk),
        Condition("active", member.user.is_active),
        suspended,
        Condition("role", question.exit in exits_of(member.role)),
        Condition("limit of titles", titles is None or question.title.pk in titles),
        Condition("limit of families", families is None or question.family in families),
    )
