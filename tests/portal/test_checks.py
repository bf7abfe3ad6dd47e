"""Settings that refuse to be wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.checks import production_settings, refuse_to_start

ROOT = Path(__file__).resolve().parents[2]
SAFE: dict[str, Any] = {
    "PRODUCTION": True,
    "SECRET_KEY": "x" * 50,
    "ALLOWED_HOSTS": ["portal.example.com"],
    "BASE_URL": "https://portal.example.com",
    "REDIS_URL": "rediss://:secret@redis.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://user:secret@smtp.example.com:587",
    "STORAGE_URL": "file:///srv/files",
}


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
        ("ALLOWED_HOSTS", [], "dailies.E002"),
        ("ALLOWED_HOSTS", ["*"], "dailies.E002"),
        ("BASE_URL", "http://portal.example.com", "dailies.E003"),
        ("DEBUG", True, "dailies.E004"),
        ("REDIS_URL", "redis://redis.example.com:6379/0", "dailies.E005"),
        ("EMAIL_URL", "", "dailies.E006"),
        ("STORAGE_URL", "files", "dailies.E007"),
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
