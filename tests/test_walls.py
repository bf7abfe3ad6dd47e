"""Both walls together, and Python alone: there Postgres' views are open to all rows.

test_walls_postgres.py tries Postgres alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone as django_timezone

from engagement import query
from engagement.families.registry import RESOURCES
from engagement.models import DanmuComment
from engagement.scope import OutsideScope, Refused, Window
from partners.access import scope_for
from partners.models import Grant
from tests.cast import CANARY, DAY, Cast
from tests.walls import FACT_VIEWS, WHOLE, ask, disable, expire, forged, remove, revoke, suspend


@pytest.fixture(params=["both walls", "Python alone"])
def walls(request: pytest.FixtureRequest, db: None) -> str:
    if request.param == "Python alone":
        with connection.cursor() as cursor:
            for view, table in FACT_VIEWS:
                body = f"SELECT * FROM {table}"
                if view == "wall_fanbases":
                    body = (
                        f"SELECT fact.*, sets.slug AS fan_set FROM {table} AS fact"
                        " JOIN engagement_fansetversion AS version ON version.id = fact.fan_set_id"
                        " JOIN engagement_fanset AS sets ON sets.id = version.fan_set_id"
                    )
                cursor.execute(f"CREATE OR REPLACE VIEW {view} AS {body}")
    return str(request.param)


def answer_of(result: Any) -> str:
    return str(dict(result.data)) + str(result.extra)


# --- what is granted is answered -------------------------------------------------------------
@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_a_granted_title_is_answered(walls: str, cast: Cast, resource: str) -> None:
    result = query.run(ask(cast.film.pk, resource), scope_for(cast.alice, "web"))
    assert len(result) > 0
    assert str(CANARY) not in answer_of(result)


def test_the_sum_over_a_window_is_exact(walls: str, cast: Cast) -> None:
    result = query.run(ask(cast.film.pk), scope_for(cast.alice, "web"))
    rows = [r for r in result.rows() if (r["from"], r["until"]) == (WHOLE.since, WHOLE.until)]
    assert [(r["territory"], r["device"], r["plays"]) for r in rows] == [("*", "*", 1500)]
    assert rows[0]["watch_seconds"] == 1500 * 90
    assert rows[0]["viewers"] == 150  # the same people every day
    curve = query.run(ask(cast.film.pk, "retention"), scope_for(cast.alice, "web"))
    assert curve.data["sessions"][:2] == [1500, 1500]
    assert curve.data["retention"][-1] == 0.5


# --- what is not, is not ---------------------------------------------------------------------
@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_a_foreign_title_is_refused_as_one_that_does_not_exist(
    walls: str, cast: Cast, resource: str
) -> None:
    scope = scope_for(cast.alice, "web")
    for title_id in (cast.foreign.pk, cast.hidden.pk, 999_999):
        with pytest.raises(Refused):
            query.run(ask(title_id, resource), scope)


def test_an_ungranted_family_is_refused_as_an_unknown_one(walls: str, cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, families=["danmu"])
    scope = scope_for(cast.alice, "web")
    assert len(query.run(ask(cast.hidden.pk, "danmu"), scope)) > 0
    for resource in ("viewing", "retention", "rewatch", "no-such-family"):
        with pytest.raises(Refused):
            query.run(ask(cast.hidden.pk, resource), scope)


def test_another_territory_of_a_co_production_is_out_of_scope(walls: str, cast: Cast) -> None:
    scope = scope_for(cast.alice, "web")
    for territory in ("SG", "*"):
        with pytest.raises(OutsideScope) as refused:
            query.run(ask(cast.shared.pk, territory=territory), scope)
        assert {p.territory for p in refused.value.granted} == {"CN"}
    rows = list(query.run(ask(cast.shared.pk), scope).rows())
    assert {r["territory"] for r in rows} == {"CN"}


def test_days_outside_the_data_window_are_out_of_scope(walls: str, cast: Cast) -> None:
    since, until = DAY + timedelta(days=2), DAY + timedelta(days=5)
    cast.grant(cast.aurora, cast.hidden, data_from=since, data_until=until)
    scope = scope_for(cast.alice, "web")
    with pytest.raises(OutsideScope):
        query.run(ask(cast.hidden.pk), scope)
    clipped = query.clip(ask(cast.hidden.pk), scope)
    assert clipped is not None
    result = query.run(clipped, scope)
    assert "clipped" in result.notes
    days = {r["from"] for r in result.rows() if r["until"] != until or r["from"] != since}
    assert days == {since, since + timedelta(days=1), since + timedelta(days=2)}
    inside = Window(since, until)
    assert sum(query.run(ask(cast.hidden.pk, "danmu", window=inside), scope).data["comments"]) == 12


def test_grants_are_unioned_as_whole_tuples(walls: str, cast: Cast) -> None:
    january, half = Window(DAY, DAY + timedelta(days=5)), DAY + timedelta(days=5)
    cast.grant(cast.aurora, cast.hidden, families=["viewing"], territories=["CN"], data_until=half)
    cast.grant(cast.aurora, cast.hidden, families=["danmu"], territories=["SG"], data_from=half)
    scope = scope_for(cast.alice, "web")
    later = Window(half, WHOLE.until)
    assert len(query.run(ask(cast.hidden.pk, "viewing", window=january, territory="CN"), scope))
    assert len(query.run(ask(cast.hidden.pk, "danmu", window=later, territory="SG"), scope))
    for resource, window, territory in (
        ("viewing", january, "SG"),
        ("viewing", later, "CN"),
        ("danmu", later, "CN"),
        ("danmu", january, "SG"),
        ("danmu", january, "CN"),
    ):
        with pytest.raises(OutsideScope):
            query.run(ask(cast.hidden.pk, resource, window=window, territory=territory), scope)


# --- a table that is derived from several families ---------------------------------------------
def moments_of(cast: Cast, **fields: Any) -> list[tuple[str, str]]:
    """(kind, families) of the moments of Aurora's title that the cast grants nothing of."""
    result = query.run(ask(cast.hidden.pk, "moments", **fields), scope_for(cast.alice, "web"))
    return [(str(r["kind"]), str(r["families"])) for r in result.rows()]


