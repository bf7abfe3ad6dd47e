"""Weekly reports: when a week is due, that it is made once, and who may set it up."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from engagement.models import Release
from engagement.roles import PARTNER, acting_as
from engagement.scope import Refused, Window
from partners import grants
from partners.models import AuditEvent, Membership, User
from reports import schedules
from reports.build import build
from reports.cadence import due_at, next_due, settled_periods, settles_at, slot_at_or_after
from reports.models import Bundle, Delivery, Run, Schedule
from reports.runs import make_runs
from reports.schedules import NotValid
from tests.cast import Cast, make_cast, publish_days
from tests.reports.ends import suspend

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
WEEK = Window(date(2026, 1, 5), date(2026, 1, 12))  # inside the cast's ten days but for its end


def at(year: int, month: int, day: int, hour: int = 0, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime(year, month, day, hour, tzinfo=zone)


def values(cast: Cast, **changed: Any) -> dict[str, Any]:
    return {
        "name": "Monday's numbers",
        "titles": None,
        "weekday": 2,
        "hour": 9,
        "zone": "Asia/Shanghai",
        "language": "en",
        "recipients": [cast.alice.pk, cast.victor.pk],
        **changed,
    }


def made(cast: Cast, member: Membership | None = None, **changed: Any) -> Schedule:
    """A schedule of the member's, of a platform that has published all of January."""
    if not Release.objects.filter(kind="segments", day=date(2026, 1, 31)).exists():
        publish_days(cast.film, date(2026, 1, 1), date(2026, 2, 1))
    schedule = schedules.create(membership=member or cast.alice, **values(cast, **changed))
    Schedule.objects.filter(pk=schedule.pk).update(active_from=at(2026, 1, 1))
    schedule.refresh_from_db()
    return schedule


# --- when ------------------------------------------------------------------------------------


def test_a_week_settles_two_days_after_its_sunday() -> None:
    [before] = settled_periods("weekly", at(2026, 1, 13, 23), 1)
    assert before.window == Window(date(2025, 12, 29), date(2026, 1, 5))
    [week] = settled_periods("weekly", at(2026, 1, 14, 0), 1)
    assert (week.key, week.window) == ("week:2026-01-05", WEEK)


@pytest.mark.parametrize(
    ("weekday", "hour", "due"),
    [
        (2, 0, at(2026, 1, 14, 0)),  # the very moment at which the week settles: counted
        (2, 9, at(2026, 1, 14, 9)),
        (1, 23, at(2026, 1, 20, 23)),  # an hour before it settles: the next week's slot
        (0, 9, at(2026, 1, 19, 9)),
    ],
)
def test_a_report_is_due_at_the_first_slot_after_its_week_has_settled(
    weekday: int, hour: int, due: datetime
) -> None:
    schedule = Schedule(weekday=weekday, hour=hour, zone="Asia/Shanghai")
    assert due_at(schedule, WEEK) == due


def test_an_hour_that_the_clocks_skip_is_the_one_after_it() -> None:
    """Fault 11."""
    # New York, 8 March 2026: 2:00 does not exist
    slot = slot_at_or_after(
        at(2026, 3, 7, 0, NEW_YORK), Schedule(weekday=6, hour=2, zone=NEW_YORK.key)
    )
    assert slot == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert slot.astimezone(NEW_YORK).hour == 3


def test_an_hour_that_the_clocks_repeat_is_its_first() -> None:
    """Fault 11."""
    # New York, 1 November 2026: 1:00 comes at 5:00 and at 6:00 UTC
    first, second = datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)
    schedule = Schedule(weekday=6, hour=1, zone=NEW_YORK.key)
    assert slot_at_or_after(first - timedelta(hours=9), schedule) == first
    # asked in between, the repeated hour is over: it is next week's
    assert slot_at_or_after(second, schedule) > second + timedelta(days=6)


ZONES = [
    "Asia/Shanghai",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
]


