"""Who may see what: the only maker of a Scope.

The first wall. The second one, in Postgres, reads the same entitlements by itself
(the views of partners/migrations).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from engagement.models import Title
from engagement.scope import Entitled, Refused, Scope, Window
from partners.models import Entitlement, Membership, User
from partners.staff_views import as_membership, open_views

# What a role may use. A viewer reads pages and the bundles delivered to them.
_ROLE_EXITS = {
    Membership.Role.OWNER: frozenset({"web", "export", "email", "api", "delta"}),
    Membership.Role.ANALYST: frozenset({"web", "export", "email", "api", "delta"}),
    Membership.Role.VIEWER: frozenset({"web"}),
}
_DELIVERED_EXITS = frozenset({"export", "email"})


def membership_for(user: User, partner_slug: str) -> Membership | None:
    """The user's place in the partner; None where there is none or either is closed."""
    return (
        Membership.objects.select_related("partner__identity_provider", "user")
        .filter(
            user_id=user.pk,
            user__is_active=True,
            partner__slug=partner_slug,
            partner__suspended_at__isnull=True,
        )
        .first()
    )


def scope_for(
    actor: Membership,
    exit: str,
    titles: Iterable[int] | None = None,
    *,
    delivered: bool = False,
) -> Scope:
    """What `actor` may see through `exit` now: live entitlements ∩ limit ∩ role ∩ credential.

    `titles` narrows to these title ids. `delivered` is for a bundle made for the actor, which
    a viewer may receive although they may not export. Narrowed to a series, the scope knows of
    its children by what the partner is granted of them, and lets none of them be asked for.
    """
    member = _as_of_now(actor)
    if member is None or (member.staff_view is not None and exit != "web"):
        return Scope(actor.partner_id, exit)
    token = actor.credential
    exits = exits_of(member.role, delivered=delivered)
    if exit not in exits or (token is not None and exit not in token.exits):
        return Scope(actor.partner_id, exit)
    entitlements = Entitlement.objects.live(actor.partner_id, exit)
    if token is not None:  # a file by token leaves by both exits: the tuple grants both
        entitlements = entitlements.filter(exits__contains=["api"])
    asked = _asked(titles, member.limit_titles)
    if asked is not None:
        entitlements = entitlements.filter(
            Q(title_id__in=asked)
            | Q(title__parent_id__in=asked, title__parent__kind=Title.Kind.SERIES)
        )
    granted = [
        Entitled(
            grant_id=e.grant_id,
            title_id=e.title_id,
            families=_limited(e.families, member.limit_families, token.families if token else None),
            territories=frozenset(e.territories),
            window=Window(e.data_from, e.data_until),
        )
        for e in entitlements.order_by("title_id", "grant_id")
    ]
    granted = [e for e in granted if e.families]
    return Scope(
        actor.partner_id,
        exit,
        tuple(e for e in granted if asked is None or e.title_id in asked),
        tuple(e for e in granted if asked is not None and e.title_id not in asked),
    )


def exits_of(role: str, *, delivered: bool = False) -> frozenset[str]:
    """The exits that a role may use, of those that the partner is granted."""
    return _ROLE_EXITS[Membership.Role(role)] | (_DELIVERED_EXITS if delivered else frozenset())


def title_for(scope: Scope, slug: str) -> Title:
    """The one door to a title: in scope or refused, absent and foreign alike.

    Raises Refused.
    """
    title = Title.objects.filter(slug=slug, pk__in=scope.titles()).first()
    if title is None:
        raise Refused
    return title


def _as_of_now(actor: Membership) -> Membership | None:
    """Role and limit read afresh: a worker may hold a row from before the member was limited.

    None where the member was removed, or either side is closed. Staff who look as the partner
    have no row: what they look by is read instead.
    """
    if actor.staff_view is not None:
        view = open_views().filter(pk=actor.staff_view.pk, partner=actor.partner_id).first()
        return as_membership(view) if view is not None else None
    return Membership.objects.filter(
        pk=actor.pk,
        partner_id=actor.partner_id,
        user__is_active=True,
        partner__suspended_at__isnull=True,
    ).first()


def _asked(titles: Iterable[int] | None, limit: list[int] | None) -> frozenset[int] | None:
    """The title ids that a scope is narrowed to; None for no narrowing."""
    if titles is None:
        return None if limit is None else frozenset(limit)
    return frozenset(titles) if limit is None else frozenset(titles) & frozenset(limit)


def _limited(families: list[str], *limits: list[str] | None) -> frozenset[str]:
    return frozenset(families).intersection(*(limit for limit in limits if limit is not None))