OF_RETENTION = [("opening", "retention"), ("stop", "retention")]
OF_REWATCH = [("rewatch", "rewatch")]
OF_BOTH = [("danmu_peak", "danmu|retention")]


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (["retention"], OF_RETENTION),
        (["rewatch"], OF_REWATCH),
        (["retention", "rewatch"], OF_RETENTION + OF_REWATCH),
        (["retention", "danmu"], OF_RETENTION + OF_BOTH),
        (["retention", "rewatch", "danmu"], OF_RETENTION + OF_REWATCH + OF_BOTH),
    ],
)
def test_moments_of_families_that_are_not_granted_are_absent(
    walls: str, cast: Cast, families: list[str], expected: list[tuple[str, str]]
) -> None:
    cast.grant(cast.aurora, cast.hidden, families=families)
    assert moments_of(cast) == expected


@pytest.mark.parametrize("families", [["danmu"], ["viewing"], ["danmu", "viewing"]])
def test_moments_without_a_family_that_makes_one_are_refused(
    walls: str, cast: Cast, families: list[str]
) -> None:
    cast.grant(cast.aurora, cast.hidden, families=families)
    with pytest.raises(Refused):
        moments_of(cast)


def test_a_moment_of_two_families_needs_both_in_one_tuple(walls: str, cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, families=["retention"])
    cast.grant(cast.aurora, cast.hidden, families=["danmu", "rewatch"])
    assert moments_of(cast) == OF_RETENTION + OF_REWATCH
    cast.grant(cast.aurora, cast.hidden, families=["danmu", "retention"], territories=["CN"])
    assert moments_of(cast) == OF_RETENTION + OF_REWATCH  # not for all that is answered
    assert moments_of(cast, territory="CN") == OF_RETENTION + OF_REWATCH + OF_BOTH


def test_moments_are_of_one_window_and_another_family_does_not_widen_it(
    walls: str, cast: Cast
) -> None:
    half = DAY + timedelta(days=5)
    early, late = Window(DAY, half), Window(half, WHOLE.until)
    cast.grant(cast.aurora, cast.hidden, families=["retention"], data_until=half)
    cast.grant(cast.aurora, cast.hidden, families=["rewatch"], data_from=half)
    scope = scope_for(cast.alice, "web")
    assert moments_of(cast, window=early) == OF_RETENTION
    assert moments_of(cast, window=late) == OF_REWATCH
    with pytest.raises(OutsideScope) as refused:
        moments_of(cast)
    assert {p.window.until for p in refused.value.granted} == {half}
    clipped = query.clip(ask(cast.hidden.pk, "moments"), scope)
    assert clipped is not None
    result = query.run(clipped, scope)
    assert "clipped" in result.notes
    assert set(result.data["families"]) == {"retention"}
    only_late = query.clip(ask(cast.hidden.pk, "moments", window=late), scope)
    assert only_late is not None
    assert set(query.run(only_late, scope).data["families"]) == {"rewatch"}


@pytest.mark.parametrize("end", [revoke, expire, suspend, disable, remove])
def test_an_ended_right_is_refused_at_once(
    walls: str, cast: Cast, end: Callable[[Cast, Grant], None]
) -> None:
    assert len(query.run(ask(cast.film.pk), scope_for(cast.alice, "web")))
    end(cast, cast.grants["film"])
    with pytest.raises(Refused):
        query.run(ask(cast.film.pk), scope_for(cast.alice, "web"))


def test_a_grant_that_is_not_valid_yet_opens_nothing(walls: str, cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, valid_from=django_timezone.now() + timedelta(minutes=1))
    with pytest.raises(Refused):
        query.run(ask(cast.hidden.pk), scope_for(cast.alice, "web"))


def test_a_proposed_grant_opens_nothing(walls: str, cast: Cast) -> None:
    grant = Grant.objects.create(
        partner=cast.aurora,
        families=["viewing"],
        territories=["*"],
        exits=["web"],
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        contract_reference="C-2",
        made_by=cast.stella,
    )
    grant.titles.add(cast.hidden)
    with pytest.raises(Refused):
        query.run(ask(cast.hidden.pk), scope_for(cast.alice, "web"))


