"""How work is held: the row in Postgres is the truth, the broker is only a bell.

A Bundle or Delivery is claimed by a conditional UPDATE, its lease is renewed while the work
lasts, and it is finished only by whoever still holds the attempt it claimed. The sweep rings
again for what waits and takes back what a dead worker held. All times are the database's.
What the work is stands in build.py and deliver.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from engagement.roles import WORKER, acting_as
from partners.audit import record
from reports.heartbeat import WORKER_KIND, seen
from reports.models import Bundle, Delivery, Job, Notice

log = logging.getLogger(__name__)

TASKS: dict[type[Job], str] = {
    Bundle: "reports.build_bundle",
    Delivery: "reports.send_delivery",
    Notice: "reports.send_notice",
}
LOSSES_ALLOWED = 3
"""Workers that may die over one job before it is parked."""

_CLAIM = """
UPDATE {table}
SET state = 'running',
    attempts = attempts + 1,
    claimed_at = clock_timestamp(),
    lease_until = clock_timestamp() + %(lease)s
WHERE id = %(id)s
  AND state = 'queued'
  AND due_at <= clock_timestamp()
RETURNING attempts
"""

# Whose turn it is: the partner that was served longest ago, and of that its oldest bundle. One
# that has as many at work as it may is passed over. Both counts are read by an index.
_CLAIM_NEXT = """
WITH served AS (
    SELECT partner_id, max(claimed_at) AS at
    FROM reports_bundle
    WHERE claimed_at > clock_timestamp() - interval '1 day'
    GROUP BY partner_id
),
busy AS (
    SELECT partner_id, count(*) AS at_work
    FROM reports_bundle
    WHERE state = 'running'
    GROUP BY partner_id
),
next AS (
    SELECT bundle.id
    FROM reports_bundle AS bundle
    LEFT JOIN served USING (partner_id)
    LEFT JOIN busy USING (partner_id)
    WHERE bundle.state = 'queued'
      AND bundle.due_at <= clock_timestamp()
      AND coalesce(busy.at_work, 0) < %(at_once)s
    ORDER BY served.at NULLS FIRST, bundle.due_at, bundle.id
    LIMIT 1
    FOR UPDATE OF bundle SKIP LOCKED
)
UPDATE reports_bundle AS bundle
SET state = 'running',
    attempts = attempts + 1,
    claimed_at = clock_timestamp(),
    lease_until = clock_timestamp() + %(lease)s
FROM next
WHERE bundle.id = next.id
RETURNING bundle.id, bundle.attempts
"""

_WAITS = """
SELECT id FROM reports_bundle
WHERE state = 'queued' AND due_at <= clock_timestamp()
ORDER BY due_at LIMIT 1
"""

_CANCEL = """
UPDATE reports_bundle
SET state = 'cancelled',
    failure = 'withdrawn',
    step = '',
    progress = 0,
    lease_until = NULL,
    done_at = clock_timestamp()
WHERE id = %(id)s
  AND state IN ('queued', 'running')
"""

_RENEW = """
UPDATE {table}
SET lease_until = clock_timestamp() + %(lease)s
WHERE id = %(id)s
  AND attempts = %(attempt)s
  AND state IN ('running', 'sending')
"""

_ADVANCE = """
UPDATE {table}
SET state = %(state)s,
    lease_until = clock_timestamp() + %(lease)s
WHERE id = %(id)s
  AND attempts = %(attempt)s
  AND state = 'running'
"""

_FINISH = """
UPDATE {table}
SET state = %(state)s,
    failure = %(failure)s,
    problem = %(problem)s,
    lease_until = NULL,
    done_at = clock_timestamp()
WHERE id = %(id)s
  AND attempts = %(attempt)s
  AND state IN ('running', 'sending')
"""

_RETRY = """
UPDATE {table}
SET state = 'queued',
    failure = %(failure)s,
    problem = %(problem)s,
    due_at = clock_timestamp() + %(after)s,
    ring_at = clock_timestamp() + %(after)s,
    lease_until = NULL
WHERE id = %(id)s
  AND attempts = %(attempt)s
  AND state IN ('running', 'sending')
  AND {begun} + %(within)s > clock_timestamp() + %(after)s
"""

_RESTART = """
UPDATE {table}
SET state = 'queued',
    failure = '',
    problem = '',
    leases_lost = 0,
    due_at = clock_timestamp(),
    ring_at = clock_timestamp(),
    lease_until = NULL,
    done_at = NULL
WHERE id = %(id)s
  AND state = 'failed'
