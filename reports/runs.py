"""Runs: each period of each schedule once, held back until its numbers are there.

Beat asks every few seconds, any number of them at once: the unique (schedule, period) makes that
harmless. A run is made when it is due. Are its days not all published by then, it is held until
they are, at most until its deadline; then its bundles are queued, one for each recipient, and
say that they are delayed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import QuerySet

from engagement.query import releases
from engagement.roles import WORKER, acting_as
from engagement.scope import Window
from engagement.settling import settled_until
from partners.access import scope_for
from partners.models import Membership
from reports import jobs
from reports.cadence import (
    Cadence,
    Period,
    due_at,
    settled_periods,
    settles_at,
    slot_at_or_after,
)
from reports.models import Bundle, Run, Schedule
from reports.plan import EXIT, ORDERING

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(hours=1)
"""What goes out longer after it was due is marked late; what goes out without some numbers of its
days is marked delayed."""

ASKED = "now:"
"""How the key of a run begins that somebody asked for."""

_INSERT_RUN = """
INSERT INTO reports_run (id, schedule_id, partner_id, period, from_day, until, due_at, late,
    delayed, skipped, held_until, asked_by_id)
VALUES (%(id)s, %(schedule)s, %(partner)s, %(period)s, %(since)s, %(until)s, %(due)s, %(late)s,
    %(delayed)s, %(skipped)s, %(held_until)s, %(asked_by)s)
ON CONFLICT (schedule_id, period) DO NOTHING
"""

# What the platform has published of viewing, by day: of any title, since one without a play has
# no release of that day.
_PUBLISHED = """
SELECT count(DISTINCT day)
FROM engagement_release
WHERE kind = 'segments' AND state = 'done' AND day >= %(since)s AND day < %(until)s
"""
_FIRST_PUBLISHED = """
SELECT min(day) FROM engagement_release WHERE kind = 'segments' AND state = 'done'
"""
# What settles with a day (pieces, weeks, series) is published by the first ingest that ends after.
_SETTLED_BY_AN_INGEST = """
SELECT EXISTS (SELECT FROM engagement_ingest WHERE finished_at >= %(settles_at)s)
"""
_NEWEST_PUBLISHED = """
SELECT day, min(done_at)
FROM engagement_release
WHERE kind = 'segments' AND state = 'done' AND day < %(until)s
GROUP BY day
ORDER BY day DESC
LIMIT 1
"""


def make_runs(now: datetime | None = None) -> int:
    """Make what is due and not there yet, and let go what was held and is complete or overdue.

    `now` is the database's clock unless a test says otherwise. Returns the runs made by this
    call; several at once share them.
    """
    with acting_as(WORKER):
        now = now or database_now()
        schedules = list(active().values_list("pk", flat=True))
    made = 0
    for schedule_id in schedules:
        try:
            made += _make_runs_of(schedule_id, now)
        except Exception:
            log.exception("schedule %s", schedule_id)  # the others are not held up
    return made


def run_now(schedule: Schedule, by: Membership) -> Run | None:
    """A run of the last settled period at once, in the open transaction; what there is, is sent.

    None where somebody asked within this minute, or what was asked for before is being made.
    """
    if Bundle.objects.filter(
        run__schedule=schedule, run__period__startswith=ASKED,
        state__in=[Bundle.State.QUEUED, Bundle.State.RUNNING],
    ).exists():  # fmt: skip
        return None
    now = database_now()
    cadence = Cadence.DAILY if schedule.cadence == Cadence.RELEASE else schedule.cadence
    window = settled_periods(cadence, now, 1)[0].window
    period = Period(f"{ASKED}{now:%Y-%m-%dT%H:%M}", window)
    run_id = _insert(schedule, period, due=now, now=now, asked_by=by)
    if run_id is None:
        return None
    _queue(schedule, run_id, window)
    return Run.objects.get(pk=run_id)


def is_complete(window: Window) -> bool:
    """Whether all of it has been published: every day, from the first that ever was, and what is
    published only once they have settled.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_PUBLISHED)
        first: date | None = cursor.fetchone()[0]
        if first is None:
            return False
        since = max(window.since, first)
        if since >= window.until:
            return True  # before there was anything
        cursor.execute(_PUBLISHED, {"since": since, "until": window.until})
        days: int = cursor.fetchone()[0]
        cursor.execute(_SETTLED_BY_AN_INGEST, {"settles_at": settles_at(window)})
        is_settled: bool = cursor.fetchone()[0]
    return is_settled and days == (window.until - since).days


def active() -> QuerySet[Schedule]:
    """Schedules that run: not paused, the partner open, the owner still one who may own them."""
    return Schedule.objects.filter(
        paused_at__isnull=True,
        partner__suspended_at__isnull=True,
        owner__user__is_active=True,
        owner__role__in=ORDERING,
    )


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@transaction.atomic
def _make_runs_of(schedule_id: UUID, now: datetime) -> int:
    made = 0
    with acting_as(WORKER):
        # locked, so that a pause or an edit comes before or after, never in between
        schedule = active().select_for_update(of=("self",)).filter(pk=schedule_id).first()
        if schedule is None:
            return 0
        _let_go(schedule, now)
        newest = _newest(schedule)
        for period, due in _due(schedule, newest, now):
            if newest is not None and period.window.until <= newest.until:
                continue  # a slot or a cadence chosen since must not bring again what was told
            if schedule.active_from <= due <= now and _make_run(schedule, period, due, now):
                made += 1
    return made