@given(
    weekday=st.integers(0, 6),
    hour=st.integers(0, 23),
    zone=st.sampled_from(ZONES),
    monday=st.integers(0, 300).map(lambda n: date(2024, 1, 1) + timedelta(weeks=n)),
)
def test_consecutive_weeks_are_due_in_order_each_within_eight_days_of_settling(
    weekday: int, hour: int, zone: str, monday: date
) -> None:
    schedule = Schedule(weekday=weekday, hour=hour, zone=zone)
    this, following = (
        Window(monday + timedelta(weeks=n), monday + timedelta(weeks=n + 1)) for n in (0, 1)
    )
    due = due_at(schedule, this)
    assert due <= due_at(schedule, following)
    assert timedelta(0) <= due - settles_at(this) <= timedelta(days=7, hours=1)
    local = due.astimezone(ZoneInfo(zone))
    assert local.weekday() == weekday
    assert local.hour - hour in (0, 1)  # 1 where the hour is skipped


def test_what_is_due_next_is_told_and_nothing_while_paused(cast: Cast) -> None:
    schedule = made(cast)
    assert next_due(schedule, at(2026, 1, 14, 8)) == (at(2026, 1, 14, 9), WEEK)
    following = Window(WEEK.until, WEEK.until + timedelta(days=7))
    assert next_due(schedule, at(2026, 1, 14, 9)) == (at(2026, 1, 21, 9), following)
    schedules.pause(membership=cast.alice, schedule_id=schedule.pk)
    assert next_due(Schedule.objects.get(), at(2026, 1, 14, 8)) is None


# --- making runs -----------------------------------------------------------------------------


def test_a_run_is_made_once_with_a_bundle_for_each_recipient(cast: Cast) -> None:
    made(cast)
    assert make_runs(at(2026, 1, 14, 8)) == 1  # the week before, due on the 7th
    Run.objects.all().delete()
    Schedule.objects.update(active_from=at(2026, 1, 8))
    assert make_runs(at(2026, 1, 14, 8)) == 0
    assert make_runs(at(2026, 1, 14, 9)) == 1
    assert make_runs(at(2026, 1, 14, 9)) == 0
    run = Run.objects.get()
    assert (run.from_day, run.until, run.late) == (WEEK.since, WEEK.until, False)
    assert set(run.bundles.values_list("recipient", "from_day", "until", "language")) == {
        (member.pk, WEEK.since, WEEK.until, "en") for member in (cast.alice, cast.victor)
    }


@pytest.mark.usefixtures("rendered")
def test_a_viewer_receives_a_bundle_and_one_mail_is_queued_for_each(
    cast: Cast, storage: object
) -> None:
    made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    make_runs(at(2026, 1, 14, 9))
    for bundle in Bundle.objects.all():
        assert build(bundle.pk)
    assert sorted(Delivery.objects.values_list("address", flat=True)) == [
        "alice@example.com",
        "victor@example.com",
    ]


def test_a_beat_that_stood_still_is_made_good_and_marked_late(cast: Cast) -> None:
    """Fault 10."""
    made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    assert make_runs(at(2026, 1, 14, 12)) == 1
    assert Run.objects.get().late
    assert make_runs(at(2026, 1, 28, 12)) == 2  # the weeks due on the 21st and the 28th
    assert list(Run.objects.order_by("from_day").values_list("from_day", flat=True)) == [
        date(2026, 1, 5),
        date(2026, 1, 12),
        date(2026, 1, 19),
    ]


def test_each_week_of_a_year_is_reported_once_over_both_changes_of_the_clock(cast: Cast) -> None:
    # noon on Tuesday in New York is Wednesday 1:00 or 0:00 in Shanghai: the slot straddles
    # the moment at which the week settles
    for hour in (11, 12):
        made(cast, weekday=1, hour=hour, zone="America/New_York", recipients=[cast.alice.pk])
    moment, end = at(2026, 1, 13), at(2027, 1, 20)
    while moment < end:
        make_runs(moment)
        moment += timedelta(hours=36)  # at noon and at midnight in turn
    for schedule in Schedule.objects.all():
        reported = sorted(schedule.runs.values_list("from_day", flat=True))
        steps = {b - a for a, b in pairwise(reported)}
        assert steps == {timedelta(days=7)}
        assert reported[-1] >= date(2026, 12, 28)


def test_changing_the_slot_does_not_report_a_week_twice(cast: Cast) -> None:
    schedule = made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    assert make_runs(at(2026, 1, 14, 9)) == 1
    schedules.edit(membership=cast.alice, schedule_id=schedule.pk, **values(cast, weekday=4))
    assert make_runs(at(2026, 1, 16, 9)) == 0
    schedules.edit(
        membership=cast.alice, schedule_id=schedule.pk, **values(cast, zone="America/New_York")
    )
    assert make_runs(at(2026, 1, 17, 9)) == 0
    assert make_runs(at(2026, 1, 22, 9)) == 1


