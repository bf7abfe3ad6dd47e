"""The census of functions and roles: which there are, and what a login may make."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection

from engagement.roles import OWNER, PARTNER, PUBLISH, READER, STAFF, WEB, WORKER, acting_as
from tests.census import OF_THE_WEB, rows

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


# --- functions and what a login may make ----------------------------------------------------------


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


# --- roles ----------------------------------------------------------------------------------------


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