def _newest(schedule: Schedule) -> Run | None:
    """The run that reaches furthest, of those that nobody asked for."""
    return schedule.runs.exclude(period__startswith=ASKED).order_by("-until", "-made_at").first()


def _due(
    schedule: Schedule, newest: Run | None, now: datetime
) -> Iterable[tuple[Period, datetime]]:
    if schedule.cadence == Cadence.RELEASE:
        return _released(schedule, newest, now)
    periods = settled_periods(schedule.cadence, now)
    return [(period, due_at(schedule, period.window)) for period in periods]


def _released(
    schedule: Schedule, newest: Run | None, now: datetime
) -> Iterable[tuple[Period, datetime]]:
    """The settled days that were published since the last run: due at the first slot after both.

    The first run begins with the last week of what is published.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST_PUBLISHED, {"until": settled_until(now)})
        row = cursor.fetchone()
    if row is None:
        return []
    last, published_at = row
    until = last + timedelta(days=1)
    since = newest.until if newest else until - timedelta(days=7)
    if since >= until:
        return []
    window = Window(since, until)
    due = slot_at_or_after(max(published_at, settles_at(window), schedule.active_from), schedule)
    return [(Period(f"release:{until}", window), due)]


def _make_run(schedule: Schedule, period: Period, due: datetime, now: datetime) -> bool:
    """One run, and its bundles where it need not wait; False where the period has one."""
    if schedule.skip_unchanged and not _changed(schedule):
        return _insert(schedule, period, due=due, now=now, skipped=True) is not None
    deadline = due + timedelta(hours=schedule.deadline_hours)
    lacks = not is_complete(period.window)
    waits = lacks and now < deadline
    run_id = _insert(
        schedule,
        period,
        due=due,
        now=now,
        held_until=deadline if waits else None,
        delayed=lacks and not waits,
    )
    if run_id is None:
        return False
    if not waits:
        _queue(schedule, run_id, period.window)
    return True


def _let_go(schedule: Schedule, now: datetime) -> None:
    """Queue the bundles of runs that were held: complete by now, or waited for long enough."""
    for run in schedule.runs.filter(held_until__isnull=False, bundles__isnull=True, skipped=False):
        window = Window(run.from_day, run.until)
        assert run.held_until is not None
        lacks = not is_complete(window)
        if lacks and now < run.held_until:
            continue
        run.late, run.delayed, run.held_until = now - run.due_at > LATE_AFTER, lacks, None
        run.save(update_fields=["late", "delayed", "held_until"])
        _queue(schedule, run.pk, window)


def _insert(
    schedule: Schedule,
    period: Period,
    *,
    due: datetime,
    now: datetime,
    held_until: datetime | None = None,
    delayed: bool = False,
    skipped: bool = False,
    asked_by: Membership | None = None,
) -> UUID | None:
    """The new run's id; None where the period has a run."""
    run_id = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_RUN,
            {
                "id": run_id,
                "schedule": schedule.pk,
                "partner": schedule.partner_id,
                "period": period.key,
                "since": period.window.since,
                "until": period.window.until,
                "due": due,
                "late": now - due > LATE_AFTER,
                "delayed": delayed,
                "skipped": skipped,
                "held_until": held_until,
                "asked_by": asked_by.pk if asked_by else None,
            },
        )
        return run_id if cursor.rowcount == 1 else None


def _queue(schedule: Schedule, run_id: UUID, window: Window) -> None:
    """A bundle for each recipient.

    What each may see is worked out when it is built; one who may see nothing gets nothing.
    """
    for recipient in _receiving(schedule):
        bundle = Bundle.objects.create(
            partner_id=schedule.partner_id,
            run_id=run_id,
            recipient=recipient,
            titles=schedule.titles,
            from_day=window.since,
            until=window.until,
            language=schedule.language,
            formats=schedule.formats,
            paper=schedule.paper,
        )
        jobs.ring(Bundle, bundle.pk)


def _receiving(schedule: Schedule) -> QuerySet[Membership]:
    return schedule.recipients.filter(partner_id=schedule.partner_id, user__is_active=True)


def _changed(schedule: Schedule) -> bool:
    """Whether any recipient would get what the last bundle sent to them did not hold: something was
    published or granted since, or there is none.
    """
    return any(_changed_for(schedule, recipient) for recipient in _receiving(schedule))


def _changed_for(schedule: Schedule, recipient: Membership) -> bool:
    last = Bundle.objects.filter(
        run__schedule=schedule, recipient=recipient, state=Bundle.State.DONE
    ).order_by("-made_at").first()  # fmt: skip
    if last is None:
        return True
    scope = scope_for(recipient, EXIT, schedule.titles, delivered=True)
    told = {(entry["title_id"], f) for entry in last.scope for f in entry["family"].split("|")}
    may = {(title_id, f) for title_id in scope.titles() for f in scope.families(title_id)}
    done = (release["done_at"] for release in releases(scope))
    return bool(may - told) or any(isinstance(at, datetime) and at > last.made_at for at in done)
