"""Fan sets beside a title's published weeks: counts, noise drawn once, whose rows they are."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from engagement import query
from engagement.families.registry import FAMILIES
from engagement.formats import Options
from engagement.models import FanbaseFact, FanSet, FanSetVersion, NoisedTable, Tag, Title
from engagement.pipeline import fan_library, people, people_tables, publish_fanbases
from engagement.pipeline.holders import Consented, Held, Holders
from engagement.pipeline.ingest import ingest as run_ingest
from engagement.scope import Query, Window
from partners.access import scope_for
from partners.models import Grant, Membership
from tests.cast import Cast
from tests.engagement.one_film import DAY, SEGMENTS, TITLES, land, noon, segment

A, B, C, D, E, F = (UUID(int=n) for n in range(1, 7))
WEEK = Window(DAY, DAY + timedelta(days=7))
NAMES = ("film", "book", "other", "third", "fourth", "fifth")


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(
        TITLES
        + "".join(f"{name},film,{name},{name},100,2024-09-01,,,剧情,张三,\n" for name in NAMES)
    )
    run_ingest([landing], Options())
    return landing


@pytest.fixture(autouse=True)
def no_noise(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "noisy" not in request.keywords:
        for module in (people_tables, fan_library, publish_fanbases):
            monkeypatch.setattr(module, "two_sided_geometric", lambda counts, scale: counts)


def pk(name: str) -> int:
    return Title.objects.get(key=name).pk


def holders(**partners: UUID) -> Holders:
    return Holders(tuple(Held(pk(t), p, frozenset({"CN"})) for t, p in partners.items()))


def fan_set(*titles: str, tag: str = "", slug: str = "readers") -> FanSetVersion:
    fans = FanSet.objects.create(slug=slug, name_zh=slug, name_en=slug)
    version = FanSetVersion.objects.create(
        fan_set=fans,
        version=1,
        from_day=DAY,
        rule="tagged" if tag else "finished",
        tag=Tag.objects.get(name=tag) if tag else None,
        defined_by="dora",
    )
    version.titles.set(Title.objects.filter(key__in=titles))
    return version


def plays(title: str, viewers: range, to_s: int = 100) -> list[str]:
    return [segment(f"{title}-{n}", f"v{n}", noon(), 0, to_s, title=title) for n in viewers]


def seen(partner: UUID | None) -> dict[str, tuple[int | None, float | None, str]]:
    return {
        f.territory: (f.viewers_in_common, f.share_of_title, f.hidden_reason)
        for f in FanbaseFact.objects.filter(title__key="film", partner_id=partner)
    }


def test_finishers_of_an_own_title_are_counted_for_its_partner_alone(folder: Path) -> None:
    fan_set("film", "book")
    rows = plays("film", range(0, 400)) + plays("book", range(300, 500))
    rows += plays("book", range(0, 300), to_s=50)  # they left half way: no fans
    land(folder, "segments.csv", rows, SEGMENTS)
    run_ingest([folder], Options(), holders=holders(film=A, book=A))
    facts = FanbaseFact.objects.filter(title__key="film")
    assert {f.partner_id for f in facts} == {A}
    [whole] = facts.filter(territory="*")
    assert (whole.viewers_in_common, whole.share_of_title, whole.share_of_fan_set) == (
        100,
        0.25,
        0.5,
    )
    # 500 on the platform, 200 of them fans: a quarter against two fifths
    assert whole.lift == 0.62
    assert whole.lift_low < 0.62 < whole.lift_high
    assert (whole.from_day, whole.until) == (WEEK.since, WEEK.until)


def test_a_foreign_title_makes_rows_by_consent_only(folder: Path) -> None:
    fan_set("book")
    rows = plays("film", range(0, 400)) + plays("book", range(300, 500))
    land(folder, "segments.csv", rows, SEGMENTS)
    held = holders(film=A, book=B)
    run_ingest([folder], Options(), holders=held)
    assert not FanbaseFact.objects.exists()
    # a consent that is recorded later bites with the next week
    land(folder, "segments.2.csv", [
        row.replace("2024-09-02", "2024-09-09").replace("-", "+", 1) for row in rows
    ], SEGMENTS)  # fmt: skip
    given = Holders(held.held, (Consented(pk("book"), B, A, WEEK.until),))
    run_ingest([folder], Options(), holders=given)
    [whole] = FanbaseFact.objects.filter(title__key="film", territory="*")
    assert (whole.partner_id, whole.from_day) == (A, WEEK.until)
    assert whole.share_of_fan_set is None
    assert "share_of_fan_set:not_measured" in whole.hidden_reason


def test_five_partners_pooled_are_told_to_everyone_and_four_to_nobody(folder: Path) -> None:
    fan_set(tag="张三")
    others = NAMES[1:]
    rows = plays("film", range(0, 400))
    for place, name in enumerate(others):
        rows += plays(name, range(200 + 60 * place, 260 + 60 * place))
    land(folder, "segments.csv", rows, SEGMENTS)
    five = holders(film=A, **dict(zip(others, (B, C, D, E, F), strict=True)))
    run_ingest([folder], Options(), holders=five)
    assert seen(None)["*"][0] == 200
    assert {f.partner_id for f in FanbaseFact.objects.filter(title__key="film")} == {None}
    # each of the others leaves itself out: four partners and film's
    assert {
        f.hidden_reason.split(";")[0] for f in FanbaseFact.objects.filter(title__key="book")
    } <= {"below_floor", "share_of_fan_set:not_measured"}


def test_too_few_partners_behind_a_tag_say_so(folder: Path) -> None:
    fan_set(tag="张三")
    land(folder, "segments.csv", plays("film", range(400)) + plays("book", range(300)), SEGMENTS)
    run_ingest([folder], Options(), holders=holders(film=A, book=B))
    assert seen(None)["*"] == (None, None, "too_few_partners")


def test_a_title_day_is_read_once_by_each_that_needs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many titles, weeks and fan sets ask: what they read is not read for each of them."""
    fan_set(tag="张三")
    fan_set("book", "other", slug="finishers")
    week = [row for name in NAMES for row in plays(name, range(150))]
    rows = [
        row.replace("2024-09-02", f"2024-09-{day:02}").replace("-", f"-{day}-", 1)
        for day in (2, 9, 16)
        for row in week
    ]
    land(folder, "segments.csv", rows, SEGMENTS)
    reads: Counter[tuple[str, str]] = Counter()
    read = people.read

    def counted(name: str, title_id: str, *rest: Any) -> Any:
        reads[name, title_id] += 1
        return read(name, title_id, *rest)

    monkeypatch.setattr(people, "read", counted)
    run_ingest([folder], Options(), holders=holders(**dict.fromkeys(NAMES, A)))
    assert len(reads) == len(NAMES) * 3
    assert (
        FanbaseFact.objects.values("title", "from_day", "fan_set").distinct().count() == 6 * 3 * 2
    )
    # demographics, fan sets beside them, the platform, and two sets' fans since their first day
    assert max(reads.values()) == 5


