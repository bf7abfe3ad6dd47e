"""A series' own rows, by each wall alone: read by who is granted every child that they count.

Of two counted episodes the second is granted in every way that is not quite enough. With the
views opened to all rows only Python decides, with a forged scope only Postgres does. A scope that
is narrowed to the series alone, by what is asked or by a member's limit, reads the same rows.
"""

from __future__ import annotations

import json
from csv import DictReader
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone as django_timezone

from engagement import query
from engagement.families.registry import FAMILIES, RESOURCES
from engagement.models import (
    DemographicsFact,
    FanbaseFact,
    FanSetVersion,
    GeographyFact,
    Release,
    Title,
    ViewerSketch,
    ViewingFact,
)
from engagement.roles import READER, acting_as
from engagement.scope import Entitled, Query, Refused, Scope, Window
from partners import grants
from partners.access import scope_for
from partners.models import Membership
from reports import storage as storage_of
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle, covered
from tests.cast import DAY, Cast, _sketch

WEEK = Window(DAY, DAY + timedelta(days=7))
DAY_ = timedelta(days=1)
COUNTING = ("viewing", "demographics", "geography", "fanbases")
TABLES = {
    "wall_viewing": "engagement_viewingfact",
    "wall_viewer_sketch": "engagement_viewersketch",
    "wall_demographics": "engagement_demographicsfact",
    "wall_geography": "engagement_geographyfact",
}


@dataclass
class Show:
    cast: Cast
    series: Title
    first: Title
    second: Title
    narrowed: str = ""

    def rows(self, resource: str, scope: Scope, territory: str = "*") -> int:
        try:
            answer = query.run(Query(self.series.pk, resource, WEEK, territory), scope)
        except Refused:
            return 0
        return sum(since is not None for since in answer.data["from"])

    def live(self) -> Scope:
        if self.narrowed == "by a limit":
            Membership.objects.filter(pk=self.cast.alice.pk).update(limit_titles=[self.series.pk])
        return scope_for(
            self.cast.alice, "web", [self.series.pk] if self.narrowed == "as asked" else None
        )

    def forged(self) -> Scope:
        """A scope of Aurora's in which Python would allow everything."""
        series, *children = (
            Entitled(self.cast.grants["film"].pk, t.pk, frozenset(FAMILIES), frozenset({"*", "CN"}))
            for t in (self.series, self.first, self.second)
        )
        if self.narrowed:
            return Scope(self.cast.aurora.pk, "web", (series,), tuple(children))
        return Scope(self.cast.aurora.pk, "web", (series, *children))


@pytest.fixture
def show(cast: Cast) -> Show:
    """Aurora is granted the series and its first episode; each row counts both, over a week."""
    titles = [
        Title.objects.create(key=key, slug=key, kind=kind, name_en=key, runtime_s=runtime)
        for key, kind, runtime in (("s", "series", 0), ("s1", "episode", 90), ("s2", "episode", 90))
    ]
    series, first, second = titles
    for child in (first, second):
        child.parent = series
        child.save()
    for territory in ("*", "CN"):
        _publish(series, WEEK, territory, [first, second])
    cast.grant(cast.aurora, series)
    cast.grant(cast.aurora, first)
    return Show(cast, series, first, second)


def _publish(series: Title, window: Window, territory: str, counted: list[Title]) -> None:
    release = Release.objects.filter(title=series).first() or Release.objects.create(
        kind="segments", title=series, day=DAY, metric_version="1", input_digest="", state="done"
    )
    cell: dict[str, Any] = {
        "title": series, "territory": territory, "from_day": window.since, "until": window.until,
        "release": release, "counted": [t.pk for t in counted],
    }  # fmt: skip
    people = {"viewers": 90, "finishers": 40, "survival": None}
    ViewingFact.objects.create(
        **cell, device="*", plays=99, viewers=90, watch_seconds=999, completions=50, finishers=40
    )
    sketch = _sketch(90, f"{series.pk}-{window.since}")
    ViewerSketch.objects.create(**cell, viewers=sketch, finishers=sketch)
    DemographicsFact.objects.create(**cell, **people, age_band="18-24", gender="female")
    GeographyFact.objects.create(**cell, **people, region="rest")
    fans = FanSetVersion.objects.get(fan_set__slug="readers")
    FanbaseFact.objects.create(
        **cell, fan_set=fans, viewers_in_common=9, share_of_title=0.1, lift=1, lift_low=1,
        lift_high=2, hidden_reason="share_of_fan_set:not_measured",
    )  # fmt: skip


