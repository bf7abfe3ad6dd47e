"""What the tests of reports share: one built bundle in each language, made once a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.render.bundle import Bundle, build_bundle
from tests.reports import film

SCOPE = [{"title": "yolo", "families": ["viewing", "retention", "rewatch", "danmu"]}]


@pytest.fixture(scope="session")
def chinese() -> Bundle:
    return build_bundle(film.REPORT, SCOPE)


@pytest.fixture(scope="session")
def english() -> Bundle:
    return build_bundle(replace(film.REPORT, language="en", sample=False), SCOPE)
