"""Ways in which the right to the film's reports ends, other than by what a member is."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from partners import grants
from tests.cast import Cast


def revoke(cast: Cast) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)


def expire(cast: Cast) -> None:
    grants.expire(cast.grants["film"], at=timezone.now() - timedelta(days=1), by=cast.sam)


def suspend(cast: Cast) -> None:
    cast.aurora.suspended_at = timezone.now()
    cast.aurora.save()
