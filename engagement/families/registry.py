"""All families that are measured, and their resources by name."""

from __future__ import annotations

from engagement.families import Resource
from engagement.families.danmu import DANMU, DANMU_COMMENTS
from engagement.families.retention import RETENTION
from engagement.families.rewatch import REWATCH
from engagement.families.viewing import VIEWING

RESOURCES: dict[str, Resource] = {
    r.name: r for r in (VIEWING, RETENTION, REWATCH, DANMU, DANMU_COMMENTS)
}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(r.family for r in RESOURCES.values()))
