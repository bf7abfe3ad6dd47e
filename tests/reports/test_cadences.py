"""When a report is due: each day, week or month once, whatever clocks and members do (fault 11)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.scope import Window
from reports.cadence import due_at, next_dues, period_after, period_before, settles_at
from reports.models import Run, Schedule
from reports.runs import make_runs
from tests.cast import Cast

STEP = timedelta(minutes=15)  # every zone's offset is a multiple of it
ZONES = [
    "Asia/Shanghai",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/Santiago",  # midnight itself is skipped
    "Antarctica/Troll",  # two hours
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Niue",
]
CALENDARS = ["daily", "weekly", "monthly"]
SLOTS = {
    "cadence": st.sampled_from(CALENDARS),
    "weekday": st.integers(0, 6),
    "monthday": st.integers(1, 31),
    "hour": st.integers(0, 23),
    "zone": st.sampled_from(ZONES),
}
DAYS = st.integers(0, 2200).map(lambda n: date(2023, 12, 1) + timedelta(days=n))


def is_slot_day(day: date, schedule: Schedule) -> bool:
    if schedule.cadence == "daily":
        return True
    if schedule.cadence == "weekly":
        return day.weekday() == schedule.weekday
    days_of_month = [d for d in range(1, 32) if (day.replace(day=1) + timedelta(d - 1)).month
                     == day.month]  # fmt: skip
    return day.day == ([d for d in days_of_month if d <= schedule.monthday])[-1]


def slow_due(schedule: Schedule, moment: datetime) -> datetime:
    """Walks on in quarters of an hour until a clock on the wall there shows the slot."""
    zone = ZoneInfo(schedule.zone)
    wall = time(schedule.hour)
    now = moment.astimezone(UTC)
    before = (now - STEP).astimezone(zone).replace(tzinfo=None)
    while True:
        shown = now.astimezone(zone).replace(tzinfo=None)
        for day in {before.date(), shown.date()}:
            slot = datetime.combine(day, wall)
            if not is_slot_day(day, schedule) or not before < slot <= shown:
                continue
            skipped = slot - before - STEP  # nothing, but where the clocks jump over it
            if not _was_shown_before(slot, now, zone) and now + skipped >= moment:
                return now + skipped
        before, now = shown, now + STEP


def _was_shown_before(slot: datetime, now: datetime, zone: ZoneInfo) -> bool:
    """Whether that clock had shown the slot already, and was put back since."""
    earlier = (now - STEP * n for n in range(1, 13))
    return any(u.astimezone(zone).replace(tzinfo=None) == slot for u in earlier)


@given(day=DAYS, **SLOTS)
def test_fault_11_a_report_is_due_when_a_slow_walk_along_the_clock_says(
    day: date, **slot: object
) -> None:
    schedule = Schedule(**slot)
    window = period_before(schedule.cadence, day).window
    assert due_at(schedule, window) == slow_due(schedule, settles_at(window))


@given(day=DAYS, cadence=st.sampled_from(CALENDARS))
def test_periods_follow_each_other_without_gap_or_overlap(day: date, cadence: str) -> None:
    period = period_before(cadence, day)
    assert period.window.until <= day
    following = period_after(cadence, period.window)
    assert following.window.since == period.window.until
    assert period_before(cadence, following.window.until) == following
    assert following.key != period.key
    # the one before the given day is the last that is whole
    assert following.window.until > day


@pytest.mark.parametrize(
    ("month", "monthday", "due"),
    [
        (date(2026, 1, 1), 31, datetime(2026, 2, 28, 9)),  # February has no 31st: its last
        (date(2024, 1, 1), 31, datetime(2024, 2, 29, 9)),  # a leap day
        (date(2026, 3, 1), 31, datetime(2026, 4, 30, 9)),
        (date(2026, 2, 1), 31, datetime(2026, 3, 31, 9)),
        (date(2025, 12, 1), 3, datetime(2026, 1, 3, 9)),  # over the end of a year
        (date(2025, 12, 1), 2, datetime(2026, 2, 2, 9)),  # the day before it settles
    ],
)
def test_fault_11_a_month_without_the_day_is_due_on_its_last(
    month: date, monthday: int, due: datetime
) -> None:
    schedule = Schedule(cadence="monthly", monthday=monthday, hour=9, zone="Asia/Shanghai")
    window = period_after("monthly", Window(month - timedelta(days=1), month)).window
    assert window.since == month
    assert due_at(schedule, window) == due.replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def test_fault_11_a_year_of_days_and_its_leap_day_are_due_once_each() -> None:
    schedule = Schedule(cadence="daily", hour=2, zone="America/New_York")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    told = next_dues(schedule, 366, start)
    assert len({window.since for _, window in told}) == 366
    assert date(2024, 2, 29) in {window.since for _, window in told}
    assert {(b - a) / timedelta(hours=1) for (a, _), (b, _) in pairwise(told)} == {23.0, 24.0, 25.0}


@pytest.fixture
def active(cast: Cast) -> Schedule:
    schedule = Schedule.objects.create(
        partner=cast.aurora, name="Ours", owner=cast.alice, deadline_hours=0,
        active_from=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    schedule.recipients.set([cast.alice])
    return schedule


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


BEATS = st.lists(st.integers(1, 40), min_size=40, max_size=60)
EDITS = st.dictionaries(
    st.integers(3, 35),
    st.fixed_dictionaries({k: v for k, v in SLOTS.items() if k != "cadence"}),
    max_size=4,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(beats=BEATS, edits=EDITS, slot=st.fixed_dictionaries(SLOTS), start=DAYS)
def test_fault_11_each_period_has_one_run_whenever_beats_come_and_slots_are_edited(
    active: Schedule,
    beats: list[int],
    edits: dict[int, dict[str, object]],
    slot: dict[str, object],
    start: date,
) -> None:
    """Zone, hour and day are edited at random between beats that come at random hours."""
    moment = datetime.combine(start, time(), UTC)
    with undone():
        Schedule.objects.update(**slot, active_from=moment)
        for n, hours in enumerate(beats):
            moment += timedelta(hours=hours)
            if n in edits:
                Schedule.objects.update(**edits[n])
            make_runs(moment)
        schedule = Schedule.objects.get()
        runs = list(Run.objects.order_by("from_day"))
        for one, following in pairwise(runs):
            assert one.until == following.from_day  # none twice, none left out
        if schedule.cadence != "monthly":
            assert runs
        last = period_before(schedule.cadence, runs[-1].until if runs else start)
        following = period_after(schedule.cadence, last.window)
        while settles_at(following.window) <= moment:
            due = due_at(schedule, following.window)
            assert due > moment or due < schedule.active_from
            following = period_after(schedule.cadence, following.window)
