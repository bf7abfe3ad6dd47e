"""The life of a grant: what it opens, its second person, and its end.

Entitlements are written here and nowhere else, so that what staff preview is what the walls
read. Each change is recorded in its own transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from engagement.models import Title
from engagement.scope import ALL, EVER, Window
from partners.audit import record
from partners.blocks import NO_END, Box, Piece, Reach, held_within, reach_of
from partners.models import Entitlement, Grant, Holding, Partner, User
from partners.request_states import follow


class GrantError(Exception):
    """A step that a grant's rules forbid, in words for the person who tried it."""


@dataclass(frozen=True)
class Terms:
    """What of a grant may be narrowed while it is approved; its end is set by `expire`."""

    titles: frozenset[int]
    families: frozenset[str]
    territories: frozenset[str]
    exits: frozenset[str]
    data_from: date | None
    data_until: date | None

    @classmethod
    def of(cls, grant: Grant) -> Terms:
        return cls(
            titles=frozenset(t.pk for t in grant.titles.all()),
            families=frozenset(grant.families),
            territories=frozenset(grant.territories),
            exits=frozenset(grant.exits),
            data_from=grant.data_from,
            data_until=grant.data_until,
        )

    def beyond(self, other: Terms) -> list[str]:
        """The names of the parts in which these terms reach beyond the others."""
        mine, theirs = self.window, other.window
        reaches = {
            "titles": not self.titles <= other.titles,
            "families": not self.families <= other.families,
            "territories": ALL not in other.territories
            and not self.territories <= other.territories,
            "exits": not self.exits <= other.exits,
            "data_from": mine[0] < theirs[0],
            "data_until": mine[1] > theirs[1],
        }
        return [part for part, beyond in reaches.items() if beyond]

    @property
    def window(self) -> tuple[date, date]:
        return self.data_from or EVER.since, self.data_until or EVER.until

    @property
    def is_empty(self) -> bool:
        since, until = self.window
        lists = (self.titles, self.families, self.territories, self.exits)
        return not all(lists) or since >= until


@dataclass(frozen=True)
class Opening:
    """What one grant opens of one title: exactly one Entitlement's worth."""

    partner: Partner
    title: Title
    through: Title  # the title named in the grant: the title itself or its series
    families: tuple[str, ...]
    territories: tuple[str, ...]
    exits: tuple[str, ...]
    window: Window
    valid_from: datetime
    valid_until: datetime | None
    replaces: UUID | None = None


def opens(grant: Grant, terms: Terms | None = None) -> list[Opening]:
    """Everything the grant opens, in the order of the titles' names.

    A title named in the grant is opened as it is; a series opens those of its children that
    the partner holds, each in those territories and days that the holdings cover. Staff see
    this list before they approve. `terms` asks what it would open under others than its own.
    """
    terms = terms or Terms.of(grant)
    window = Window(*terms.window)
    named = Title.objects.in_bulk(list(terms.titles))
    children = Title.objects.filter(
        parent__in=[pk for pk, t in named.items() if t.kind == Title.Kind.SERIES]
    ).exclude(pk__in=named)
    whole = [(t, t, in_order(grant.territories, terms.territories), window) for t in named.values()]
    held = _holdings(grant.partner, children)
    of_series = [
        (child, named[child.parent_id], territories, part)
        for child in children
        if child.parent_id is not None
        for territories, part in held_within(held[child.pk], terms.territories, window)
    ]
    return [
        Opening(
            partner=grant.partner,
            title=title,
            through=through,
            families=in_order(grant.families, terms.families),
            territories=territories,
            exits=in_order(grant.exits, terms.exits),
            window=part,
            valid_from=grant.valid_from,
            valid_until=grant.valid_until,
            replaces=grant.replaces_id,
        )
        for title, through, territories, part in sorted(
            (*whole, *of_series), key=lambda row: (row[0].slug, row[3], row[2])
        )
    ]


def in_order(granted: list[str], left: frozenset[str]) -> tuple[str, ...]:
    """In the grant's own order; territories beside a granted `*` come behind it."""
    return (*(c for c in granted if c in left), *sorted(left - set(granted)))