def test_each_exit_is_granted_by_itself(walls: str, cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, exits=["web"])
    assert len(query.run(ask(cast.hidden.pk), scope_for(cast.alice, "web")))
    for exit in ("export", "email", "api", "delta"):
        with pytest.raises(Refused):
            query.run(ask(cast.hidden.pk), scope_for(cast.alice, exit))


def test_a_viewer_has_pages_only(walls: str, cast: Cast) -> None:
    assert scope_for(cast.victor, "web").titles() == {cast.film.pk, cast.shared.pk}
    assert scope_for(cast.victor, "export").titles() == frozenset()
    assert scope_for(cast.victor, "export", delivered=True).titles() == {
        cast.film.pk,
        cast.shared.pk,
    }


def test_a_members_limit_only_narrows(walls: str, cast: Cast) -> None:
    cast.amy.limit_titles = [cast.film.pk, cast.foreign.pk]
    cast.amy.limit_families = ["danmu", "viewing"]
    cast.amy.save()
    scope = scope_for(cast.amy, "web")
    assert scope.titles() == {cast.film.pk}
    assert scope.families(cast.film.pk) == {"danmu", "viewing"}
    cast.amy.limit_titles = []
    cast.amy.save()
    assert scope_for(cast.amy, "web").titles() == frozenset()


@pytest.mark.parametrize(
    ("resource", "on_page", "leaving"), [("danmu_comments", 40, 30), ("discussion_posts", 20, 10)]
)
def test_text_that_may_not_leave_stays_on_the_page(
    walls: str, cast: Cast, resource: str, on_page: int, leaving: int
) -> None:
    page = query.run(ask(cast.film.pk, resource), scope_for(cast.alice, "web"))
    file = query.run(ask(cast.film.pk, resource), scope_for(cast.alice, "export"))
    assert (len(page), len(file)) == (on_page, leaving)
    left = [text for text in page.data["text"] if text not in file.data["text"]]
    # one in two days' texts in the cast is from one sender
    assert {text[-2:] for text in left} == {"02", "04", "06", "08", "10"}


@pytest.mark.parametrize("exit", ["web", "export"])
def test_phrases_are_counted_from_the_comments_that_the_exit_reads(
    walls: str, cast: Cast, exit: str
) -> None:
    result = query.run(ask(cast.film.pk, "danmu_phrases"), scope_for(cast.alice, exit))
    assert [(r["from_second"], r["phrase"], r["comments"]) for r in result.rows()] == [
        (30, "哈哈哈", 20 if exit == "web" else 10)
    ]
    DanmuComment.objects.filter(title=cast.film, content_second=30).update(repeats=1)
    left = query.run(ask(cast.film.pk, "danmu_phrases"), scope_for(cast.alice, exit))
    assert len(left) == (1 if exit == "web" else 0)


def test_phrases_are_of_the_days_and_territories_that_are_granted(walls: str, cast: Cast) -> None:
    until = DAY + timedelta(days=9)
    cast.grant(cast.aurora, cast.hidden, territories=["CN"], data_until=until)
    scope = scope_for(cast.alice, "web")
    clipped = query.clip(ask(cast.hidden.pk, "danmu_phrases"), scope)
    assert clipped is not None
    assert query.run(clipped, scope).data["comments"] == [9]


def test_reactions_are_read_per_second(walls: str, cast: Cast) -> None:
    result = query.run(ask(cast.film.pk, "danmu"), scope_for(cast.alice, "web"))
    at = {name: values[30] for name, values in result.data.items()}
    assert (at["comments"], at["laughter"], at["hidden_reason"]) == (40, 40, None)
    for name in ("tears", "shock", "praise", "complaint"):
        assert sum(result.data[name]) == 0
    assert sum(result.data["laughter"]) == 40


@pytest.mark.parametrize("wall", ["Python alone", "Postgres alone"])
def test_new_viewers_of_days_that_are_not_granted_stay_out(
    request: pytest.FixtureRequest, cast: Cast, wall: str
) -> None:
    """In the cast every second row of sharing counts the day before it as well."""
    since = DAY + timedelta(days=1)
    cast.grant(cast.aurora, cast.hidden, data_from=since)
    window = Window(since, since + timedelta(days=3))
    if wall == "Python alone":
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE OR REPLACE VIEW wall_sharing AS SELECT * FROM engagement_sharingfact"
            )
        rows = list(
            query.run(
                ask(cast.hidden.pk, "sharing", window=window), scope_for(cast.alice, "web")
            ).rows()
        )
        assert [(r["new_viewers"], r["hidden_reason"]) for r in rows] == [
            (None, "reaches_outside"),
            (None, "waiting"),
            (300, None),
        ]
    else:
        asked = ask(cast.hidden.pk, "sharing", territory="*")
        rows = list(query.run(asked, forged(cast)).rows())
        assert [r["new_viewers"] for r in rows] == [
            None,
            None,
            300,
            None,
            300,
            None,
            300,
            None,
            300,
        ]
    assert [r["shares"] for r in rows] == [150] * len(rows)
