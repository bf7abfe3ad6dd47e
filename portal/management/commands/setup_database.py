"""Makes the roles and the database, by ADMIN_DATABASE_URL or the private server's superuser."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.core.management.base import BaseCommand, CommandError
from psycopg import conninfo

from engagement.roles import OWNER, PUBLISH, WEB
from partners import wall
from portal.services import postgres
from portal.services.paths import Places

LOGIN_URLS = {
    OWNER: "OWNER_DATABASE_URL",
    PUBLISH: "PUBLISH_DATABASE_URL",
    WEB: "DATABASE_URL",
}


class Command(BaseCommand):
    help = "Make the database roles and the database, or put them right. Safe to run again."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        name = database_name()
        try:
            with connect("postgres") as connection:
                wall.create_roles(connection, passwords=passwords())
                made = wall.create_database(connection, name)
            with connect("template1") as connection:
                wall.open_schema_to_owner(connection)
            with connect(name) as connection:
                wall.close_database(connection)
        except psycopg.Error as error:
            raise CommandError(f"setting up the database: {error}") from error
        if options["verbosity"]:
            self.stdout.write(f"database {name}: {'made' if made else 'there already'}, roles set")


def connect(database: str) -> wall.Connection:
    """A superuser's connection in autocommit. CommandError where no way to one is known."""
    admin = os.environ.get("ADMIN_DATABASE_URL")
    if admin:
        # A URL names the database to look in first; here it is named by us.
        return psycopg.connect(conninfo.make_conninfo(admin, dbname=database), autocommit=True)
    if os.environ.get("DATABASE_URL"):
        raise CommandError(
            "DATABASE_URL is set, so the server is yours: set ADMIN_DATABASE_URL to a login that "
            "may create roles and databases, for this command only"
        )
    return psycopg.connect(postgres.admin_dsn(Places.here(), database), autocommit=True)


def database_name() -> str:
    """The database that the owner's URL names, else `dailies`."""
    url = os.environ.get("OWNER_DATABASE_URL") or os.environ.get("DATABASE_URL") or ""
    return unquote(urlsplit(url).path.lstrip("/")) or "dailies"


def passwords() -> dict[str, str]:
    """The passwords that the three URLs carry, by login. CommandError for another user name."""
    found = {}
    for login, variable in LOGIN_URLS.items():
        parts = urlsplit(os.environ.get(variable, ""))
        if parts.username and unquote(parts.username) != login:
            raise CommandError(f"{variable} logs in as {parts.username}; it has to be {login}")
        if parts.password:
            found[login] = unquote(parts.password)
    return found