@pytest.mark.noisy
def test_noise_is_drawn_once_and_charged(folder: Path) -> None:
    fan_set("book")
    rows = plays("film", range(0, 400)) + plays("book", range(0, 400))
    land(folder, "segments.csv", rows, SEGMENTS)
    held = holders(film=A, book=A)
    run_ingest([folder], Options(), holders=held)
    tables = NoisedTable.objects.filter(family="fanbases").order_by("pk")
    assert sorted((t.title_id is None, t.fan_set_id is None, t.epsilon) for t in tables) == [
        (False, True, 0.5),
        (True, False, 0.1),
        (True, True, 0.1),
    ]
    before = list(FanbaseFact.objects.values_list("pk", "viewers_in_common", "lift"))
    run_ingest([folder], Options(), holders=held)
    assert list(FanbaseFact.objects.values_list("pk", "viewers_in_common", "lift")) == before
    assert tables.count() == 3


def test_a_row_made_for_one_partner_is_read_by_nobody_else(cast: Cast) -> None:
    """Both partners are granted the title; each wall alone keeps the row to whom it is for."""
    fact = FanbaseFact.objects.filter(title=cast.shared, territory="CN").first()
    assert fact is not None
    FanbaseFact.objects.filter(title=cast.shared, territory="CN").update(partner_id=cast.cirrus.pk)
    window = Window(fact.from_day, fact.until)
    asked = Query(cast.shared.pk, "fanbases", window, "CN")
    assert query.run(asked, scope_for(cast.alice, "web")).data["hidden_reason"] == ["not_measured"]
    Grant.objects.get(pk=cast.grants["shared-sg"].pk)
    cast.grant(cast.cirrus, cast.shared, territories=["CN"], families=list(FAMILIES))
    assert Membership.objects.filter(pk=cast.cleo.pk).exists()
    result = query.run(asked, scope_for(cast.cleo, "web"))
    assert result.data["fan_set"] == ["readers"]