def _open_postgres() -> None:
    """The Postgres wall taken down: only Python decides."""
    with connection.cursor() as cursor:
        for view, table in TABLES.items():
            cursor.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {table}")
        cursor.execute(
            "CREATE OR REPLACE VIEW wall_fanbases AS SELECT fact.*, sets.slug AS fan_set"
            " FROM engagement_fanbasefact AS fact"
            " JOIN engagement_fansetversion AS version ON version.id = fact.fan_set_id"
            " JOIN engagement_fanset AS sets ON sets.id = version.fan_set_id"
        )


@pytest.fixture(params=["", "as asked", "by a limit"])
def narrowed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["both", "Python alone", "Postgres alone"])
def scope_of(request: pytest.FixtureRequest, show: Show, narrowed: str) -> Any:
    show.narrowed = narrowed
    if request.param == "Python alone":
        _open_postgres()
    return show.forged if request.param == "Postgres alone" else show.live


NOT_ENOUGH: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "other families": [{"families": ["retention", "rewatch", "danmu"]}],
    "another territory": [{"territories": ["SG"]}],
    "all but its first day": [{"data_from": WEEK.since + DAY_}],
    "all but its last day": [{"data_until": WEEK.until - DAY_}],
    "another exit": [{"exits": ["api", "export"]}],
    "not yet": [{"valid_from": django_timezone.now() + timedelta(days=400)}],
    "two windows that touch": [
        {"data_until": WEEK.since + 3 * DAY_},
        {"data_from": WEEK.since + 3 * DAY_},
    ],
    "family and window in two tuples": [
        {"families": ["retention"]},
        {"data_until": WEEK.since + DAY_},
    ],
    "territory and window in two tuples": [
        {"territories": ["SG"]},
        {"data_until": WEEK.since + DAY_},
    ],
}


@pytest.mark.parametrize("lacking", sorted(NOT_ENOUGH))
def test_a_series_row_is_hidden_while_a_counted_child_is_not_wholly_granted(
    show: Show, scope_of: Any, lacking: str
) -> None:
    for fields in NOT_ENOUGH[lacking]:
        show.cast.grant(show.cast.aurora, show.second, **fields)
    for resource in COUNTING:
        for territory in ("*", "CN"):
            assert show.rows(resource, scope_of(), territory) == 0, (resource, territory)


def test_a_series_row_is_read_once_every_counted_child_is_granted(
    show: Show, scope_of: Any
) -> None:
    grant = show.cast.grant(show.cast.aurora, show.second)
    for resource in COUNTING:
        for territory in ("*", "CN"):
            assert show.rows(resource, scope_of(), territory) > 0, (resource, territory)
    grants.revoke(grant, by=show.cast.stella)
    for resource in COUNTING:
        assert show.rows(resource, scope_of()) == 0, resource


def test_a_child_granted_in_one_territory_opens_that_territory_alone(
    show: Show, scope_of: Any
) -> None:
    show.cast.grant(show.cast.aurora, show.second, territories=["CN"])
    for resource in COUNTING:
        assert show.rows(resource, scope_of(), "CN") > 0, resource
        assert show.rows(resource, scope_of(), "*") == 0, resource


def test_a_childs_days_over_all_territories_take_none_away_from_one_territory(
    show: Show, scope_of: Any
) -> None:
    """The row of CN lies wholly inside a tuple of CN, although its first day is granted in all."""
    for more in ({"territories": ["CN"]}, {"data_until": WEEK.since + DAY_}):
        show.cast.grant(show.cast.aurora, show.second, **more)
    for resource in COUNTING:
        assert show.rows(resource, scope_of(), "CN") > 0, resource
        assert show.rows(resource, scope_of(), "*") == 0, resource
    assert query.measured(show.live(), show.series.pk) == WEEK


def test_the_child_granted_to_a_competitor_opens_nothing(show: Show, scope_of: Any) -> None:
    show.cast.grant(show.cast.borealis, show.second)
    assert [show.rows(r, scope_of()) for r in COUNTING] == [0, 0, 0, 0]