def _holdings(
    partner: Partner, titles: Iterable[Title]
) -> dict[int, list[tuple[list[str], date | None, date | None]]]:
    held: dict[int, list[tuple[list[str], date | None, date | None]]] = {t.pk: [] for t in titles}
    rows = Holding.objects.filter(partner=partner, title__in=list(held)).order_by("pk")
    for holding in rows:
        held[holding.title_id].append((holding.territories, holding.from_day, holding.until))
    return held


def reach(openings: Iterable[Opening]) -> Reach:
    """What openings open, laid out to be compared (blocks.py)."""
    return reach_of(
        Piece(
            o.partner.pk,
            o.title.pk,
            o.families,
            o.exits,
            o.territories,
            Box(o.window, o.valid_from, o.valid_until or NO_END),
        )
        for o in openings
    )


def digest(openings: Iterable[Opening]) -> str:
    """What was seen, in one word: differs once the grant opens anything else, or to others."""
    seen = [
        (
            o.title.pk,
            str(o.partner.pk),
            sorted(o.families),
            sorted(o.territories),
            sorted(o.exits),
            str(o.window),
            o.valid_from.timestamp(),
            o.valid_until and o.valid_until.timestamp(),
            str(o.replaces),
        )
        for o in openings
    ]
    return hashlib.sha256(repr(sorted(map(repr, seen))).encode()).hexdigest()


def propose(
    grant: Grant, *, by: User, request: HttpRequest | None = None, before: dict | None = None
) -> None:
    """Record a grant that was made, or changed while it is proposed. Its titles are saved."""
    record(
        "grant.changed" if before else "grant.made",
        actor=by,
        partner=grant.partner,
        target=grant.pk,
        request=request,
        contract=grant.contract_reference,
        titles=sorted(grant.titles.values_list("slug", flat=True)),
        families=grant.families,
        territories=grant.territories,
        exits=grant.exits,
        data_from=grant.data_from and grant.data_from.isoformat(),
        data_until=grant.data_until and grant.data_until.isoformat(),
        valid_from=grant.valid_from.isoformat(),
        valid_until=grant.valid_until and grant.valid_until.isoformat(),
        replaces=grant.replaces_id and str(grant.replaces_id),
        **({"before": before} if before else {}),
    )


@transaction.atomic
def approve(
    grant: Grant, *, by: User, seen: str | None = None, request: HttpRequest | None = None
) -> None:
    """The second person's yes, to what they saw (`seen`, from `digest`).

    A grant that replaces another ends that one in the same moment, so that there is no gap.
    Raises GrantError for the maker, for one who may not approve or whose own holding it would
    open, when the grant is not proposed, when what it replaces has ended, or when it has come to
    open something else than was seen.
    """
    hold_holdings()
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    if grant.state != Grant.State.PROPOSED:
        raise GrantError(_("Only a proposed grant can be approved."))
    if grant.made_by_id == by.pk:
        raise GrantError(_("A grant is approved by somebody else than its maker."))
    if not (by.is_staff and by.has_perm("partners.approve_grant")):
        raise GrantError(_("You may not approve grants."))
    if own_holdings(grant, by):
        raise GrantError(
            _(
                "Since this grant was proposed you recorded a holding of a title that it opens:"
                " a third person approves it, or it is proposed anew."
            )
        )
    if seen is not None and seen != digest(opens(grant)):
        raise GrantError(_("What this grant opens has changed since you saw it. Look again."))
    if grant.replaces_id is not None:
        _end_replaced(grant.replaces_id, grant, by, request)
    grant.state = Grant.State.APPROVED
    grant.approved_by, grant.approved_at = by, Now()
    grant.save(update_fields=["state", "approved_by", "approved_at"])
    opened = write_entitlements(grant)
    record(
        "grant.approved",
        actor=by,
        partner=grant.partner,
        target=grant.pk,
        request=request,
        contract=grant.contract_reference,
        titles=opened,
        replaces=grant.replaces_id and str(grant.replaces_id),
    )
    follow(grant, by=by, request=request)


def own_holdings(grant: Grant, by: User) -> QuerySet[Holding]:
    """Holdings by which a granted series would open more than its maker saw, recorded by `by`."""
    return Holding.objects.filter(
        partner=grant.partner_id,
        title__parent__grants=grant.pk,
        recorded_by=by,
        recorded_at__gt=grant.made_at,
    )


