"""An answer without numbers says why, in every family, and tells nobody more than is granted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from engagement import query
from engagement.families import Result
from engagement.models import (
    DemographicsFact,
    FanbaseFact,
    GeographyFact,
    Release,
    RetentionFact,
    RewatchFact,
    Title,
    ViewerSketch,
    ViewingFact,
)
from engagement.scope import Query, Window
from partners import grants
from partners.access import scope_for
from tests.cast import DAY, Cast
from tests.walls import FACT_VIEWS, WHOLE

CURVES_AND_PEOPLE = ("retention", "rewatch", "demographics", "geography")
FACTS = (RetentionFact, RewatchFact, DemographicsFact, GeographyFact, FanbaseFact)


def answer(cast: Cast, title: Title, resource: str, window: Window = WHOLE) -> Result:
    return query.run(Query(title.pk, resource, window, "*"), scope_for(cast.alice, "web"))


def reason(cast: Cast, title: Title, resource: str, window: Window = WHOLE) -> Any:
    """The reason of the answer's one row, of which every other cell is empty."""
    [row] = answer(cast, title, resource, window).rows()
    assert {name for name, value in row.items() if value is not None} == {"hidden_reason"}
    return row["hidden_reason"]


def unpublish(title: Title) -> None:
    """Leave the exact days of viewing, and take away what waits for more viewers."""
    for model in FACTS:
        model.objects.filter(title=title).delete()


@pytest.mark.parametrize("resource", ["viewing", "fanbases", *CURVES_AND_PEOPLE])
def test_a_title_with_danmu_of_which_no_viewing_was_measured_says_so(
    cast: Cast, resource: str
) -> None:
    unpublish(cast.film)
    for model in (ViewingFact, ViewerSketch):
        model.objects.filter(title=cast.film).delete()
    Release.objects.filter(title=cast.film, kind="segments").delete()
    assert sum(answer(cast, cast.film, "danmu").data["comments"]) == 40
    assert reason(cast, cast.film, resource) == "not_measured"
    assert answer(cast, cast.film, "moments").notes == ("not_measured",)


@pytest.mark.parametrize("resource", CURVES_AND_PEOPLE)
def test_a_title_that_was_watched_waits(cast: Cast, resource: str) -> None:
    unpublish(cast.film)
    assert reason(cast, cast.film, resource) == "waiting"
    assert answer(cast, cast.film, "moments").notes == ("waiting",)
    later = Window(WHOLE.until, WHOLE.until + timedelta(days=7))
    assert reason(cast, cast.film, resource, later) == "not_measured"


@pytest.mark.parametrize("walls", ["both walls", "Python alone"])
@pytest.mark.parametrize(
    ("granted", "asked", "said"),
    [
        ("retention", "retention", "waiting"),  # its releases are listed to it
        ("demographics", "demographics", "not_measured"),
        ("demographics,viewing", "demographics", "waiting"),
        ("demographics,danmu", "demographics", "not_measured"),
    ],
)
def test_that_a_title_was_watched_is_told_to_a_grant_that_says_so_by_itself(
    cast: Cast, walls: str, granted: str, asked: str, said: str
) -> None:
    unpublish(cast.hidden)
    cast.grant(cast.aurora, cast.hidden, families=granted.split(","))
    if walls == "Python alone":
        with connection.cursor() as cursor:
            for view, table in (*FACT_VIEWS, ("wall_release", "engagement_release")):
                if view not in ("wall_fanbases", "wall_release"):
                    cursor.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {table}")
            cursor.execute(
                "CREATE OR REPLACE VIEW wall_release AS SELECT id, kind, title_id, day, done_at,"
                " metric_version, engine, waiting_viewers, until, epsilon FROM engagement_release"
            )
    assert reason(cast, cast.hidden, asked) == said


@pytest.mark.parametrize("resource", CURVES_AND_PEOPLE)
def test_days_inside_of_a_longer_published_period_say_that_it_reaches_outside(
    cast: Cast, resource: str
) -> None:
    unpublish(cast.film)
    week = {
        "title": cast.film, "release": Release.objects.get(title=cast.film, kind="segments"),
        "territory": "*", "from_day": DAY, "until": DAY + timedelta(days=7),
    }  # fmt: skip
    people = {"viewers": 150, "finishers": 75, "survival": None}
    DemographicsFact.objects.create(**week, **people, age_band="18-24", gender="female")
    GeographyFact.objects.create(**week, **people, region="rest")
    RetentionFact.objects.create(**week, plays=150, curves=b"")
    RewatchFact.objects.create(**week, plays=150, curves=b"")
    inside = Window(DAY + timedelta(days=2), DAY + timedelta(days=5))
    assert reason(cast, cast.film, resource, inside) == "reaches_outside"
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, data_from=inside.since, data_until=inside.until)
    assert reason(cast, cast.film, resource, inside) == "waiting", "the week is not granted"


def test_a_series_with_a_child_that_is_not_granted_says_that_it_is_not_counted(cast: Cast) -> None:
    series, child = (
        Title.objects.create(key=key, slug=key, kind=kind, name_en=key, runtime_s=0)
        for key, kind in (("s", "series"), ("s1", "episode"))
    )
    Title.objects.filter(pk=child.pk).update(parent=series)
    release = Release.objects.create(
        kind="segments", title=series, day=DAY, metric_version="1", input_digest="", state="done"
    )
    cell = {
        "title": series, "release": release, "territory": "*", "counted": [child.pk],
        "from_day": DAY, "until": DAY + timedelta(days=1),
    }  # fmt: skip
    ViewingFact.objects.create(
        **cell, device="*", plays=99, viewers=90, watch_seconds=999, completions=9, finishers=9
    )
    cast.grant(cast.aurora, series)
    for resource in ("viewing", *CURVES_AND_PEOPLE, "fanbases"):
        assert reason(cast, series, resource) == "not_measured"
    cast.grant(cast.aurora, child)
    assert answer(cast, series, "viewing").data["plays"] == [99, 99]
    assert [reason(cast, series, r) for r in CURVES_AND_PEOPLE] == [
        "not_measured", "not_measured", "waiting", "waiting",
    ]  # fmt: skip
