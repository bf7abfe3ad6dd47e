"""Closing a month: once, between swaps, and not over what is published by halves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from engagement.models import ClosedMonth, ViewingFact
from tests.engagement import apart
from tests.engagement.one_film import DAY, NEXT, TITLES, ingest, land, noon, segment

pytestmark = pytest.mark.django_db(transaction=True)

SHOW = TITLES + (
    "show,series,剧,Show,0,2024-09-01,,,,,\n"
    "show-1,episode,第一集,One,100,2024-09-01,show,,,,\n"
    "show-2,episode,第二集,Two,100,2024-09-02,show,,,,\n"
)
CLOSE = ("close_month", "2024-09", "--by")


def episode(number: int, viewers: range, day: date = DAY) -> list[str]:
    return [
        segment(f"{number}-{n}-{day}", f"v{n}", noon(day), title=f"show-{number}") for n in viewers
    ]


@pytest.fixture
def show(tmp_path: Path, transactional_db: None) -> Path:
    landing = tmp_path / "show"
    landing.mkdir()
    (landing / "titles.csv").write_text(SHOW)
    land(landing, "segments.csv", episode(1, range(5)) + episode(2, range(20), NEXT))
    ingest(landing)
    return landing


def carried_on() -> int | None:
    return ViewingFact.objects.get(title__key="show-2", territory="*").carried_on


def series_plays() -> dict[date, int]:
    facts = ViewingFact.objects.filter(title__key="show", territory="*")
    return dict(facts.values_list("from_day", "plays"))


def test_a_month_is_not_closed_over_what_a_killed_run_left_uncounted(
    show: Path, tmp_path: Path
) -> None:
    assert (carried_on(), series_plays()) == (5, {DAY: 5, NEXT: 20})
    land(show, "segments.late.csv", episode(1, range(5, 9)))
    apart.killed(tmp_path, "ingest", show, at="settled")
    assert (carried_on(), series_plays()) == (None, {DAY: 5, NEXT: 20})
    with pytest.raises(CommandError, match=r"not published to the end .*manage\.py ingest"):
        call_command(*CLOSE, "dora@example.com")
    assert not ClosedMonth.objects.exists()
    ingest(show)
    call_command(*CLOSE, "dora@example.com")
    assert (carried_on(), series_plays()) == (9, {DAY: 9, NEXT: 20})
    call_command("check_freshness", verbosity=0)


def test_a_month_is_not_closed_over_a_file_that_landed_and_was_not_published(
    show: Path, tmp_path: Path
) -> None:
    land(show, "segments.late.csv", episode(1, range(5, 9)))
    apart.killed(tmp_path, "ingest", show, at="begun", kind="segments")
    with pytest.raises(CommandError, match=r"to the end \(show-1, 2024-09-02\): run"):
        call_command(*CLOSE, "dora@example.com")


def test_a_month_is_closed_before_a_swap_or_after_it_and_never_in_the_middle(
    show: Path, tmp_path: Path
) -> None:
    land(show, "segments.late.csv", episode(1, range(5, 9)))
    run = apart.start(tmp_path, "ingest", show, at="cut", do="wait")
    run.wait_until_there()
    closing = apart.start(tmp_path, *CLOSE, "dora@example.com")
    apart.wait_for_lock()
    run.goes_on()
    # it is let in when the segments are swapped, and finds that nothing was counted from them
    assert "not published to the end" in closing.said()
    assert run.ends() == 0
    assert (carried_on(), series_plays()) == (9, {DAY: 9, NEXT: 20})
    assert not ClosedMonth.objects.exists()


def test_a_close_that_was_killed_closed_nothing(show: Path, tmp_path: Path) -> None:
    apart.killed(tmp_path, *CLOSE, "dora@example.com", at="closed")
    assert not ClosedMonth.objects.exists()
    call_command(*CLOSE, "stella@example.com")
    assert ClosedMonth.objects.get().closed_by == "stella@example.com"


def test_two_who_close_a_month_at_once_close_it_once(show: Path, tmp_path: Path) -> None:
    first = apart.start(tmp_path, *CLOSE, "dora@example.com", at="closed", do="wait")
    first.wait_until_there()
    second = apart.start(tmp_path, *CLOSE, "stella@example.com")
    apart.wait_for_lock()
    first.goes_on()
    assert (first.ends(), second.ends()) == (0, 0)
    assert ClosedMonth.objects.get().closed_by == "dora@example.com"
