"""What was taken away, told once more to a database that was restored from before it.

The anchor holds it, outside of the database (partners/anchor.py); how each is taken again is in
partners/taken_again.py. What cannot be by a rule is named, for a person to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from partners import anchor, sealing
from partners.audit import record
from partners.models import AuditEvent, AuditSeal, Session, StaffView, User
from partners.sealing import End, OutOfStep
from partners.taken_again import TAKEN

# A writer that is under way ends first; nobody writes until the restore is told.
_NOBODY_WRITES = "LOCK TABLE partners_auditevent IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True)
class Replayed:
    """What a restore lost, and what became of it, each in words."""

    restored_from: int
    lost_seals: int
    done: tuple[str, ...]
    by_hand: tuple[str, ...]
    sessions: int


class _Undo(Exception):
    pass


def replay(*, by: User, dry_run: bool = False) -> Replayed | None:
    """Take away again what was taken after the backup, end every session and look of staff, and
    re-anchor.

    None where the database has lost no seal. Raises OutOfStep where it is no older copy of what
    was anchored, and anchor.Busy.
    """
    done: Replayed | None = None
    try:
        with anchor.held():
            with transaction.atomic():
                done = _replay(by)
                if dry_run:
                    raise _Undo
            sealing.anchor_the_rest()
    except _Undo:
        pass
    return done


def _replay(by: User) -> Replayed | None:
    with connection.cursor() as cursor:
        cursor.execute(_NOBODY_WRITES)
    newest = AuditSeal.objects.last()
    known = list(anchor.lines())
    restored_from = newest.n if newest else 0
    lost = [line for line in known if line.n > restored_from]
    if not lost:
        return None
    if newest and newest.root not in {line.root for line in known if line.n == newest.n}:
        raise OutOfStep(f"seal {newest.n} is not the one that was anchored; see verify_audit")
    done: list[str] = []
    by_hand: list[str] = []
    for taken in (t for line in lost for t in line.taken):
        said = f"{taken['at']} {taken['action']} {taken['target']}"
        replayed = TAKEN[taken["action"]](taken, by)
        (done if replayed else by_hand).append(said)
    sessions, _ = Session.objects.all().delete()
    StaffView.objects.filter(ended_at__isnull=True).update(ended_at=Now())
    record(
        "audit.restored",
        actor=by,
        target=f"seal {restored_from}",
        lost_seals=len(lost),
        lost_root=lost[-1].root,
        replayed=done,
        by_hand=by_hand,
        sessions_ended=sessions,
    )
    sealing.chain(
        AuditEvent.objects.filter(link__isnull=True).order_by("pk").iterator(),
        after=End.of(lost[-1]),
        n=lost[-1].n + 1,
        upto=0,  # another server may count its transactions from the beginning
        floor=AuditEvent.objects.aggregate(last=Max("pk"))["last"],
        restored_from=restored_from,
    )
    return Replayed(restored_from, len(lost), tuple(done), tuple(by_hand), sessions)
