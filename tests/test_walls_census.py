"""A census of the database: every table is one that somebody walled.

Its views are counted in test_walls_census_views.py, functions and roles in
test_walls_census_roles.py.

Cases 23 to 25. Whoever adds a table finds here what is asked of it:
- with a partner_id: row-level security by equality (FORCE, USING and WITH CHECK, all commands);
- facts: rights for the publisher alone, and one security_barrier view;
- neither: a line in OF_NO_PARTNER, with what the partner's role may do there and why that is no
  leak.
"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, transaction

from engagement.models.facts import Fact
from engagement.roles import OWNER, PARTNER, PUBLISH, acting_as
from tests.cast import Cast
from tests.census import CURRENT, FACTS, bare, leaks, may, rows, tables, with_a_partner

OF_NO_PARTNER = {
    # table: why the partner's role may read it, or "" where it must not
    "partners_partner": "under a policy: its own name",
    "partners_grant_titles": "under a policy: of its own grants",
    "reports_schedule_recipients": "under a policy: of its own schedules",
    "engagement_title": "under a policy: titles it holds or is granted",
    "engagement_title_tags": "under a policy: of the titles it sees",
    "engagement_tag": "names of genres, actors and works, of nobody in particular",
    "partners_user": "under a policy: its people, and whoever did something in its name",
    "partners_user_groups": "",
    "partners_user_user_permissions": "",
    "engagement_fanset": "",
    "engagement_fansetversion": "",
    "engagement_fansetversion_titles": "",
    "engagement_ingest": "",
    "engagement_source": "",
    "engagement_rejected": "",
    "engagement_release": "",
    "engagement_release_sources": "",
    "engagement_titlechange": "",
    "engagement_closedmonth": "",
    "reports_heartbeat": "",
    "partners_auditlink": "",
    "partners_auditseal": "",
    "partners_grantbatch": "",
    "partners_grantbatch_grants": "",
    "partners_externalidentity": "",
    "partners_rolechange": "",
    "partners_session": "",
    "partners_attempt": "",
}
"""Tables of ours that hold no partner's rows."""

OF_PACKAGES = ("account_", "auth_", "axes_", "django_", "mfa_", "socialaccount_", "usersessions_")
"""Tables of the packages we use: people and their sessions, no partner's rows."""


# --- tables ---------------------------------------------------------------------------------------


def test_every_table_is_one_that_somebody_has_walled(db: None) -> None:
    """Case 23."""
    known = {*FACTS, *OF_NO_PARTNER, *with_a_partner()}
    strangers = [
        name
        for name, kind in tables().items()
        if kind != "v" and name not in known and not name.startswith(OF_PACKAGES)
    ]
    assert strangers == [], (
        "tables that nobody has walled. With a partner_id they need row-level security, as facts a"
        " view and a line in tests/walls.py; else say in OF_NO_PARTNER why they tell of no partner."
    )
    assert {m._meta.db_table for m in apps.get_models() if issubclass(m, Fact)} <= set(FACTS)


def test_nothing_but_tables_and_views_holds_rows(db: None) -> None:
    """Case 24: a materialised view, a partition's child or a foreign table is past every policy."""
    assert set(tables().values()) == {"r", "v"}
    assert rows("SELECT inhrelid::regclass::text FROM pg_inherits AS i JOIN pg_class AS c"
                " ON c.oid = i.inhparent WHERE c.relkind = 'r'") == []  # fmt: skip
    assert rows("SELECT srvname FROM pg_foreign_server") == []


def test_the_partners_role_reads_no_table_that_was_not_meant(db: None) -> None:
    for table, why in OF_NO_PARTNER.items():
        assert may(PARTNER, table) == bool(why), table


@pytest.mark.parametrize("table", FACTS)
def test_facts_grant_nothing_but_to_the_publisher(db: None, table: str) -> None:
    """Case 23. The owner, whose rights the views run with, is the only other one."""
    grantees = rows(
        "SELECT DISTINCT coalesce(r.rolname, 'PUBLIC') FROM pg_class AS c,"
        " aclexplode(c.relacl) AS acl LEFT JOIN pg_roles AS r ON r.oid = acl.grantee"
        " WHERE c.oid = %s::regclass UNION"
        " SELECT coalesce(r.rolname, 'PUBLIC') FROM pg_attribute AS a,"
        " aclexplode(a.attacl) AS acl LEFT JOIN pg_roles AS r ON r.oid = acl.grantee"
        " WHERE a.attrelid = %s::regclass",
        table, table,
    )  # fmt: skip
    assert {name for (name,) in grantees} == {OWNER, PUBLISH}


# --- policies -------------------------------------------------------------------------------------


def test_every_table_with_a_partner_is_under_one_policy_by_equality(db: None) -> None:
    """Case 23: ENABLE, FORCE, and for all commands USING and WITH CHECK of the same equality."""
    assert len(with_a_partner()) >= 13
    for table in with_a_partner():
        [(enabled, forced)] = rows(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
            table,
        )
        assert (enabled, forced) == (True, True), (
            f"{table} needs ENABLE and FORCE ROW LEVEL SECURITY"
        )
        of_the_partner = rows(
            "SELECT polcmd::text, pg_get_expr(polqual, polrelid),"
            " pg_get_expr(polwithcheck, polrelid) FROM pg_policy"
            " WHERE polrelid = %s::regclass AND polpermissive"  # others only narrow it
            " AND ('dailies_partner'::regrole = ANY (polroles) OR 0 = ANY (polroles))",
            table,
        )
        if table == "engagement_fanbasefact":  # read through its view alone, which asks
            assert of_the_partner == []
            continue
        equal = f"(partner_id = ({CURRENT.removesuffix('::uuid')})::uuid)"
        assert of_the_partner == [("*", equal, equal)], (
            f"{table}: the partner's role needs one policy for all commands,"
            " USING and WITH CHECK partner_id = the current partner"
        )


def test_no_table_with_a_partner_holds_a_row_of_nobody(db: None) -> None:
    """Case 14: the database refuses a row without a partner.

    The trail also records what is done for no partner, and staff invite staff: both are read by
    staff alone. A fan set's row without one is told to all who are granted the title.
    """
    nullable = rows(
        "SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
        " WHERE c.relname = ANY (%s) AND a.attname = 'partner_id' AND NOT a.attnotnull",
        with_a_partner(),
    )
    assert {name for (name,) in nullable} <= {
        "partners_auditevent",
        "partners_invitation",
        "engagement_fanbasefact",
    }


def test_a_partners_role_neither_reads_nor_writes_what_is_a_competitors(cast: Cast) -> None:
    """Cases 14, 28: in every table with a partner, whatever rights the role had on it."""
    connection.check_constraints()  # a table with pending checks cannot be altered
    for table in with_a_partner():
        if table != "engagement_fanbasefact":
            with transaction.atomic():
                bare(table)
                assert leaks(cast, table) == [], table
                transaction.set_rollback(True)


def test_a_partners_role_reads_its_own_names_only(cast: Cast) -> None:
    """Of partners, titles, and what grants and schedules name."""
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        assert rows("SELECT slug FROM partners_partner") == [("aurora",)]
        assert rows("SELECT slug FROM engagement_title ORDER BY slug") == [
            ("film",), ("hidden",), ("shared",)
        ]  # fmt: skip
        seen = {title for (title,) in rows("SELECT title_id FROM partners_grant_titles")}
    assert seen == {cast.film.pk, cast.shared.pk}
    with acting_as(PARTNER):
        for table, why in OF_NO_PARTNER.items():
            if why.startswith("under a policy"):
                assert rows(f"SELECT 1 FROM {table}") == [], table
