"""Making proposals of grants, and what of them is open."""

from __future__ import annotations

from datetime import UTC, datetime

from engagement.models import Title
from partners.models import Grant
from tests.cast import Cast

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def proposed(cast: Cast, *titles: Title, **fields: object) -> Grant:
    grant = Grant.objects.create(
        **{
            "partner": cast.aurora,
            "families": ["retention"],
            "territories": ["CN"],
            "exits": ["web"],
            "valid_from": NOW,
            "contract_reference": "C-9",
            "made_by": cast.stella,
            **fields,
        }
    )
    grant.titles.set(titles)
    return grant


def open_now(grant: Grant) -> list[str]:
    return list(grant.entitlements.order_by("title__slug").values_list("title__slug", flat=True))
