"""Snowplow media tracking: the warehouse's tables together, and enriched events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engagement.formats import Catalogue, Landed, Options, Quarantined, companions, read
from tests.engagement.landing_files import house, take, write
from tests.engagement.player_logs import (
    lines,
    ping,
    rows_of,
    stretches,
)

PLAYER = "source-com_snowplowanalytics_snowplow_media_player_2.csv.gz"
BIGGER = {"For bigger fun": 60}


def snowplow(
    folder: Path,
    name: str = PLAYER,
    runtimes: dict[str, int] = BIGGER,
    title_map: dict[tuple[str, str], str] | None = None,
) -> Landed:
    path = folder / name
    beside = {one.name: one for one in companions(path)}
    return read(
        path,
        name=name,
        options=Options(),
        catalogue=Catalogue(runtimes),
        settings=replace(house(title_map), beside=beside),
    )


def test_snowplows_tables_are_read_together(real_data: Path) -> None:
    folder = real_data / "events-snowplow-media"
    names = sorted(one.name for one in companions(folder / PLAYER))
    assert len(names) == 12
    assert list(companions(folder / names[0])) == []  # no log of its own
    landed = snowplow(folder)
    assert (landed.format, landed.rows_read, landed.rejected) == ("snowplow-media", 1952, {})
    # Of 50 sessions 12 played less than a second of content: they opened, had an ad, and closed.
    assert len(set(landed.table["session_id"].to_pylist())) == 38
    empty = snowplow(folder, "source-com_snowplowanalytics_snowplow_media_ad_1.csv.gz")
    assert (empty.format, len(empty.table)) == ("snowplow-media", 0)


def test_our_seconds_are_those_that_snowplows_own_tracker_counted(real_data: Path) -> None:
    """The tracker tells with each event how many seconds of content it saw and how long it
    played. It counts a second that was only touched, we one that was played to its end.
    """
    folder = real_data / "events-snowplow-media"
    watched: dict[str, float] = defaultdict(float)
    played: dict[str, float] = defaultdict(float)
    tracker = "source-com_snowplowanalytics_snowplow_media_session_1.csv.gz"
    for row in rows_of(folder / tracker):
        session = row["media_session_id"]
        watched[session] = max(watched[session], float(row["content_watched"] or 0))
        played[session] = max(played[session], float(row["time_played"] or 0))
    seconds: dict[str, set[int]] = defaultdict(set)
    for row in snowplow(folder).table.to_pylist():
        seconds[row["session_id"]] |= set(range(row["from_s"], row["to_s"]))
    assert len(watched) == 50
    near = {s for s in watched if -7 <= len(seconds[s]) - watched[s] <= 0}
    scrubbed = set(watched) - near
    # One viewing, tracked twice: 60 s of content in 32 s at normal speed. The rest is scrubbing,
    # which the tracker counts and we do not.
    assert {(watched[s], round(played[s]), len(seconds[s])) for s in scrubbed} == {(60, 32, 29)}
    assert len(scrubbed) == 2
    assert sum(len(seconds[s]) for s in near) / sum(watched[s] for s in near) > 0.9


def test_snowplows_first_tables_lack_whose_the_events_are(real_data: Path) -> None:
    """619 of 867 have no page view, and the table of the events is not there."""
    folder = real_data / "events-snowplow-media"
    videos = {"yt-dbt-coalesce-2021": 1887, "yt-dbt-coalesce-2022": 1889, "html-dbt": 1887}
    with pytest.raises(Quarantined) as refused:
        snowplow(folder, PLAYER.replace("_2", "_1"), videos)
    assert refused.value.problem.startswith(
        "619 of 867 rows are bad, more than 5%. bad_value 619 (line "
    )
    assert "neither a session nor a viewer is named" in refused.value.problem


def test_the_table_of_the_events_says_whose_they_are(real_data: Path, tmp_path: Path) -> None:
    """With it (here: made for the test) the first tables go in."""
    folder = real_data / "events-snowplow-media"
    for path in folder.glob("source-*.csv.gz"):
        (tmp_path / path.name).symlink_to(path)
    log = PLAYER.replace("_2", "_1")
    rows = list(rows_of(folder / log))
    body = "".join(f"{r['root_id']},u1,d{r['root_tstamp'][:10]},GB\n" for r in rows)
    write(
        tmp_path,
        "source-events.csv",
        "event_id,domain_userid,domain_sessionid,geo_country\n" + body,
    )
    videos = {"yt-dbt-coalesce-2021": 1887, "yt-dbt-coalesce-2022": 1889, "html-dbt": 1887}
    with pytest.raises(Quarantined, match=r"unknown_title 145 .*: the log does not name its video"):
        snowplow(tmp_path, log, videos)  # a third player, which leaves no name
    landed = snowplow(tmp_path, log, videos | {"vimeo": 0}, {(log, ""): "vimeo"})
    assert {r: x.rows for r, x in landed.rejected.items()} == {}
    assert set(landed.table["territory"].to_pylist()) == {"GB"}
    assert set(landed.table["viewer_id"].to_pylist()) == {"u1"}
    assert len(landed.table) > 50
    # html-dbt: paused at 24.1 s after two seconds of playing, since the viewer had jumped ahead.
    html = [r for r in landed.table.to_pylist() if r["title_id"] == "html-dbt"]
    assert (0, 2) in {(r["from_s"], r["to_s"]) for r in html}
    assert all(r["to_s"] <= 1887 for r in html)


def camel(row: dict[str, str]) -> dict[str, str]:
    def name(key: str) -> str:
        first, *rest = key.split("_")
        return first + "".join(part.capitalize() for part in rest)

    return {name(k): v for k, v in row.items() if v != ""}


def test_enriched_events_as_json_lines_give_what_the_tables_give(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "events-snowplow-media"
    tables = {
        "contexts_com_snowplowanalytics_snowplow_media_session_1": "snowplow_media_session_1",
        "contexts_com_snowplowanalytics_snowplow_media_ad_1": "snowplow_media_ad_1",
        "contexts_com_snowplowanalytics_snowplow_media_ad_break_1": "snowplow_media_ad_break_1",
        "contexts_com_snowplowanalytics_snowplow_client_session_1": "snowplow_client_session_1",
    }
    of_event: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, table in tables.items():
        for row in rows_of(folder / f"source-com_snowplowanalytics_{table}.csv.gz"):
            of_event[row["root_id"]][key] = [camel(row)]
    log = [
        {
            "event_id": row["root_id"],
            "event_name": "media_event",
            "collector_tstamp": row["root_tstamp"],
            "contexts_com_snowplowanalytics_snowplow_media_player_2": [camel(row)],
            **of_event[row["root_id"]],
        }
        for row in rows_of(folder / PLAYER)
    ]
    landed = take(write(tmp_path, "enriched.jsonl.gz", lines(*log)), runtimes=BIGGER)
    assert landed.format == "snowplow-media"
    assert landed.table.drop_columns(["line"]) == snowplow(folder).table.drop_columns(["line"])


def test_snowplows_seeks_pauses_ads_and_background(tmp_path: Path) -> None:
    ad = {"contexts_com_snowplowanalytics_snowplow_media_ad_1": [{"adId": "a"}]}
    overlay = {
        "contexts_com_snowplowanalytics_snowplow_media_ad_break_1": [{"breakType": "nonlinear"}]
    }
    hidden = {"event_id": "h", "event_name": "application_background", "domain_userid": "d1"}
    log = [
        ping(0, 0.0, "play_event"),
        ping(30, 30.0),
        ping(40, 40.0, "seek_start_event"),
        ping(41, 900.0, "seek_end_event"),
        ping(71, 930.0),
        ping(75, 934.0, "ad_start_event", **ad),
        ping(90, 934.0, "ad_complete_event", **ad),
        ping(92, 935.0),
        ping(95, 938.0, "ad_start_event", **ad, **overlay),  # over the content, which plays on
        ping(110, 953.0, **ad, **overlay),
        hidden | {"collector_tstamp": "2026-09-01 12:01:55.000"},
        ping(120, 963.0),
        hidden
        | {"event_id": "f", "event_name": "application_foreground"}
        | {"collector_tstamp": "2026-09-01 12:02:30.000"},
        ping(151, 994.0),
        ping(160, 1003.0, "pause_event", player={"paused": True}),
        {"event_id": "p", "event_name": "page_view", "collector_tstamp": "2026-09-01 12:00:00"},
    ]
    landed = take(write(tmp_path, "enriched.jsonl", lines(*log)))
    assert stretches(landed) == [("d1", 0, 40), ("d1", 900, 953), ("d1", 994, 1003)]
    assert landed.notes["other_events"] == 1
    assert set(landed.table["region"].to_pylist()) == {"CN-SH"}
    assert set(landed.table["device"].to_pylist()) == {"mob"}
    times = landed.table["started_at"].to_pylist()
    assert all(a < b for a, b in pairwise(times))
