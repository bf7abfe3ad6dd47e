"""Which families are measured for titles that a partner holds: that there is something, no figure.

Read through a view of its own (wall_measured), which a holding opens and a grant does not: it is
what a partner may know before it asks for access.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from engagement.families.read import fetch
from engagement.roles import READER, acting_as

_FAMILIES_OF_KIND = {"segments": ("viewing", "retention", "rewatch"), "shares": ("sharing",)}


def measured_families(partner_id: UUID, title_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """Families with published numbers, of each of these titles that the partner holds today."""
    found: dict[int, set[str]] = {title_id: set() for title_id in title_ids}
    with acting_as(READER, partner_id=partner_id):
        rows = fetch(
            "SELECT title_id, kind FROM wall_measured WHERE title_id = ANY(%s)", [list(title_ids)]
        )
    for title_id, kind in rows:
        found[title_id].update(_FAMILIES_OF_KIND.get(kind, (kind,)))
    return {title_id: frozenset(families) for title_id, families in found.items()}
