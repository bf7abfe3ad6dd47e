"""What approved grants open, when the catalogue or a holding has changed.

What closes, closes at once. What one person's holding would open of a granted series is proposed
as a grant that takes the old one's place, for a second person to approve: nobody widens alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from engagement.models import Title
from partners.audit import record
from partners.blocks import between
from partners.grants import (
    hold_holdings,
    opens,
    propose,
    reach,
    reach_of_rows,
    write_entitlements,
)
from partners.models import Grant, User
from partners.narrowing import still_open


@dataclass(frozen=True)
class Effect:
    """One title of which one grant has come to open something more, or has ceased to.

    `waits` where it gains only once a second person has approved what is proposed.
    """

    grant: Grant
    title: Title
    gains: bool
    waits: bool = False


@transaction.atomic
def refresh(
    titles: Iterable[int],
    *,
    by: User | None = None,
    request: HttpRequest | None = None,
    widens: bool = False,
) -> list[Effect]:
    """Work out again the entitlements of approved grants that name these titles or parents.

    Called when a holding or a title's parent has changed; `widens` where a second person has
    seen and accepted what that opens of these titles. Else nothing opens: `by` proposes it.
    Returns who gained and lost what, and records it for each grant that did.
    """
    hold_holdings(alone=True)
    ids = tuple(titles)
    effects: list[Effect] = []
    for pk in (
        Grant.objects.filter(
            Q(titles__in=ids) | Q(titles__children__in=ids), state=Grant.State.APPROVED
        )
        .distinct()
        .order_by("pk")
        .values_list("pk", flat=True)
    ):
        effects += _refresh_one(pk, by, request, frozenset(ids if widens else ()))
    return effects


def _refresh_one(
    pk: UUID, by: User | None, request: HttpRequest | None, may_widen: frozenset[int]
) -> list[Effect]:
    grant = Grant.objects.select_for_update().get(pk=pk)
    if grant.state != Grant.State.APPROVED:
        return []  # revoked while we waited for it
    before, openings = reach_of_rows(grant.entitlements.all()), opens(grant)
    wider = _slugs(p.title_id for p in between(before, reach(openings)).opens)
    waits = {slug for slug, title in wider.items() if title.pk not in may_widen}
    rows = list(grant.entitlements.all())
    write_entitlements(grant, still_open(rows, openings, may_widen) if waits else openings)
    change = between(before, reach_of_rows(grant.entitlements.all()))
    gained, lost = (_slugs(p.title_id for p in pieces) for pieces in (change.opens, change.closes))
    if gained or lost:
        record(
            "grant.refreshed",
            actor=by,
            partner=grant.partner,
            target=grant.pk,
            request=request,
            contract=grant.contract_reference,
            gained=sorted(gained),
            lost=sorted(lost),
        )
    if waits and by is not None:
        _propose_again(grant, by, request)
    return [Effect(grant, wider[s], True, s in waits) for s in sorted(wider)] + [
        Effect(grant, lost[s], False) for s in sorted(lost)
    ]


def _slugs(title_ids: Iterable[int]) -> dict[str, Title]:
    return {t.slug: t for t in Title.objects.in_bulk(set(title_ids)).values()}


def _propose_again(grant: Grant, by: User, request: HttpRequest | None) -> None:
    """The same grant in the old one's place, which opens what is held by then.

    One that is proposed already says the same; one that is over opens nothing.
    """
    now = timezone.now()
    is_over = grant.valid_until is not None and grant.valid_until <= now
    if is_over or grant.replaced_by.filter(state=Grant.State.PROPOSED).exists():
        return
    again = Grant.objects.create(
        partner=grant.partner,
        families=grant.families,
        data_from=grant.data_from,
        data_until=grant.data_until,
        territories=grant.territories,
        exits=grant.exits,
        valid_from=max(now, grant.valid_from),
        valid_until=grant.valid_until,
        contract_reference=grant.contract_reference,
        replaces=grant,
        made_by=by,
    )
    again.titles.set(grant.titles.all())
    propose(again, by=by, request=request)
