"""Case 22: who may log in to the database as the site, and what happens to whoever may not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.test import Client
from psycopg import sql
from pytest_django.fixtures import Settings

from portal.login import is_safe_login, problems_of_login
from portal.management.commands.setup_database import connect
from portal.services.paths import PROJECT

WRONG = {
    "a superuser": ("SUPERUSER", "is a superuser"),
    "one past row security": ("BYPASSRLS", "bypasses row security"),
    "one who makes roles": ("CREATEROLE", "makes roles"),
    "one who makes databases": ("CREATEDB", "makes databases"),
    "one who may become the owner": (
        "NOINHERIT IN ROLE dailies_owner",
        "is not dailies_web",
    ),
    "nobody we know": ("", "is not dailies_web"),
}


@pytest.fixture
def login() -> Iterator[str]:
    """The name of a role that the test makes; it is gone afterwards."""
    name = f"wrong_{uuid4().hex}"
    yield name
    with connect("postgres") as admin:
        admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def url(login: str) -> str:
    database = connection.settings_dict
    host = database["HOST"] or database["OPTIONS"]["host"]
    port = f"&port={database['PORT']}" if database["PORT"] else ""
    return f"postgres://{login}@/{database['NAME']}?host={quote(str(host))}{port}"


def start(program: list[str], login: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url(login), "DATABASE_LOGIN": "web", "PRODUCTION": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


SITE = ["-c", "import portal.wsgi; print('serves')"]
WORKER = ["-m", "celery", "-A", "portal.celery", "worker", "--pool", "solo"]


@pytest.mark.parametrize("who", WRONG)
def test_the_site_does_not_start_under_a_wrong_login(
    transactional_db: None, login: str, who: str
) -> None:
    attributes, said = WRONG[who]
    with connect("postgres") as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN " + attributes).format(sql.Identifier(login)))
        admin.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                sql.Identifier(connection.settings_dict["NAME"]), sql.Identifier(login)
            )
        )
    ran = start(SITE, login)
    assert ran.returncode != 0
    assert "serves" not in ran.stdout
    assert f"not safe to start: {login} {said}" in ran.stderr


@pytest.mark.parametrize(
    ("login_", "said"),
    [("dailies_owner", "makes databases"), ("dailies_publish", "is not dailies_web")],
)
def test_nor_under_one_of_our_other_logins(transactional_db: None, login_: str, said: str) -> None:
    for program in (SITE, WORKER):
        ran = start(program, login_)
        assert ran.returncode != 0
        assert f"not safe to start: {login_} {said}" in ran.stdout + ran.stderr


def test_it_starts_as_the_web(transactional_db: None) -> None:
    ran = start(SITE, "dailies_web")
    assert (ran.returncode, ran.stdout) == (0, "serves\n"), ran.stderr


def test_the_web_may_become_four_roles_that_can_do_nothing_more(transactional_db: None) -> None:
    """A membership too many is named, whether it was given to the web or to what it becomes."""
    database = connection.settings_dict["NAME"]
    host = connection.get_connection_params().get("host")
    with connect("postgres") as admin:
        try:
            admin.execute("GRANT pg_read_all_data TO dailies_staff")
            with psycopg.connect(dbname=database, host=host, user="dailies_web") as web:
                from portal.login import _ROLES

                members = [name for name, *_ in web.execute(_ROLES).fetchall()]
            ran = start(SITE, "dailies_web")
        finally:
            admin.execute("REVOKE pg_read_all_data FROM dailies_staff")
    assert "pg_read_all_data" in members
    assert ran.returncode != 0
    assert "dailies_web may become pg_read_all_data" in ran.stderr


def test_readyz_is_red_under_a_wrong_login(db: None, settings: Settings) -> None:
    """The tests log in as the owner, which no site may."""
    assert is_safe_login()
    assert Client().get("/readyz").json()["checks"]["database"] is True
    settings.DATABASE_LOGIN = "web"
    assert problems_of_login() == [
        "dailies_owner makes databases",
        "dailies_owner owns tables or databases",
    ]
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, False)
