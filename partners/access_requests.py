"""Asking for access: what a partner holds and is not granted, and what becomes of a request.

A partner reads which families are measured for its titles, never a figure of them. Staff turn a
request into a proposal, which a second person approves like any other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from engagement.families.registry import FAMILIES
from engagement.measured import measured_families
from engagement.models import Title
from engagement.scope import ALL, EVER, Refused, Window
from partners import grants
from partners.access import scope_for
from partners.blocks import held_within
from partners.models import AccessRequest, Grant, Holding, Membership, User, with_people
from partners.request_states import move, record_request

ASKED_EXITS = ("web",)
"""What a proposal made from a request opens, until staff widen it."""

State = AccessRequest.State


class RequestError(Exception):
    """A step that the request's state forbids, in words for the person who tried it."""


@dataclass(frozen=True)
class Askable:
    """A title that the partner holds, with what is measured and not granted to the member."""

    title: Title
    granted: tuple[str, ...]
    missing: tuple[str, ...]
    request: AccessRequest | None


def may_ask(member: Membership) -> bool:
    """Owners ask for the partner; others read what was asked."""
    return member.role == Membership.Role.OWNER


def askable(member: Membership) -> list[Askable]:
    """The titles held now, in the order of their names: families alone, no figure."""
    scope = scope_for(member, "web")
    titles = Title.objects.filter(pk__in=_held(member)).order_by("slug")
    measured = measured_families(member.partner_id, [t.pk for t in titles])
    waiting = {
        r.title_id: r
        for r in AccessRequest.objects.filter(
            partner=member.partner_id, state__in=[State.WAITING, State.PROPOSED]
        )
    }
    return [
        Askable(
            title=title,
            granted=tuple(f for f in FAMILIES if f in scope.families(title.pk)),
            missing=tuple(
                f for f in FAMILIES if f in measured[title.pk] - scope.families(title.pk)
            ),
            request=waiting.get(title.pk),
        )
        for title in titles
    ]


def requests_of(member: Membership) -> list[AccessRequest]:
    """What the partner has asked for, the newest first."""
    asked = AccessRequest.objects.filter(partner=member.partner_id)
    if member.limit_titles is not None:
        asked = asked.filter(title__in=member.limit_titles)
    return list(with_people(asked, "asked_by").select_related("title")[:200])


@transaction.atomic
def ask(
    member: Membership,
    slug: str,
    families: Collection[str],
    reason: str,
    *,
    request: HttpRequest | None = None,
) -> AccessRequest:
    """Ask for families of a title that the partner holds.

    Raises Refused for a role that may not ask and for a title that is not held, absent and
    foreign alike; RequestError for families that are granted or not measured, without a reason,
    and where a request for the title is open.
    """
    if not may_ask(member):
        raise Refused
    found = next((a for a in askable(member) if a.title.slug == slug), None)
    if found is None:
        raise Refused
    wanted = [f for f in found.missing if f in families]
    if not wanted or set(families) - set(found.missing):
        raise RequestError(_("Choose from the families that are measured and not granted."))
    if not reason.strip():
        raise RequestError(_("Say what you need it for."))
    try:
        with transaction.atomic():
            asked = AccessRequest.objects.create(
                partner=member.partner,
                title=found.title,
                families=wanted,
                reason=reason.strip()[:2000],
                asked_by=member.user,
            )
    except IntegrityError:
        raise RequestError(_("A request for this title is open already.")) from None
    record_request("made", asked, member.user, request)
    return asked


@transaction.atomic
def withdraw(
    member: Membership, request_id: UUID, *, request: HttpRequest | None = None
) -> AccessRequest:
    """Take back a request that nobody has taken up. Raises Refused and RequestError."""
    if not may_ask(member):
        raise Refused
    asked = (
        AccessRequest.objects.select_for_update()
        .filter(pk=request_id, partner=member.partner_id)
        .first()
    )
    if asked is None:
        raise Refused
    if asked.state != State.WAITING:
        raise RequestError(_("Only a request that waits can be withdrawn."))
    return move(asked, State.WITHDRAWN, member.user, request)


@transaction.atomic
def decline(
    asked: AccessRequest, answer: str, *, by: User, request: HttpRequest | None = None
) -> AccessRequest:
    """No, with a reason that the partner reads. Raises RequestError."""
    asked = AccessRequest.objects.select_for_update().get(pk=asked.pk)
    if asked.state != State.WAITING:
        raise RequestError(_("Only a request that waits can be declined."))
    if not answer.strip():
        raise RequestError(_("Say why: the partner reads it."))
    asked.answer = answer.strip()[:2000]
    return move(asked, State.DECLINED, by, request)


@transaction.atomic
def propose(asked: AccessRequest, *, by: User, request: HttpRequest | None = None) -> Grant:
    """A proposal of what is asked, in the territories held today and the days that all of them are
    held. Raises RequestError.

    What is held beside it for other days is a grant of its own. Its maker may change the proposal
    before somebody else approves it.
    """
    asked = AccessRequest.objects.select_for_update().get(pk=asked.pk)
    if asked.state != State.WAITING:
        raise RequestError(_("Only a request that waits can be taken up."))
    codes, window = _held_today(asked)
    grant = Grant.objects.create(
        partner=asked.partner,
        families=asked.families,
        territories=list(codes),
        exits=list(ASKED_EXITS),
        data_from=None if window.since == EVER.since else window.since,
        data_until=None if window.until == EVER.until else window.until,
        valid_from=timezone.now(),
        contract_reference=_("Request of %(day)s") % {"day": f"{asked.asked_at:%Y-%m-%d}"},
        made_by=by,
    )
    grant.titles.set([asked.title_id])
    grants.propose(grant, by=by, request=request)
    asked.grant = grant
    move(asked, State.PROPOSED, by, request)
    return grant


def _held_today(asked: AccessRequest) -> tuple[tuple[str, ...], Window]:
    """Territories and days of one tuple that the holdings cover whole. Raises RequestError."""
    holdings = Holding.objects.filter(partner=asked.partner_id, title=asked.title_id)
    held = [(h.territories, h.from_day, h.until) for h in holdings]
    named = {code for codes, _since, _until in held for code in codes}
    today = timezone.localdate()
    blocks = [
        (codes, window)
        for codes, window in held_within(held, named, EVER)
        if window.since <= today < window.until
    ]
    if not blocks:
        raise RequestError(_("The partner does not hold this title any more."))
    everywhere = [(codes, window) for codes, window in blocks if ALL in codes]
    codes = {code for held_in, _window in everywhere or blocks for code in held_in}
    since = max(window.since for _codes, window in everywhere or blocks)
    until = min(window.until for _codes, window in everywhere or blocks)
    return tuple(sorted(codes)), Window(since, until)


def _held(member: Membership) -> set[int]:
    """Titles that the partner holds today, within the member's limit."""
    today = timezone.localdate()
    held = Holding.objects.filter(
        Q(from_day__isnull=True) | Q(from_day__lte=today),
        Q(until__isnull=True) | Q(until__gt=today),
        partner=member.partner_id,
    )
    titles = set(held.values_list("title_id", flat=True))
    return titles if member.limit_titles is None else titles & set(member.limit_titles)
