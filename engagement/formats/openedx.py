"""Open edX tracking logs: one event a line, as the platform writes or forwards them.

https://docs.openedx.org/en/latest/developers/references/internal_data_formats/tracking_logs
"""

from __future__ import annotations

import json
from typing import Any

from engagement.formats import events
from engagement.formats.container import File
from engagement.formats.json_objects import (
    Object,
    first_objects,
    number_at,
    objects,
    text_at,
)
from engagement.formats.registry import Format
from engagement.formats.values import Catalogue, Landed, Options, Reading
from engagement.pipeline.sessionise import Act, Rules

NAME = "openedx"
RULES = Rules(beats=False)

_ACTS = {
    "play_video": Act.PLAY,
    "edx.video.played": Act.PLAY,
    "pause_video": Act.PAUSE,
    "edx.video.paused": Act.PAUSE,
    "stop_video": Act.PAUSE,
    "edx.video.stopped": Act.PAUSE,
    "seek_video": Act.SEEK,
    "edx.video.position.changed": Act.SEEK,
    "speed_change_video": Act.SPEED,
    "edx.video.speed.changed": Act.SPEED,
    "show_transcript": Act.REPORT,
    "hide_transcript": Act.REPORT,
    "edx.video.closed_captions.shown": Act.REPORT,
    "edx.video.closed_captions.hidden": Act.REPORT,
    "video_show_cc_menu": Act.REPORT,
    "video_hide_cc_menu": Act.REPORT,
}
"""load_video plays nothing, and complete_video is sent at 95 % of the way, before the end."""

_DEVICES = {"browser": "web", "mobile": "mobile"}


def recognise(file: File) -> int:
    for one in first_objects(file):
        context = one.get("context")
        name = text_at(one, "event_type") or text_at(one, "name")
        if name and isinstance(context, dict):
            if _name(one) in _ACTS or (name.endswith("_video") and "data" in one):
                return 90
            if {"course_id", "org_id"} & set(context):
                return 60
    return 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    log = events.Log()
    for line, one in objects(file, log.broken):
        act = _ACTS.get(_name(one))
        payload = _payload(one)
        if act is None or not isinstance(payload, dict):
            log.others += 1
        else:
            log.events.append(_event(line, one, act, payload))
    return events.land(NAME, file, log, RULES, options, catalogue, reading)


def _name(one: Object) -> str:
    """`name` where there is one: older events have it in event_type alone."""
    for key in ("name", "event_type"):
        name = text_at(one, key)
        if name in _ACTS:
            return name
    return text_at(one, "name") or text_at(one, "event_type") or ""


def _payload(one: Object) -> Any:
    """`data` as forwarded; `event` as logged, where browsers send JSON inside a string."""
    payload = one.get("data", one.get("event"))
    if not isinstance(payload, str):
        return payload
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _event(line: int, one: Object, act: Act, payload: Object) -> events.Found:
    viewer = text_at(one, "context", "user_id") or text_at(one, "context", "username")
    viewer = viewer or text_at(one, "username")
    session = text_at(one, "session") or text_at(one, "context", "session")
    source = text_at(one, "event_source") or text_at(one, "context", "event_source")
    video, course = text_at(payload, "id"), text_at(one, "context", "course_id")
    names = (f"{course}|{video}", video) if course and video else (video or "",)
    place = number_at(payload, "currentTime")
    position = place if place is not None else number_at(payload, "current_time")
    if act is Act.SEEK:
        position = number_at(payload, "old_time")
    return events.Found(
        line=line,
        when=text_at(one, "time") or text_at(one, "timestamp"),
        # Two accounts may share the session of one browser: each plays for itself.
        session=f"{session}/{viewer or ''}" if session else None,
        viewer=viewer,
        videos=tuple(name for name in names if name),
        act=act,
        position=position,
        to=number_at(payload, "new_time") if act is Act.SEEK else None,
        rate=number_at(payload, "new_speed") if act is Act.SPEED else None,
        duration=number_at(payload, "duration"),
        device=_DEVICES.get(source or ""),
    )


FORMAT = Format(NAME, "segments", recognise, read)
