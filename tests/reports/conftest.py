"""What the tests of reports share: one built bundle in each language, made once a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.render import renderer
from reports.render.bundle import Bundle, build_bundle
from tests.reports import film

SCOPE = [{"title": "yolo", "families": ["viewing", "retention", "rewatch", "danmu"]}]


@pytest.fixture(scope="session")
def chinese() -> Bundle:
    return build_bundle(film.REPORT, SCOPE)


@pytest.fixture(scope="session")
def english() -> Bundle:
    return build_bundle(replace(film.REPORT, language="en", sample=False), SCOPE)


class Rendered(list[Any]):
    """The reports that were rendered."""


@pytest.fixture
def rendered(storage: Path, monkeypatch: pytest.MonkeyPatch, english: Any) -> Rendered:
    """Counts what is rendered, and gives a film's files for it: what is in them does not matter."""
    reports = Rendered()

    def render(report: Any, scope: Any, _check: object) -> bytes:
        reports.append((report, scope))
        return bytes(english.zip.content)

    monkeypatch.setattr(renderer, "render", render)
    monkeypatch.setattr(renderer, "warm", lambda: None)
    return reports
