"""What a change would open and close, before it is made.

Grants are compared by the rules that write their entitlements; a holding, a limit or a parent
is changed, read and put back. blocks.py has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from engagement.scope import EXITS
from partners import grants
from partners.access import scope_for
from partners.blocks import Box, Difference, Key, Piece, Reach, between, reach_of
from partners.models import LIVE, Entitlement, Grant, Membership
from partners.narrowing import still_open


class _Undo(Exception):
    pass


def standing(which: Q) -> Reach:
    """What approved entitlements open now or later, laid out."""
    rows = Entitlement.objects.filter(
        which, LIVE["approved"], LIVE["not revoked"], LIVE["not expired"]
    )
    return grants.reach_of_rows(rows)


def as_granted(title_id: int) -> Reach:
    """What approved grants open of a title by the holdings that there are, once a second person
    has approved what of it is new; laid out.
    """
    named = Q(titles=title_id) | Q(titles__children=title_id)
    approved = Grant.objects.filter(named, state=Grant.State.APPROVED).distinct()
    openings = (o for g in approved for o in grants.opens(g) if o.title.pk == title_id)
    return _not_over(grants.reach(openings))


def member_reach(member: Membership) -> Reach:
    """What a member may see through each exit now, laid out: grants ∩ limit ∩ role."""
    return reach_of(
        Piece(
            member.partner_id,
            e.title_id,
            tuple(sorted(e.families)),
            (exit,),
            tuple(sorted(e.territories)),
            Box(e.window),
        )
        for exit in EXITS
        for e in scope_for(member, exit).entitled
    )


def on_approval(*proposed: Grant) -> Difference:
    """Of one grant or of several that are approved together; what they replace ends."""
    partners = {g.partner_id for g in proposed}
    before = standing(Q(partner__in=partners))
    left = _without(before, proposed)
    opened = grants.reach(o for g in proposed for o in grants.opens(g))
    return between(before, _both(left, _not_over(opened)))


def on_revoking(grant: Grant) -> Difference:
    return on_narrowing(grant, None)


def on_narrowing(grant: Grant, to: grants.Terms | None) -> Difference:
    """Of an approved grant, `to` terms or (None) to nothing. Other grants keep theirs open."""
    before = standing(Q(partner=grant.partner_id))
    others = standing(Q(partner=grant.partner_id) & ~Q(grant=grant.pk))
    opened = [] if to is None else still_open(grant.entitlements.all(), grants.opens(grant, to))
    left = grants.reach(opened)
    return between(before, _both(others, left))


def of_trial(change: Callable[[], object], reach: Callable[[], Reach]) -> Difference:
    """Make the change, read what is reached, and undo it: nothing of it stays."""
    before = reach()
    after: Reach = {}
    try:
        with transaction.atomic():
            change()
            after = reach()
            raise _Undo
    except _Undo:
        return between(before, after)


def _without(before: Reach, proposed: Iterable[Grant]) -> Reach:
    """What stands once the replaced grants have ended: now, or when the new one begins."""
    ends = {g.replaces_id: g.valid_from for g in proposed if g.replaces_id is not None}
    if not ends:
        return before
    partners = {g.partner_id for g in proposed}
    left = standing(Q(partner__in=partners) & ~Q(grant__in=ends))
    for pk, at in ends.items():
        if at > timezone.now():
            left = _both(left, _until(at, standing(Q(grant=pk))))
    return left


def _until(at: datetime, reach: Reach) -> Reach:
    return {
        key: tuple(replace(b, valid_until=min(at, b.valid_until)) for b in boxes)
        for key, boxes in reach.items()
    }


def _not_over(reach: Reach) -> Reach:
    now = timezone.now()
    return {k: tuple(b for b in boxes if b.valid_until > now) for k, boxes in reach.items()}


def _both(one: Reach, other: Reach) -> Reach:
    both: dict[Key, tuple[Box, ...]] = dict(one)
    for key, boxes in other.items():
        both[key] = (*both.get(key, ()), *boxes)
    return both