def _end_replaced(pk: UUID, grant: Grant, by: User, request: HttpRequest | None) -> None:
    """End what `grant` replaces: at once, or when the new one begins to be valid."""
    old = Grant.objects.select_for_update().get(pk=pk)
    if old.state != Grant.State.APPROVED:
        raise GrantError(_("What this grant replaces is not approved any more. Make a new one."))
    if grant.valid_from <= timezone.now():
        revoke(old, by=by, request=request)
    elif old.valid_until is None or old.valid_until > grant.valid_from:
        expire(old, at=grant.valid_from, by=by, request=request)


@transaction.atomic
def revoke(grant: Grant, *, by: User, request: HttpRequest | None = None) -> None:
    """The end of a grant, at once. Revoking a revoked grant does nothing."""
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    if grant.state == Grant.State.REVOKED:
        return
    grant.state = Grant.State.REVOKED
    grant.revoked_by, grant.revoked_at = by, Now()
    grant.save(update_fields=["state", "revoked_by", "revoked_at"])
    grant.entitlements.all().delete()
    record(
        "grant.revoked",
        actor=by,
        partner=grant.partner,
        target=grant.pk,
        request=request,
        contract=grant.contract_reference,
    )
    follow(grant, by=by, request=request)


@transaction.atomic
def expire(grant: Grant, *, at: datetime, by: User, request: HttpRequest | None = None) -> None:
    """Set or move forward the end of an approved grant.

    Raises GrantError for a later end than it has (that widens, and needs a new grant), for one
    before its beginning (that is revoking), and when the grant is not approved.
    """
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    if grant.state != Grant.State.APPROVED:
        raise GrantError(_("Only an approved grant has an end to set."))
    if at <= grant.valid_from:
        raise GrantError(_("The end lies before the beginning. Revoke the grant instead."))
    if grant.valid_until is not None and at > grant.valid_until:
        raise GrantError(_("A later end opens more than was approved: make a new grant."))
    before, grant.valid_until = grant.valid_until, at
    grant.save(update_fields=["valid_until"])
    grant.entitlements.update(valid_until=at)
    record(
        "grant.expiry_set",
        actor=by,
        partner=grant.partner,
        target=grant.pk,
        request=request,
        before=before.isoformat() if before else None,
        after=at.isoformat(),
    )


def reach_of_rows(entitlements: Iterable[Entitlement]) -> Reach:
    """What entitlements open, laid out to be compared (blocks.py)."""
    return reach_of(
        Piece(
            e.partner_id,
            e.title_id,
            tuple(e.families),
            tuple(e.exits),
            tuple(e.territories),
            Box(Window(e.data_from, e.data_until), e.valid_from, e.valid_until or NO_END),
        )
        for e in entitlements
    )


def hold_holdings(*, alone: bool = False) -> None:
    """Until the open transaction ends: who writes entitlements by holdings and parents waits for
    who changes those (`alone`), and the other way round.

    Taken before any row is locked, so that nobody waits in a circle. Without it one would read
    what the other is about to take away, and leave it open.
    """
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtext('partners: what titles are open by'))")


def close_titles(grant: UUID, slugs: Iterable[str]) -> None:
    """Take back what a grant opens of these titles, until its entitlements are worked out again."""
    Entitlement.objects.filter(grant=grant, title__slug__in=slugs).delete()


def write_entitlements(grant: Grant, openings: Iterable[Opening] | None = None) -> list[str]:
    """Replace the grant's entitlements, by what it opens now. Returns the titles' slugs.

    `openings` are less than that where more waits for a second person.
    """
    openings = opens(grant) if openings is None else list(openings)
    grant.entitlements.all().delete()
    Entitlement.objects.bulk_create(
        Entitlement(
            grant=grant,
            partner=grant.partner,
            title=o.title,
            families=list(o.families),
            territories=list(o.territories),
            exits=list(o.exits),
            data_from=o.window.since,
            data_until=o.window.until,
            valid_from=o.valid_from,
            valid_until=o.valid_until,
        )
        for o in openings
    )
    return sorted({o.title.slug for o in openings})
