"""After settling: restatements, closed months, and who reads of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from engagement import query
from engagement.models import Adjustment, ClosedMonth, Restatement, Title
from engagement.scope import ALL, Entitled, Scope, Window
from partners.access import scope_for
from tests.cast import Cast
from tests.engagement.one_film import (
    DAY,
    NEXT,
    SEGMENTS,
    TITLES,
    ingest,
    land,
    noon,
    segment,
    viewing,
)


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(TITLES + "mine,film,m,m,100,2024-09-01,,,,,\n")
    return landing


def plays(viewers: range, day: date = DAY, territory: str = "CN") -> list[str]:
    return [
        segment(f"{n}-{day}-{territory}", f"v{n}", noon(day), 0, 100, territory, "mine")
        for n in viewers
    ]


def restated(family: str = "viewing") -> set[tuple[object, str, str, int | None, int | None]]:
    return {
        (r.from_day, r.territory, r.metric, r.old, r.new)
        for r in Restatement.objects.filter(family=family)
    }


def test_a_change_after_settling_says_old_and_new_by_territory(folder: Path) -> None:
    land(folder, "segments.csv", plays(range(60)) + plays(range(5), NEXT, "SG"), SEGMENTS)
    ingest(folder)
    assert not Restatement.objects.exists(), "what is published first restates nothing"
    land(folder, "segments.2.csv", plays(range(60, 130)) + plays(range(9, 11), DAY, "SG"), SEGMENTS)
    ingest(folder)
    changed = dict.fromkeys(("plays", "viewers", "completions", "finishers"), (60, 130))
    changed["watch_seconds"] = (6000, 13_000)
    assert restated() == {
        *((DAY, "CN", m, old, new) for m, (old, new) in changed.items()),
        *((DAY, "SG", m, None, 2) for m in ("plays", "viewers", "completions", "finishers")),
        (DAY, "SG", "watch_seconds", None, 200),
        *(
            (DAY, "*", m, old, new)
            for m, old, new in (
                ("plays", 60, 132), ("viewers", 60, 130), ("completions", 60, 132),
                ("finishers", 60, 130), ("watch_seconds", 6000, 13_200),
            )
        ),
    }  # fmt: skip
    assert (
        restated("retention")
        == restated("rewatch")
        == {
            (DAY, "*", "plays", 60, 132),
            (DAY, "CN", "plays", 60, None),  # Singapore's two would be what is left of `*`
        }
    )


def test_withdrawing_a_settled_day_restates_it_to_nothing(folder: Path) -> None:
    land(folder, "segments.csv", plays(range(3)), SEGMENTS)
    ingest(folder)
    ingest(withdraw=["segments.csv"])
    assert (DAY, "*", "plays", 3, None) in restated()


def test_a_day_that_has_not_settled_changes_without_a_word(folder: Path, settings: object) -> None:
    settings.SETTLE_DAYS = 10_000  # type: ignore[attr-defined]
    for count in (3, 6):
        land(folder, "segments.csv", plays(range(count)), SEGMENTS)
        ingest(folder)
    assert viewing()[DAY][0] == 6
    assert not Restatement.objects.exists()


def test_a_closed_month_keeps_its_numbers_and_later_files_stand_beside(folder: Path) -> None:
    land(folder, "segments.csv", plays(range(60)), SEGMENTS)
    ingest(folder)
    call_command("close_month", "2024-09", "--by", "dora@platform.example.com")
    call_command("close_month", "2024-09", "--by", "somebody.else@platform.example.com")
    assert ClosedMonth.objects.get().closed_by == "dora@platform.example.com"
    land(folder, "segments.2.csv", plays(range(60, 70)) + plays(range(4), NEXT, "SG"), SEGMENTS)
    ingest(folder)
    assert viewing() == {DAY: (60, 60, 6000, 60, 60)}
    assert not Restatement.objects.exists()
    month = (date(2024, 9, 1), date(2024, 10, 1))

    def beside() -> list[tuple[object, ...]]:
        rows = Adjustment.objects.order_by("pk")
        assert {(a.from_day, a.until) for a in rows} == {month}
        return [(a.territory, a.metric, a.old, a.new, a.difference) for a in rows]

    first = [
        ("*", "plays", 60, 74, 14), ("*", "watch_seconds", 6000, 7400, 1400),
        ("*", "completions", 60, 74, 14), ("CN", "plays", 60, 70, 10),
        ("CN", "watch_seconds", 6000, 7000, 1000), ("CN", "completions", 60, 70, 10),
        ("SG", "plays", 0, 4, 4), ("SG", "watch_seconds", 0, 400, 400),
        ("SG", "completions", 0, 4, 4),
    ]  # fmt: skip
    assert beside() == first
    ingest(folder)
    assert beside() == first, "nothing new, nothing said"
    ingest(withdraw=["segments.2.csv"])
    back = [(t, m, new, old, -d) for t, m, old, new, d in first]
    assert beside() == [*first, *back]


def test_a_month_that_still_changes_is_not_closed(settings: object, db: None) -> None:
    settings.SETTLE_DAYS = 10_000  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="2024-09 has days that have not settled"):
        call_command("close_month", "2024-09", "--by", "dora@platform.example.com")


def test_a_change_is_told_to_who_could_read_the_old_number(folder: Path, cast: Cast) -> None:
    land(folder, "segments.csv", plays(range(60)), SEGMENTS)
    ingest(folder)
    land(folder, "segments.csv", plays(range(130)), SEGMENTS)
    ingest(folder)
    mine = Title.objects.get(key="mine")

    def told(scope: Scope) -> list[query.Change]:
        return [c for c in query.changes(scope) if c.title_id == mine.pk]

    assert told(scope_for(cast.alice, "web")) == []
    cast.grant(cast.aurora, mine, families=["viewing"], territories=["CN"])
    hers = told(scope_for(cast.alice, "web"))
    assert {(c.family, c.territory, c.adjusts) for c in hers} == {("viewing", "CN", False)}
    assert {(c.metric, c.old, c.new) for c in hers} >= {("plays", 60, 130)}
    assert told(scope_for(cast.bob, "web")) == []
    # Postgres alone: a forged scope over everything
    forged = Scope(
        cast.borealis.pk,
        "web",
        (Entitled(cast.grants["foreign"].pk, mine.pk, frozenset({"viewing"}), frozenset({ALL})),),
    )
    assert told(forged) == []
    cast.grant(cast.borealis, mine, families=["viewing"], data_from=NEXT)
    assert told(scope_for(cast.bob, "web")) == []
    assert Window(DAY, NEXT) in {c.window for c in hers}
