"""Segment's video spec: its own payloads, ads, and the background."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engagement.formats import Options
from tests.engagement.landing_files import problem, take, write
from tests.engagement.player_logs import (
    lines,
    segment,
    stretches,
)


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
