"""The wall in Postgres alone: a forged scope takes the Python filter away; and the rights.

test_walls.py tries both walls together, and Python alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.db.utils import DatabaseError, ProgrammingError
from django.utils import timezone as django_timezone

from engagement import query
from engagement.families.registry import RESOURCES
from engagement.roles import PARTNER, READER, STAFF, WEB, WORKER, acting_as
from engagement.scope import Refused
from partners.access import scope_for
from partners.models import Entitlement, Grant, Membership
from tests.cast import DAY, Cast
from tests.walls import (
    FACT_VIEWS,
    ONE_BY_ONE,
    PIPELINES_OWN,
    ask,
    expire,
    forged,
    revoke,
    suspend,
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


def plays_or_rows(
    cast: Cast, resource: str, title_id: int, territory: str, exit: str = "web"
) -> int:
    """The rows that tell of anything; one that only says why there is none is not counted."""
    result = query.run(ask(title_id, resource, territory=territory), forged(cast, exit))
    return sum(
        any(value is not None for name, value in row.items() if name != "hidden_reason")
        for row in result.rows()
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
    assert plays_or_rows(cast, "viewing", cast.hidden.pk, "CN", "export") == 0


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
        refusal = "permission denied" if sql.startswith("DELETE") else "append-only"
        with pytest.raises(DatabaseError, match=refusal), acting_as("dailies_owner"):
            connection.cursor().execute(sql)


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
