"""The charts below the timeline: what each draws and where the page's script reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from engagement.families.registry import RESOURCES


@dataclass(frozen=True)
class Panel:
    """A chart builder (static/charts/), its heading, and the REST address of its resource."""

    chart: str
    heading: Any
    resource: str
    url: str


_PANELS = (
    ("ages", _("Age and gender"), "demographics"),
    ("survival", _("How far each group came"), "demographics"),
    ("regions", _("Geography"), "geography"),
    ("reactions", _("Reactions"), "danmu"),
    ("phrases", _("Phrases"), "danmu_phrases"),
    ("discussion", _("Discussion"), "discussion"),
    ("sharing", _("Sharing"), "sharing"),
    ("sharing_offsets", _("Where they share"), "sharing_offsets"),
    ("fan_sets", _("Fan sets"), "fanbases"),
)


def panels(families: Collection[str], url_of: Callable[[str], str]) -> list[Panel]:
    """Those of the families that are granted; the others are absent, not empty."""
    return [
        Panel(chart, heading, resource, url_of(resource))
        for chart, heading, resource in _PANELS
        if RESOURCES[resource].opened_by(families)
    ]
