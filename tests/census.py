"""What PostgreSQL says of its own tables and rights, and what a bare table lets a partner do."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.utils import ProgrammingError

from engagement.roles import OWNER, PARTNER, READER, STAFF, WEB, WORKER, acting_as
from tests.cast import Cast
from tests.walls import FACT_VIEWS, PIPELINES_OWN

OF_THE_WEB = (WEB, PARTNER, STAFF, WORKER, READER)

CURRENT = "NULLIF(current_setting('dailies.partner_id'::text, true), ''::text)::uuid"

FACTS = (*(table for _, table in FACT_VIEWS), *PIPELINES_OWN)


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
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass"
            " AND contype NOT IN ('n', 't')",  # not-null below; triggers are off
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
