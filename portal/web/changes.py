"""What changed of a title after it had settled, in the words of the title page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engagement import query
from engagement.families import Column
from engagement.families.registry import RESOURCES
from engagement.models import Title
from engagement.scope import Scope, Window
from portal.web.windows import Picked

SHOWN = 60
"""Lines on the page; all of them are in the API."""


@dataclass(frozen=True)
class Line:
    """One number that changed. `adjusts` a closed month, whose own number stays."""

    family: str
    territory: str
    window: Window
    metric: Column
    old: int | None
    new: int | None
    at: datetime
    adjusts: bool

    @property
    def is_told_only(self) -> bool:
        """Plays that people were counted from before, and are not counted from anew."""
        return self.family in ("demographics", "geography") and self.metric.name == "plays"


@dataclass(frozen=True)
class Changed:
    """The newest changes in the window and territory of a page, and how many more there are."""

    lines: tuple[Line, ...]
    more: int

    def __bool__(self) -> bool:
        return bool(self.lines)


def changed(scope: Scope, title: Title, asked: Picked) -> Changed:
    found = [
        change
        for change in query.changes(scope, [title.pk])
        if change.window.common(asked.window) is not None
        and asked.territory in (None, change.territory)
    ]
    lines = [
        Line(
            c.family, c.territory, c.window, _column(c.family, c.metric), c.old, c.new, c.at,
            c.adjusts,
        )
        for c in found[:SHOWN]
    ]  # fmt: skip
    return Changed(tuple(lines), len(found) - len(lines))


def _column(family: str, metric: str) -> Column:
    """The column that the number stands in; plays of a curve are those of `viewing`."""
    for resource in (RESOURCES[family], RESOURCES["viewing"]):
        for column in resource.columns:
            if column.name == metric:
                return column
    return Column(metric, "integer", "", {"zh": metric, "en": metric}, {"zh": "", "en": ""})
