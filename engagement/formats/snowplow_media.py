"""Snowplow media tracking: enriched events as JSON lines, or the warehouse's entity tables.

Of the tables, `..._media_player_1` or `_2` is the log; those beside it are joined by `root_id`
(snowplow_tables.py). https://docs.snowplow.io/docs/sources/trackers/snowplow-media/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from engagement.formats import events
from engagement.formats.container import File
from engagement.formats.json_objects import Object, first_objects, number_at, objects, text_at
from engagement.formats.registry import Format
from engagement.formats.snowplow_tables import beside, is_table, joined_rows
from engagement.formats.values import Catalogue, Landed, Options, Reading
from engagement.pipeline.sessionise import Act, Rules

NAME = "snowplow-media"
RULES = Rules(beats=True)

_ENTITY = re.compile(r"(?:contexts|unstruct_event)_([a-z0-9_]+)_(\d+)\Z")
_VENDORS = (
    "com_snowplowanalytics_snowplow_",
    "com_snowplowanalytics_mobile_",
    "com_youtube_",
    "com_vimeo_",
    "org_whatwg_",
)
_OF_MEDIA = {"media_session": "session", "media_ad": "ad", "media_ad_break": "ad_break"}
"""Entities of the vendor `com.snowplowanalytics.snowplow.media`: its dots are written as _ too."""

_PAUSES = frozenset({"pause", "paused", "end", "ended", "error"})
_SEEKS = frozenset({"seek_start", "seek", "seeking"})
_REPORTS = frozenset({"buffer_start", "buffer_end", "buffering", "ready"})
_AWAY = {"application_background": Act.HIDDEN, "application_foreground": Act.SHOWN}
_OVERLAYS = frozenset({"nonlinear", "companion"})
"""Advertising beside or over the content, which plays on."""


@dataclass(frozen=True)
class Row:
    """One event: its atomic fields, and the last of each entity by its name without vendor."""

    line: int
    fields: Mapping[str, Any]
    entities: Mapping[str, Mapping[str, Any]]

    def of(self, entity: str, key: str) -> dict[str, Any]:
        """{key: value} of an entity, which has its keys in snake case or camel case."""
        found = self.entities.get(entity)
        if found is None:
            return {}
        return {key: found.get(key, found.get(_camel(key)))}

    def text(self, entity: str, key: str) -> str | None:
        return text_at(self.of(entity, key), key)

    def number(self, entity: str, key: str) -> float | None:
        return number_at(self.of(entity, key), key)

    def says(self, entity: str, key: str) -> bool:
        return str(self.of(entity, key).get(key)).lower() == "true"


def recognise(file: File) -> int:
    if is_table(file):
        return 95
    for one in first_objects(file):
        if {"event_id", "collector_tstamp"} <= set(one):
            return 90
    return 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    log = events.Log()
    if is_table(file):
        rows = (Row(line, fields, of) for line, fields, of in joined_rows(file, reading))
    else:
        found = objects(file, log.broken)
        rows = (Row(line, one, entities_of(one)) for line, one in found)
    return land_rows(NAME, file, log, rows, options, catalogue, reading)


def land_rows(
    format: str,
    file: File,
    log: events.Log,
    rows: Iterable[Row],
    options: Options,
    catalogue: Catalogue,
    reading: Reading,
) -> Landed:
    """The segments of events in whatever container; `rows` add to `log` what was no event."""
    for row in rows:
        event = _event(row)
        if event is None:
            log.others += 1
        else:
            log.events.append(event)
    return events.land(format, file, log, RULES, options, catalogue, reading)


def entities_of(one: Object) -> dict[str, Mapping[str, Any]]:
    """The newest version of each entity and of the event's own body."""
    found: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for key, value in one.items():
        body = value[0] if isinstance(value, list) and value else value
        named = _named(key) if isinstance(body, dict) else None
        if named is None:
            continue
        name, version = named
        if name not in found or found[name][0] < version:
            found[name] = (version, body)
    return {name: body for name, (_, body) in found.items()}