@pytest.mark.parametrize("narrowed", ["as asked", "by a limit"], indirect=True)
def test_a_scope_of_the_series_alone_lets_nothing_be_asked_of_its_children(
    show: Show, scope_of: Any
) -> None:
    show.cast.grant(show.cast.aurora, show.second)
    scope = scope_of()
    assert scope.titles() == {show.series.pk}
    assert query.titles_in(scope) == [show.series]
    assert {r["title"] for r in query.releases(scope)} == {"s"}
    for child in (show.first, show.second):
        assert scope.families(child.pk) == frozenset()
        assert query.measured(scope, child.pk) is None
        for resource in RESOURCES:
            with pytest.raises(Refused):
                query.run(Query(child.pk, resource, WEEK), scope)
            with pytest.raises(Refused):
                query.clip(Query(child.pk, resource, WEEK), scope)


def test_a_limit_of_families_holds_for_the_children_that_are_counted(show: Show) -> None:
    show.cast.grant(show.cast.aurora, show.second)
    Membership.objects.filter(pk=show.cast.alice.pk).update(
        limit_titles=[show.series.pk], limit_families=["geography"]
    )
    scope = show.live()
    assert {r: show.rows(r, scope) > 0 for r in COUNTING} == {
        "viewing": False, "demographics": False, "geography": True, "fanbases": False,
    }  # fmt: skip
    assert {f for e in scope.counted for f in e.families} == {"geography"}


def test_a_film_asked_for_alone_knows_of_no_other_title(show: Show) -> None:
    assert scope_for(show.cast.alice, "web", [show.cast.film.pk]).counted == ()
    assert scope_for(show.cast.alice, "web", [show.first.pk]).counted == ()
    assert scope_for(show.cast.alice, "web").counted == ()


def test_all_children_without_the_series_itself_open_nothing(show: Show) -> None:
    show.cast.grant(show.cast.aurora, show.second)
    grants.revoke(show.cast.aurora.grants.get(titles=show.series), by=show.cast.stella)
    for scope in (show.live(), show.forged()):
        assert [show.rows(r, scope) for r in COUNTING] == [0, 0, 0, 0]


def test_viewers_over_a_window_are_not_told_from_a_sketch_with_a_foreign_child(
    show: Show, scope_of: Any
) -> None:
    """Two days that count the granted child alone, and a sketch over both that counts more."""
    ViewingFact.objects.filter(title=show.series).delete()
    ViewerSketch.objects.filter(title=show.series).delete()
    for number in range(2):
        since = DAY + number * DAY_
        _without_people(show.series, Window(since, since + DAY_), [show.first])
    ViewerSketch.objects.create(
        title=show.series, territory="*", from_day=DAY, until=DAY + 2 * DAY_,
        release=Release.objects.get(title=show.series), viewers=_sketch(60, "x"),
        finishers=_sketch(60, "x"), counted=[show.first.pk, show.second.pk],
    )  # fmt: skip
    window = Window(DAY, DAY + 2 * DAY_)
    result = query.run(Query(show.series.pk, "viewing", window, "*"), scope_of())
    assert len(result) == 3
    assert result.extra["total"].viewers.count is None


def _without_people(series: Title, window: Window, counted: list[Title]) -> None:
    ViewingFact.objects.create(
        title=series, territory="*", from_day=window.since, until=window.until, device="*",
        release=Release.objects.get(title=series), counted=[t.pk for t in counted], plays=50,
        viewers=50, watch_seconds=500, completions=9, finishers=9,
    )  # fmt: skip


def test_what_is_measured_of_a_series_is_told_from_rows_that_may_be_read(
    show: Show, scope_of: Any
) -> None:
    for family in COUNTING:
        assert query.measured(scope_of(), show.series.pk, [family]) is None, family
        assert query.measured_each(scope_of(), [show.series.pk], [family]) == {}, family
    show.cast.grant(show.cast.aurora, show.second)
    for family in COUNTING:
        assert query.measured(scope_of(), show.series.pk, [family]) == WEEK, family
        assert query.measured_each(scope_of(), [show.series.pk], [family]) == {show.series.pk: WEEK}


