"""The life of a grant: what it opens, its second person, and its end.

Entitlements are written here and nowhere else, so that what staff preview is what the walls
read. Each change is recorded in its own transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.models import Title
from engagement.scope import EVER, Window
from partners.audit import record
from partners.models import Entitlement, Grant, Holding, Partner, User


class GrantError(Exception):
    """A step that a grant's rules forbid, in words for the person who tried it."""


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


def opens(grant: Grant) -> list[Opening]:
    """Every title the grant opens, in the order of their names.

    A title named in the grant is opened as it is; a series opens those of its children that
    the partner holds. Staff see this list before they approve.
    """
    named = {t.pk: t for t in grant.titles.all()}
    found = {pk: (t, t) for pk, t in named.items()}
    children = Title.objects.filter(
        parent__in=[pk for pk, t in named.items() if t.kind == Title.Kind.SERIES],
        pk__in=Holding.objects.filter(partner=grant.partner).values("title"),
    )
    for child in children:
        assert child.parent_id is not None
        found.setdefault(child.pk, (child, named[child.parent_id]))
    window = Window(grant.data_from or EVER.since, grant.data_until or EVER.until)
    return [
        Opening(
            partner=grant.partner,
            title=title,
            through=through,
            families=tuple(grant.families),
            territories=tuple(grant.territories),
            exits=tuple(grant.exits),
            window=window,
            valid_from=grant.valid_from,
            valid_until=grant.valid_until,
        )
        for title, through in sorted(found.values(), key=lambda pair: pair[0].slug)
    ]


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
        )
        for o in openings
    ]
    return hashlib.sha256(repr(sorted(seen, key=lambda row: row[0])).encode()).hexdigest()


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
        **({"before": before} if before else {}),
    )


@transaction.atomic
def approve(
    grant: Grant, *, by: User, seen: str | None = None, request: HttpRequest | None = None
) -> None:
    """The second person's yes, to what they saw (`seen`, from `digest`).

    Raises GrantError for the maker, when the grant is not proposed, or when it has come to open
    something else than was seen.
    """
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    if grant.state != Grant.State.PROPOSED:
        raise GrantError(_("Only a proposed grant can be approved."))
    if grant.made_by_id == by.pk:
        raise GrantError(_("A grant is approved by somebody else than its maker."))
    if seen is not None and seen != digest(opens(grant)):
        raise GrantError(_("What this grant opens has changed since you saw it. Look again."))
    grant.state = Grant.State.APPROVED
    grant.approved_by, grant.approved_at = by, Now()
    grant.save(update_fields=["state", "approved_by", "approved_at"])
    opened = _write_entitlements(grant)
    record(
        "grant.approved",
        actor=by,
        partner=grant.partner,
        target=grant.pk,
        request=request,
        contract=grant.contract_reference,
        titles=opened,
    )


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


@dataclass(frozen=True)
class Effect:
    """One title that one grant has come to open, or has ceased to."""

    grant: Grant
    title: Title
    gains: bool


def refresh(
    titles: Iterable[int], *, by: User | None = None, request: HttpRequest | None = None
) -> list[Effect]:
    """Work out again the entitlements of approved grants that name these titles or parents.

    Called when a holding or a title's parent has changed. Returns who gained and lost what, and
    records it for each grant that did.
    """
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
        with transaction.atomic():
            effects += _refresh_one(pk, by, request)
    return effects


def _refresh_one(pk: UUID, by: User | None, request: HttpRequest | None) -> list[Effect]:
    grant = Grant.objects.select_for_update().get(pk=pk)
    if grant.state != Grant.State.APPROVED:
        return []  # revoked while we waited for it
    before = {e.title.slug: e.title for e in grant.entitlements.select_related("title")}
    _write_entitlements(grant)
    after = {e.title.slug: e.title for e in grant.entitlements.select_related("title")}
    gained, lost = sorted(after.keys() - before), sorted(before.keys() - after)
    if gained or lost:
        record(
            "grant.refreshed",
            actor=by,
            partner=grant.partner,
            target=grant.pk,
            request=request,
            contract=grant.contract_reference,
            gained=gained,
            lost=lost,
        )
    return [Effect(grant, after[s], True) for s in gained] + [
        Effect(grant, before[s], False) for s in lost
    ]


def _write_entitlements(grant: Grant) -> list[str]:
    """Replace the grant's entitlements by what it opens now. Returns the titles' slugs."""
    openings = opens(grant)
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
    return [o.title.slug for o in openings]
