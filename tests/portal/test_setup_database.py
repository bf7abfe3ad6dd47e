"""setup_database on a fresh server: the roles, what they may become, and running it again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engagement.roles import OWNER, PARTNER, PUBLISH, WEB
from portal.management.commands import setup_database
from portal.services import servers
from portal.services.paths import PROJECT, Places

USE = (
    "from portal.services import servers; from portal.services.paths import Places\n"
    "import sys\n"
    "with servers.in_use(Places.here()):\n"
    "    print('up', flush=True); sys.stdin.readline()\n"
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Places, dict[str, str]]]:
    """A new server of its own, set up twice, with a password for the owner the second time."""
    places = Places(tmp_path_factory.mktemp("fresh") / "var")
    brought = (*servers.BROUGHT_BY.values(), *setup_database.LOGIN_URLS.values())
    env = {name: value for name, value in os.environ.items() if name not in brought}
    env |= {"DAILIES_VAR": str(places.var), "PYTHONPATH": str(PROJECT), "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(
        [sys.executable, "-c", USE],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    assert any(line == "up\n" for line in process.stdout)
    command = [sys.executable, str(PROJECT / "manage.py"), "setup_database"]
    said = []
    for more in ({}, {"OWNER_DATABASE_URL": f"postgres://{OWNER}:s%40cret@/dailies"}):
        done = subprocess.run(
            command, env=env | more, capture_output=True, text=True, check=False, cwd=PROJECT
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.strip())
    yield places, {"first": said[0], "second": said[1]}
    process.communicate("\n", timeout=60)


def connect(places: Places, user: str, database: str = "dailies") -> psycopg.Connection:
    return psycopg.connect(host=str(places.sockets), user=user, dbname=database, autocommit=True)


def test_setting_up_again_changes_nothing_and_says_so(fresh: tuple[Places, dict]) -> None:
    assert fresh[1] == {
        "first": "database dailies: made, roles set",
        "second": "database dailies: there already, roles set",
    }


@pytest.mark.parametrize(
    "command",
    [
        ["ingest"],
        ["rebuild"],
        ["check_freshness"],
        ["close_month", "2024-09", "--by", "a@example.com"],
    ],
)
def test_a_pipeline_command_before_migrate_says_so_in_one_line(
    fresh: tuple[Places, dict], command: list[str]
) -> None:
    said = refusal(fresh[0], command)
    assert said.startswith('CommandError: the database is not migrated (relation "')
    assert said.endswith('" does not exist): run manage.py migrate, then this again')


def test_a_database_that_is_not_there_is_said_in_one_line(
    fresh: tuple[Places, dict], tmp_path: Path
) -> None:
    said = refusal(Places(tmp_path / "var"), ["check_freshness"])
    assert said.startswith("CommandError: the database cannot be reached (")
    assert "manage.py setup_database" in said


def test_an_engine_that_is_none_is_said_in_one_line(fresh: tuple[Places, dict]) -> None:
    for command in ("ingest", "rebuild"):
        assert refusal(fresh[0], [command], ENGINE_URL="sparks://here") == (
            "CommandError: ENGINE_URL is 'sparks://here': name embedded:// or spark://HOST:PORT"
        )


def refusal(places: Places, command: list[str], **more: str) -> str:
    """The one line that a command ends with; none of it is a traceback."""
    brought = (*servers.BROUGHT_BY.values(), *setup_database.LOGIN_URLS.values())
    env = {name: value for name, value in os.environ.items() if name not in brought}
    env |= {"DAILIES_VAR": str(places.var), "LOG_LEVEL": "WARNING", **more}
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), *command],
        env=env, capture_output=True, text=True, check=False, cwd=PROJECT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def test_web_becomes_its_four_roles_and_no_other(fresh: tuple[Places, dict]) -> None:
    with connect(fresh[0], WEB) as web:
        web.execute(f"SET ROLE {PARTNER}")
        web.execute("RESET ROLE")
        for other in (OWNER, PUBLISH, "dailies_admin"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                web.execute(f"SET ROLE {other}")


def test_web_holds_no_right_of_its_roles_before_it_becomes_one(
    fresh: tuple[Places, dict],
) -> None:
    with connect(fresh[0], OWNER) as owner, connect(fresh[0], WEB) as web:
        owner.execute("CREATE TABLE a_fact (n int)")
        owner.execute(f"GRANT SELECT ON a_fact TO {PARTNER}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("SELECT n FROM a_fact")
        web.execute(f"SET ROLE {PARTNER}")
        assert web.execute("SELECT n FROM a_fact").fetchall() == []
        owner.execute("DROP TABLE a_fact")


@pytest.mark.parametrize("login", [WEB, PUBLISH])
@pytest.mark.parametrize("kind", ["TABLE", "TEMPORARY TABLE"])
def test_nobody_but_the_owner_makes_tables(
    fresh: tuple[Places, dict], login: str, kind: str
) -> None:
    with connect(fresh[0], login) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"CREATE {kind} mine (n int)")


def test_owner_makes_test_databases_and_tables_in_them(fresh: tuple[Places, dict]) -> None:
    with connect(fresh[0], OWNER) as owner:
        owner.execute("CREATE DATABASE test_dailies")
        with connect(fresh[0], OWNER, "test_dailies") as test:
            test.execute("CREATE TABLE mine (n int)")
        owner.execute("DROP DATABASE test_dailies")


def test_password_of_a_url_reaches_the_server_only_as_its_verifier(
    fresh: tuple[Places, dict],
) -> None:
    with connect(fresh[0], "dailies_admin") as admin:
        row = admin.execute("SELECT passwd FROM pg_shadow WHERE usename = %s", (OWNER,)).fetchone()
        assert row is not None
        assert row[0].startswith("SCRAM-SHA-256$")


def test_url_with_another_login_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:x@db.example.org/dailies")
    with pytest.raises(setup_database.CommandError, match="logs in as me; it has to be"):
        setup_database.passwords()


def test_database_name_is_the_owner_urls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OWNER_DATABASE_URL", "postgres://dailies_owner@db.example.org/studio")
    assert setup_database.database_name() == "studio"
