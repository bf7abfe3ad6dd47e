"""What the tests of reports share: one built bundle in each language, made once a run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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


@pytest.fixture
def text_of(tmp_path: Path) -> Callable[[bytes], str]:
    """The text of a PDF as poppler reads it, blanks and line ends joined to one blank."""
    assert shutil.which("pdftotext"), "poppler-utils is needed"

    def read(pdf: bytes) -> str:
        path = tmp_path / "read.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(
            ["pdftotext", "-enc", "UTF-8", str(path), "-"], capture_output=True, check=True
        )
        return " ".join(done.stdout.decode().split())

    return read
