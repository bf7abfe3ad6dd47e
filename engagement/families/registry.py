"""All families that are measured: their resources by name, and how each is read."""

from __future__ import annotations

from collections.abc import Callable

from engagement.families import (
    Resource,
    Result,
    danmu,
    demographics,
    discussion,
    fanbases,
    geography,
    moments,
    retention,
    rewatch,
    sharing,
    viewing,
)
from engagement.families.read import Read

_READERS: tuple[tuple[Resource, Callable[[Read], Result]], ...] = (
    (viewing.VIEWING, viewing.read),
    (retention.RETENTION, retention.read),
    (rewatch.REWATCH, rewatch.read),
    (demographics.DEMOGRAPHICS, demographics.read),
    (geography.GEOGRAPHY, geography.read),
    (danmu.DANMU, danmu.read),
    (danmu.DANMU_COMMENTS, danmu.read_comments),
    (danmu.DANMU_PHRASES, danmu.read_phrases),
    (discussion.DISCUSSION, discussion.read),
    (discussion.DISCUSSION_POSTS, discussion.read_posts),
    (sharing.SHARING, sharing.read),
    (sharing.SHARING_OFFSETS, sharing.read_offsets),
    (fanbases.FANBASES, fanbases.read),
    (moments.MOMENTS, moments.read),
)
RESOURCES: dict[str, Resource] = {r.name: r for r, _ in _READERS}
READERS: dict[str, Callable[[Read], Result]] = {r.name: read for r, read in _READERS}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(r.family for r, _ in _READERS))
VIEW_OF_FAMILY: dict[str, str] = {f: f"wall_{f}" for f in FAMILIES}
"""The view whose periods say on which days a family has numbers."""
