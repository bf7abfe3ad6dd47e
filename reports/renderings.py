"""The files of a bundle, from the values that it is made of to the bytes that are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reports.render import renderer
from reports.render.document import Report


@dataclass(frozen=True)
class Made:
    """What one recipient gets: the zip."""

    content: bytes


def make_files(report: Report, scope: list[dict[str, Any]], check: Callable[[], None]) -> Made:
    """The bundle's zip. `scope` is what may be seen, for the manifest.

    `check` is called all the while it is rendered; what it raises ends the work. Raises
    renderer.Stopped where a limit did, renderer.RenderingFailed where it cannot be made.
    """
    return Made(renderer.render(report, scope, check))
