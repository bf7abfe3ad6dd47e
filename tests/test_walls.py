"""Both walls, each alone and both together.

`opened` opens the Postgres views to all rows, so that only Python decides; a forged scope takes
the Python filter away, so that only Postgres does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.db.utils import DatabaseError, ProgrammingError
from django.utils import timezone as django_timezone

from engagement import query
from engagement.families.registry import FAMILIES, RESOURCES
from engagement.models import DanmuComment
from engagement.roles import PARTNER, READER, STAFF, WEB, WORKER, acting_as
from engagement.scope import Entitled, OutsideScope, Query, Refused, Scope, Window
from partners import grants
from partners.access import scope_for
from partners.models import Entitlement, Grant, Membership
from tests.cast import CANARY, DAY, DAYS, Cast

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
FACT_VIEWS = (
    ("wall_viewing", "engagement_viewingfact"),
    ("wall_viewer_sketch", "engagement_viewersketch"),
    ("wall_retention", "engagement_retentionfact"),
    ("wall_rewatch", "engagement_rewatchfact"),
    ("wall_danmu", "engagement_danmufact"),
    ("wall_danmu_comment", "engagement_danmucomment"),
    ("wall_discussion", "engagement_discussionfact"),
    ("wall_discussion_post", "engagement_discussionpost"),
    ("wall_sharing", "engagement_sharingfact"),
    ("wall_sharing_offset", "engagement_sharingoffset"),
    ("wall_demographics", "engagement_demographicsfact"),
    ("wall_geography", "engagement_geographyfact"),
    ("wall_fanbases", "engagement_fanbasefact"),
    ("wall_typical", "engagement_typicalfact"),
    ("wall_restatement", "engagement_restatement"),
    ("wall_adjustment", "engagement_adjustment"),
)
ONE_BY_ONE = ("danmu_comments", "danmu_phrases", "discussion_posts")
"""Text has no row over all territories: asked for all of them, those that are granted answer."""

PIPELINES_OWN = ("engagement_daypartial", "engagement_publishedpiece", "engagement_noisedtable")


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


def ask(title_id: int, resource: str = "viewing", **fields: Any) -> Query:
    return Query(title_id=title_id, resource=resource, window=fields.pop("window", WHOLE), **fields)


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


def revoke(cast: Cast, grant: Grant) -> None:
    grants.revoke(grant, by=cast.stella)


def expire(cast: Cast, grant: Grant) -> None:
    # an hour: for Postgres it is still as late as when the test began
    grants.expire(grant, at=django_timezone.now() - timedelta(hours=1), by=cast.stella)


def suspend(cast: Cast, grant: Grant) -> None:
    cast.aurora.suspended_at = django_timezone.now()
    cast.aurora.save()


def disable(cast: Cast, grant: Grant) -> None:
    cast.alice.user.is_active = False
    cast.alice.user.save()


def remove(cast: Cast, grant: Grant) -> None:
    Membership.objects.filter(pk=cast.alice.pk).delete()


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


# --- Postgres alone ----------------------------------------------------------------------------
def forged(cast: Cast, exit: str = "web") -> Scope:
    """A scope of Aurora's in which Python would allow everything."""
    everything = frozenset(FAMILIES)
    return Scope(
        cast.aurora.pk,
        exit,
        tuple(
            Entitled(cast.grants["film"].pk, t.pk, everything, frozenset({"*", "CN", "SG"}))
            for t in (cast.film, cast.hidden, cast.foreign, cast.shared)
        ),
    )


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_postgres_alone_returns_no_foreign_row(cast: Cast, resource: str) -> None:
    assert plays_or_rows(cast, resource, cast.film.pk, "*") > 0
    assert plays_or_rows(cast, resource, cast.shared.pk, "CN") > 0
    for title_id, territory in (
        (cast.foreign.pk, "*"),
        (cast.foreign.pk, "CN"),
        (cast.hidden.pk, "*"),
        (cast.shared.pk, "SG"),
        (cast.shared.pk, "*") if resource not in ONE_BY_ONE else (cast.shared.pk, "SG"),
    ):
        assert plays_or_rows(cast, resource, title_id, territory) == 0, (title_id, territory)


