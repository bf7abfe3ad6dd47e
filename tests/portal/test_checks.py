"""Settings that refuse to be wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from portal import checks
from portal.checks import packages, production_settings, refuse_to_start

ROOT = Path(__file__).resolve().parents[2]
SAFE: dict[str, Any] = {
    "PRODUCTION": True,
    "SECRET_KEY": "Vq3-kT8wZr5_yNb1xLm7cJf2sHd9gPa4uEo6iRtQeWz0nYvB-8pXhS",
    "ALLOWED_HOSTS": ["portal.example.com"],
    "BASE_URL": "https://portal.example.com",
    "REDIS_URL": "rediss://:secret@redis.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://user:secret@smtp.example.com:587",
    "STORAGE_URL": "file:///srv/files",
    "STORAGE_ROOT": Path("/srv/files"),
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
}
ENVIRONMENT = {
    "DATABASE_URL": "postgres://dailies_web:secret@db.example.com:5432/dailies",
    **{name: ",".join(v) if isinstance(v, list) else v for name, v in SAFE.items()
       if isinstance(v, (str, list))},
    "PRODUCTION": "true",
}  # fmt: skip
"""Everything that production needs, as a service's unit would set it."""


@pytest.fixture
def production(settings: Any) -> Any:
    for name, value in SAFE.items():
        setattr(settings, name, value)
    return settings


def test_safe_settings_start(production: Any) -> None:
    assert production_settings() == []
    refuse_to_start()


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("SECRET_KEY", "unset", "dailies.E001"),
        ("SECRET_KEY", "secret", "dailies.E001"),
        ("SECRET_KEY", "x" * 50, "dailies.E001"),
        ("SECRET_KEY", "django-insecure-Vq3kT8wZr5yNb1xLm7cJf2sHd9gPa4uEo6iR", "dailies.E001"),
        ("ALLOWED_HOSTS", [], "dailies.E002"),
        ("ALLOWED_HOSTS", ["*"], "dailies.E002"),
        ("ALLOWED_HOSTS", ["portal.example.com", "*"], "dailies.E002"),
        ("SESSION_COOKIE_SECURE", False, "dailies.E009"),
        ("CSRF_COOKIE_SECURE", False, "dailies.E009"),
        ("BASE_URL", "http://portal.example.com", "dailies.E003"),
        ("DEBUG", True, "dailies.E004"),
        ("REDIS_URL", "redis://redis.example.com:6379/0", "dailies.E005"),
        ("EMAIL_URL", "", "dailies.E006"),
        ("STORAGE_ROOT", ROOT / "static" / "files", "dailies.E011"),
    ],
)
def test_an_unsafe_setting_stops_the_start(production: Any, name: str, value: Any, id: str) -> None:
    setattr(production, name, value)
    assert [problem.id for problem in production_settings()] == [id]
    with pytest.raises(ImproperlyConfigured, match=id):
        refuse_to_start()


def test_production_with_nothing_set_says_everything_at_once() -> None:
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    ran = subprocess.run(
        [sys.executable, "manage.py", "runserver", "--noreload"],
        cwd=ROOT,
        env=environment | {"PRODUCTION": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode != 0
    for id in ("E001", "E002", "E003", "E006"):
        assert f"dailies.{id}" in ran.stderr


def run(command: list[str], **changed: str) -> subprocess.CompletedProcess[str]:
    """A program of ours under a full production environment, but for what is `changed`."""
    bare = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "DAILIES_VAR")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=bare | ENVIRONMENT | changed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_djangos_own_check_finds_nothing_in_production() -> None:
    """P18: `check --deploy` at warning level, with nothing silenced."""
    ran = run(["manage.py", "check", "--deploy", "--fail-level", "WARNING"])
    assert (ran.returncode, "no issues (0 silenced)" in ran.stdout) == (0, True), ran.stderr


ENTRIES = {
    "gunicorn": ["-m", "gunicorn", "portal.wsgi:application", "--bind", "127.0.0.1:0"],
    "worker": ["-m", "celery", "-A", "portal.celery", "worker", "--pool", "solo"],
    "beat": ["-m", "celery", "-A", "portal.celery", "beat"],
    "runserver": ["manage.py", "runserver", "--noreload", "127.0.0.1:0"],
    "ingest": ["manage.py", "ingest", "nowhere"],
    "shell": ["manage.py", "shell", "-c", "print('in')"],
}
UNSAFE = {
    "default secret": ({"SECRET_KEY": ""}, "E001"),
    "any host": ({"ALLOWED_HOSTS": "*"}, "E002"),
    "cookies in the clear": ({"BASE_URL": "http://portal.example.com"}, "E009"),
    "broker without a password": ({"REDIS_URL": "redis://redis.example.com:6379/0"}, "E005"),
}


@pytest.mark.slow
@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_no_way_into_production_starts_unsafe(entry: str) -> None:
    """Case 84: all that is wrong at once, by every program that serves or works."""
    changed: dict[str, str] = {}
    for wrong, _ in UNSAFE.values():
        changed |= wrong
    ran = run(ENTRIES[entry], **changed)
    assert ran.returncode != 0
    for _, id in UNSAFE.values():
        assert f"dailies.{id}" in ran.stderr + ran.stdout, ran.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("what", sorted(UNSAFE))
def test_one_unsafe_setting_is_enough(what: str) -> None:
    """Case 84: the shell starts with a safe environment, and with no such one."""
    changed, id = UNSAFE[what]
    ran = run(ENTRIES["shell"], **changed)
    assert ran.returncode != 0
    assert f"dailies.{id}" in ran.stderr
    assert "in" in run(ENTRIES["shell"]).stdout


# --- P18: floors -----------------------------------------------------------------------------


def test_the_installed_packages_are_at_their_floors() -> None:
    assert packages() == []


def test_a_package_below_its_floor_stops_the_start(
    production: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "FLOORS", {"django": (5, 2, 19), "weasyprint": (999, 0)})
    [problem] = packages()
    assert (problem.id, "999.0" in str(problem.hint)) == ("dailies.E010", True)
    with pytest.raises(ImproperlyConfigured, match=r"dailies\.E010"):
        refuse_to_start()


def test_a_postgresql_below_its_minor_release_is_warned_of(
    db: None, production: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    major, minor = divmod(connection.pg_version, 10_000)
    monkeypatch.setattr(checks, "POSTGRES_MINORS", {major: minor})
    assert checks.postgres_minor(databases=["default"]) == []
    monkeypatch.setattr(checks, "POSTGRES_MINORS", {major: minor + 1})
    [warning] = checks.postgres_minor(databases=["default"])
    assert (warning.id, warning.hint) == (
        "dailies.W001", f"Install {major}.{minor + 1} or newer.",
    )  # fmt: skip
    production.PRODUCTION = False
    assert checks.postgres_minor(databases=["default"]) == []
