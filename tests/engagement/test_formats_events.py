"""Players' logs, format by format: what goes in, what comes out, what is refused and why."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.formats import Catalogue, Landed, Options, Quarantined, companions, read
from tests.engagement.landing_files import house, problem, take, write

EDX = {
    "edX/DemoX/Demo_Course|i4x-edX-DemoX-video-3cb54a11efae4ccc8a0aade24d14b255": 0,
    "edX/DemoX/Demo_Course|i4x-edX-DemoX-video-8c0028eb2a724f48a074bc184cd8635f": 0,
    "course-v1:edX+DemoX+Test_2014|0b9e39477cf34507a7a48f74be381fdd": 0,
    "course-v1:edX+DemoX+Test_2015|0b9e39477cf34507a7a48f74be381fdd1": 444,
}
BIN_S = 5


def stretches(landed: Landed) -> list[tuple[str, int, int]]:
    rows = landed.table.to_pylist()
    return [(r["viewer_id"], r["from_s"], r["to_s"]) for r in rows]


def lines(*objects: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


# --- the oracle: what edX's own pipeline published for its own log ---------------------------
def test_every_count_that_edx_expects_is_met(real_data: Path) -> None:
    """edX bins by 5 s and counts the bin in which a play ended, even at that bin's first second;
    it counts distinct users and plays per bin. Our seconds are half-open: a play from 10 to 20
    never played second 20. So we count one bin less wherever a play ends on a bin's edge, and
    the same everywhere else.
    """
    landed = take(real_data / "edx-video-timeline" / "video_timeline.log", runtimes=EDX)
    assert landed.format == "openedx"
    assert (landed.rows_read, landed.rejected, len(landed.table)) == (18, {}, 9)
    theirs: dict[tuple[str, int], list[str]] = defaultdict(list)
    ours: dict[tuple[str, int], list[str]] = defaultdict(list)
    on_edge = Counter[tuple[str, int]]()
    for row in landed.table.to_pylist():
        first, last = row["from_s"] // BIN_S, row["to_s"] // BIN_S
        for number in range(first, last + 1):
            theirs[row["title_id"], number].append(row["viewer_id"])
        for number in range(first, (row["to_s"] - 1) // BIN_S + 1):
            ours[row["title_id"], number].append(row["viewer_id"])
        on_edge[row["title_id"], last] += row["to_s"] % BIN_S == 0

    expected = list(rows_of(real_data / "edx-video-timeline" / "expected_timeline.csv"))
    assert {key: (len(set(users)), len(users)) for key, users in theirs.items()} == {
        (r["video"], int(r["segment"])): (int(r["num_users"]), int(r["num_views"]))
        for r in expected
    }
    assert len(expected) == 10
    differ = {key for key in theirs if len(theirs[key]) != len(ours[key])}
    assert differ == {key for key, ends in on_edge.items() if ends}
    assert len(differ) == 1  # of 10 bins: module 8c00..., played from 10 to 20, bin 4

    info = list(rows_of(real_data / "edx-video-timeline" / "expected_video_info.csv"))
    assert len(info) == 4
    for video in info:
        of_video = {n: users for (title, n), users in theirs.items() if title == video["video"]}
        # Where no event tells the duration, edX takes the end of the last bin that was played.
        duration = EDX[video["video"]] or max(of_video) * BIN_S + BIN_S - 1
        assert duration == int(video["duration_s"])
        assert len(set(of_video.get(0, ()))) == int(video["users_at_start"])
        assert len(set(of_video.get(duration // BIN_S, ()))) == int(video["users_at_end"])
        views = sum(len(users) for users in of_video.values())
        assert views * BIN_S == int(video["total_viewed_seconds"])
        exact = sum(
            r["to_s"] - r["from_s"]
            for r in landed.table.to_pylist()
            if r["title_id"] == video["video"]
        )
        assert exact <= views * BIN_S  # ours are the seconds themselves, not bins of five


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(text.decode().splitlines())


# --- Open edX, xAPI, Caliper: the same events three times ------------------------------------
def test_each_example_of_open_edx_is_known_by_its_content(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "events-openedx-video"
    known = {"raw": "openedx", "xapi": "xapi-video", "caliper": "caliper"}
    found = Counter[str]()
    for path in sorted(folder.glob("*.json")):
        landed = take(path, options=Options(title="film"))
        assert landed.format == known[path.name.split("-")[0]], path.name
        assert (landed.rows_read, landed.rejected) == (1, {}), path.name
        found[landed.format] += 1
    assert found == {"openedx": 12, "xapi-video": 11, "caliper": 10}


@pytest.mark.parametrize("dialect", ["raw", "xapi", "caliper"])
def test_three_dialects_of_one_evening_give_the_same_segment(
    real_data: Path, tmp_path: Path, dialect: str
) -> None:
    """play at 0.03 (06:52:55), seek from 194.38 to 10 (06:58:28), and a stop, here at 06:58:40."""
    folder = real_data / "events-openedx-video"
    log = [json.loads((folder / f"{dialect}-{x}_video.json").read_text()) for x in ("play", "seek")]
    stop = json.loads((folder / f"{dialect}-stop_video.json").read_text())
    for key in ("timestamp", "eventTime"):
        if key in stop:
            stop[key] = "2020-07-15T06:58:40.000000+00:00"
    path = write(tmp_path, "log.jsonl", lines(*log, stop))
    landed = take(path, runtimes={"0b9e39477cf34507a7a48f74be381fdd": 195, VIDEO: 195})
    assert [(a, b) for _, a, b in stretches(landed)] == [(0, 194), (10, 194)]
    array = write(tmp_path, "array.json", json.dumps([*log, stop], indent=2))
    same = take(array, runtimes={"0b9e39477cf34507a7a48f74be381fdd": 195, VIDEO: 195})
    assert stretches(same) == stretches(landed)


VIDEO = "block-v1:edX+DemoX+Demo_Course+type@video+block@0b9e39477cf34507a7a48f74be381fdd"


def edx(act: str, time: str, payload: dict[str, Any], **context: Any) -> dict[str, Any]:
    return {
        "event_type": act,
        "event": json.dumps({"id": "film", **payload}),
        "event_source": "browser",
        "session": "s1",
        "context": {"course_id": "c", "user_id": 7, **context},
        "time": f"2026-09-01T{time}+00:00",
    }


def test_events_that_are_not_of_a_video_are_counted_and_no_fault(tmp_path: Path) -> None:
    other = {"event_type": "problem_check", "context": {"course_id": "c"}, "time": "x"}
    log = [
        other,
        edx("play_video", "12:00:00", {"currentTime": 3.2}),
        edx("pause_video", "12:01:00", {"currentTime": 63.9}),
        *[other] * 50,
    ]
    landed = take(write(tmp_path, "tracking.log", lines(*log)))
    assert stretches(landed) == [("7", 3, 63)]
    assert (landed.rows_read, landed.rejected) == (53, {})
    assert landed.notes["other_events"] == 51
    assert landed.table["device"].to_pylist() == ["web"]
    assert landed.table["territory"].to_pylist() == ["CN"]  # the platform's home


def test_two_accounts_in_one_browser_session_are_two_sessions(tmp_path: Path) -> None:
    log = [
        edx("play_video", "12:00:00", {"currentTime": 0}),
        edx("play_video", "12:00:01", {"currentTime": 0}, user_id=8),
        edx("pause_video", "12:00:10", {"currentTime": 10}),
        edx("pause_video", "12:00:21", {"currentTime": 20}, user_id=8),
    ]
    landed = take(write(tmp_path, "tracking.log", lines(*log)))
    assert sorted(stretches(landed)) == [("7", 0, 10), ("8", 0, 20)]
    assert len(set(landed.table["session_id"].to_pylist())) == 2


def test_an_event_delivered_twice_counts_once(tmp_path: Path) -> None:
    log = [
        edx("play_video", "12:00:00", {"currentTime": 0}),
        edx("seek_video", "12:00:10", {"old_time": 10, "new_time": 5}),
        edx("seek_video", "12:00:10", {"old_time": 10, "new_time": 5}),
        edx("pause_video", "12:00:30", {"currentTime": 25}),
    ]
    landed = take(write(tmp_path, "tracking.log", lines(*log)))
    assert stretches(landed) == [("7", 0, 10), ("7", 5, 25)]
    assert landed.notes["repeated_events"] == 1


# --- what is refused ---------------------------------------------------------------------------
def good(pairs: int) -> list[dict[str, Any]]:
    return [
        one
        for n in range(pairs)
        for one in (
            edx("play_video", "12:00:00", {"currentTime": 0}, user_id=100 + n),
            edx("pause_video", "12:00:30", {"currentTime": 30}, user_id=100 + n),
        )
    ]


@pytest.mark.parametrize(
    ("fault", "reason", "why"),
    [
        ({"time": None}, "no_time", "the event has no time"),
        ({"time": "yesterday"}, "bad_value", "its time is 'yesterday'"),
        ({"time": "2030-01-01T00:00:00Z"}, "future", "lies in the future"),
        ({"event": json.dumps({"id": "gone"})}, "unknown_title", "'c|gone'"),
        ({"event": '{"id": "film", "currentTime": "mid"}'}, "bad_value", "position is no number"),
        ({"event": '{"id": "film", "currentTime": -1}'}, "out_of_range", "its position is -1"),
        ({"event": '{"id": "film", "currentTime": 1e308}'}, "out_of_range", "1e+308"),
        ({"event": '{"id": "film", "currentTime": NaN}'}, "bad_value", "position is no number"),
        ({"session": None, "context": {}, "username": ""}, "bad_value", "neither a session nor"),
    ],
)
def test_a_bad_event_is_rejected_with_its_line_and_the_others_stand(
    tmp_path: Path, fault: dict[str, Any], reason: str, why: str
) -> None:
    log = [*good(20), edx("pause_video", "13:00:00", {"currentTime": 1}) | fault]
    landed = take(write(tmp_path, "tracking.log", lines(*log)))
    assert len(landed.table) == 20
    assert {k: r.rows for k, r in landed.rejected.items()} == {reason: 1}
    [example] = landed.rejected[reason].examples
    assert example["line"] == 41
    assert why in str(example["why"])


def test_a_log_with_too_many_bad_events_is_quarantined(tmp_path: Path) -> None:
    log = [*good(4), edx("play_video", "12:00:00", {"id": "gone"})]
    said = problem(write(tmp_path, "tracking.log", lines(*log)))
    assert said.startswith("1 of 9 rows are bad, more than 5%. unknown_title 1 (line 9: ")


def test_a_torn_log_is_refused_and_a_broken_line_is_counted(tmp_path: Path) -> None:
    whole = lines(*good(20))
    said = problem(write(tmp_path, "tracking.log", whole[:-40]))
    assert said.startswith("line 40, the last, breaks off")
    landed = take(
        write(tmp_path, "broken.log", "{torn\n" + whole), options=Options(format="openedx")
    )
    assert landed.rejected["bad_value"].examples[0]["line"] == 1
    deep = '{"context": ' + "[" * 200_000
    assert "JSON" in problem(write(tmp_path, "deep.log", deep), options=Options(format="openedx"))


def test_which_title_a_video_is_comes_from_the_map_or_title_or_its_own_name(tmp_path: Path) -> None:
    log = write(tmp_path, "tracking.log", lines(*good(1)))
    mapped = take(log, title_map={("tracking.log", "film"): "short"})
    assert mapped.table["title_id"].to_pylist() == ["short"]
    by_course = take(log, title_map={("tracking.log", "c|film"): "short"})
    assert by_course.table["title_id"].to_pylist() == ["short"]
    named = take(log, options=Options(title="unknown-length"))
    assert named.table["title_id"].to_pylist() == ["unknown-length"]
    two = [*good(1), edx("play_video", "12:00:00", {"id": "gone"})]
    said = problem(write(tmp_path, "two.log", lines(*two)), options=Options(title="film"))
    assert "plays 2 videos; give each a line in titles.map.csv" in said


ODD: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=10**400, max_value=10**400 + 9),
        st.floats(),
        st.sampled_from(["", "\0", "\ud800", "x" * 300, "PT5S", "1e400", "*", "2026-09-01"]),
    ),
    lambda inside: st.one_of(
        st.lists(inside, max_size=2), st.dictionaries(st.sampled_from(["id", "a"]), inside)
    ),
    max_leaves=4,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inside in items:
        yield (*path, key)
        if isinstance(inside, dict | list):
            yield from paths(inside, (*path, key))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = odd


@pytest.mark.parametrize("name", ["openedx", "xapi-video", "caliper", "segment-video", "snowplow"])
@given(data=st.data())
def test_no_value_anywhere_in_an_event_breaks_the_reader(name: str, data: st.DataObject) -> None:
    """An event of each kind with something odd in one place goes in, or is refused in words."""
    log = json.loads(json.dumps(EXAMPLES[name]))
    place = data.draw(st.sampled_from(list(paths(log))))
    put(log, place, data.draw(ODD))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "log.jsonl", "".join(json.dumps(one) + "\n" for one in log))
        try:
            landed = take(path, options=Options(format=FORMAT_OF.get(name, name)))
        except Quarantined:
            return
    for row in landed.table.to_pylist():
        assert 0 <= row["from_s"] < row["to_s"] <= 7_800
        assert "\0" not in row["device"]


# --- Segment -----------------------------------------------------------------------------------
def segment_calls(real_data: Path) -> dict[str, dict[str, Any]]:
    text = (real_data / "events-segment-video" / "video_spec_payloads.txt").read_text()
    calls = [json.loads(part) for part in text.split("-----")]
    assert len(calls) == 16
    return {call["event"].removeprefix("Video "): call for call in calls}


def test_segments_payloads_without_a_time_are_refused_for_that(real_data: Path) -> None:
    said = problem(
        real_data / "events-segment-video" / "video_spec_payloads.txt",
        options=Options(title="film"),
    )
    assert said.startswith("16 of 16 rows are bad, more than 5%. no_time 16 ")


def test_segments_calls_become_segments_without_the_ads(real_data: Path, tmp_path: Path) -> None:
    """The spec's payloads, each with a time: a pre-roll, the content, a seek, a mid-roll."""
    call = segment_calls(real_data)
    evening = [
        ("Playback Started", 0, {}),
        ("Ad Started", 1, {}),
        ("Ad Playing", 11, {"position": 10}),
        ("Ad Completed", 31, {}),
        ("Content Started", 32, {}),
        ("Content Playing", 42, {"position": 10}),
        ("Content Playing", 52, {"position": 20}),
        ("Playback Seek Started", 54, {"position": 22, "seek_position": 320}),
        ("Playback Seek Completed", 56, {"position": 320}),
        ("Content Playing", 64, {"position": 328}),
        ("Ad Started", 66, {"type": "mid-roll"}),
        ("Ad Playing", 76, {"position": 10}),
        ("Ad Completed", 96, {}),
        ("Content Playing", 100, {"position": 334}),
        ("Playback Buffer Started", 101, {"position": 335}),
        ("Playback Buffer Completed", 121, {"position": 335}),
        ("Playback Paused", 131, {"position": 345}),
        ("Playback Resumed", 900, {"position": 345}),
        ("Content Completed", 947, {"position": 392}),
        ("Playback Completed", 947, {"position": 392}),
        ("Playback Exited", 950, {"position": 392}),
    ]
    log = [
        call[name]
        | {"timestamp": f"2026-09-01T12:{at // 60:02}:{at % 60:02}Z"}
        | {"properties": call[name]["properties"] | given}
        for name, at, given in evening
    ]
    landed = take(write(tmp_path, "calls.jsonl", lines(*log)), runtimes={"0129370": 392})
    assert landed.format == "segment-video"
    assert stretches(landed) == [("userId", 0, 22), ("userId", 320, 345), ("userId", 345, 392)]
    assert landed.rejected == {}
    assert len(log) == landed.rows_read == 21


