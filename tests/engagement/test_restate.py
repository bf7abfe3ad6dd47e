"""After settling: restatements, closed months, and who reads of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from engagement import query
from engagement.models import Adjustment, ClosedMonth, Restatement, SharingFact, Title
from engagement.scope import ALL, Entitled, Scope, Window
from partners.access import scope_for
from tests.cast import Cast
from tests.engagement.one_film import (
    DANMU,
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
from tests.engagement.test_ingest_talk import POSTS, SHARES


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


# --- danmu, discussion, sharing ------------------------------------------------------------------


def said(number: int, day: date = DAY, territory: str = "CN", deleted: str = "") -> str:
    return f"mine,{number},{day}T04:00:00Z,好{number},u{number},0,{territory},{deleted}"


def posted(number: int, likes: int = 0, *, parent: str = "", territory: str = "CN") -> str:
    return f"mine,p{number},{parent},{DAY}T04:00:00Z,好{number},{likes},a{number},{territory},"


def shared(
    number: int, brought: int = 0, *, channel: str = "wechat", day: date = DAY, where: str = "CN"
) -> str:
    return f"mine,s{number},{day}T04:00:00Z,{channel},v1,30,{brought + 1},{brought},{where}"


def test_danmu_of_a_settled_day_are_restated_by_day_and_territory(folder: Path) -> None:
    land(folder, "danmu.csv", [said(1), said(2), said(3, territory="SG"), said(4, NEXT)], DANMU)
    ingest(folder)
    assert not Restatement.objects.exists(), "what is published first restates nothing"
    late = [said(5), said(3, territory="SG", deleted="2024-09-04T00:00:00Z")]
    late += [said(6, date(2024, 9, 4))]  # a day that had nothing published
    land(folder, "danmu.late.csv", late, DANMU)
    ingest(folder)
    assert restated("danmu") == {
        (DAY, "CN", "comments", 2, 3),
        (DAY, "SG", "comments", 1, None),
    }  # of all territories there are three as before
    assert {r.release.kind for r in Restatement.objects.all()} == {"danmu"}
    ingest(folder)
    assert Restatement.objects.count() == 2, "nothing new, nothing said"


def test_an_older_file_after_a_newer_one_restates_what_it_changes(folder: Path) -> None:
    land(folder, "discussion.csv", [posted(1, 12), posted(2, 1, parent="p1")], POSTS)
    ingest(folder)
    land(folder, "discussion.old.csv", [posted(1, 3), posted(3, 0, territory="SG")], POSTS)
    ingest(folder)
    assert restated("discussion") == {
        (DAY, "*", "posts", 1, 2),
        (DAY, "*", "likes", 13, 4),
        (DAY, "CN", "likes", 13, 4),
        (DAY, "SG", "posts", None, 1),
        (DAY, "SG", "replies", None, 0),
        (DAY, "SG", "likes", None, 0),
    }
    Restatement.objects.all().delete()
    ingest(withdraw=["discussion.csv", "discussion.old.csv"])
    assert {r for r in restated("discussion") if r[1] == "*"} == {
        (DAY, "*", "posts", 2, None),
        (DAY, "*", "replies", 1, None),
        (DAY, "*", "likes", 4, None),
    }


def test_shares_and_visits_are_restated_over_all_channels(folder: Path) -> None:
    rows = [shared(1, 4), shared(2, 9, channel="weibo"), shared(3, 2, day=NEXT)]
    land(folder, "shares.csv", rows, SHARES)
    ingest(folder)
    land(folder, "shares.late.csv", [shared(4, 1, channel="qq"), shared(2, 19)], SHARES)
    ingest(folder)
    # fewer than 50 new viewers a channel: they stood nowhere, and are restated nowhere
    assert restated("sharing") == {
        (DAY, where, metric, old, new)
        for where in ("*", "CN")
        for metric, old, new in (("shares", 2, 3), ("visits", 15, 27))
    }
    Restatement.objects.all().delete()
    ingest(withdraw=["shares.csv", "shares.late.csv"])
    assert restated("sharing") == {
        (day, where, metric, old, None)
        for where in ("*", "CN")
        for day, metric, old in (
            (DAY, "shares", 3), (DAY, "visits", 27), (NEXT, "shares", 1), (NEXT, "visits", 3),
        )
    }  # fmt: skip


def brought() -> list[tuple[date, date, str, int | None, int | None]]:
    return [
        (r.from_day, r.until, r.territory, r.old, r.new)
        for r in Restatement.objects.filter(metric="new_viewers").order_by("territory")
    ]


def test_new_viewers_are_restated_as_they_stood_and_stand_published(folder: Path) -> None:
    rows = [shared(1, 30), shared(2, 40, day=NEXT), shared(3, 20, day=NEXT, where="SG")]
    land(folder, "shares.csv", rows, SHARES)
    ingest(folder)
    last = date(2024, 9, 4)
    land(folder, "shares.2.csv", [shared(2, 60, day=NEXT)], SHARES)
    ingest(folder)
    assert brought() == [], "twenty more wait, and nobody is told of them"
    land(folder, "shares.3.csv", [shared(2, 100, day=NEXT)], SHARES)
    ingest(folder)
    # Singapore was withheld and China with it: neither is told of
    assert brought() == [(DAY, last, "*", 90, 150)]
    Restatement.objects.all().delete()
    ingest(withdraw=["shares.csv", "shares.2.csv", "shares.3.csv"])
    assert brought() == [(DAY, last, "*", 150, None)]


def test_new_viewers_that_settle_after_their_shares_are_no_restatement(
    folder: Path, settings: object
) -> None:
    rows = [shared(1, 40, where="SG"), shared(2, 100, day=NEXT)]
    land(folder, "shares.csv", rows, SHARES)
    settings.SETTLE_DAYS = 10_000  # type: ignore[attr-defined]
    ingest(folder)
    settings.SETTLE_DAYS = 2  # type: ignore[attr-defined]
    ingest(folder)
    assert SharingFact.objects.get(from_day=NEXT, territory="*").new_viewers == 140
    assert SharingFact.objects.get(from_day=NEXT, territory="SG").shares == 0
    assert not Restatement.objects.exists()


def test_texts_and_shares_of_days_that_have_not_settled_change_without_a_word(
    folder: Path, settings: object
) -> None:
    settings.SETTLE_DAYS = 10_000  # type: ignore[attr-defined]
    for count in (1, 2):
        land(folder, "danmu.csv", [said(n) for n in range(count)], DANMU)
        land(folder, "discussion.csv", [posted(n) for n in range(count)], POSTS)
        land(folder, "shares.csv", [shared(n) for n in range(count)], SHARES)
        ingest(folder)
    assert SharingFact.objects.get(territory="*").shares == 2
    assert not Restatement.objects.exists()


def test_a_restated_piece_is_told_where_the_whole_piece_was_granted(
    folder: Path, cast: Cast
) -> None:
    for count in (60, 120):
        land(folder, "shares.csv", [shared(1, 20), shared(2, count, day=NEXT)], SHARES)
        ingest(folder)
    mine = Title.objects.get(key="mine")
    cast.grant(cast.aurora, mine, families=["sharing"])
    cast.grant(cast.borealis, mine, families=["sharing"], data_from=NEXT)

    def told(member: object) -> set[tuple[str, str, int | None, int | None]]:
        changes = query.changes(scope_for(member, "web"))  # type: ignore[arg-type]
        return {
            (c.family, c.metric, c.old, c.new)
            for c in changes
            if c.title_id == mine.pk and c.territory == "*"
        }

    visits = ("sharing", "visits", 61, 121)
    assert told(cast.alice) == {visits, ("sharing", "new_viewers", 80, 140)}
    assert told(cast.bob) == {visits}


# --- closed months -------------------------------------------------------------------------------


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
