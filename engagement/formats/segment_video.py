"""Segment's video spec: track calls "Video Playback ...", "Video Content ...", "Video Ad ...".

https://segment.com/docs/connections/spec/video/
"""

from __future__ import annotations

from engagement.formats import events
from engagement.formats.container import File
from engagement.formats.json_objects import (
    Object,
    at,
    first_objects,
    number_at,
    objects,
    text_at,
)
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Reading
from engagement.pipeline.sessionise import Act, Rules

NAME = "segment-video"
RULES = Rules(beats=True)
ENVELOPES = ("batch",)

_ACTS = {
    "video playback started": Act.PLAY,
    "video playback paused": Act.PAUSE,
    "video playback interrupted": Act.PAUSE,
    "video playback resumed": Act.PLAY,
    "video playback buffer started": Act.REPORT,
    "video playback buffer completed": Act.REPORT,
    "video playback seek started": Act.SEEK,
    "video playback seek completed": Act.REPORT,
    "video playback completed": Act.PAUSE,
    "video playback exited": Act.PAUSE,
    "video content started": Act.PLAY,
    "video content playing": Act.BEAT,
    "video content completed": Act.PAUSE,
    "video ad started": Act.AD,
    "video ad playing": Act.AD,
    "video ad completed": Act.AD_OVER,
    "video ad skipped": Act.AD_OVER,
    "application backgrounded": Act.HIDDEN,
    "application opened": Act.SHOWN,
    "application foregrounded": Act.SHOWN,
}
_AWAY = (Act.AD, Act.AD_OVER, Act.HIDDEN, Act.SHOWN)


def recognise(file: File) -> int:
    sure = 0
    for one in first_objects(file, ENVELOPES):
        name = _name(one)
        if isinstance(one.get("properties"), dict) and name.startswith("video "):
            return 95
        if name and "properties" in one and {"anonymousId", "messageId", "userId"} & set(one):
            sure = 50
    return sure


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    log = events.Log()
    for line, one in objects(file, log.broken, ENVELOPES):
        act = _ACTS.get(_name(one))
        properties = one.get("properties")
        if act is None or not isinstance(properties, dict):
            log.others += 1
            continue
        log.events.append(_event(line, one, act, properties))
    return events.land(NAME, file, log, RULES, options, catalogue, reading)


def _name(one: Object) -> str:
    return " ".join((text_at(one, "event") or "").lower().split())


def _event(line: int, one: Object, act: Act, properties: Object) -> events.Found:
    place = number_at(properties, "position")
    seek = act is Act.SEEK
    return events.Found(
        line=line,
        when=text_at(one, "timestamp") or text_at(one, "originalTimestamp"),
        session=text_at(properties, "session_id"),
        viewer=text_at(one, "userId") or text_at(one, "anonymousId"),
        videos=() if act in _AWAY else _videos(properties),
        act=act,
        position=None if act in _AWAY else place,
        to=number_at(properties, "seek_position") if seek else None,
        duration=None if act in _AWAY else number_at(properties, "total_length"),
        ad=False if _name(one).startswith("video content") else None,
        key=text_at(one, "messageId"),
        device=text_at(one, "context", "device", "type"),
        territory=_country(one),
    )


def _videos(properties: Object) -> tuple[str, ...]:
    """The content's id; the spec has it as `asset_id`, `content_asset_id` and in a list."""
    for key in ("content_asset_id", "content_asset_ids", "asset_id"):
        found = at(properties, key)
        name = text_at({"id": found[0]}, "id") if isinstance(found, list) and found else None
        name = name or text_at(properties, key)
        if name:
            return (name,)
    return ("",)


def _country(one: Object) -> str | None:
    """A code where the source writes one; names of countries are not read."""
    country = text_at(one, "context", "location", "country") or ""
    return country if len(country) == 2 else None


FORMAT = Format(NAME, "segments", recognise, read)
