"""Typical curves: which titles are alike, whose they must be, and what a partner reads."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from engagement import query
from engagement.formats import Options
from engagement.models import Title, TypicalFact
from engagement.pipeline.holders import Held, Holders
from engagement.pipeline.ingest import ingest as run_ingest
from engagement.pipeline.typical import band, stretched
from engagement.scope import Query, Window
from partners.access import scope_for
from tests.cast import Cast
from tests.engagement.one_film import DAY, SEGMENTS, TITLES, land, noon, segment

WEEK = Window(DAY, DAY + timedelta(days=7))
OTHERS = ("a", "b", "c", "d", "e")


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    """A film, five like it (half as long or so), and three that are not."""
    landing = tmp_path / "landing"
    landing.mkdir()
    rows = [f"{name},film,{name},{name},{100 + 20 * n},2024-09-01,,,喜剧|剧情,,"
            for n, name in enumerate(("mine", *OTHERS))]  # fmt: skip
    rows += ["short,trailer,s,s,100,2024-09-01,,,喜剧,,", "sad,film,s,s,100,2024-09-01,,,悲剧,,"]
    rows += ["long,film,l,l,9000,2024-09-01,,,喜剧,,"]
    (landing / "titles.csv").write_text(TITLES + "\n".join(rows) + "\n")
    run_ingest([landing], Options())
    played = [segment(f"mine{n}", f"v{n}", noon(), 0, 100, title="mine") for n in range(60)]
    for place, name in enumerate(OTHERS):
        runtime = 120 + 20 * place
        # of sixty, all play the first half; 10, 20 .. 50 go on to the end
        played += [
            segment(f"{name}{n}", f"{name}{n}", noon(), 0,
                    runtime if n < 10 * (place + 1) else runtime // 2, title=name)
            for n in range(60)
        ]  # fmt: skip
    for name in ("short", "sad", "long"):
        played += [
            segment(f"{name}{n}", f"{name}{n}", noon(), 0, 10, title=name) for n in range(90)
        ]
    land(landing, "segments.csv", played, SEGMENTS)
    return landing


def holders(*partners: int) -> Holders:
    keys = dict(Title.objects.values_list("key", "pk"))
    held = [Held(keys["mine"], UUID(int=99), frozenset({"*"}))]
    held += [
        Held(keys[name], UUID(int=partner), frozenset({"*"}))
        for name, partner in zip(OTHERS, partners, strict=True)
    ]
    return Holders(tuple(held))


def test_the_median_of_five_partners_is_laid_beside_the_title(folder: Path, cast: Cast) -> None:
    run_ingest([folder], Options(), holders=holders(1, 2, 3, 4, 5))
    [fact] = TypicalFact.objects.filter(title__key="mine", territory="*", family="retention")
    assert (fact.titles, fact.partners, fact.from_day, fact.until) == (5, 5, *WEEK_ENDS)
    film = Title.objects.get(key="mine")
    cast.grant(cast.aurora, film)
    scope = scope_for(cast.alice, "web")
    retention = query.run(Query(film.pk, "retention", WEEK, "*"), scope)
    assert retention.data["typical_retention"][:2] == [1.0, 1.0]
    assert retention.data["typical_retention"][-1] == 0.5
    assert set(retention.data["hidden_reason"]) == {None}
    rewatch = query.run(Query(film.pk, "rewatch", WEEK, "*"), scope)
    assert rewatch.data["typical_audience_watch_ratio"][-1] == 0.5
    assert run_ingest([folder], Options(), holders=holders(1, 2, 3, 4, 5)).releases == 0


WEEK_ENDS = (WEEK.since, WEEK.until)


@pytest.mark.parametrize("partners", [(1, 2, 3, 4, 4), (1, 1, 1, 2, 3)])
def test_too_few_partners_say_so(folder: Path, cast: Cast, partners: tuple[int, ...]) -> None:
    run_ingest([folder], Options(), holders=holders(*partners))
    film = Title.objects.get(key="mine")
    cast.grant(cast.aurora, film)
    retention = query.run(Query(film.pk, "retention", WEEK, "*"), scope_for(cast.alice, "web"))
    assert set(retention.data["typical_retention"]) == {None}
    assert set(retention.data["hidden_reason"]) == {"typical_retention:too_few_partners"}
    assert not any(bytes(f.curves) and f.titles for f in TypicalFact.objects.filter(title=film))


def test_a_window_without_a_whole_week_has_none(folder: Path, cast: Cast) -> None:
    run_ingest([folder], Options(), holders=holders(1, 2, 3, 4, 5))
    film = Title.objects.get(key="mine")
    cast.grant(cast.aurora, film)
    day = Window(DAY, DAY + timedelta(days=1))
    retention = query.run(Query(film.pk, "retention", day, "*"), scope_for(cast.alice, "web"))
    assert set(retention.data["hidden_reason"]) == {"typical_retention:not_measured"}


def test_a_curve_is_stretched_by_its_runtime() -> None:
    assert stretched(np.repeat([8, 4], 300), 600).tolist() == [8.0] * 100 + [4.0] * 100
    short = stretched(np.array([8] * 5 + [4] * 5), 10)
    assert short.tolist() == [8.0] * 100 + [4.0] * 100
    assert [band(s) for s in (599, 600, 1799, 3599, 5999, 6000)] == [0, 1, 1, 2, 3, 4]
