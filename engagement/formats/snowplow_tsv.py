"""Snowplow's enriched stream as it lies in the bucket: tab-separated, an event a line, no header.

The columns are those of the enriched event format, in its order; the event's own body and its
entities are self-describing JSON in three of them. What the events mean is snowplow_media.py's
business. https://docs.snowplow.io/docs/pipeline/enriched-tsv-format
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from engagement.formats import events
from engagement.formats.container import File
from engagement.formats.json_objects import Object
from engagement.formats.registry import Format
from engagement.formats.snowplow_media import Row, entities_of, land_rows
from engagement.formats.values import Catalogue, Landed, Options, Quarantined, Reading

NAME = "snowplow-tsv"

_HEADER = (
    "app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id "
    "name_tracker v_tracker v_collector v_etl user_id user_ipaddress user_fingerprint "
    "domain_userid domain_sessionidx network_userid geo_country geo_region geo_city geo_zipcode "
    "geo_latitude geo_longitude geo_region_name ip_isp ip_organization ip_domain ip_netspeed "
    "page_url page_title page_referrer page_urlscheme page_urlhost page_urlport page_urlpath "
    "page_urlquery page_urlfragment refr_urlscheme refr_urlhost refr_urlport refr_urlpath "
    "refr_urlquery refr_urlfragment refr_medium refr_source refr_term mkt_medium mkt_source "
    "mkt_term mkt_content mkt_campaign contexts se_category se_action se_label se_property "
    "se_value unstruct_event tr_orderid tr_affiliation tr_total tr_tax tr_shipping tr_city "
    "tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price ti_quantity "
    "pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent br_name br_family "
    "br_version br_type br_renderengine br_lang br_features_pdf br_features_flash "
    "br_features_java br_features_director br_features_quicktime br_features_realplayer "
    "br_features_windowsmedia br_features_gears br_features_silverlight br_cookies br_colordepth "
    "br_viewwidth br_viewheight os_name os_family os_manufacturer os_timezone dvce_type "
    "dvce_ismobile dvce_screenwidth dvce_screenheight doc_charset doc_width doc_height "
    "tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency ti_price_base "
    "base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp "
    "refr_domain_userid refr_device_tstamp derived_contexts domain_sessionid derived_tstamp "
    "event_vendor event_name event_format event_version event_fingerprint true_tstamp"
)
COLUMNS = tuple(_HEADER.split())
_PLACE = {name: place for place, name in enumerate(COLUMNS)}
_READ = (
    "platform", "collector_tstamp", "event_id", "user_id", "domain_userid", "network_userid",
    "geo_country", "geo_region", "dvce_type", "domain_sessionid", "derived_tstamp", "event_name",
)  # fmt: skip
_ENTITIES = ("contexts", "derived_contexts")

_EVENT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.I)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_SCHEMA = re.compile(r"iglu:([\w.-]+)/([\w-]+)/jsonschema/(\d+)-\d+-\d+\Z")


def recognise(file: File) -> int:
    """By one of the first lines: so many cells, an event's id and its time in their places."""
    for line in islice(file.head.split("\n"), 20):
        cells = line.split("\t")
        if (
            len(cells) == len(COLUMNS)
            and _EVENT_ID.match(cells[_PLACE["event_id"]])
            and _TIME.match(cells[_PLACE["collector_tstamp"]])
        ):
            return 95
    return 0


def read(file: File, options: Options, catalogue: Catalogue, reading: Reading) -> Landed:
    log = events.Log()
    return land_rows(NAME, file, log, _rows(file, log.broken), options, catalogue, reading)


def _rows(file: File, broken: list[tuple[int, str]]) -> Iterator[Row]:
    """The events; lines that are none go to `broken` as (line, why)."""
    for number, line in file.lines():
        if not line.strip():
            continue
        cells = line.rstrip("\n").split("\t")
        if len(cells) != len(COLUMNS):
            if number == file.scan.lines and not line.endswith("\n"):
                raise Quarantined(
                    f"line {number}, the last, breaks off after {len(cells)} of {len(COLUMNS)} "
                    "columns; the file is truncated"
                )
            broken.append((number, f"{len(cells)} columns instead of {len(COLUMNS)}"))
            continue
        try:
            of = _bodies(cells)
        except (ValueError, RecursionError) as error:
            broken.append((number, f"its self-describing JSON cannot be read: {error}"))
            continue
        fields = {name: cells[_PLACE[name]] for name in _READ if cells[_PLACE[name]]}
        yield Row(number, fields, entities_of(of))


def _bodies(cells: list[str]) -> Object:
    """The event's body and its entities under the keys that the analytics SDKs give them.

    Raises ValueError for what is no self-describing JSON.
    """
    found: Object = {}
    if cell := cells[_PLACE["unstruct_event"]]:
        _put(found, "unstruct_event", _data(cell))
    for column in _ENTITIES:
        if cell := cells[_PLACE[column]]:
            entities = _data(cell)
            for one in entities if isinstance(entities, list) else [entities]:
                _put(found, "contexts", one)
    return found


def _data(cell: str) -> Any:
    value = json.loads(cell)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value.get("data")


def _put(found: Object, prefix: str, one: Any) -> None:
    """Of several entities of one schema the first counts, as in the JSON of the SDKs."""
    if not isinstance(one, dict):
        raise ValueError("an entity is not an object")
    schema = _SCHEMA.match(str(one.get("schema")))
    if schema is None:
        raise ValueError(f"{str(one.get('schema'))[:80]!r} names no schema")
    vendor, name, version = schema.groups()
    words = re.sub(r"[.-]", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", f"{vendor}.{name}"))
    found.setdefault(f"{prefix}_{words.lower()}_{version}", one.get("data"))


FORMAT = Format(NAME, "segments", recognise, read)
