"""Bundles for tests in which the content of the file is no matter: nothing is rendered."""

from __future__ import annotations

import pytest

from reports.render.document import Report
from reports.renderings import Made


def without_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bundle's file is its id."""
    monkeypatch.setattr("reports.build.make_files", _id_alone)
    monkeypatch.setattr("reports.render.renderer.warm", lambda: None)


def _id_alone(report: Report, *_: object, **__: object) -> Made:
    return Made(report.bundle_id.encode())
