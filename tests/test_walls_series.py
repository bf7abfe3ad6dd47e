"""A series' own rows, by each wall alone: read by who is granted every child that they count.

Of two counted episodes the second is granted in every way that is not quite enough. With the
views opened to all rows only Python decides, with a forged scope only Postgres does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone as django_timezone

from engagement import query
from engagement.families.registry import FAMILIES
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

    def rows(self, resource: str, scope: Scope, territory: str = "*") -> int:
        try:
            return len(query.run(Query(self.series.pk, resource, WEEK, territory), scope))
        except Refused:
            return 0

    def live(self) -> Scope:
        return scope_for(self.cast.alice, "web")

    def forged(self) -> Scope:
        """A scope of Aurora's in which Python would allow everything."""
        return Scope(
            self.cast.aurora.pk,
            "web",
            tuple(
                Entitled(
                    self.cast.grants["film"].pk, t.pk, frozenset(FAMILIES), frozenset({"*", "CN"})
                )
                for t in (self.series, self.first, self.second)
            ),
        )


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


@pytest.fixture(params=["both", "Python alone", "Postgres alone"])
def scope_of(request: pytest.FixtureRequest, show: Show) -> Any:
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


def test_the_child_granted_to_a_competitor_opens_nothing(show: Show, scope_of: Any) -> None:
    show.cast.grant(show.cast.borealis, show.second)
    assert [show.rows(r, scope_of()) for r in COUNTING] == [0, 0, 0, 0]


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
