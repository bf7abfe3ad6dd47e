"""Runs: held until their numbers are there, sent at once, skipped, after releases."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from engagement.models import Ingest, Release
from engagement.roles import PARTNER, acting_as
from engagement.scope import Refused
from partners.models import AuditEvent, Membership
from reports import schedules
from reports.build import build
from reports.models import Bundle, Run, Schedule
from reports.runs import database_now, make_runs
from reports.schedules import NotValid
from tests.cast import Cast, publish_days
from tests.conftest import SignedIn
from tests.reports.test_schedules import at, values

DUE = at(2026, 1, 14, 9)
HOUR = timedelta(hours=1)


def ready(cast: Cast, **changed: Any) -> Schedule:
    """Weekly on Wednesdays at 9, of which the 14th of January is the first; nothing published."""
    schedule = schedules.create(
        membership=cast.alice, **values(cast, recipients=[cast.alice.pk], **changed)
    )
    Schedule.objects.filter(pk=schedule.pk).update(active_from=at(2026, 1, 8))
    schedule.refresh_from_db()
    return schedule


def states() -> list[tuple[bool, bool, int]]:
    """Of each run, the oldest first: late, delayed, how many bundles."""
    return [(r.late, r.delayed, r.bundles.count()) for r in Run.objects.order_by("due_at")]


def ingested(at: datetime) -> None:
    Ingest.objects.create(finished_at=at)


# --- held until the numbers are there ---------------------------------------------------------


def test_a_report_is_held_until_the_last_day_of_its_week_is_published(cast: Cast) -> None:
    ready(cast)
    publish_days(cast.film, date(2026, 1, 1), date(2026, 1, 11))  # but for the Sunday
    ingested(DUE)
    assert make_runs(DUE) == 1
    assert states() == [(False, False, 0)]
    assert Run.objects.get().held_until == DUE + 24 * HOUR
    assert make_runs(DUE + 5 * HOUR) == 0
    assert states() == [(False, False, 0)]
    publish_days(cast.film, date(2026, 1, 11), date(2026, 1, 12))
    for _ in range(2):
        assert make_runs(DUE + 6 * HOUR) == 0
        assert states() == [(True, False, 1)]  # complete: later than agreed, nothing is missing
    assert Run.objects.get().held_until is None


def test_a_report_is_held_until_an_ingest_has_ended_after_its_week_settled(cast: Cast) -> None:
    """Every day is there, but people and pieces of the week are published once it has settled."""
    ready(cast)
    publish_days(cast.film, date(2026, 1, 1), date(2026, 1, 12))
    Ingest.objects.update(finished_at=at(2026, 1, 13, 23))
    make_runs(DUE)
    assert states() == [(False, False, 0)]
    ingested(at(2026, 1, 14, 0))
    make_runs(DUE + HOUR)
    assert states() == [(False, False, 1)]


@pytest.mark.usefixtures("rendered")
def test_at_its_deadline_a_report_goes_out_with_what_there_is_and_says_so(
    cast: Cast, storage: object
) -> None:
    ready(cast, deadline_hours=6)
    publish_days(cast.film, date(2026, 1, 1), date(2026, 1, 11))
    make_runs(DUE)
    make_runs(DUE + 6 * HOUR - timedelta(seconds=1))
    assert states() == [(False, False, 0)]
    make_runs(DUE + 6 * HOUR)
    assert states() == [(True, True, 1)]
    assert build(Bundle.objects.get().pk)


def test_with_no_number_at_all_by_the_deadline_it_fails_with_the_reason(
    cast: Cast, storage: object
) -> None:
    ready(cast)
    Schedule.objects.update(active_from=at(2026, 2, 5))
    make_runs(at(2026, 2, 11, 9))  # nothing is published for that week
    assert states() == [(False, False, 0)]
    make_runs(at(2026, 2, 12, 9))
    bundle = Bundle.objects.get()
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "nothing")


def test_without_a_deadline_nothing_is_waited_for(cast: Cast) -> None:
    ready(cast, deadline_hours=0)
    make_runs(DUE)
    assert states() == [(False, True, 1)]


def test_a_pause_gives_up_what_was_held(cast: Cast) -> None:
    schedule = ready(cast)
    make_runs(DUE)
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        schedules.pause(membership=cast.alice, schedule_id=schedule.pk)
        schedules.resume(membership=cast.alice, schedule_id=schedule.pk)
    make_runs(DUE + 48 * HOUR)
    assert states() == [(False, False, 0)]


# --- a cadence of its own, or another one ------------------------------------------------------


def test_another_cadence_brings_nothing_that_was_due_before_it_was_chosen(cast: Cast) -> None:
    schedule = ready(cast, deadline_hours=0)
    make_runs(DUE)
    schedules.edit(
        membership=cast.alice, schedule_id=schedule.pk,
        **values(cast, cadence="daily", recipients=[cast.alice.pk]),
    )  # fmt: skip
    Schedule.objects.update(active_from=at(2026, 1, 17, 12))  # when it was edited
    make_runs(at(2026, 1, 17, 12))
    assert Run.objects.count() == 1
    make_runs(at(2026, 1, 18, 9))
    make_runs(at(2026, 1, 19, 9))
    assert list(Run.objects.order_by("due_at").values_list("period", flat=True)) == [
        "week:2026-01-05", "day:2026-01-15", "day:2026-01-16",
    ]  # fmt: skip


def test_choosing_another_cadence_begins_anew_and_another_hour_does_not(cast: Cast) -> None:
    schedule = ready(cast)
    before, began = schedule.active_from, database_now()
    for changed, is_new in (({"hour": 7}, False), ({"cadence": "monthly"}, True)):
        schedules.edit(membership=cast.alice, schedule_id=schedule.pk, **values(cast, **changed))
        schedule.refresh_from_db()
        assert (schedule.active_from >= began) is is_new
        assert is_new or schedule.active_from == before


def test_after_a_release_one_run_tells_all_settled_days_since_the_last(cast: Cast) -> None:
    ready(cast, cadence="release")
    publish_days(cast.film, date(2026, 1, 2), date(2026, 1, 9))
    Ingest.objects.update(finished_at=at(2026, 1, 20))
    Release.objects.filter(day__lt=date(2026, 1, 9)).update(done_at=at(2026, 1, 9, 4))
    assert make_runs(at(2026, 1, 11, 0)) == 0  # the 8th has settled; its hour has not come
    for _ in range(2):
        make_runs(at(2026, 1, 11, 9))
    publish_days(cast.film, date(2026, 1, 9), date(2026, 1, 11))
    Release.objects.filter(day__gte=date(2026, 1, 9)).update(done_at=at(2026, 1, 14, 10))
    make_runs(at(2026, 1, 14, 11))
    make_runs(at(2026, 1, 15, 8))
    assert Run.objects.count() == 1
    for _ in range(2):
        make_runs(at(2026, 1, 15, 9))
    told = Run.objects.order_by("due_at").values_list("from_day", "until", "late", "delayed")
    assert list(told) == [
        (date(2026, 1, 2), date(2026, 1, 9), False, False),
        (date(2026, 1, 9), date(2026, 1, 11), False, False),
    ]


# --- skipped -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("rendered")
@pytest.mark.parametrize("published", [True, False])
def test_when_nothing_was_published_since_the_last_one_it_is_skipped_and_seen(
    cast: Cast, storage: object, published: bool
) -> None:
    ready(cast, deadline_hours=0, skip_unchanged=True)
    publish_days(cast.film, date(2026, 1, 1), date(2026, 1, 12))
    make_runs(DUE)
    assert build(Bundle.objects.get().pk)
    if published:
        publish_days(cast.film, date(2026, 1, 12), date(2026, 1, 13))
        Release.objects.filter(day=date(2026, 1, 12)).update(done_at=database_now())
    make_runs(DUE + timedelta(days=7))
    last = Run.objects.order_by("due_at").last()
    assert last is not None
    assert (last.skipped, last.bundles.count()) == ((False, 1) if published else (True, 0))


def test_what_was_not_sent_is_not_skipped_the_next_time(cast: Cast, storage: object) -> None:
    ready(cast, deadline_hours=0, skip_unchanged=True)
    publish_days(cast.film, date(2026, 1, 1), date(2026, 1, 12))
    make_runs(DUE)  # its bundle is never made
    make_runs(DUE + timedelta(days=7))
    assert [(r.skipped, r.bundles.count()) for r in Run.objects.all()] == [(False, 1)] * 2


# --- at once -----------------------------------------------------------------------------------


def test_a_report_is_sent_at_once_and_once_for_two_clicks(cast: Cast, storage: object) -> None:
    schedule = ready(cast)
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        run = schedules.send_now(membership=cast.alice, schedule_id=schedule.pk)
        with pytest.raises(NotValid):
            schedules.send_now(membership=cast.alice, schedule_id=schedule.pk)
    assert (run.asked_by, run.bundles.count(), run.held_until) == (cast.alice, 1, None)
    assert Run.objects.count() == 1
    assert AuditEvent.objects.filter(action="schedule.sent_now").count() == 1
    # beside its own runs, in whose place it does not stand
    publish_days(cast.film, date(2026, 1, 1), date(2026, 1, 12))
    assert make_runs(DUE) == 1


def test_over_rest_who_may_change_a_schedule_sends_it_at_once(cast: Cast) -> None:
    schedule = ready(cast)
    path = f"/api/v1/p/aurora/schedules/{schedule.pk}/run-now/"
    for member in (cast.amy, cast.victor):  # not their schedule, no schedules at all
        refused = SignedIn(member.user).post(path)
        assert refused.status_code in (403, 404)
    assert not Run.objects.exists()
    answer = SignedIn(cast.alice.user).post(path)
    assert answer.status_code == 202
    run = Run.objects.get()
    assert answer.json() == {
        "id": str(run.pk), "period": run.period,
        "from": run.from_day.isoformat(), "until": run.until.isoformat(),
    }  # fmt: skip
    again = SignedIn(cast.alice.user).post(path)
    assert (again.status_code, Run.objects.count()) == (400, 1)


def test_nobody_else_sends_it(cast: Cast) -> None:
    schedule = ready(cast)
    for member in (cast.victor, cast.amy, cast.bob):
        with pytest.raises(Refused):
            schedules.send_now(membership=member, schedule_id=schedule.pk)
    assert not Membership.objects.filter(pk=cast.bob.pk, partner=cast.aurora).exists()
    assert not Run.objects.exists()
