"""Closing every exit of a partner at once, and opening them again."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from partners.audit import record
from partners.models import Partner, User


@transaction.atomic
def suspend(partner: Partner, *, by: User, request: HttpRequest | None = None) -> bool:
    """Close every exit. False where it is closed already."""
    rows = Partner.objects.filter(pk=partner.pk, suspended_at__isnull=True)
    changed = rows.update(suspended_at=Now()) == 1
    if changed:
        record("partner.suspended", actor=by, partner=partner, target=partner.slug, request=request)
    return changed


@transaction.atomic
def resume(partner: Partner, *, by: User, request: HttpRequest | None = None) -> bool:
    """Open what its grants still open. False where it is not suspended."""
    rows = Partner.objects.filter(pk=partner.pk, suspended_at__isnull=False)
    changed = rows.update(suspended_at=None) == 1
    if changed:
        record("partner.resumed", actor=by, partner=partner, target=partner.slug, request=request)
    return changed
