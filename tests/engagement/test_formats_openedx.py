"""Open edX, xAPI and Caliper logs: the published oracle, and three dialects of one event."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from engagement.formats import Options
from tests.engagement.landing_files import take, write
from tests.engagement.player_logs import (
    edx,
    lines,
    rows_of,
    stretches,
    xapi,
)

EDX = {
    "edX/DemoX/Demo_Course|i4x-edX-DemoX-video-3cb54a11efae4ccc8a0aade24d14b255": 0,
    "edX/DemoX/Demo_Course|i4x-edX-DemoX-video-8c0028eb2a724f48a074bc184cd8635f": 0,
    "course-v1:edX+DemoX+Test_2014|0b9e39477cf34507a7a48f74be381fdd": 0,
    "course-v1:edX+DemoX+Test_2015|0b9e39477cf34507a7a48f74be381fdd1": 444,
}
BIN_S = 5


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
