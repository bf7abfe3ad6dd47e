"""Events as players report them, for the tests of their readers, and what came of them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engagement.formats import Landed


def stretches(landed: Landed) -> list[tuple[str, int, int]]:
    rows = landed.table.to_pylist()
    return [(r["viewer_id"], r["from_s"], r["to_s"]) for r in rows]


def lines(*objects: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(text.decode().splitlines())


def edx(act: str, time: str, payload: dict[str, Any], **context: Any) -> dict[str, Any]:
    return {
        "event_type": act,
        "event": json.dumps({"id": "film", **payload}),
        "event_source": "browser",
        "session": "s1",
        "context": {"course_id": "c", "user_id": 7, **context},
        "time": f"2026-09-01T{time}+00:00",
    }


def segment(name: str, at: int, **properties: Any) -> dict[str, Any]:
    return {
        "event": name,
        "anonymousId": "a",
        "timestamp": f"2026-09-01T12:{at // 60:02}:{at % 60:02}Z",
        "context": {"device": {"type": "ios"}, "location": {"country": "SG"}},
        "properties": properties,
    }


def ping(at: int, position: float, name: str = "ping_event", **fields: Any) -> dict[str, Any]:
    player = {"currentTime": position, "paused": False, "playbackRate": 1, "label": "film"}
    return {
        "event_id": f"e{at}-{name}",
        "event_name": name,
        "collector_tstamp": "2026-09-01 23:59:59.000",
        "derived_tstamp": f"2026-09-01 12:{at // 60:02}:{at % 60:02}.000",
        "domain_userid": "d1",
        "geo_country": "CN",
        "geo_region": "SH",
        "platform": "mob",
        "contexts_com_snowplowanalytics_snowplow_media_player_2": [
            player | fields.pop("player", {})
        ],
        "contexts_com_snowplowanalytics_snowplow_media_session_1": [{"mediaSessionId": "m1"}],
        **fields,
    }


def xapi(verb: str, at: str, **said: float) -> dict[str, Any]:
    extension = "https://w3id.org/xapi/video/extensions/"
    return {
        "id": f"x-{at}",
        "actor": {"account": {"homePage": "http://lms", "name": "v"}},
        "verb": {"id": verb},
        "object": {
            "id": "film",
            "definition": {"type": "https://w3id.org/xapi/video/activity-type/video"},
        },
        "result": {"extensions": {extension + key: value for key, value in said.items()}},
        "context": {"extensions": {extension + "session-id": "s", extension + "length": 7800}},
        "timestamp": f"2026-09-01T{at}Z",
    }


def caliper(action: str, at: str, place: str) -> dict[str, Any]:
    return {
        "@context": "http://purl.imsglobal.org/ctx/caliper/v1p2",
        "type": "MediaEvent",
        "id": f"c-{at}",
        "action": action,
        "actor": {"id": "v", "type": "Person"},
        "object": {"id": "film", "type": "VideoObject", "duration": "PT2H10M"},
        "target": {"currentTime": place, "type": "MediaLocation"},
        "eventTime": f"2026-09-01T{at}Z",
        "session": {"id": "s", "type": "Session"},
    }