def segment(name: str, at: int, **properties: Any) -> dict[str, Any]:
    return {
        "event": name,
        "anonymousId": "a",
        "timestamp": f"2026-09-01T12:{at // 60:02}:{at % 60:02}Z",
        "context": {"device": {"type": "ios"}, "location": {"country": "SG"}},
        "properties": properties,
    }


def test_time_in_the_background_is_left_out(tmp_path: Path) -> None:
    here: dict[str, Any] = {"session_id": "s", "asset_id": "film"}
    log = [
        segment("Video Content Started", 0, **here, position=0),
        segment("Video Content Playing", 10, **here, position=10),
        segment("Application Backgrounded", 12),
        segment("Video Content Playing", 20, **here, position=20),
        segment("Application Opened", 60),
        segment("Video Content Playing", 61, **here, position=61),
        segment("Video Content Completed", 71, **here, position=71),
    ]
    landed = take(write(tmp_path, "calls.jsonl", lines(*log)))
    assert stretches(landed) == [("a", 0, 10), ("a", 61, 71)]
    assert landed.table["device"].to_pylist() == ["ios", "ios"]
    assert landed.table["territory"].to_pylist() == ["SG", "SG"]


# --- Snowplow ------------------------------------------------------------------------------------
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


FORMAT_OF = {"snowplow": "snowplow-media"}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "openedx": [
        edx("play_video", "12:00:00", {"currentTime": 0}),
        edx("pause_video", "12:00:30", {"currentTime": 30}),
    ],
    "xapi-video": [
        xapi("https://w3id.org/xapi/video/verbs/played", "12:00:00", time=0.5),
        xapi("https://w3id.org/xapi/video/verbs/paused", "12:00:30", time=30),
    ],
    "caliper": [caliper("Started", "12:00:00", "PT0S"), caliper("Paused", "12:00:30", "PT30S")],
    "segment-video": [
        segment("Video Content Started", 0, session_id="s", asset_id="film", position=0),
        segment("Video Content Playing", 10, session_id="s", asset_id="film", position=10),
    ],
    "snowplow": [ping(0, 0.0, "play_event"), ping(30, 30.0)],
}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_of_each_kind_is_known_and_goes_in(tmp_path: Path, name: str) -> None:
    landed = take(write(tmp_path, "log.jsonl", lines(*EXAMPLES[name])))
    assert landed.format == FORMAT_OF.get(name, name)
    assert [(a, b) for _, a, b in stretches(landed)] == [(0, 10 if "segment" in name else 30)]


