"""Sealing the audit trail: its events are chained by SHA-256 and the root leaves the database.

An event is sealed once no transaction that began before it can still commit, so that none is
passed over, whatever is written at the same time. Any number of sealers may run: one works.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from datetime import UTC
from itertools import islice
from typing import NamedTuple

from django.db import connection
from django.db.models import Max

from engagement.roles import WORKER, acting_as
from partners import anchor
from partners.anchor import Anchored
from partners.audit import TAKES_AWAY
from partners.models import AuditEvent, AuditLink, AuditSeal

log = logging.getLogger(__name__)

BEGINNING = bytes(32)
_AT_A_TIME = 2000

# below it every transaction has ended: PostgreSQL, "System Information Functions"
_ENDED_BELOW = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('dailies.audit.seal'))"


class End(NamedTuple):
    """Where a chain ends: the hash of its last link, and how many events it has."""

    root: bytes
    events: int

    @classmethod
    def of(cls, seal: AuditSeal | Anchored | None) -> End:
        return cls(bytes.fromhex(seal.root), seal.events) if seal else cls(BEGINNING, 0)


class OutOfStep(Exception):
    """Database and anchor tell different stories: nothing is sealed until a person has looked."""


def seal() -> int:
    """Seal and anchor what can be. Returns how many events; 0 also where another sealer works.

    Raises OutOfStep.
    """
    try:
        with anchor.held():
            with acting_as(WORKER):
                count = _seal_batch() if _is_alone() and _in_step() else 0
            with acting_as(WORKER):
                anchor_the_rest()
    except anchor.Busy:
        return 0
    return count


def anchor_anew() -> int:
    """Write every seal to an anchor that is empty. Returns how many. Raises OutOfStep, Busy."""
    with anchor.held(), acting_as(WORKER):
        if anchor.last() is not None:
            raise OutOfStep("the anchor is not empty")
        anchor_the_rest()
        return AuditSeal.objects.count()


def anchor_the_rest() -> None:
    """Anchor what the database has sealed since: also what a killed sealer could not."""
    line = anchor.last()
    anchor.append(anchored(s) for s in AuditSeal.objects.filter(n__gt=line.n if line else 0))


def canonical(event: AuditEvent) -> bytes:
    """The bytes that an event is hashed by: JSON, keys sorted, UTC to the microsecond."""
    return json.dumps(
        [
            event.pk,
            event.at.astimezone(UTC).isoformat(timespec="microseconds"),
            str(event.actor_id) if event.actor_id else None,
            str(event.partner_id) if event.partner_id else None,
            event.action,
            event.target,
            event.detail,
            event.ip,
            event.database_user,
            event.transaction,
        ],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def link(before: bytes, event: AuditEvent) -> bytes:
    return hashlib.sha256(before + canonical(event)).digest()


def chain(
    events: Iterable[AuditEvent], *, after: End, n: int, upto: int, floor: int,
    restored_from: int | None = None,
) -> int:  # fmt: skip
    """Write seal `n` over `events`, where the chain ends with `after`. Returns how many they are.

    The seal's row comes last, when its root is known: a link may name it before (the constraint
    is looked at when the transaction ends).
    """
    root, position = after
    rest = iter(events)
    while some := list(islice(rest, _AT_A_TIME)):
        links = []
        for event in some:
            root, position = link(root, event), position + 1
            links.append(AuditLink(position=position, event=event, seal_id=n, sha256=root))
        AuditLink.objects.bulk_create(links)
    if position > after.events:
        AuditSeal.objects.create(
            n=n, events=position, root=root.hex(), upto=upto, floor=floor,
            restored_from=restored_from,
        )  # fmt: skip
    return position - after.events


def anchored(seal: AuditSeal) -> Anchored:
    """The line of a seal."""
    taken = AuditEvent.objects.filter(link__seal=seal, action__in=TAKES_AWAY).order_by(
        "link__position"
    )
    return Anchored(
        n=seal.n,
        root=seal.root,
        events=seal.events,
        at=seal.at.astimezone(UTC).isoformat(timespec="seconds"),
        restored_from=seal.restored_from,
        taken=tuple(
            {
                "at": event.at.astimezone(UTC).isoformat(timespec="seconds"),
                "action": event.action,
                "target": event.target,
                "partner": str(event.partner_id) if event.partner_id else None,
                "detail": event.detail,
            }
            for event in taken.order_by("link__position")
        ),
    )


def _seal_batch() -> int:
    newest = AuditSeal.objects.last()
    with connection.cursor() as cursor:
        cursor.execute(_ENDED_BELOW)
        [ended_below] = cursor.fetchone()
    events = AuditEvent.objects.filter(transaction__lt=ended_below)
    if newest:
        events = events.filter(transaction__gte=newest.upto, pk__gt=newest.floor)
    return chain(
        events.order_by("transaction", "pk").iterator(_AT_A_TIME),
        after=End.of(newest),
        n=newest.n + 1 if newest else 1,
        upto=ended_below,
        floor=newest.floor if newest else 0,
    )


def _is_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ALONE)
        [alone] = cursor.fetchone()
    return bool(alone)


def _in_step() -> bool:
    """True where the database knows what was anchored last. Raises OutOfStep."""
    line, newest = anchor.last(), AuditSeal.objects.aggregate(n=Max("n"))["n"] or 0
    if line is None:
        if newest:
            raise OutOfStep(
                f"the anchor is empty, and the database holds {newest} seals: put the anchor"
                " back, or start another by seal_audit --new-anchor"
            )
    elif line.n > newest:
        raise OutOfStep(
            f"the anchor knows seal {line.n}, the database ends with {newest}: it is an older"
            " copy, or its end was cut off; see verify_audit and replay_revocations"
        )
    elif AuditSeal.objects.get(pk=line.n).root != line.root:
        raise OutOfStep(f"seal {line.n} is not the one that was anchored; see verify_audit")
    return True
