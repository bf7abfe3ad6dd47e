"""Runs that are killed, and runs at once: readers keep whole units, and what is left is ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import models

from engagement.models import (
    DanmuComment,
    DanmuFact,
    DemographicsFact,
    DiscussionFact,
    DiscussionPost,
    FanbaseFact,
    FanSet,
    FanSetVersion,
    GeographyFact,
    NoisedTable,
    Release,
    Restatement,
    SharingFact,
    SharingOffset,
    Source,
    Title,
    TypicalFact,
)
from partners.models import Holding, Partner
from tests.engagement import apart
from tests.engagement.one_film import (
    DANMU,
    DAY,
    TITLES,
    comment,
    land,
    noon,
    segment,
    watched,
)
from tests.engagement.test_ingest_talk import POSTS, SHARES, post, share

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WEEK = timedelta(days=7)
BOOK = "book,film,书,Book,100,2024-09-01,,,剧情,,\n"
FILM = TITLES + "film,film,影片,Film,100,2024-09-01,,,剧情|喜剧,张三,\n" + BOOK

TABLES: dict[str, tuple[type[models.Model], ...]] = {
    "danmu": (DanmuFact, DanmuComment),
    "discussion": (DiscussionFact, DiscussionPost),
    "shares": (SharingFact, SharingOffset),
    "demographics": (DemographicsFact,),
    "geography": (GeographyFact,),
    "fanbases": (FanbaseFact,),
    "typical": (TypicalFact,),
}
WRITTEN = ("danmu", "discussion", "shares")
DRAWN = ("demographics", "geography", "fanbases")


@pytest.fixture
def folder(tmp_path: Path, transactional_db: None) -> Path:
    """The film and the book of one partner, its fans' set, and what was published of them."""
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM)
    ingest(landing)
    partner = Partner.objects.create(slug="aurora", name_zh="极光")
    for title in Title.objects.all():
        Holding.objects.create(partner=partner, title=title, territories=["CN"])
    fans = FanSet.objects.create(slug="readers", name_zh="书迷", name_en="Readers")
    version = FanSetVersion.objects.create(
        fan_set=fans, version=1, from_day=DAY, rule="finished", defined_by="dora"
    )
    version.titles.set(Title.objects.filter(key="book"))
    readers = [segment(f"b{n}", f"v{n}", noon(), title="book") for n in range(60)]
    land(landing, "segments.csv", watched(150) + readers)
    write(landing, 1)
    ingest(landing)
    return landing


def write(folder: Path, upto: int, first: int = 0, name: str = "") -> None:
    """So many danmu, posts and shares; each share brought 60 new viewers."""
    numbers = range(first, upto)
    land(folder, f"danmu{name}.csv", [comment(f"哈哈{n}", f"u{n}") for n in numbers], DANMU)
    land(folder, f"discussion{name}.csv", [post(f"p{n}", f"好{n}", "a") for n in numbers], POSTS)
    land(folder, f"shares{name}.csv", [share(f"s{n}", 60) for n in numbers], SHARES)


def more(folder: Path) -> None:
    """What makes every family anew: more of everything, also in the next week."""
    land(folder, "segments.2.csv", watched(300, first=150) + watched(200, DAY + WEEK))
    write(folder, 3)


def ingest(folder: Path) -> int:
    """How many Releases the command made."""
    before = Release.objects.count()
    call_command("ingest", str(folder), verbosity=0)
    return Release.objects.count() - before


def rows(kind: str) -> list[dict[str, Any]]:
    """The facts of a kind as they are stored, with the Release that each is of."""
    return [row for model in TABLES[kind] for row in model._default_manager.order_by("pk").values()]


def states(kind: str) -> list[str]:
    return sorted(Release.objects.filter(kind=kind).values_list("state", flat=True))


