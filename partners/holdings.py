"""Holdings and consents as the plain values that the pipeline takes."""

from __future__ import annotations

from engagement.pipeline.holders import Consented, Held, Holders
from partners.models import Consent, Holding


def holders() -> Holders:
    """All of them as they are now, consents once they are approved. Read as the publisher."""
    return Holders(
        held=tuple(
            Held(title, partner, frozenset(territories), since, until)
            for title, partner, territories, since, until in Holding.objects.order_by(
                "pk"
            ).values_list("title_id", "partner_id", "territories", "from_day", "until")
        ),
        consented=tuple(
            Consented(title, partner, given_to, since, until)
            for title, partner, given_to, since, until in Consent.objects.filter(
                approved_by__isnull=False
            )
            .order_by("pk")
            .values_list("title_id", "partner_id", "given_to_id", "from_day", "until")
        ),
    )
