"""xAPI statements of the video profile: one a line, an array, or an LRS answer.

https://w3id.org/xapi/video (ADL's video profile 1.0)
"""

from __future__ import annotations

import json

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

NAME = "xapi-video"
RULES = Rules(beats=False)
ENVELOPES = ("statements",)

_VIDEO = "https://w3id.org/xapi/video/"
_TYPES = (f"{_VIDEO}activity-type/video", "http://adlnet.gov/expapi/activities/video")
_EXTENSION = f"{_VIDEO}extensions/"
_EDX = "https://w3id.org/xapi/openedx/extension"
_ACTS = {
    f"{_VIDEO}verbs/played": Act.PLAY,
    f"{_VIDEO}verbs/paused": Act.PAUSE,
    f"{_VIDEO}verbs/seeked": Act.SEEK,
    "http://adlnet.gov/expapi/verbs/terminated": Act.PAUSE,
    "http://adlnet.gov/expapi/verbs/interacted": Act.REPORT,
    "http://adlnet.gov/expapi/verbs/completed": Act.REPORT,
}
"""`completed` is sent where the threshold of completion is passed, which need not be the end:
it only says that playback has come so far."""


def recognise(file: File) -> int:
    for one in first_objects(file, ENVELOPES):
        verb, kind = at(one, "verb", "id"), at(one, "object", "definition", "type")
        if isinstance(verb, str) and (kind in _TYPES or verb.startswith(_VIDEO)):
            return 95
    return 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    log = events.Log()
    for line, one in objects(file, log.broken, ENVELOPES):
        verb = at(one, "verb", "id")
        act = _ACTS.get(verb) if isinstance(verb, str) else None
        kind = at(one, "object", "definition", "type")
        if act is None or (kind not in _TYPES and not str(verb).startswith(_VIDEO)):
            log.others += 1
        else:
            log.events.append(_event(line, one, act))
    return events.land(NAME, file, log, RULES, options, catalogue, reading)


def _event(line: int, one: Object, act: Act) -> events.Found:
    said, about = at(one, "result", "extensions"), at(one, "context", "extensions")
    seek = act is Act.SEEK
    rate = at(said, f"{_EDX}/speed-to")
    speed = number_at({"rate": rate.rstrip("x")}, "rate") if isinstance(rate, str) else None
    session = (
        text_at(about, f"{_EXTENSION}session-id")
        or text_at(about, f"{_EDX}s/session-id")
        or text_at(one, "context", "registration")
    )
    viewer, video = _viewer(one), text_at(one, "object", "id")
    return events.Found(
        line=line,
        when=text_at(one, "timestamp") or text_at(one, "stored"),
        session=f"{session}/{viewer or ''}" if session else None,
        viewer=viewer,
        videos=(video, video.rstrip("/").rsplit("/", 1)[-1]) if video else (),
        act=act,
        position=number_at(said, f"{_EXTENSION}{'time-from' if seek else 'time'}"),
        to=number_at(said, f"{_EXTENSION}time-to") if seek else None,
        rate=speed if speed is not None else number_at(about, f"{_EXTENSION}speed"),
        duration=number_at(about, f"{_EXTENSION}length"),
        key=text_at(one, "id"),
    )


def _viewer(one: Object) -> str | None:
    """The actor's one inverse functional identifier (xAPI 1.0.3, part two, 2.4.2.3)."""
    account = at(one, "actor", "account")
    if isinstance(account, dict):
        return json.dumps([account.get("homePage"), account.get("name")], ensure_ascii=False)
    for key in ("mbox", "mbox_sha1sum", "openid"):
        found = text_at(one, "actor", key)
        if found:
            return found
    return None


FORMAT = Format(NAME, "segments", recognise, read)