def totals() -> dict[str, dict[date, tuple[int, ...]]]:
    """What is counted of what they wrote and shared, over all territories."""
    return {
        "danmu": {f.from_day: (f.comments,) for f in DanmuFact.objects.filter(territory="*")},
        "discussion": {
            f.from_day: (f.posts,) for f in DiscussionFact.objects.filter(territory="*")
        },
        "shares": {
            f.from_day: (f.shares, f.visits, f.new_viewers or 0)
            for f in SharingFact.objects.filter(territory="*")
        },
    }


def written(count: int) -> dict[str, dict[date, tuple[int, ...]]]:
    """The totals of so many of each."""
    return {
        "danmu": {DAY: (count,)},
        "discussion": {DAY: (count,)},
        "shares": {DAY: (count, 61 * count, 60 * count)},
    }


def draws(family: str) -> list[tuple[date, int]]:
    """The first day and number of each draw of the film."""
    drawn = NoisedTable.objects.filter(title__key="film", family=family, fan_set=None)
    return sorted(drawn.values_list("from_day", "draw"))


def assert_ended(capsys: Any) -> None:
    """No Release is left under way, and everything is as its Sources are."""
    assert not Release.objects.filter(state="started").exists()
    capsys.readouterr()
    with suppress(SystemExit):
        call_command("check_freshness", verbosity=0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("kind", "at"),
    [*((kind, "swapped") for kind in TABLES), ("danmu", "begun"), ("demographics", "begun")],
)
def test_a_run_killed_before_its_unit_is_done_changes_nothing_and_the_next_ends_it(
    folder: Path, tmp_path: Path, capsys: Any, kind: str, at: str
) -> None:
    before, drawn = rows(kind), draws(kind)
    assert before
    more(folder)
    apart.killed(tmp_path, "ingest", folder, at=at, kind=kind)
    assert rows(kind) == before
    assert draws(kind) == drawn
    weeks_a_swap = 2 if kind in ("demographics", "geography") else 1
    assert states(kind).count("started") == weeks_a_swap
    ingest(folder)
    assert rows(kind) != before
    assert totals() == written(3)
    monday = DAY + WEEK
    for family in DRAWN:
        assert draws(family) == [(DAY, 1), (DAY, 2), (monday, 1)], "drawn once by the end"
    assert_ended(capsys)
    assert ingest(folder) == 0


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_killed_run_whose_file_is_put_back_is_ended_too(
    folder: Path, tmp_path: Path, capsys: Any, kind: str
) -> None:
    before = rows(kind)
    write(folder, 2)
    apart.killed(tmp_path, "ingest", folder, at="begun", kind=kind)
    write(folder, 1)
    ingest(folder)
    changed = WRITTEN[: WRITTEN.index(kind)]  # these the killed run had published
    assert rows(kind) == before
    assert totals() == written(1)
    for other in WRITTEN:
        left = ["done", "superseded"] + ["superseded"] * (other in changed)
        assert states(other) == (left if other == kind or other in changed else ["done"])
    assert_ended(capsys)


