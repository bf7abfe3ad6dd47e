"""Snowplow's enriched stream: tab-separated, without a header."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from engagement.formats.snowplow_tsv import COLUMNS
from tests.engagement.landing_files import problem, take, write
from tests.engagement.player_logs import ping, rows_of, stretches
from tests.engagement.test_formats_snowplow import BIGGER, PLAYER, camel, snowplow

MEDIA = "iglu:com.snowplowanalytics.snowplow.media"
SNOWPLOW = "iglu:com.snowplowanalytics.snowplow"


def entity(schema: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"schema": schema, "data": data}


def player(version: int, data: dict[str, Any]) -> dict[str, Any]:
    return entity(f"{SNOWPLOW}/media_player/jsonschema/{version}-0-0", data)


def tsv(*, contexts: list[Any] | None = None, body: Any = None, **fields: object) -> str:
    """One line of the stream, the columns not named being empty."""
    cells: dict[str, str] = {name: str(value) for name, value in fields.items()}
    if contexts is not None:
        schema = f"{SNOWPLOW}/contexts/jsonschema/1-0-1"
        cells["contexts"] = json.dumps({"schema": schema, "data": contexts})
    if body is not None:
        schema = f"{SNOWPLOW}/unstruct_event/jsonschema/1-0-0"
        cells["unstruct_event"] = json.dumps({"schema": schema, "data": body})
    assert cells.keys() <= set(COLUMNS)
    return "\t".join(cells.get(name, "") for name in COLUMNS) + "\n"


def event(number: int, position: float, name: str = "ping_event", **fields: Any) -> str:
    """The `ping` of the JSON lines' tests, at as many seconds, as the stream has it."""
    told = ping(number, position, name)
    atomic = ("collector_tstamp", "derived_tstamp", "domain_userid", "geo_country", "geo_region")
    body = entity(f"{MEDIA}/{name}/jsonschema/1-0-0", {})
    seen = {**told["contexts_com_snowplowanalytics_snowplow_media_player_2"][0]}
    contexts = [
        player(2, seen | fields.pop("player", {})),
        entity(f"{MEDIA}/session/jsonschema/1-0-0", {"mediaSessionId": "m1"}),
        *fields.pop("contexts", []),
    ]
    return tsv(
        event="unstruct", event_id=UUID(int=number), event_name=name, platform="mob",
        **{key: told[key] for key in atomic}, contexts=contexts, body=body, **fields,
    )  # fmt: skip


