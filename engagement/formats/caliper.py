"""IMS Caliper media events: one a line, an array, or a sensor's envelope.

https://www.imsglobal.org/spec/caliper/v1p2 (media profile)
"""

from __future__ import annotations

from engagement.formats import events
from engagement.formats.container import File
from engagement.formats.json_objects import (
    Object,
    at,
    duration_at,
    first_objects,
    number_at,
    objects,
    text_at,
)
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Reading
from engagement.pipeline.sessionise import Act, Rules

NAME = "caliper"
RULES = Rules(beats=False)
ENVELOPES = ("data",)

_ACTS = {
    "Started": Act.PLAY,
    "Restarted": Act.PLAY,
    "Resumed": Act.PLAY,
    "Paused": Act.PAUSE,
    "Ended": Act.PAUSE,
    "JumpedTo": Act.SEEK,
    "ForwardedTo": Act.SEEK,
    "RewoundTo": Act.SEEK,
    "ChangedSpeed": Act.SPEED,
    "EnabledClosedCaptioning": Act.REPORT,
    "DisabledClosedCaptioning": Act.REPORT,
    "ChangedVolume": Act.REPORT,
    "Muted": Act.REPORT,
    "Unmuted": Act.REPORT,
}
_MEDIA = ("MediaEvent", "http://purl.imsglobal.org/caliper/v1/MediaEvent")


def recognise(file: File) -> int:
    for one in first_objects(file, ENVELOPES):
        if one.get("type", one.get("@type")) in _MEDIA and "eventTime" in one:
            return 95
        if "purl.imsglobal.org/ctx/caliper" in str(one.get("@context")):
            return 80
    return 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    log = events.Log()
    for line, one in objects(file, log.broken, ENVELOPES):
        action = one.get("action")
        act = _ACTS.get(action.rsplit("#", 1)[-1]) if isinstance(action, str) else None
        if act is None or one.get("type", one.get("@type")) not in _MEDIA:
            log.others += 1
            continue
        event = _event(line, one, act)
        # Open edX sends Started as the player loads, and Ended at 95 % of the way: neither
        # says where. The one starts nothing, the other only tells that it was playing still.
        if event.position is None and action == "Started":
            log.others += 1
            continue
        if event.position is None and action == "Ended":
            event.act = Act.REPORT
        log.events.append(event)
    return events.land(NAME, file, log, RULES, options, catalogue, reading)


def _event(line: int, one: Object, act: Act) -> events.Found:
    session, viewer = _id(one, "session"), _id(one, "actor")
    video = _id(one, "object")
    return events.Found(
        line=line,
        when=text_at(one, "eventTime"),
        session=f"{session}/{viewer or ''}" if session else None,
        viewer=viewer,
        videos=(video, video.rstrip("/").rsplit("/", 1)[-1]) if video else (),
        act=act,
        position=duration_at(one, "target", "currentTime"),
        to=duration_at(one, "target", "extensions", "newTime") if act is Act.SEEK else None,
        rate=number_at(one, "extensions", "newSpeed") if act is Act.SPEED else None,
        duration=duration_at(one, "object", "duration"),
        key=text_at(one, "id"),
    )


def _id(one: Object, name: str) -> str | None:
    """An entity is written out, or is its id alone."""
    found = at(one, name)
    return (
        text_at(found, "id") or text_at(found, "@id")
        if isinstance(found, dict)
        else (text_at(one, name))
    )


FORMAT = Format(NAME, "segments", recognise, read)
