"""The roles and the views in Postgres: the second wall, which holds when Python forgets.

Here are the roles, which belong to the whole cluster and are made once by a superuser before any
migration (`manage.py setup_database`). Three log in: the owner migrates, publish ingests, web
serves. Four cannot log in and are what the web becomes for one transaction. The views, policies
and rights on tables are written out in the migrations, as they belong to one database.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

from engagement.roles import OWNER, PARTNER, PUBLISH, READER, STAFF, WEB, WORKER

LOGINS = {
    OWNER: "LOGIN CREATEDB NOINHERIT",
    PUBLISH: "LOGIN",
    WEB: "LOGIN NOINHERIT",
}
"""The roles that log in. NOINHERIT: a membership is a right to become, never a right at rest."""

BECOMES = (PARTNER, STAFF, WORKER, READER)
"""The roles without a login that the web becomes for one transaction."""

Connection = psycopg.Connection[tuple[object, ...]]


def create_roles(connection: Connection, *, passwords: Mapping[str, str] | None = None) -> None:
    """Make the roles and their memberships, or put them right. Safe to run again.

    `passwords` are by login name; a login without one keeps what it has (none, on a socket that
    trusts). The server gets the password's SCRAM verifier, so that no log can show the password.
    Raises psycopg.errors.InsufficientPrivilege where the connection may not create roles.
    """
    for name, attributes in LOGINS.items():
        _make_role(connection, name, f"{attributes} NOSUPERUSER NOBYPASSRLS NOCREATEROLE")
        password = (passwords or {}).get(name)
        if password:
            verifier = connection.pgconn.encrypt_password(
                password.encode(), name.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(name), sql.Literal(verifier.decode())
                )
            )
    for name in BECOMES:
        _make_role(connection, name, "NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB")
    for member, roles in ((WEB, BECOMES), (OWNER, (PUBLISH, WEB, *BECOMES))):
        for role in roles:
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(member))
            )


def _make_role(connection: Connection, name: str, attributes: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    connection.execute(
        sql.SQL("{} ROLE {} WITH " + attributes).format(
            sql.SQL("ALTER" if known else "CREATE"), sql.Identifier(name)
        )
    )


def create_database(connection: Connection, name: str) -> bool:
    """Make the owner's database where it is missing; returns whether it was made.

    Text sorts by code point on every server: by PostgreSQL's own C.UTF-8 where it has one (17 and
    newer), else by the system's. `connection` is in autocommit: this cannot run in a transaction.
    """
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if known:
        return False
    locale = (
        "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
        if connection.info.server_version >= 170000
        else "LOCALE 'C.UTF-8'"
    )
    connection.execute(
        sql.SQL(
            "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' " + locale + " TEMPLATE template0"
        ).format(sql.Identifier(name), sql.Identifier(OWNER))
    )
    return True


def close_database(connection: Connection) -> None:
    """Take from everyone what only the owner needs in the database of `connection`.

    Nobody but the owner makes objects, temporary ones included; only our logins connect.
    """
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for login in LOGINS:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(login))
        )
    open_schema_to_owner(connection)


def open_schema_to_owner(connection: Connection) -> None:
    """Let the owner alone create in the schema public.

    Said in so many words, because before PostgreSQL 16 a NOINHERIT owner does not have the
    rights of pg_database_owner. Run in template1 too: test databases are copies of it.
    """
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    connection.execute(
        sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(sql.Identifier(OWNER))
    )
