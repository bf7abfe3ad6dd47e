"""Grants through both walls: single exits, embargoes, narrowing, titles that move, two tabs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from engagement import query
from engagement.models import Ingest, Source, Title, TitleChange
from engagement.scope import EXITS, OutsideScope, Refused, Window
from partners import grants, narrowing, title_changes
from partners.access import scope_for
from partners.models import Holding, Membership
from reports.models import Bundle
from tests.cast import DAY, Cast, write_facts
from tests.conftest import SignedIn
from tests.walls import ask, forged


def reads(cast: Cast, title: Title, exit: str, **asked: Any) -> bool:
    """Whether Amy, an analyst, gets plays; and, with Python open, whether Postgres gives them."""

    def plays(scope: Any) -> bool:
        try:
            rows = query.run(ask(title.pk, **asked), scope).rows()
        except (Refused, OutsideScope):
            return False
        return any(row["plays"] is not None for row in rows)

    by_python, by_postgres = plays(scope_for(cast.amy, exit)), plays(forged(cast, exit, title))
    assert by_python == by_postgres
    return by_python


@pytest.mark.parametrize("exit", EXITS)
def test_each_exit_is_opened_by_itself(cast: Cast, exit: str) -> None:
    cast.grant(cast.aurora, cast.hidden, exits=[exit])
    assert {e for e in EXITS if reads(cast, cast.hidden, e)} == {exit}


def test_an_embargo_opens_at_its_hour_and_an_end_closes_at_its_own(cast: Cast) -> None:
    """By the database's clock, within its transaction."""
    hour = timedelta(hours=1)
    cast.grant(cast.aurora, cast.hidden, valid_from=timezone.now() + hour)
    assert not reads(cast, cast.hidden, "web")
    begun = cast.grant(cast.aurora, cast.hidden, valid_from=timezone.now() - 2 * hour)
    assert reads(cast, cast.hidden, "web")
    grants.expire(begun, at=timezone.now() - hour, by=cast.stella)
    assert not reads(cast, cast.hidden, "web")


@pytest.mark.parametrize(
    ("part", "left", "still", "gone"),
    [
        ("exits", frozenset({"web"}), {"exit": "web"}, {"exit": "export"}),
        ("territories", frozenset({"CN"}), {"territory": "CN"}, {"territory": "SG"}),
        ("data_until", DAY + timedelta(days=4), {"day": 3}, {"day": 4}),
        ("data_from", DAY + timedelta(days=4), {"day": 4}, {"day": 3}),
        ("families", frozenset({"viewing"}), {}, {"resource": "retention"}),
    ],
)
def test_a_narrowing_bites_on_the_next_request_through_both_walls(
    cast: Cast, part: str, left: Any, still: dict[str, Any], gone: dict[str, Any]
) -> None:
    """P4, narrow. What stays open is read with the same question."""

    def question(of: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        since = DAY + timedelta(days=of.get("day", 0))
        window = Window(since, since + timedelta(days=1))
        asked = {"window": window, "territory": of.get("territory", "CN")}
        if "resource" in of:
            asked["resource"] = of["resource"]
        return of.get("exit", "web"), asked

    def both(of: dict[str, Any]) -> bool:
        exit, asked = question(of)
        if asked.get("resource") == "retention":
            scope = scope_for(cast.amy, exit)
            return "retention" in scope.families(cast.film.pk)
        return reads(cast, cast.film, exit, **asked)

    assert both(still)
    assert both(gone)
    terms = replace(grants.Terms.of(cast.grants["film"]), **{part: left})
    narrowing.narrow(cast.grants["film"], terms, by=cast.stella)
    assert both(still)
    assert not both(gone)


@pytest.fixture
def show(cast: Cast) -> dict[str, Title]:
    """Two seasons of an episode each; Aurora holds the first, Borealis the second."""
    titles: dict[str, Title] = {}
    for season, partner in (("one", cast.aurora), ("two", cast.borealis)):
        series = Title.objects.create(key=season, slug=season, kind="series", name_zh=season)
        episode = Title.objects.create(
            key=f"{season}-1", slug=f"{season}-1", kind="episode", name_zh="一", parent=series,
            runtime_s=120,
        )  # fmt: skip
        titles |= {season: series, f"{season}-1": episode}
        for title in (series, episode):
            Holding.objects.create(partner=partner, title=title, territories=["*"])
        write_facts(episode, base=100)
    return titles


def test_case_10_one_season_opens_neither_another_nor_the_total(
    cast: Cast, show: dict[str, Title]
) -> None:
    cast.grant(cast.aurora, show["one"])
    assert reads(cast, show["one-1"], "web")
    scope = scope_for(cast.amy, "web")
    assert scope.titles().isdisjoint({show["two"].pk, show["two-1"].pk})
    for slug in ("two", "two-1"):
        found = SignedIn(cast.amy.user).get(f"/p/aurora/titles/{slug}/")
        made_up = SignedIn(cast.amy.user).get("/p/aurora/titles/no-such-title/")
        assert (found.status_code, found.content) == (404, made_up.content)


def test_case_10_a_title_that_is_handed_over_opens_no_earlier_days(
    cast: Cast, show: dict[str, Title]
) -> None:
    """Borealis' episode is Aurora's from 5 January: a granted series opens it from then on."""
    moved, day = show["two-1"], DAY + timedelta(days=4)
    cast.grant(cast.aurora, show["one"])
    cast.grant(cast.borealis, show["two"])
    bob = scope_for(cast.bob, "web")
    assert moved.pk in bob.titles()
    Holding.objects.filter(title=moved).delete()
    Holding.objects.create(partner=cast.aurora, title=moved, territories=["*"], from_day=day)
    source = Source.objects.create(
        name="titles.csv", sha256="0" * 64, kind="titles", format="native", state="live",
        ingest=Ingest.objects.create(),
    )  # fmt: skip
    change = TitleChange.objects.create(
        title=moved, kind="episode", parent=show["one"], source=source
    )
    title_changes.accept(change, by=cast.sam)
    assert moved.pk not in scope_for(cast.bob, "web").titles()
    assert reads(cast, moved, "web", window=Window(day, DAY + timedelta(days=10)))
    for since in range(4):
        window = Window(DAY + timedelta(days=since), DAY + timedelta(days=10))
        with pytest.raises(OutsideScope):
            query.run(ask(moved.pk, window=window), scope_for(cast.amy, "web"))


def test_case_11_the_url_decides_whatever_the_other_tab_names(cast: Cast) -> None:
    """Amy works for Aurora and for Cirrus, which see the shared title in CN and in SG."""
    Membership.objects.create(user=cast.amy.user, partner=cast.cirrus, role="analyst")
    client = SignedIn(cast.amy.user)
    url = "/api/v1/p/{}/titles/shared/viewing/?from=2026-01-01&until=2026-01-11"

    def territories(partner: str, **headers: str) -> set[str]:
        found = client.get(url.format(partner), headers=headers).json()
        return {row["territory"] for row in found["rows"]}

    assert territories("aurora") == {"CN"}
    assert territories("cirrus") == {"SG"}
    assert territories("aurora", **{"x-partner": "cirrus", "referer": "/p/cirrus/"}) == {"CN"}
    contradiction = client.get(url.format("aurora") + "&partner=cirrus")
    assert contradiction.status_code == 400
    assert client.get("/p/cirrus/titles/film/").status_code == 404
    stale = {"titles": [cast.film.pk], "since": "2026-01-01", "until": "2026-01-05",
             "language": "en", "partner": "aurora"}  # fmt: skip
    client.post("/p/cirrus/reports/", stale)

    assert not Bundle.objects.exists()