"""

_RING_AGAIN = """
WITH due AS (
    SELECT id
    FROM {table}
    WHERE state = 'queued'
      AND due_at <= clock_timestamp()
      AND ring_at <= clock_timestamp()
    ORDER BY due_at
    LIMIT 200
    FOR UPDATE SKIP LOCKED
)
UPDATE {table} AS job
SET ring_at = clock_timestamp() + %(again)s
FROM due
WHERE job.id = due.id
RETURNING job.id
"""

# A message in `sending` may have left before its worker died: nobody can know, so it is not
# sent again by itself.
_TAKE_BACK = """
WITH lost AS (
    SELECT id
    FROM {table}
    WHERE state IN ('running', 'sending')
      AND lease_until < clock_timestamp()
    ORDER BY lease_until
    LIMIT 200
    FOR UPDATE SKIP LOCKED
)
UPDATE {table} AS job
SET state = CASE
        WHEN job.state = 'sending' THEN 'unknown'
        WHEN job.leases_lost + 1 >= %(allowed)s THEN 'failed'
        ELSE 'queued'
    END,
    failure = CASE
        WHEN job.state = 'sending' THEN 'uncertain'
        WHEN job.leases_lost + 1 >= %(allowed)s THEN 'broken'
        ELSE 'trouble'
    END,
    problem = CASE
        WHEN job.state = 'sending' THEN 'the worker was lost while the message was leaving'
        ELSE format('the worker was lost %%s time(s), last at: %%s', job.leases_lost + 1, {step})
    END,
    leases_lost = job.leases_lost + 1,
    due_at = clock_timestamp() + %(backoff)s * (4 ^ job.leases_lost),
    ring_at = clock_timestamp() + %(backoff)s * (4 ^ job.leases_lost),
    done_at = CASE
        WHEN job.state = 'sending' OR job.leases_lost + 1 >= %(allowed)s THEN clock_timestamp()
    END,
    lease_until = NULL
FROM lost
WHERE job.id = lost.id
RETURNING job.id, job.state
"""


class LeaseLost(Exception):
    """Somebody else may hold the job by now: stop, and change nothing."""


@dataclass(frozen=True)
class Claim:
    """One attempt at one job. Whatever it writes is fenced by `attempt`."""

    model: type[Job]
    id: UUID
    attempt: int
    lost: threading.Event = field(default_factory=threading.Event, compare=False)

    def check(self) -> None:
        """Raises LeaseLost where the lease could not be renewed."""
        if self.lost.is_set():
            raise LeaseLost


def lease() -> timedelta:
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


def ring(model: type[Job], job_id: UUID) -> None:
    """Tell a worker once the open transaction commits. A deaf broker is no error: see sweep."""
    transaction.on_commit(lambda: _ring_now(TASKS[model], job_id))


def claim(model: type[Job], job_id: UUID) -> Claim | None:
    """Take a queued job that is due; None where it is not, or somebody else has it."""
    with acting_as(WORKER), connection.cursor() as cursor:
        values: dict[str, Any] = {"id": job_id, "lease": lease()}
        cursor.execute(_of(_CLAIM, model), values)
        row = cursor.fetchone()
    return Claim(model, job_id, row[0]) if row else None


def claim_next() -> Claim | None:
    """Take the bundle whose turn it is; None where none is due, or all that are must wait.

    A bell names a bundle, but whoever hears it takes the fairest: what one partner has queued
    stands behind its own, not before another's.
    """
    values = {"lease": lease(), "at_once": settings.BUNDLES_AT_ONCE}
    with acting_as(WORKER), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('reports: whose turn it is'))")
        cursor.execute(_CLAIM_NEXT, values)
        row = cursor.fetchone()
    return Claim(Bundle, *row) if row else None


def ring_for_next() -> None:
    """After a bundle has ended, by whatever end: one may wait that was passed over for it."""
    with acting_as(WORKER), connection.cursor() as cursor:
        cursor.execute(_WAITS)
        row = cursor.fetchone()
    if row:
        _ring_now(TASKS[Bundle], row[0])


@contextmanager
def held(claim: Claim) -> Iterator[Claim]:
    """Keep the lease of a claim for the length of a block, from a thread of its own."""
    done = threading.Event()
    thread = threading.Thread(target=_keep, args=(claim, done), name="lease", daemon=True)
    thread.start()
    try:
        yield claim
    finally:
        done.set()
        thread.join()


def advance(claim: Claim, state: Job.State) -> bool:
    """Move a running job to `state`, still held. False where the attempt is fenced off."""
    return _fenced(_ADVANCE, claim, state=state.value, lease=lease())


def finish(
    claim: Claim, state: Job.State, failure: Job.Failure | None = None, problem: str = ""
) -> bool:
    """End the job, in the open transaction. False where the attempt is fenced off.

    Whoever gets False discards what it has made: another attempt owns the job.
    """
    return _fenced(
        _FINISH,
        claim,
        state=state.value,
        failure=failure.value if failure else "",
        problem=problem[:2000],
    )


def retry(
    claim: Claim,
    *,
    failure: Job.Failure,
    problem: str,
    after: timedelta,
    within: timedelta,
) -> bool:
    """Queue the job again, due `after` from now, if that is still `within` of its making.

    False where it is not, or where the attempt is fenced off.
    """
    return _fenced(
        _RETRY, claim, failure=failure.value, problem=problem[:2000], after=after, within=within
    )


def restart(bundle_id: UUID) -> bool:
    """Queue a failed bundle anew, in the open transaction. False where it has not failed."""
    with connection.cursor() as cursor:
        cursor.execute(_of(_RESTART, Bundle), {"id": bundle_id})
        restarted: bool = cursor.rowcount == 1
    if restarted:
        ring(Bundle, bundle_id)
    return restarted


def cancel(bundle_id: UUID) -> bool:
    """End a bundle that waits or is being made, in the open transaction; its worker finds out.

    False where it is neither.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, {"id": bundle_id})
        return bool(cursor.rowcount == 1)


