"""Demographics and geography from landed segments: weeks, noise drawn once, what is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from engagement.formats import Options
from engagement.models import (
    DemographicsFact,
    GeographyFact,
    NoisedTable,
    Release,
    Restatement,
    Title,
)
from engagement.pipeline import people_tables, publish_people
from engagement.pipeline.holders import Held, Holders
from engagement.pipeline.ingest import ingest as run_ingest
from engagement.pipeline.noise import two_sided_geometric, variance
from engagement.pipeline.people_tables import FAMILIES, kept, worst_error
from engagement.scope import Window
from tests.engagement.one_film import DAY, FILM, SEGMENTS, land, noon

PARTNER = UUID(int=1)
REGIONS = ("CN-SH", "CN-BJ", "CN-XZ", "CN-GD")
BANDS = ("18-24", "25-30", "<18", "51+")


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM)
    return landing


@pytest.fixture(autouse=True)
def no_noise(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The counts themselves, so that exact values can be told; noise is tested by itself."""
    if "noisy" not in request.keywords:
        monkeypatch.setattr(people_tables, "two_sided_geometric", lambda counts, scale: counts)


def row(n: int, *, day: int = 0, hour: float = 12, to_s: int = 100, **other: str) -> str:
    moment = noon(DAY + timedelta(days=day), hour).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {
        "territory": "CN",
        "region": REGIONS[n % 4],
        "age": BANDS[n % 4],
        "gender": ("female", "male")[n % 2],
        **other,
    }
    return (
        f"s{n}-{day}-{hour},v{n},film,{moment},0,{to_s},tv,{told['territory']},{told['region']},"
        f"{told['age']},{told['gender']}"
    )


def ingest(folder: Path, rows: Iterable[str] = (), *territories: str, name: str = "segments.csv"):
    rows = list(rows)
    if rows:
        land(folder, name, rows, SEGMENTS)
    title = Title.objects.filter(key="film").first()
    held = frozenset(territories or ("CN",))
    holders = Holders((Held(title.pk, PARTNER, held),)) if title else Holders()
    return run_ingest([folder], Options(), holders=holders)


def published(model: Any, territory: str = "*") -> dict[tuple[str, ...], int | None]:
    columns = ("age_band", "gender") if model is DemographicsFact else ("region",)
    return {
        tuple(getattr(f, c) for c in columns): f.viewers
        for f in model.objects.filter(territory=territory)
    }


def first(folder: Path) -> None:
    """The titles are known before the segments come."""
    ingest(folder)


def test_each_viewer_counts_once_in_the_cell_of_the_first_session(folder: Path) -> None:
    first(folder)
    rows = [row(n) for n in range(800)]
    rows += [row(n, day=1, region="CN-GD", age="41-50", gender="male") for n in range(800)]
    ingest(folder, rows)
    assert published(DemographicsFact) == {
        ("18+", "female"): 200,
        ("unknown", "female"): 200,
        ("18-50", "male|unknown"): 200,
        ("51+|unknown", "male|unknown"): 200,
    }
    assert published(GeographyFact) == {
        ("CN-north",): 200,
        ("CN-south",): 200,
        ("CN-southwest",): 200,
        ("rest",): 200,  # the east, with the areas that nobody watched in
    }
    table = kept(NoisedTable.objects.get(family="demographics"))
    assert Counter({c: n for c, n in table.viewers["CN"].items() if n}) == {
        ("18-24", "female"): 200,
        ("25-30", "male"): 200,
        ("unknown", "female"): 200,  # under-18s are inside unknown
        ("51+", "male"): 200,
    }


def test_the_base_table_is_fixed_with_zeros_and_the_rest_as_other(folder: Path) -> None:
    first(folder)
    rows = [row(n, territory="CN" if n % 2 else "SG", region="") for n in range(400)]
    ingest(folder, rows, "CN", "HK")
    table = kept(NoisedTable.objects.get(family="geography"))
    assert table.territories == ("CN", "HK", "other")
    assert len(table.cells["CN"]) == 32
    assert table.cells["other"] == (("", "other"),)
    assert table.viewers["CN"]["", "unknown"] == 200
    assert table.viewers["HK"] == {("", "HK"): 0}
    assert table.viewers["other"] == {("", "other"): 200}
    assert published(GeographyFact, "HK") == {("*",): None}