@pytest.mark.parametrize(
    ("began", "was", "becomes", "made_after"),
    [
        (10, 12, 9, True),  # its first report was still to come at noon
        (10, 12, 15, True),
        (10, 9, 8, False),  # it began after the slot of this week, which it never promised
        (8, 9, 8, True),  # told at nine, before the edit: once all the same
    ],
)
def test_moving_the_slot_of_the_day_loses_no_week_and_brings_none_twice(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    began: int,
    was: int,
    becomes: int,
    made_after: bool,
) -> None:
    schedule = made(cast, hour=was)
    Schedule.objects.update(active_from=at(2026, 1, 14, began))
    make_runs(at(2026, 1, 14, 11))
    monkeypatch.setattr(schedules, "database_now", lambda: at(2026, 1, 14, 11))
    for _ in range(2):  # saved once more, nothing changes
        schedules.edit(membership=cast.alice, schedule_id=schedule.pk, **values(cast, hour=becomes))
        for hour in (11, 12, 23):
            make_runs(at(2026, 1, 14, hour))
        assert Run.objects.filter(period="week:2026-01-05").count() == made_after
        assert Run.objects.count() == made_after
    make_runs(at(2026, 1, 21, 23))
    assert Run.objects.count() == made_after + 1


def test_a_pause_is_not_made_good(cast: Cast) -> None:
    schedule = made(cast)
    schedules.pause(membership=cast.alice, schedule_id=schedule.pk)
    assert make_runs(at(2026, 1, 14, 9)) == 0
    schedules.resume(membership=cast.alice, schedule_id=schedule.pk)
    assert make_runs(at(2026, 1, 14, 9)) == 0  # resumed today, due long before


def disable_owner(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.user_id).update(is_active=False)


def demote_owner(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.alice.pk).update(role="viewer")


def remove_owner(cast: Cast) -> None:
    cast.alice.delete()


@pytest.mark.parametrize("end", [disable_owner, demote_owner, remove_owner, suspend])
def test_a_schedule_dies_with_its_owners_right(cast: Cast, end: Any) -> None:
    made(cast)
    end(cast)
    assert make_runs(at(2026, 1, 14, 9)) == 0


def test_a_member_disabled_since_gets_nothing(cast: Cast) -> None:
    made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    User.objects.filter(pk=cast.victor.user_id).update(is_active=False)
    make_runs(at(2026, 1, 14, 9))
    assert list(Bundle.objects.values_list("recipient", flat=True)) == [cast.alice.pk]


@pytest.mark.usefixtures("rendered")
def test_each_recipient_gets_what_they_may_see_or_nothing(cast: Cast, storage: object) -> None:
    Membership.objects.filter(pk=cast.victor.pk).update(limit_titles=[])
    made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    make_runs(at(2026, 1, 14, 9))
    for bundle in Bundle.objects.all():
        build(bundle.pk)
    assert set(Bundle.objects.values_list("recipient", "state", "failure")) == {
        (cast.alice.pk, "done", ""),
        (cast.victor.pk, "failed", "refused"),
    }


@pytest.mark.django_db(transaction=True)
def test_many_beats_at_once_make_one_run() -> None:
    """Fault 10."""
    cast = make_cast()
    made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    start, counts = threading.Barrier(6), []

    def beat() -> None:
        start.wait()
        counts.append(make_runs(at(2026, 1, 14, 9)))
        connection.close()

    beats = [threading.Thread(target=beat) for _ in range(6)]
    for thread in beats:
        thread.start()
    for thread in beats:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 0, 0, 1]
    assert Run.objects.count() == 1
    assert Bundle.objects.count() == 2


# --- setting up ------------------------------------------------------------------------------


def test_a_member_sets_up_a_schedule_in_the_partners_own_role(cast: Cast) -> None:
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        schedule = schedules.create(
            membership=cast.amy, **values(cast, titles=[cast.film.pk], name=" Weekly  numbers ")
        )
        schedules.edit(membership=cast.amy, schedule_id=schedule.pk, **values(cast, hour=7))
        schedules.pause(membership=cast.amy, schedule_id=schedule.pk)
        schedules.resume(membership=cast.amy, schedule_id=schedule.pk)
        assert list(schedules.schedules_of(cast.amy)) == [schedule]
        schedules.delete(membership=cast.amy, schedule_id=schedule.pk)
    assert not Schedule.objects.exists()
    actions = AuditEvent.objects.filter(target=str(schedule.pk)).order_by("id")
    assert [event.action for event in actions] == [
        "schedule.made",
        "schedule.changed",
        "schedule.paused",
        "schedule.resumed",
        "schedule.deleted",
    ]


