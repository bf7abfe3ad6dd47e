"""A census of the database: every table, view, function and role is one that somebody walled.

Cases 23 to 25. Whoever adds a table finds here what is asked of it:
- with a partner_id: row-level security by equality (FORCE, USING and WITH CHECK, all commands);
- facts: rights for the publisher alone, and one security_barrier view;
- neither: a line in OF_NO_PARTNER, with what the partner's role may do there and why that is no
  leak.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from engagement.models.facts import Fact
from engagement.roles import (
    OWNER,
    PARTNER,
    PUBLISH,
    READER,
    STAFF,
    WEB,
    WORKER,
    acting_as,
)
from tests.cast import Cast
from tests.walls import FACT_VIEWS, PIPELINES_OWN

OF_THE_WEB = (WEB, PARTNER, STAFF, WORKER, READER)
CURRENT = "NULLIF(current_setting('dailies.partner_id'::text, true), ''::text)::uuid"

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

FUNCTIONS = {
    # function: its search_path. All run with the rights of the caller.
    "partners_auditevent_is_append_only": "pg_catalog",
    "partners_grant_is_fixed": "pg_catalog",
    "partners_grant_titles_are_fixed": "pg_catalog",
}
SECURITY_DEFINER: set[str] = set()
"""Functions that run with their owner's rights: none. Each would be a door of its own."""

ROLES = {
    # role: (logs in, inherits, makes databases, what it is a member of)
    OWNER: (True, False, True, {PUBLISH, WEB, PARTNER, STAFF, WORKER, READER}),
    PUBLISH: (True, True, False, set()),
    WEB: (True, False, False, {PARTNER, STAFF, WORKER, READER}),
    PARTNER: (False, True, False, set()),
    STAFF: (False, True, False, set()),
    WORKER: (False, True, False, set()),
    READER: (False, True, False, set()),
}


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def tables() -> dict[str, str]:
    """Every relation of ours that holds or shows rows, and its kind (r, v, m, f, p)."""
    return dict(
        rows(
            "SELECT c.relname, c.relkind::text FROM pg_class AS c"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r','v','m','f','p')"
        )
    )


def with_a_partner() -> list[str]:
    return [
        name
        for (name,) in rows(
            "SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
            " AND a.attname = 'partner_id' AND NOT a.attisdropped ORDER BY c.relname"
        )
    ]


def may(role: str, table: str, right: str = "SELECT") -> bool:
    """Whether the role has the right on the table or any column of it."""
    [(whole, some)] = rows(
        "SELECT has_table_privilege(%s, %s, %s),"
        " has_any_column_privilege(%s, %s, CASE WHEN %s = 'DELETE' THEN 'REFERENCES' ELSE %s END)",
        role, table, right, role, table, right, right,
    )  # fmt: skip
    return bool(whole or some)


FACTS = (*(table for _, table in FACT_VIEWS), *PIPELINES_OWN)


# --- tables --------------------------------------------------------------------------------------


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


# --- policies ------------------------------------------------------------------------------------


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


