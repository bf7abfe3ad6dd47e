"""Leaving less open than an approved grant opens: by new terms, or by what is still held.

Nothing here widens: what is open after is open before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from engagement.models import Title
from engagement.scope import ALL, Window
from partners.audit import record
from partners.grants import (
    GrantError,
    Opening,
    Terms,
    hold_holdings,
    in_order,
    opens,
    write_entitlements,
)
from partners.models import Entitlement, Grant, User


@transaction.atomic
def narrow(grant: Grant, to: Terms, *, by: User, request: HttpRequest | None = None) -> None:
    """Leave less of an approved grant open, at once and by one person.

    What waits for a second person, a holding recorded since, waits on. Raises GrantError as
    `checked` does.
    """
    hold_holdings()
    grant = Grant.objects.select_for_update().get(pk=grant.pk)
    now, to = Terms.of(grant), checked(grant, to)
    rows = list(grant.entitlements.all())  # the database takes them away as the grant changes
    grant.families = list(in_order(grant.families, to.families))
    grant.exits = list(in_order(grant.exits, to.exits))
    grant.territories = list(in_order(grant.territories, to.territories))
    grant.data_from, grant.data_until = to.data_from, to.data_until
    grant.save(update_fields=["families", "exits", "territories", "data_from", "data_until"])
    grant.titles.remove(*(now.titles - to.titles))
    write_entitlements(grant, still_open(rows, opens(grant)))
    record(
        "grant.narrowed",
        actor=by,
        partner=grant.partner,
        target=grant.pk,
        request=request,
        contract=grant.contract_reference,
        before=_told(now),
        after=_told(to),
    )


def checked(grant: Grant, to: Terms) -> Terms:
    """`to`, if the grant may be narrowed to it.

    Raises GrantError where anything would be wider than was approved (that needs a new grant,
    which replaces this one), where nothing would be left (that is revoking), and when the grant
    is not approved.
    """
    if grant.state != Grant.State.APPROVED:
        raise GrantError(_("Only an approved grant can be narrowed."))
    if to.is_empty:
        raise GrantError(_("Nothing would be left. Revoke the grant instead."))
    if wider := to.beyond(Terms.of(grant)):
        raise GrantError(
            _("This opens more than was approved (%(parts)s): make a new grant that replaces it.")
            % {"parts": ", ".join(wider)}
        )
    return to


def _told(terms: Terms) -> dict[str, object]:
    """Terms as the audit trail keeps them."""
    titles = Title.objects.filter(pk__in=terms.titles).order_by("slug")
    return {
        "titles": list(titles.values_list("slug", flat=True)),
        "families": sorted(terms.families),
        "territories": sorted(terms.territories),
        "exits": sorted(terms.exits),
        "data_from": terms.data_from and terms.data_from.isoformat(),
        "data_until": terms.data_until and terms.data_until.isoformat(),
    }


def still_open(
    rows: Iterable[Entitlement],
    openings: Iterable[Opening],
    may_widen: frozenset[int] = frozenset(),
) -> list[Opening]:
    """What was open and still may be: each opening by each row that there is, and no more.

    Of the titles that may widen all.
    """
    left: dict[tuple[object, ...], Opening] = {}
    rows = list(rows)
    for opening in openings:
        mine = [row for row in rows if row.title_id == opening.title.pk]
        both = [_common(opening, row) for row in mine]
        for kept in [opening] if opening.title.pk in may_widen else both:
            if kept is not None:
                left.setdefault((kept.title.pk, kept.territories, kept.window), kept)
    return list(left.values())


def _common(opening: Opening, row: Entitlement) -> Opening | None:
    window = opening.window.common(Window(row.data_from, row.data_until))
    ends = [at for at in (opening.valid_until, row.valid_until) if at is not None]
    both = replace(
        opening,
        families=tuple(f for f in opening.families if f in row.families),
        exits=tuple(e for e in opening.exits if e in row.exits),
        territories=_common_territories(opening.territories, tuple(row.territories)),
        window=window or opening.window,
        valid_from=max(opening.valid_from, row.valid_from),
        valid_until=min(ends) if ends else None,
    )
    is_something = window and both.families and both.exits and both.territories
    return both if is_something else None


def _common_territories(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if ALL in one:
        return other
    return one if ALL in other else tuple(t for t in one if t in other)
