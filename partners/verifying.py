"""Whether the audit trail is as it was written: each event against the chain, the chain against
the anchor outside of the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Count, Min, Q

from engagement.roles import WORKER, acting_as
from partners import anchor
from partners.anchor import Anchored
from partners.models import AuditEvent, AuditLink, AuditSeal
from partners.sealing import End, link

_AT_A_TIME = 2000


@dataclass(frozen=True)
class Verdict:
    """What was found. `unsealed` events are newer than the last seal: the chain cannot tell of
    them yet.
    """

    changed: tuple[str, ...]  # what is not as it was written
    behind: tuple[str, ...]  # what was anchored and is gone from the end
    restores: tuple[str, ...]  # backups that were put back, and what each lost
    anchored: bool  # whether there was an anchor to compare with
    seals: int
    events: int
    unsealed: int
    unsealed_since: datetime | None

    @property
    def exit_code(self) -> int:
        """0 whole, 1 changed, 2 behind the anchor, 3 no anchor."""
        if self.changed:
            return 1
        if self.behind:
            return 2
        return 0 if self.anchored else 3


def verify() -> Verdict:
    """Read the whole trail. Sealers may go on meanwhile: the anchor is read first, and the
    database holds whatever is anchored.
    """
    known = {line.n: line for line in anchor.lines()} if anchor.exists() else {}
    with acting_as(WORKER):
        seals = list(AuditSeal.objects.order_by("n"))
        newest = seals[-1] if seals else None
        tail = _tail(newest)
        return Verdict(
            changed=(*_seals(seals, known), *_links(seals, known), *_unlinked(newest)),
            behind=tuple(_behind(newest, known)),
            restores=tuple(_restores(seals)),
            anchored=bool(known) or newest is None,
            seals=len(seals),
            events=newest.events if newest else 0,
            unsealed=tail["count"],
            unsealed_since=tail["since"],
        )


def _seals(seals: list[AuditSeal], known: dict[int, Anchored]) -> Iterator[str]:
    """Each seal against its line in the anchor, and that none is missing between them."""
    expected = 1
    for seal in seals:
        if seal.n != expected and (seal.restored_from or 0) != expected - 1:
            yield f"seals {expected} to {seal.n - 1} are missing"
        expected = seal.n + 1
        line = known.get(seal.n)
        if line is None:
            if any(n > seal.n for n in known):
                yield f"seal {seal.n} is not in the anchor"
        elif (line.root, line.events) != (seal.root, seal.events):
            yield f"seal {seal.n} is not the one that was anchored"


def _links(seals: list[AuditSeal], known: dict[int, Anchored]) -> Iterator[str]:
    """Each event against its link, each link against the one before, the last against its seal.

    After an event that does not match, the chain is followed from the link as it stands, so that
    one change is told once.
    """
    rest = _linked(seals)
    upcoming = next(rest, None)
    end = End.of(None)
    for seal in seals:
        if seal.restored_from is not None:
            end = End.of(known.get(seal.n - 1)) if seal.n - 1 in known else end
        while upcoming is not None and upcoming[0].seal_id <= seal.n:
            one, event = upcoming
            where = f"event {one.event_id} (position {one.position}, seal {one.seal_id})"
            if one.position != end.events + 1:
                yield f"{where}: position {end.events + 1} was expected"
            if event is None:
                yield f"{where} is gone"
            elif link(end.root, event) != bytes(one.sha256):
                yield f"{where} is not as it was sealed"
            end = End(bytes(one.sha256), one.position)
            upcoming = next(rest, None)
        if end != End.of(seal):
            yield f"seal {seal.n} does not fit its events"
        end = End.of(seal)


def _linked(seals: list[AuditSeal]) -> Iterator[tuple[AuditLink, AuditEvent | None]]:
    """Every link in the order of the chain, with its event; None where that is gone."""
    last = seals[-1].n if seals else 0
    links = AuditLink.objects.filter(seal_id__lte=last).order_by("position").iterator(_AT_A_TIME)
    while some := list(islice(links, _AT_A_TIME)):
        events = AuditEvent.objects.in_bulk([one.event_id for one in some])
        yield from ((one, events.get(one.event_id)) for one in some)


def _unlinked(newest: AuditSeal | None) -> Iterator[str]:
    """Events that a seal should hold, by their transaction and id, and none does."""
    if newest is None:
        return
    late = AuditEvent.objects.filter(
        Q(transaction__lt=newest.upto) | Q(pk__lte=newest.floor), link__isnull=True
    )
    for pk in late.order_by("pk").values_list("pk", flat=True)[:100]:
        yield f"event {pk} was put behind the seals"


def _behind(newest: AuditSeal | None, known: dict[int, Anchored]) -> Iterator[str]:
    last = newest.n if newest else 0
    lost = sorted(n for n in known if n > last)
    if lost:
        yield (
            f"the database ends with seal {last}, the anchor with {lost[-1]}"
            f" ({known[lost[-1]].at}): an older copy was put back, or the end was cut off"
        )


def _restores(seals: list[AuditSeal]) -> Iterator[str]:
    for seal in seals:
        if seal.restored_from is not None:
            yield (
                f"seal {seal.n}: a backup that ended with seal {seal.restored_from} was put back"
                f" ({seal.n - 1 - seal.restored_from} seals were lost with it)"
            )


def _tail(newest: AuditSeal | None) -> dict[str, Any]:
    events = AuditEvent.objects.all()
    if newest is not None:
        events = events.filter(transaction__gte=newest.upto, pk__gt=newest.floor)
    return events.filter(link__isnull=True).aggregate(count=Count("pk"), since=Min("at"))