def test_the_stream_gives_what_the_tables_give(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "events-snowplow-media"
    tables = {
        f"{MEDIA}/session/jsonschema/1-0-0": "snowplow_media_session_1",
        f"{MEDIA}/ad/jsonschema/1-0-0": "snowplow_media_ad_1",
        f"{MEDIA}/ad_break/jsonschema/1-0-0": "snowplow_media_ad_break_1",
        f"{SNOWPLOW}/client_session/jsonschema/1-0-2": "snowplow_client_session_1",
    }
    of_event: dict[str, list[Any]] = defaultdict(list)
    for schema, table in tables.items():
        for row in rows_of(folder / f"source-com_snowplowanalytics_{table}.csv.gz"):
            of_event[row["root_id"]].append(entity(schema, camel(row)))
    log = [
        tsv(
            event_id=row["root_id"], event_name="media_event", collector_tstamp=row["root_tstamp"],
            contexts=[player(2, camel(row)), *of_event[row["root_id"]]],
        )
        for row in rows_of(folder / PLAYER)
    ]  # fmt: skip
    landed = take(write(tmp_path, "part-00000.gz", "".join(log)), runtimes=BIGGER)
    assert (landed.format, landed.kind, landed.rows_read) == ("snowplow-tsv", "segments", 1952)
    assert landed.table.drop_columns(["line"]) == snowplow(folder).table.drop_columns(["line"])


def test_what_the_events_say_is_where_the_columns_are(tmp_path: Path) -> None:
    ad = [entity(f"{MEDIA}/ad/jsonschema/1-0-0", {"adId": "a"})]
    page = tsv(
        event_id=UUID(int=99), event="page_view", event_name="page_view",
        collector_tstamp="2026-09-01 12:00:00.000",
    )  # fmt: skip
    log = [
        page,
        event(0, 0.0, "play_event"),
        event(30, 30.0),
        event(40, 40.0, "seek_start_event"),
        event(41, 900.0, "seek_end_event"),
        event(71, 930.0),
        event(75, 934.0, "ad_start_event", contexts=ad),
        event(90, 934.0, "ad_complete_event", contexts=ad),
        event(92, 935.0),
        event(100, 943.0, "pause_event", player={"paused": True}),
        event(100, 943.0, "pause_event", player={"paused": True}),  # delivered twice
    ]
    landed = take(write(tmp_path, "enriched.tsv", "".join(log)))
    assert landed.format == "snowplow-tsv"
    assert stretches(landed) == [("d1", 0, 40), ("d1", 900, 943)]
    assert (landed.notes["other_events"], landed.notes["repeated_events"]) == (1, 1)
    assert set(landed.table["region"].to_pylist()) == {"CN-SH"}
    assert set(landed.table["device"].to_pylist()) == {"mob"}


def test_the_first_media_plugin_names_its_events_inside_the_body(tmp_path: Path) -> None:
    def first(number: int, position: float, type: str, *, paused: bool = False) -> str:
        page = {"id": "page-1"}
        return tsv(
            event_id=UUID(int=number), event_name="media_player_event", event="unstruct",
            collector_tstamp=f"2026-09-01 12:00:{number:02}.000", domain_userid="d1",
            contexts=[
                player(1, {"currentTime": position, "paused": paused, "playbackRate": 1}),
                entity("iglu:org.whatwg/media_element/jsonschema/1-0-0", {"htmlId": "film"}),
            ],
            derived_contexts=json.dumps({
                "schema": f"{SNOWPLOW}/contexts/jsonschema/1-0-1",
                "data": [entity(f"{SNOWPLOW}/web_page/jsonschema/1-0-0", page)],
            }),
            body=entity(f"{SNOWPLOW}/media_player_event/jsonschema/1-0-0", {"type": type}),
        )  # fmt: skip

    log = [first(1, 0, "play"), first(21, 20, "percentprogress"), first(31, 30, "seek")]
    log += [first(41, 100, "ready"), first(51, 110, "pause", paused=True)]
    landed = take(write(tmp_path, "enriched", "".join(log)))
    assert set(landed.table["session_id"].to_pylist()) == {"page-1"}
    assert stretches(landed) == [("d1", 0, 30), ("d1", 100, 110)]


def test_a_line_that_is_no_event_is_counted_and_one_that_breaks_off_keeps_the_file_out(
    tmp_path: Path,
) -> None:
    good = [event(number, float(number)) for number in range(60)]
    odd = [
        "one\ttwo\n",
        event(60, 60.0).replace(
            '{"schema": "iglu:com.snowplow', '["schema": "iglu:com.snowplow', 1
        ),
        event(61, 61.0).replace("/media_player/jsonschema/", "/media_player/"),
    ]
    landed = take(write(tmp_path, "enriched.tsv", "".join(good[:30] + odd + good[30:])))
    assert {reason: r.rows for reason, r in landed.rejected.items()} == {"bad_value": 3}
    assert [e["line"] for e in landed.rejected["bad_value"].examples] == [31, 32, 33]
    cut = "".join(good)[:-400]
    told = problem(write(tmp_path, "cut.tsv", cut))
    assert told.startswith("line 60, the last, breaks off after ")
    assert told.endswith(" of 131 columns; the file is truncated")


def test_other_tables_with_tabs_are_not_taken_for_the_stream(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        tsv(no_such_column=1)
    assert "no reader knows this file" in problem(write(tmp_path, "x.tsv", "a\tb\n1\t2\n"))
    assert "no reader knows this file" in problem(
        write(tmp_path, "y.tsv", "\t".join(["x"] * len(COLUMNS)) + "\n")
    )