@pytest.mark.parametrize("kind", WRITTEN)
def test_two_ingests_at_once_of_one_title_count_each_row_once(
    folder: Path, tmp_path: Path, capsys: Any, kind: str
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for landing, first, upto, name in ((one, 0, 4, ".one"), (two, 2, 6, ".two")):
        landing.mkdir()
        write(landing, upto, first, name)
    first_run = apart.start(tmp_path, "ingest", one, at="begun", kind=kind, do="wait")
    first_run.wait_until_there()
    ingest(two)
    first_run.goes_on()
    assert first_run.ends() == 0
    assert totals() == written(6)
    assert DanmuComment.objects.count() == DiscussionPost.objects.count() == 6
    assert_ended(capsys)
    assert ingest(one) == ingest(two) == 0


def test_two_ingests_at_once_that_wait_for_each_other_swap_whole_units(
    folder: Path, tmp_path: Path, capsys: Any
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for landing, first, upto, name in ((one, 0, 4, ".one"), (two, 2, 6, ".two")):
        landing.mkdir()
        write(landing, upto, first, name)
    first_run = apart.start(tmp_path, "ingest", one, at="swapped", kind="shares", do="wait")
    first_run.wait_until_there()
    second_run = apart.start(tmp_path, "ingest", two)
    apart.wait_for_lock()
    assert totals()["shares"] == written(1)["shares"], "readers have the old unit meanwhile"
    first_run.goes_on()
    assert (first_run.ends(), second_run.ends()) == (0, 0)
    assert totals() == written(6)
    assert_ended(capsys)


@pytest.mark.parametrize("kind", ["demographics", "fanbases", "typical"])
def test_two_ingests_at_once_draw_a_week_once(
    folder: Path, tmp_path: Path, capsys: Any, kind: str
) -> None:
    more(folder)
    first_run = apart.start(tmp_path, "ingest", folder, at="begun", kind=kind, do="wait")
    first_run.wait_until_there()
    ingest(folder)
    kept = rows(kind)
    first_run.goes_on()
    assert first_run.ends() == 0
    assert rows(kind) == kept, "the second to come takes nothing back"
    for family in DRAWN:
        assert draws(family) == [(DAY, 1), (DAY, 2), (DAY + WEEK, 1)]
    assert_ended(capsys)


def test_of_two_weeks_in_a_swap_the_one_that_another_run_drew_is_left_as_it_is(
    tmp_path: Path, transactional_db: None, capsys: Any
) -> None:
    landing, other = tmp_path / "landing", tmp_path / "other"
    for each in (landing, other):
        each.mkdir()
    (landing / "titles.csv").write_text(FILM)
    land(landing, "segments.csv", watched(150))
    land(other, "segments.2.csv", watched(150, DAY + WEEK))
    both = {"at": "begun", "kind": "demographics", "do": "wait"}
    first_run = apart.start(tmp_path, "ingest", landing, **both)
    first_run.wait_until_there()  # with the first week
    second_run = apart.start(tmp_path, "ingest", other, **both)
    second_run.wait_until_there()  # with the first week and the second
    first_run.goes_on()
    assert first_run.ends() == 0
    kept = rows("demographics")
    second_run.goes_on()
    assert second_run.ends() == 0
    assert kept
    assert rows("demographics")[: len(kept)] == kept
    for model in (DemographicsFact, GeographyFact):
        assert set(model.objects.values_list("from_day", flat=True)) == {DAY, DAY + WEEK}
    for family in DRAWN[:2]:
        assert draws(family) == [(DAY, 1), (DAY + WEEK, 1)]
        assert states(family) == ["done", "done", "superseded"]
    assert_ended(capsys)


def test_two_ingests_at_once_publish_no_weeks_that_overlap(
    tmp_path: Path, transactional_db: None, capsys: Any
) -> None:
    landing, other = tmp_path / "landing", tmp_path / "other"
    for each in (landing, other):
        each.mkdir()
    (landing / "titles.csv").write_text(FILM)
    monday = DAY + WEEK
    # sixty and sixty: the two weeks wait for each other
    land(landing, "segments.csv", watched(60) + watched(60, monday, first=60))
    first_run = apart.start(tmp_path, "ingest", landing, at="begun", kind="demographics", do="wait")
    first_run.wait_until_there()
    land(other, "segments.2.csv", watched(300, first=200))
    ingest(other)  # the first week has enough by itself now
    first_run.goes_on()
    assert first_run.ends() == 0
    for model in (DemographicsFact, GeographyFact):
        assert set(model.objects.values_list("from_day", "until")) == {(DAY, monday)}
    assert_ended(capsys)


def test_the_same_rows_again_make_no_new_release(folder: Path) -> None:
    assert ingest(folder) == 0
    write(folder, 1, name=".again")
    before = {kind: rows(kind) for kind in TABLES}
    assert ingest(folder) == 0
    assert {kind: rows(kind) for kind in TABLES} == before
    live = Source.objects.filter(kind__in=WRITTEN, state="live")
    assert live.count() == 6
    for release in Release.objects.filter(kind__in=WRITTEN):
        assert set(release.sources.all()) == set(live.filter(kind=release.kind))
    assert not Restatement.objects.exists()