def test_xapis_completed_is_a_report_and_not_the_end(tmp_path: Path) -> None:
    verbs = ("https://w3id.org/xapi/video/verbs/", "http://adlnet.gov/expapi/verbs/")
    log = [
        xapi(f"{verbs[0]}played", "12:00:00", time=0),
        xapi(f"{verbs[1]}completed", "13:50:00", time=6600),
        xapi(f"{verbs[1]}terminated", "14:05:00", time=7500),
    ]
    whole = take(write(tmp_path, "log.jsonl", lines(*log)))
    assert stretches(whole) == [('["http://lms", "v"]', 0, 7500)]
    cut = take(write(tmp_path, "cut.jsonl", lines(*log[:2])))
    assert stretches(cut) == [('["http://lms", "v"]', 0, 6600)]


ENVELOPED = {"xapi-video": "statements", "caliper": "data", "segment-video": "batch"}


@pytest.mark.parametrize("name", sorted(ENVELOPED))
def test_envelopes_are_opened(tmp_path: Path, name: str) -> None:
    sent = {"sensor": "x", ENVELOPED[name]: EXAMPLES[name]}
    landed = take(write(tmp_path, "log.json", json.dumps(sent, indent=1)))
    assert (landed.format, landed.rows_read, len(landed.table)) == (name, 2, 1)