def test_a_viewer_has_no_schedules(cast: Cast) -> None:
    with pytest.raises(Refused):
        schedules.create(membership=cast.victor, **values(cast))
    assert list(schedules.schedules_of(cast.victor)) == []


def test_an_analyst_changes_own_schedules_and_an_owner_all(cast: Cast) -> None:
    of_alice, of_amy = made(cast), made(cast, cast.amy)
    assert set(schedules.schedules_of(cast.alice)) == {of_alice, of_amy}
    assert list(schedules.schedules_of(cast.amy)) == [of_amy]
    with pytest.raises(Refused):
        schedules.pause(membership=cast.amy, schedule_id=of_alice.pk)
    schedules.pause(membership=cast.alice, schedule_id=of_amy.pk)


@pytest.mark.parametrize("act", ["edit", "pause", "resume", "delete"])
def test_a_foreign_schedule_is_refused_as_one_that_does_not_exist(cast: Cast, act: str) -> None:
    schedule = made(cast)
    more = values(cast, recipients=[cast.bob.pk]) if act == "edit" else {}
    for wanted in (schedule.pk, uuid4()):
        with pytest.raises(Refused):
            getattr(schedules, act)(membership=cast.bob, schedule_id=wanted, **more)
    assert Schedule.objects.get() == schedule


def test_a_title_outside_the_members_scope_is_refused_on_making_and_on_changing(
    cast: Cast,
) -> None:
    schedule = made(cast)
    for title in (cast.hidden.pk, cast.foreign.pk, 10**9):
        with pytest.raises(Refused):
            schedules.create(membership=cast.alice, **values(cast, titles=[title]))
        with pytest.raises(Refused):
            schedules.edit(
                membership=cast.alice,
                schedule_id=schedule.pk,
                **values(cast, titles=[cast.film.pk, title]),
            )
    assert Schedule.objects.get().titles is None


def test_recipients_are_members_of_the_partner_each_once(cast: Cast) -> None:
    schedule = made(cast, recipients=[cast.amy.pk, cast.amy.pk])
    assert list(schedule.recipients.all()) == [cast.amy]
    for wrong in ([], [cast.bob.pk], [cast.amy.pk, cast.bob.pk], [uuid4()], _many()):
        with pytest.raises(NotValid) as refusal:
            schedules.edit(
                membership=cast.alice, schedule_id=schedule.pk, **values(cast, recipients=wrong)
            )
        assert refusal.value.field == "recipients"
    assert list(schedule.recipients.all()) == [cast.amy]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("name", "x" * 121),
        ("weekday", 7),
        ("hour", 24),
        ("zone", "Mars/Olympus"),
        ("zone", "../etc/passwd"),
        ("language", "fr"),
        ("titles", []),
    ],
)
def test_a_field_that_cannot_be_is_named(cast: Cast, field: str, value: object) -> None:
    with pytest.raises(NotValid) as refusal:
        schedules.create(membership=cast.alice, **values(cast, **{field: value}))
    assert refusal.value.field == field


def test_deleting_a_schedule_keeps_the_bundles_it_made(cast: Cast) -> None:
    schedule = made(cast)
    Schedule.objects.update(active_from=at(2026, 1, 8))
    make_runs(at(2026, 1, 14, 9))
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        schedules.delete(membership=cast.alice, schedule_id=schedule.pk)
    assert Bundle.objects.filter(run__isnull=True).count() == 2


def test_a_grant_revoked_since_stops_the_scheduled_title(cast: Cast, storage: object) -> None:
    made(cast, titles=[cast.film.pk], recipients=[cast.alice.pk])
    Schedule.objects.update(active_from=at(2026, 1, 8))
    grants.revoke(cast.grants["film"], by=cast.sam)
    make_runs(at(2026, 1, 14, 9))
    bundle = Bundle.objects.get()
    assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "refused")


def _many() -> list[UUID]:
    return [uuid4() for _ in range(51)]
