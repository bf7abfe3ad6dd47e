"""Where the ingest of a test keeps its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engagement.one_film import FILM


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path) -> None:
    settings.STAGING = tmp_path / "var" / "staged"
    settings.PEOPLE = tmp_path / "var" / "people"
    settings.SOURCES = tmp_path / "var" / "sources"
    settings.PUBLISHER_KEY = b"test key"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to land, with one film in its titles."""
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM)
    return landing