def bare(table: str) -> None:
    """Take from a table all that it asks of a row but its policies, in the open transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for (name,) in rows(
            "SELECT polname FROM pg_policy WHERE polrelid = %s::regclass AND NOT polpermissive",
            table,
        ):
            cursor.execute(f"DROP POLICY {name} ON {table}")  # it narrows what this asks about
        for (name,) in rows(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype <> 'n'",
            table,
        ):
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}" CASCADE')
        for (name,) in rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attnotnull AND attidentity = ''",
            table,
        ):
            cursor.execute(f'ALTER TABLE {table} ALTER COLUMN "{name}" DROP NOT NULL')
        cursor.execute(f"GRANT ALL ON {table} TO {PARTNER}, {OWNER}")


def leaks(cast: Cast, table: str) -> list[str]:
    """What Aurora's role can do with a row of Borealis' in a bare table."""
    a, b = str(cast.aurora.pk), str(cast.borealis.pk)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"INSERT INTO {table} (partner_id) VALUES (%s), (%s), (NULL)", [a, b])
    found = []
    for what, sql in (
        ("reads", f"SELECT 1 FROM {table}"),
        ("changes", f"UPDATE {table} SET partner_id = partner_id RETURNING 1"),
        ("removes", f"DELETE FROM {table} RETURNING 1"),
    ):
        try:
            with transaction.atomic():
                with acting_as(PARTNER, partner_id=cast.aurora.pk):
                    seen = len(rows(sql))
                transaction.set_rollback(True)
        except ProgrammingError as error:  # it got as far as the check of what it writes
            found.append(f"{what}: {error}")
        else:
            if seen != 1:
                found.append(f"{what} {seen} rows")
    for what, sql in (
        ("adds a row", f"INSERT INTO {table} (partner_id) VALUES (%s)"),
        ("gives its row away", f"UPDATE {table} SET partner_id = %s"),
    ):
        for whose in (b, None):
            try:
                with (
                    acting_as(PARTNER, partner_id=cast.aurora.pk),
                    connection.cursor() as cursor,
                ):
                    cursor.execute(sql, [whose])
                    found.append(f"{what} to {whose}")
            except ProgrammingError as error:
                if "row-level security" not in str(error):
                    raise
    with acting_as(PARTNER):
        if rows(f"SELECT 1 FROM {table}"):
            found.append("reads without a partner")
    return found


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


# --- views ---------------------------------------------------------------------------------------

LIVE = """
e.partner_id = {current} | e.title_id = {title} | {family} = ANY e.families
| fact.territory = ANY e.territories OR '*' = ANY e.territories
| current_setting'dailies.exit', true = ANY e.exits
| e.data_from <= {since} | fact.until <= e.data_until
| e.valid_from <= now | e.valid_until IS NULL OR now < e.valid_until
| g.partner_id = e.partner_id | g.state = 'approved' | g.approved_by_id IS NOT NULL
| g.revoked_at IS NULL | p.suspended_at IS NULL
"""
CHILDREN = "fact.counted IS NULL OR NOT EXISTS SELECT FROM unnestfact.counted childid"
FAMILY_OF = {
    "wall_viewer_sketch": "'viewing'",
    "wall_danmu_comment": "'danmu'",
    "wall_discussion_post": "'discussion'",
    "wall_sharing_offset": "'sharing'",
    "wall_typical": "fact.family",
    "wall_restatement": "fact.family",
    "wall_adjustment": "fact.family",
}
COUNTING = {
    "wall_viewing", "wall_viewer_sketch", "wall_demographics", "wall_geography", "wall_fanbases"
}  # fmt: skip


def plain(sql: str) -> str:
    """Without casts, brackets and line ends, which servers write differently."""
    sql = re.sub(r"::(text|uuid|character varying)(\[\])?", "", sql)
    return " ".join(re.sub(r"[()]", "", sql).split()).lower()


def definition(view: str) -> str:
    [(text,)] = rows("SELECT pg_get_viewdef(%s::regclass)", view)
    return plain(str(text)).replace("and counted is null", "and fact.counted is null")


def live(family: str, *, title: str = "fact.title_id", since: str = 'fact."from"') -> str:
    current = plain(CURRENT)
    conditions = LIVE.format(current=current, family=family, title=title, since=since)
    return " and ".join(plain(c) for c in conditions.split("|"))


def test_every_view_is_a_barrier_under_the_owners_rights_and_read_by_the_reader_alone(
    db: None,
) -> None:
    """Cases 23, 24: no other view over facts is readable by a role of the web."""
    views = {name for name, kind in tables().items() if kind == "v"}
    assert views == {*(view for view, _ in FACT_VIEWS), "wall_release", "wall_measured"}
    for view in views:
        [(options, owner)] = rows(
            "SELECT reloptions, relowner::regrole::text FROM pg_class WHERE oid = %s::regclass",
            view,
        )
        assert (options, owner) == (["security_barrier=true"], OWNER), view
        assert [role for role in (*OF_THE_WEB, PUBLISH) if may(role, view)] == [READER], view
        for right in ("INSERT", "UPDATE", "DELETE"):
            assert [role for role in OF_THE_WEB if may(role, view, right)] == [], view


@pytest.mark.parametrize("view", [view for view, _ in FACT_VIEWS])
def test_a_views_condition_is_the_registered_one(db: None, view: str) -> None:
    """Case 23."""
    family = FAMILY_OF.get(view, f"'{view.removeprefix('wall_')}'")
    text = definition(view)
    if view == "wall_sharing":  # days before the row's own are asked for apart
        assert live(family, since="fact.new_since") in text
    assert text.count(live(family)) == 1
    if view in COUNTING:
        assert plain(CHILDREN) in text
        assert live(family, title="child.id") in text
    if view in ("wall_danmu_comment", "wall_discussion_post"):
        # servers before 16 name the table of each column
        assert re.sub(r"fact\.(repeats|likes|picked)", r"\1", text).endswith(
            "and current_setting'dailies.exit', true = 'web' or repeats >= 3 or likes >= 10"
            " or picked;"
        )
    elif view == "wall_fanbases":
        assert text.endswith(f"and fact.partner_id is null or fact.partner_id = {plain(CURRENT)};")
    else:
        assert text.endswith("p.suspended_at is null;")


# --- functions and what a login may make ---------------------------------------------------------


def test_every_function_is_known_and_its_search_path_is_pinned(db: None) -> None:
    """Case 25."""
    found = rows(
        "SELECT proname, prosecdef, proconfig FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
    )
    assert {name for name, definer, _ in found if definer} == SECURITY_DEFINER
    unpinned = [
        name
        for name, _, config in found
        if not any(setting.startswith("search_path=pg_catalog") for setting in config or ())
    ]
    assert unpinned == [], "SET search_path = pg_catalog on each"
    assert {*FUNCTIONS, *SECURITY_DEFINER} <= {name for name, *_ in found}


MAKING = {
    "a table": "CREATE TABLE mine ()",
    "a temporary table": "CREATE TEMP TABLE mine ()",
    "a view": "CREATE VIEW mine AS SELECT 1",
    "a function": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a type": "CREATE TYPE mine AS (a int)",
    "an operator": "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
    "a schema": "CREATE SCHEMA mine",
    "an extension": "CREATE EXTENSION pg_trgm",
    "a role": "CREATE ROLE mine",
    "a setting of the server": "ALTER SYSTEM SET work_mem = '1MB'",
    "a program's output": "COPY (SELECT 1) TO PROGRAM 'true'",
    "a file": "COPY (SELECT 1) TO '/tmp/mine'",
}


@pytest.mark.parametrize("role", OF_THE_WEB)
@pytest.mark.parametrize("what", MAKING)
def test_no_role_of_the_web_makes_anything(db: None, role: str, what: str) -> None:
    """Case 25."""
    with (
        pytest.raises(DatabaseError, match=r"permission denied|must be|cannot"),
        acting_as(role),
        connection.cursor() as cursor,
    ):
        cursor.execute(MAKING[what])


# --- roles ---------------------------------------------------------------------------------------


def test_the_roles_are_exactly_these(db: None) -> None:
    """Case 22: attributes and memberships; none passes row security or makes roles."""
    found = {
        name: (login, inherits, creates, set(members or ()))
        for name, login, inherits, creates, members in rows(
            "SELECT r.rolname, r.rolcanlogin, r.rolinherit, r.rolcreatedb,"
            " (SELECT array_agg(g.rolname::text) FROM pg_auth_members AS m"
            "  JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid)"
            " FROM pg_roles AS r WHERE r.rolname LIKE 'dailies\\_%%'"
            " AND r.rolname <> 'dailies_admin'",
        )
    }
    assert found == ROLES
    assert rows(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)",
        list(ROLES),
    ) == []  # fmt: skip


def test_nobody_else_may_become_one_of_them(db: None) -> None:
    members = rows(
        "SELECT m.member::regrole::text, m.roleid::regrole::text FROM pg_auth_members AS m"
        " WHERE m.roleid::regrole::text = ANY (%s)",
        list(ROLES),
    )
    assert {member for member, _ in members} <= {OWNER, WEB, "dailies_admin"}