def test_a_week_waits_until_its_viewers_are_enough_and_is_counted_as_one(folder: Path) -> None:
    first(folder)
    ingest(folder, [row(n) for n in range(60)])
    assert not DemographicsFact.objects.exists()
    # the week after, forty are the same people
    ingest(folder, [row(n, day=7) for n in range(20, 110)], name="segments.2.csv")
    periods = set(DemographicsFact.objects.values_list("from_day", "until"))
    assert periods == {(DAY, DAY + timedelta(days=14))}
    table = kept(NoisedTable.objects.get(family="demographics"))
    assert sum(table.viewers["CN"].values()) == 110


def test_no_day_is_in_two_periods_so_that_none_can_be_subtracted(folder: Path) -> None:
    first(folder)
    for number, week in enumerate((0, 1, 4, 2, 3)):  # two come late, into a period
        people = 60 if week in (0, 2) else 200
        rows = [row(n, day=7 * week) for n in range(people)]
        ingest(folder, rows, name=f"segments.{number}.csv")
    for family in FAMILIES:
        tables = NoisedTable.objects.filter(family=family.name).order_by("from_day")
        periods = sorted(set(tables.values_list("from_day", "until")))
        assert len(periods) == 2
        assert [t.draw for t in tables.filter(from_day=periods[1][0]).order_by("draw")] == [1, 2, 3]
        assert all(until <= since for (_, until), (since, _) in pairwise(periods)), periods
        facts = family.model.objects.values_list("from_day", "until")
        assert set(facts) == set(periods)


def test_a_week_that_has_not_settled_is_not_drawn(folder: Path, settings: Any) -> None:
    first(folder)
    settings.SETTLE_DAYS = 10_000
    ingest(folder, [row(n) for n in range(400)])
    assert not NoisedTable.objects.exists()


def test_the_same_numbers_published_twice_draw_no_fresh_noise(folder: Path) -> None:
    first(folder)
    ingest(folder, [row(n) for n in range(400)])
    before = list(DemographicsFact.objects.values_list("pk", "viewers"))
    drawn = list(NoisedTable.objects.values_list("pk", "noised"))
    assert ingest(folder).releases == 0
    assert list(DemographicsFact.objects.values_list("pk", "viewers")) == before
    assert list(NoisedTable.objects.values_list("pk", "noised")) == drawn


def test_little_change_is_told_and_not_drawn_and_much_is_drawn_at_most_three_times(
    folder: Path,
) -> None:
    first(folder)
    ingest(folder, [row(n) for n in range(400)])
    ingest(folder, [row(n) for n in range(1000, 1003)], name="segments.2.csv")
    table = NoisedTable.objects.get(family="demographics")
    assert (table.draw, table.plays, table.changed_plays) == (1, 400, 3)
    told = Restatement.objects.filter(family="demographics").order_by("pk")
    assert list(told.values_list("territory", "metric", "old", "new")) == [("*", "plays", 400, 403)]
    for more in range(4):
        ingest(folder, [row(n) for n in range(2000, 2000 + 60 * (more + 1))], name="segments.3.csv")
    draws = NoisedTable.objects.filter(family="demographics").order_by("draw")
    assert [t.draw for t in draws] == [1, 2, 3]
    assert sum(t.epsilon for t in draws) == 3.0
    assert draws.last().changed_plays > 0
    totals = [kept(drawn).total() for drawn in draws]
    assert [(r.metric, r.old, r.new, r.from_day, r.until) for r in told[1:3]] == [
        ("viewers", old, new, DAY, DAY + timedelta(days=7)) for old, new in pairwise(totals)
    ]
    last = told.last()
    assert (last.metric, last.new) == ("plays", draws.last().plays + draws.last().changed_plays)
    done = Release.objects.filter(kind="demographics", state="done")
    assert [(r.day, r.until, r.epsilon) for r in done] == [(DAY, DAY + timedelta(days=7), 1.0)]