def backoff(attempt: int) -> timedelta:
    """How long to wait after the n-th attempt: 15 s, 1 min, 4 min, 16 min, 1 h, then 2 h."""
    seconds = min(settings.JOB_BACKOFF_SECONDS * 3 * 4 ** min(attempt - 1, 8), 7200)
    return timedelta(seconds=seconds)


def sweep() -> list[UUID]:
    """Ring for what waits and take back what lost its worker. Safe from any number of beats.

    Returns the ids that were rung for.
    """
    rung: list[UUID] = []
    values: dict[str, Any] = {
        "allowed": LOSSES_ALLOWED,
        "backoff": timedelta(seconds=settings.JOB_BACKOFF_SECONDS),
        "again": timedelta(seconds=settings.JOB_RING_SECONDS),
    }
    for model in TASKS:
        with acting_as(WORKER), connection.cursor() as cursor:
            cursor.execute(_of(_TAKE_BACK, model), values)
            for job_id, state in cursor.fetchall():
                log.warning("%s %s lost its worker: %s", model.__name__, job_id, state)
                if state == Job.State.UNKNOWN:
                    record_failed_mail(model._default_manager.get(pk=job_id), state)
            cursor.execute(_of(_RING_AGAIN, model), values)
            ids = [row[0] for row in cursor.fetchall()]
            for job_id in ids:
                ring(model, job_id)
        rung += ids
    return rung


def record_failed_mail(job: Any, outcome: str) -> None:
    """A mail that the trail has as leaving did not arrive, or may not have.

    `job` is a Delivery or Notice; `outcome` its state now: failed, unknown, or queued to be tried
    again. In the open transaction.
    """
    record("mail.failed", actor=None, partner=job.partner, target=job.about, outcome=outcome)


def _fenced(sql: str, claim: Claim, **values: Any) -> bool:
    with acting_as(WORKER), connection.cursor() as cursor:
        cursor.execute(_of(sql, claim.model), {"id": claim.id, "attempt": claim.attempt, **values})
        return bool(cursor.rowcount == 1)


def _of(sql: str, model: type[Job]) -> str:
    step = "job.step" if model is Bundle else "'sending'"
    # what a person had sent again is tried for as long as what is new
    begun = "coalesce(resent_at, made_at)" if model is Delivery else "made_at"
    return sql.format(table=model._meta.db_table, step=step, begun=begun)


def _ring_now(task: str, job_id: UUID) -> None:
    try:
        current_app.send_task(
            task,
            args=[str(job_id)],
            expires=settings.JOB_RING_SECONDS * 2,
            ignore_result=True,
            retry=False,
        )
    except Exception as problem:  # whatever the broker's library raises: the sweep rings again
        log.warning("no bell for %s %s: %s", task, job_id, type(problem).__name__)


def _keep(claim: Claim, done: threading.Event) -> None:
    """Renew until `done`; a database that is away is asked again until the lease has run out."""
    every = settings.JOB_LEASE_SECONDS / 3
    missed = 0
    try:
        while not done.wait(every):
            try:
                if not _fenced(_RENEW, claim, lease=lease()):
                    claim.lost.set()
                    return
                seen(WORKER_KIND)
                missed = 0
            except Exception as problem:
                missed += 1
                log.warning("lease of %s not renewed: %s", claim.id, type(problem).__name__)
                connection.close()
                if missed >= 3:
                    claim.lost.set()
                    return
    finally:
        connection.close()