def plays_or_rows(cast: Cast, resource: str, title_id: int, territory: str) -> int:
    result = query.run(ask(title_id, resource, territory=territory), forged(cast))
    return len(
        [r for r in result.rows() if "content_second" not in r or r["content_second"] is not None]
    )


@pytest.mark.parametrize("end", [revoke, expire, suspend])
def test_postgres_alone_ends_a_right_at_once(
    cast: Cast, end: Callable[[Cast, Grant], None]
) -> None:
    assert plays_or_rows(cast, "viewing", cast.film.pk, "*") > 0
    end(cast, cast.grants["film"])
    assert plays_or_rows(cast, "viewing", cast.film.pk, "*") == 0


def test_postgres_alone_knows_a_revoked_grant_whose_entitlements_are_left(cast: Cast) -> None:
    Grant.objects.filter(pk=cast.grants["film"].pk).update(
        state="revoked", revoked_at=django_timezone.now()
    )
    assert Entitlement.objects.filter(grant=cast.grants["film"]).exists()
    assert plays_or_rows(cast, "viewing", cast.film.pk, "*") == 0
    with pytest.raises(Refused):
        query.run(ask(cast.film.pk), scope_for(cast.alice, "web"))


def test_postgres_alone_keeps_to_family_window_and_exit(cast: Cast) -> None:
    cast.grant(
        cast.aurora, cast.hidden, families=["viewing"], exits=["web"],
        data_from=DAY + timedelta(days=2), data_until=DAY + timedelta(days=4),
    )  # fmt: skip
    result = query.run(ask(cast.hidden.pk, territory="CN"), forged(cast))
    assert {r["from"] for r in result.rows() if r["plays"] == 100} == {
        DAY + timedelta(days=2),
        DAY + timedelta(days=3),
    }
    assert plays_or_rows(cast, "retention", cast.hidden.pk, "CN") == 0
    exported = query.run(ask(cast.hidden.pk, territory="CN"), forged(cast, "export"))
    assert len(exported) == 0


def test_a_row_that_straddles_two_touching_tuples_is_inside_neither(cast: Cast) -> None:
    half = DAY + timedelta(days=5)
    cast.grant(cast.aurora, cast.hidden, data_until=half)
    cast.grant(cast.aurora, cast.hidden, data_from=half)
    from engagement.models import RetentionFact

    piece = RetentionFact.objects.get(title=cast.hidden, territory="*", from_day=half)
    RetentionFact.objects.filter(title=cast.hidden, from_day=half - timedelta(days=1)).delete()
    piece.from_day = half - timedelta(days=1)
    piece.save()
    for scope in (scope_for(cast.alice, "web"), forged(cast)):
        result = query.run(ask(cast.hidden.pk, "retention"), scope)
        assert result.data["sessions"][0] == 150 * 8


# --- rights ------------------------------------------------------------------------------------
def refused_as(role: str, sql: str) -> bool:
    try:
        with acting_as(role), connection.cursor() as cursor:
            cursor.execute(sql)
    except ProgrammingError as error:
        return "permission denied" in str(error)
    return False


@pytest.mark.parametrize("role", [WEB, PARTNER, STAFF, WORKER, READER])
@pytest.mark.parametrize("table", [*(t for _, t in FACT_VIEWS), *PIPELINES_OWN])
def test_no_role_of_the_web_reads_a_fact_table(cast: Cast, role: str, table: str) -> None:
    assert refused_as(role, f"SELECT * FROM {table}")


@pytest.mark.parametrize("role", [WEB, PARTNER, STAFF, WORKER])
def test_only_the_reader_reads_the_views(cast: Cast, role: str) -> None:
    assert refused_as(role, "SELECT * FROM wall_viewing")