@pytest.mark.parametrize("draw", [1, 2])
def test_a_run_killed_between_the_families_is_caught_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, draw: int
) -> None:
    first(folder)
    if draw == 2:
        ingest(folder, [row(n) for n in range(400)])
    whole = publish_people._publish

    def killed(subject: Any, family: Any, *rest: Any) -> Any:
        if family.name == "geography":
            raise KeyboardInterrupt
        return whole(subject, family, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(publish_people, "_publish", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(folder, [row(n) for n in range(1000, 1400)], name="segments.2.csv")
    ingest(folder)
    for family in FAMILIES:
        draws = NoisedTable.objects.filter(family=family.name).values_list("draw", flat=True)
        assert sorted(draws) == list(range(1, draw + 1)), family.name
    assert ingest(folder).releases == 0


def test_finishers_and_survival_come_from_the_furthest_point(folder: Path) -> None:
    first(folder)
    rows = [row(n, to_s=100 if n % 4 == 0 else 50) for n in range(14_000)]
    rows += [row(n, day=2, to_s=95) for n in range(0, 14_000, 8)]  # furthest counts, not last
    ingest(folder, rows)
    facts = DemographicsFact.objects.filter(territory="CN", viewers__isnull=False)
    assert sum(f.finishers for f in facts) == 3500
    [film] = {f.pk: f for f in facts if f.finishers == f.viewers}.values()
    assert film.survival == [1.0] * 20
    [half] = [f for f in facts if f.finishers == 0 and f.survival][:1]
    assert half.survival == [1.0] * 10 + [0.0] * 10


def test_a_survival_curve_of_few_is_too_uncertain(folder: Path) -> None:
    first(folder)
    ingest(folder, [row(n) for n in range(400)])
    for fact in DemographicsFact.objects.filter(viewers__isnull=False):
        assert fact.survival is None
        assert fact.hidden_reason == "survival:too_uncertain"


def test_the_error_that_is_stated_is_the_error_that_is_made() -> None:
    """Of drawn survival curves 95 % lie within the stated error at their worst point."""
    generator = np.random.default_rng(1)
    true = np.array([100] * 10 + [500] + [20] * 10)
    p = 1 - np.exp(-1 / people_tables.SCALE)
    share = np.cumsum(true[::-1])[::-1][1:] / true.sum()
    inside = 0
    for _ in range(2000):
        drawn = true + generator.geometric(p, 21) - generator.geometric(p, 21)
        found = np.cumsum(drawn[::-1])[::-1][1:] / drawn.sum()
        inside += np.abs(found - share)[12] <= worst_error(drawn, 1)
    assert inside >= 1900


@pytest.mark.noisy
def test_noise_has_the_stated_spread_and_is_fresh() -> None:
    drawn = two_sided_geometric(np.zeros(20_000, np.int64), 2.0)
    assert abs(drawn.mean()) < 0.1
    assert abs(drawn.var() / variance(2.0) - 1) < 0.1
    assert not np.array_equal(drawn, two_sided_geometric(np.zeros(20_000, np.int64), 2.0))
    a = np.exp(-0.5)
    assert abs((drawn == 0).mean() - (1 - a) / (1 + a)) < 0.02


@pytest.mark.noisy
def test_published_rows_are_a_function_of_the_noised_table_alone(folder: Path) -> None:
    first(folder)
    ingest(folder, [row(n) for n in range(900)])
    for family in FAMILIES:
        noised = kept(NoisedTable.objects.get(family=family.name))
        again = list(people_tables.published(family, noised, 50, 100))
        stored = family.model.objects.order_by("pk").values_list("viewers", "hidden_reason")
        assert [(r.get("viewers"), r["hidden_reason"]) for r in again] == list(stored)


def test_a_title_held_everywhere_is_counted_by_the_home_market_and_the_rest() -> None:
    week = Window(DAY, DAY + timedelta(days=7))
    everywhere = Holders(held=(Held(1, UUID(int=1), frozenset({"*"})),))
    both = Holders(held=(*everywhere.held, Held(1, UUID(int=2), frozenset({"HK"}))))
    assert everywhere.territories(1, week) == {"CN"}
    assert both.territories(1, week) == {"CN", "HK"}
    assert both.territories(2, week) == frozenset()