def test_postgres_keeps_each_view_by_itself(show: Show) -> None:
    for view in (*TABLES, "wall_fanbases"):
        with (
            acting_as(READER, partner_id=show.cast.aurora.pk, exit="web"),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT count(*) FROM {view} WHERE title_id = %s", [show.series.pk])
            assert cursor.fetchone() == (0,), view


# --- a bundle of the series alone ---------------------------------------------------------------
def _packed(show: Show, member: Membership, titles: list[int] | None) -> tuple[Bundle, ZipFile]:
    """A bundle of January, in which the rows count a week and both episodes."""
    january = Window(DAY, DAY + 31 * DAY_)
    bundle = ask_bundle(membership=member, titles=titles, window=january, language="en")
    # the lease is in this transaction alone, where no other connection can renew it
    with override_settings(JOB_LEASE_SECONDS=900):
        assert build(bundle.pk)
    bundle = Bundle.objects.get(pk=bundle.pk)
    with storage_of.open_stored(bundle.artefact.path) as file:
        return bundle, ZipFile(BytesIO(file.read()))


def _plays(archive: ZipFile) -> list[tuple[str, str]]:
    text = archive.read("data/s/viewing.csv").decode("utf-8-sig")
    return [(row["territory"], row["plays"]) for row in DictReader(StringIO(text))]


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("narrowed", ["as asked", "by a limit"])
def test_a_bundle_of_the_series_alone_has_its_rows_and_closes_with_a_childs_grant(
    show: Show, narrowed: str
) -> None:
    grant = show.cast.grant(show.cast.aurora, show.second)
    if narrowed == "by a limit":
        Membership.objects.filter(pk=show.cast.amy.pk).update(limit_titles=[show.series.pk])
    asked = [show.series.pk] if narrowed == "as asked" else None
    bundle, archive = _packed(show, show.cast.amy, asked)
    assert _plays(archive) == [("*", "99"), ("*", "99")]  # the week's row and the whole window's
    assert {n.split("/")[1] for n in archive.namelist() if n.startswith("data/")} == {"s"}
    assert {(e["title_id"], e["family"]) for e in bundle.scope if e.get("counted_in")} == {
        (child.pk, family) for child in (show.first, show.second) for family in COUNTING
    }
    told = json.loads(archive.read("manifest.json"))["scope"]
    assert {entry["title"] for entry in told} == {"s"}, "children are not named"
    assert covered(bundle, scope_for(show.cast.amy, "export"))
    grants.revoke(grant, by=show.cast.stella)
    assert not covered(bundle, scope_for(show.cast.amy, "export"))
    show.cast.grant(show.cast.aurora, show.second, families=["viewing"])
    assert not covered(bundle, scope_for(show.cast.amy, "export"))
    show.cast.grant(show.cast.aurora, show.second)
    assert covered(bundle, scope_for(show.cast.amy, "export"))


@pytest.mark.usefixtures("storage")
def test_a_bundle_of_the_series_alone_is_empty_while_a_competitor_holds_a_child(
    show: Show,
) -> None:
    show.cast.grant(show.cast.borealis, show.second)
    bundle = ask_bundle(
        membership=show.cast.amy, titles=[show.series.pk], window=WEEK, language="en"
    )
    assert not build(bundle.pk)
    assert Bundle.objects.get(pk=bundle.pk).failure == "nothing"


@pytest.mark.usefixtures("storage")
def test_a_bundle_that_holds_a_child_is_not_opened_under_a_limit_to_the_series(
    show: Show,
) -> None:
    show.cast.grant(show.cast.aurora, show.second)
    whole, _ = _packed(show, show.cast.amy, [show.series.pk, show.cast.film.pk, show.first.pk])
    alone, _ = _packed(show, show.cast.amy, [show.series.pk])
    Membership.objects.filter(pk=show.cast.amy.pk).update(limit_titles=[show.series.pk])
    scope = scope_for(show.cast.amy, "export")
    assert [covered(b, scope) for b in (whole, alone)] == [False, True]


def test_a_series_has_no_curve_and_says_that_none_is_counted(show: Show) -> None:
    answer = query.run(Query(show.series.pk, "retention", WEEK, "*"), show.live())
    assert answer.data["hidden_reason"] == ["not_measured"]
    _publish(show.first, Window(DAY, DAY + DAY_), "*", [])
    waiting = query.run(Query(show.first.pk, "retention", WEEK, "*"), show.live())
    assert waiting.data["hidden_reason"] == ["waiting"]