def test_without_a_partner_the_reader_sees_nothing(cast: Cast) -> None:
    with acting_as(READER), connection.cursor() as cursor:
        for view, _ in FACT_VIEWS:
            cursor.execute(f"SELECT count(*) FROM {view}")
            assert cursor.fetchone() == (0,)


def test_a_partner_page_without_a_partner_sees_no_rows_and_the_web_none_at_all(cast: Cast) -> None:
    with acting_as(PARTNER), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM partners_membership")
        assert cursor.fetchone() == (0,)
    assert refused_as(WEB, "SELECT * FROM reports_bundle")


def test_a_partners_role_sees_its_own_rows_only(cast: Cast) -> None:
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        assert set(Membership.objects.values_list("user__email", flat=True)) == {
            "alice@example.com",
            "amy@example.com",
            "victor@example.com",
        }


def test_a_role_does_not_outlive_its_block(cast: Cast) -> None:
    with acting_as(WEB):
        with acting_as(READER, partner_id=cast.aurora.pk, exit="web"):
            pass
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user::text, current_setting('dailies.partner_id', true)")
            assert cursor.fetchone() == (WEB, "")
        with pytest.raises(ZeroDivisionError), acting_as(READER, partner_id=cast.aurora.pk):
            raise ZeroDivisionError
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user::text")
            assert cursor.fetchone() == (WEB,)


def test_the_audit_trail_is_append_only(cast: Cast) -> None:
    connection.check_constraints()  # a table with pending checks cannot be emptied anyway
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE partners_auditevent ENABLE TRIGGER never_emptied")
    for sql in (
        "UPDATE partners_auditevent SET action = 'x'",
        "DELETE FROM partners_auditevent",
        "TRUNCATE partners_auditevent",
    ):
        assert refused_as(STAFF, sql)
        with pytest.raises(DatabaseError, match="append-only"), acting_as("dailies_owner"):
            connection.cursor().execute(sql)


# --- the census --------------------------------------------------------------------------------
def test_every_table_with_a_partner_is_under_row_security(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
                   EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid
                           AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind = 'r' AND a.attname = 'partner_id' AND NOT a.attisdropped
            """
        )
        tables = cursor.fetchall()
    assert len(tables) >= 11
    assert [name for name, secured, policed in tables if not (secured and policed)] == []


def test_every_fact_table_has_one_barrier_view_and_only_the_publisher_writes(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname,
                   'security_barrier=true' = ANY (c.reloptions)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('v', 'm') AND n.nspname = 'public'
            """
        )
        views = dict(cursor.fetchall())
        cursor.execute(
            """
            SELECT table_name, grantee FROM information_schema.role_table_grants
            WHERE (table_name LIKE 'engagement\\_%%fact' OR table_name = ANY (%s))
              AND grantee NOT IN ('dailies_owner', 'dailies_publish')
            """,
            [[*(table for _, table in FACT_VIEWS), *PIPELINES_OWN]],
        )
        strangers = cursor.fetchall()
    assert set(views) == {*(v for v, _ in FACT_VIEWS), "wall_release"}
    assert all(views.values())
    assert strangers == []


def test_the_web_login_has_no_way_to_the_facts(transactional_db: None) -> None:
    """A real connection as dailies_web, not a role that the owner has taken."""
    name = settings.DATABASES["default"]["NAME"]
    host = connection.get_connection_params().get("host")
    with psycopg.connect(dbname=name, host=host, user="dailies_web") as web:
        for sql in (
            "SELECT 1 FROM engagement_viewingfact",
            "SELECT 1 FROM wall_viewing",
            "SELECT 1 FROM reports_bundle",
            "SET ROLE dailies_owner",
            "SET ROLE dailies_publish",
            "CREATE TABLE mine ()",
            "CREATE TEMP TABLE mine ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                web.execute(sql)
            web.rollback()


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
