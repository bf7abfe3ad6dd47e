"""The life of a grant: what it opens, its second person, and its end.

Entitlements are written here and nowhere else, so that what staff preview is what the walls
read. Each change is recorded in its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.models import Title
from engagement.scope import EVER, Window
from partners.audit import record
from partners.models import Entitlement, Grant, Holding, User


class GrantError(Exception):
    """A step that a grant's rules forbid, in words for the person who tried it."""


@dataclass(frozen=True)
class Opening:
    """What one grant opens of one title: exactly one Entitlement's worth."""

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


@transaction.atomic
def approve(grant: Grant, *, by: User, request: HttpRequest | None = None) -> None:
    """The second person's yes. Raises GrantError for the maker, or when it is not proposed."""
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    if grant.state != Grant.State.PROPOSED:
        raise GrantError(_("Only a proposed grant can be approved."))
    if grant.made_by_id == by.pk:
        raise GrantError(_("A grant is approved by somebody else than its maker."))
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

    Raises GrantError for a later end than it has: that widens, and needs a new grant.
    """
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
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


def refresh(titles: Iterable[int]) -> None:
    """Work out again the entitlements of approved grants that name these titles or parents.

    Called when a holding or a title's parent has changed.
    """
    ids = tuple(titles)
    for grant in Grant.objects.filter(
        Q(titles__in=ids) | Q(titles__children__in=ids), state=Grant.State.APPROVED
    ).distinct():
        with transaction.atomic():
            _write_entitlements(Grant.objects.select_for_update().get(pk=grant.pk))


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