@lru_cache(maxsize=1000)
def _named(key: str) -> tuple[str, int] | None:
    """The entity's name without its vendor, and its version, of a key of the event."""
    found = _ENTITY.match(key)
    if found is None:
        return None
    name = found.group(1)
    for vendor in _VENDORS:
        name = name.removeprefix(vendor)
    return _OF_MEDIA.get(name, name), int(found.group(2))


@cache
def _camel(key: str) -> str:
    return re.sub(r"_(\w)", lambda m: m.group(1).upper(), key)


def _event(row: Row) -> events.Found | None:
    name = text_at(row.fields, "event_name") or ""
    away = _AWAY.get(name)
    if away is None and "media_player" not in row.entities:
        return None
    if name == "media_player_event" or not name:
        name = row.text("media_player_event", "type") or ""
    act = away or _act(name.removesuffix("_event"), row)
    viewer = (
        text_at(row.fields, "user_id")
        or text_at(row.fields, "domain_userid")
        or row.text("client_session", "user_id")
        or text_at(row.fields, "network_userid")
    )
    country = text_at(row.fields, "geo_country")
    area = text_at(row.fields, "geo_region")
    return events.Found(
        line=row.line,
        when=_first(row, "derived_tstamp", "collector_tstamp", "root_tstamp"),
        session=None if away else _session(row),
        viewer=viewer,
        videos=() if away else _videos(row),
        act=act,
        position=None if away else row.number("media_player", "current_time"),
        rate=row.number("media_player", "playback_rate"),
        duration=row.number("media_player", "duration"),
        ad=None if away else _in_ad(row),
        clock=None if away else _clock(row),
        order=_order(row),
        key=_first(row, "event_id", "root_id"),
        device=text_at(row.fields, "dvce_type") or text_at(row.fields, "platform"),
        territory=country,
        region=f"{country}-{area}" if country and area else None,
    )


def _act(name: str, row: Row) -> Act:
    """By the event's name; every event tells the player's state, which stands for the rest."""
    if name in _PAUSES or row.says("media_player", "paused") or row.says("media_player", "ended"):
        return Act.PAUSE
    if name in _SEEKS:
        return Act.SEEK
    return Act.REPORT if name in _REPORTS else Act.BEAT


def _session(row: Row) -> str | None:
    return (
        row.text("session", "media_session_id")
        or row.text("web_page", "id")
        or row.text("client_session", "session_id")
        or text_at(row.fields, "domain_sessionid")
    )


def _videos(row: Row) -> tuple[str, ...]:
    """The player's id on the page, and the label that the tracker was given."""
    names = (
        row.text("youtube", "player_id"),
        row.text("media_element", "html_id"),
        row.text("media_player", "label"),
        row.text("media_player_event", "label"),
    )
    return tuple(name for name in names if name) or ("",)


def _in_ad(row: Row) -> bool:
    kind = (row.text("ad_break", "break_type") or "linear").lower()
    return "ad" in row.entities and kind not in _OVERLAYS


def _clock(row: Row) -> float | None:
    """How many seconds the session has been playing, where its entity counts them."""
    played = row.number("session", "time_played")
    return played if played is not None and played >= 0 else None


def _order(row: Row) -> int:
    """The tracker's own count; without it the session's clocks, which only go forward."""
    index = row.number("client_session", "event_index")
    if index is not None and index >= 0:
        return int(index)
    clocks = ("time_played", "time_paused", "time_spent_ads", "time_buffering")
    spent = [row.number("session", clock) for clock in clocks]
    return int(1000 * sum(s for s in spent if s is not None and s >= 0))


def _first(row: Row, *names: str) -> str | None:
    return next((found for name in names if (found := text_at(row.fields, name))), None)


FORMAT = Format(NAME, "segments", recognise, read, beside)
