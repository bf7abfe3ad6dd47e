"""Across episodes: who carried on, and a series as a title of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from engagement import query
from engagement.models import ClosedMonth, Release, Title, ViewerSketch, ViewingFact
from engagement.pipeline import series
from engagement.pipeline.episodes import episodes
from engagement.scope import Entitled, Query, Scope, Window
from partners.access import scope_for
from partners.models import Holding
from tests.cast import Cast
from tests.engagement.one_film import DAY, NEXT, SEGMENTS, TITLES, ingest, land, noon, segment

SERIES = TITLES + (
    "show,series,剧,Show,0,2024-09-01,,,,,\n"
    "show-10,episode,第十集,Ten,100,2024-09-01,show,,,,\n"
    "show-9,episode,第九集,Nine,100,2024-09-01,show,,,,\n"
    "show-8,episode,第八集,Eight,100,2024-09-01,show,,,,\n"
)


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(SERIES)
    return landing


def plays(
    episode: int, viewers: range, day: object = DAY, territory: str = "CN", to_s: int = 100
) -> list[str]:
    return [
        segment(f"{episode}-{n}-{day}", f"v{n}", noon(day), 0, to_s, territory, f"show-{episode}")
        for n in viewers
    ]


def carried_on(key: str, territory: str = "*") -> dict[object, int | None]:
    return dict(
        ViewingFact.objects.filter(title__key=key, device="*", territory=territory).values_list(
            "from_day", "carried_on"
        )
    )


def test_episodes_of_one_release_day_are_in_the_order_of_their_numbers(folder: Path) -> None:
    ingest(folder)
    order = episodes(Title.objects.get(key="show"))
    assert [t.key for t in order] == ["show-8", "show-9", "show-10"]


def test_viewers_of_the_episode_before_carry_on_that_day_or_later(folder: Path) -> None:
    rows = plays(8, range(0, 10)) + plays(9, range(5, 20)) + plays(9, range(0, 3), NEXT)
    rows += plays(8, range(19, 20), NEXT)  # saw the ninth a day before the eighth: not counted
    rows += plays(10, range(5, 8), NEXT, "SG")
    land(folder, "segments.csv", rows, SEGMENTS)
    ingest(folder)
    assert carried_on("show-8") == {DAY: None, NEXT: None}
    assert carried_on("show-9") == {DAY: 5, NEXT: 3}
    assert carried_on("show-10") == {NEXT: 3}
    assert carried_on("show-10", "SG") == {NEXT: 3}


def test_late_rows_of_the_episode_before_change_later_days(folder: Path) -> None:
    land(folder, "segments.csv", plays(9, range(20), NEXT) + plays(8, range(2)), SEGMENTS)
    ingest(folder)
    assert carried_on("show-9") == {NEXT: 2}
    land(folder, "segments.late.csv", plays(8, range(10, 16)), SEGMENTS)
    ingest(folder)
    assert carried_on("show-9") == {NEXT: 8}
    ingest(withdraw=["segments.late.csv"])
    assert carried_on("show-9") == {NEXT: 2}


def test_a_series_sums_its_episodes_and_counts_its_viewers_once(folder: Path) -> None:
    rows = plays(8, range(60)) + plays(9, range(30, 90)) + plays(10, range(80, 100), to_s=50)
    rows += plays(10, range(70, 74)) + plays(10, range(5), NEXT, "SG")
    land(folder, "segments.csv", rows, SEGMENTS)
    ingest(folder)
    facts = ViewingFact.objects.filter(title__key="show")
    assert {
        (f.from_day, f.territory): (f.plays, f.viewers, f.watch_seconds, f.completions, f.finishers)
        for f in facts
    } == {
        (DAY, "*"): (144, 100, 13_400, 124, 4),
        (DAY, "CN"): (144, 100, 13_400, 124, 4),
        (NEXT, "*"): (5, 5, 500, 5, 5),
        (NEXT, "SG"): (5, 5, 500, 5, 5),
    }
    keys = {t.pk: t.key for t in Title.objects.all()}
    [whole] = facts.filter(from_day=DAY, territory="*")
    assert sorted(keys[pk] for pk in whole.counted) == ["show-10", "show-8", "show-9"]
    assert {
        (s.territory, s.from_day, s.until) for s in ViewerSketch.objects.filter(title__key="show")
    } == {("*", DAY, NEXT), ("CN", DAY, NEXT)}  # the second day waits
    assert ingest(folder).releases == 0


def test_a_series_follows_its_episodes(folder: Path) -> None:
    land(folder, "segments.csv", plays(8, range(60)), SEGMENTS)
    ingest(folder)
    land(folder, "segments.2.csv", plays(9, range(40, 70)), SEGMENTS)
    ingest(folder)
    [whole] = ViewingFact.objects.filter(title__key="show", territory="*")
    assert (whole.plays, whole.viewers) == (90, 70)
    ingest(withdraw=["segments.csv", "segments.2.csv"])
    assert not ViewingFact.objects.filter(title__key="show").exists()
    assert not ViewerSketch.objects.filter(title__key="show").exists()
    done = Release.objects.filter(title__key="show", state="done")
    assert [r.rows for r in done] == [0]


def test_finishers_are_those_of_the_last_published_episode(folder: Path) -> None:
    land(folder, "segments.csv", plays(8, range(30)) + plays(9, range(20), to_s=100), SEGMENTS)
    ingest(folder)
    [whole] = ViewingFact.objects.filter(title__key="show", territory="*")
    assert whole.finishers == 20  # the tenth is in the catalogue and has not been shown
    land(folder, "segments.2.csv", plays(10, range(5), NEXT), SEGMENTS)
    ingest(folder)
    finishers = ViewingFact.objects.filter(title__key="show", territory="*").values_list(
        "from_day", "finishers"
    )
    assert dict(finishers) == {DAY: 0, NEXT: 5}
    assert ingest(folder).releases == 0


def test_another_order_of_the_episodes_counts_again_who_carried_on(folder: Path) -> None:
    rows = plays(8, range(10)) + plays(9, range(5, 20)) + plays(10, range(3))
    land(folder, "segments.csv", rows, SEGMENTS)
    ingest(folder)
    assert (carried_on("show-9"), carried_on("show-10")) == ({DAY: 5}, {DAY: 0})
    ninth_first = SERIES.replace("Nine,100,2024-09-01", "Nine,100,2024-08-01")
    (folder / "titles.csv").write_text(ninth_first)
    ingest(folder)
    assert carried_on("show-9") == {DAY: None}  # nothing stands before it now
    assert carried_on("show-8") == {DAY: 5}
    assert carried_on("show-10") == {DAY: 3}
    assert ingest(folder).releases == 0


def test_a_closed_month_keeps_what_it_was_settled_with(folder: Path) -> None:
    land(folder, "segments.csv", plays(8, range(60)) + plays(9, range(50, 90)), SEGMENTS)
    ingest(folder)
    ClosedMonth.objects.create(month=DAY.replace(day=1), closed_by="stella")

    def told() -> tuple[object, ...]:
        facts = ViewingFact.objects.filter(title__key="show").order_by("territory")
        numbers = facts.values_list("territory", "plays", "viewers", "finishers")
        return list(numbers), carried_on("show-8"), carried_on("show-9")

    before = told()
    assert before[1:] == ({DAY: None}, {DAY: 10})
    late = plays(8, range(60, 80)) + plays(10, range(30))
    land(folder, "segments.late.csv", late, SEGMENTS)
    ninth_first = SERIES.replace("Nine,100,2024-09-01", "Nine,100,2024-08-01")
    (folder / "titles.csv").write_text(ninth_first)
    ingest(folder)
    assert told() == before
    assert ingest(folder).releases == 0


def test_a_month_that_is_closed_just_before_the_lock_keeps_who_carried_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(folder, "segments.csv", plays(8, range(60)) + plays(9, range(50, 90)), SEGMENTS)
    ingest(folder)
    ViewingFact.objects.filter(title__key="show-8").update(carried_on=7)
    ViewingFact.objects.filter(title__key="show-9").update(carried_on=None)
    locked = series.locked

    def closed_before(*titles: Title) -> AbstractContextManager[None]:
        ClosedMonth.objects.get_or_create(month=DAY.replace(day=1), closed_by="stella")
        return locked(*titles)

    with monkeypatch.context() as patched:
        patched.setattr(series, "locked", closed_before)
        assert series.count_carried_on(Title.objects.get(key="show")) == 0
    assert (carried_on("show-8"), carried_on("show-9")) == ({DAY: 7}, {DAY: None})
    ClosedMonth.objects.all().delete()
    assert series.count_carried_on(Title.objects.get(key="show")) == 1
    assert (carried_on("show-8"), carried_on("show-9")) == ({DAY: None}, {DAY: 10})


def test_rows_that_name_a_series_are_rejected_with_a_word_on_why(folder: Path) -> None:
    rows = [*plays(8, range(60)), segment("x", "v", noon(), title="show")]
    land(folder, "segments.csv", rows, SEGMENTS)
    assert ingest(folder).rejected == {"unknown_title": 1}


# --- both walls ----------------------------------------------------------------------------------


@pytest.fixture
def show(folder: Path, request: pytest.FixtureRequest) -> Title:
    """Aurora holds the series and its eighth and ninth episode; the tenth is Borealis'.

    The cast comes after the ingest, which would look for the Sources of the cast's facts.
    """
    rows = plays(8, range(60)) + plays(9, range(30, 90), NEXT) + plays(10, range(20), NEXT)
    land(folder, "segments.csv", rows, SEGMENTS)
    ingest(folder)
    cast: Cast = request.getfixturevalue("cast")
    titles = {t.key: t for t in Title.objects.filter(key__startswith="show")}
    for key, partner in (
        ("show", cast.aurora), ("show-8", cast.aurora), ("show-9", cast.aurora),
        ("show-10", cast.borealis),
    ):  # fmt: skip
        Holding.objects.create(partner=partner, title=titles[key], territories=["*"])
    cast.grant(cast.aurora, titles["show"])
    return titles["show"]


WINDOW = Window(DAY, DAY + timedelta(days=7))


def days(show: Title, scope: Scope) -> list[object]:
    result = query.run(Query(show.pk, "viewing", WINDOW), scope)
    return [r["from"] for r in result.rows() if r["until"] == r["from"] + timedelta(days=1)]


def test_a_series_day_is_read_where_every_counted_episode_is_granted(
    show: Title, cast: Cast
) -> None:
    assert days(show, scope_for(cast.alice, "web")) == [DAY]
    Holding.objects.create(
        partner=cast.aurora, title=Title.objects.get(key="show-10"), territories=["*"]
    )
    cast.grant(cast.aurora, Title.objects.get(key="show-10"))
    assert days(show, scope_for(cast.alice, "web")) == [DAY, NEXT]


def test_an_episode_granted_for_other_families_or_days_covers_nothing(
    show: Title, cast: Cast
) -> None:
    tenth = Title.objects.get(key="show-10")
    cast.grant(cast.aurora, tenth, families=["retention"])
    cast.grant(cast.aurora, tenth, data_until=NEXT)
    cast.grant(cast.aurora, tenth, territories=["SG"])
    assert days(show, scope_for(cast.alice, "web")) == [DAY]


def test_python_alone_keeps_a_series_day_with_a_foreign_episode(show: Title, cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE VIEW wall_viewing AS SELECT * FROM engagement_viewingfact"
        )
    assert days(show, scope_for(cast.alice, "web")) == [DAY]


def test_postgres_alone_keeps_a_series_day_with_a_foreign_episode(show: Title, cast: Cast) -> None:
    everything = frozenset({"viewing"})
    forged = Scope(
        cast.aurora.pk,
        "web",
        tuple(
            Entitled(cast.grants["film"].pk, t.pk, everything, frozenset({"*"}))
            for t in Title.objects.filter(key__startswith="show")
        ),
    )
    assert days(show, forged) == [DAY]
