"""Players' logs of every kind: known by content, and what is refused and why."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.formats import Options, Quarantined
from tests.engagement.landing_files import problem, take, write
from tests.engagement.player_logs import (
    caliper,
    edx,
    lines,
    ping,
    segment,
    stretches,
    xapi,
)


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


ENVELOPED = {"xapi-video": "statements", "caliper": "data", "segment-video": "batch"}


@pytest.mark.parametrize("name", sorted(ENVELOPED))
def test_envelopes_are_opened(tmp_path: Path, name: str) -> None:
    sent = {"sensor": "x", ENVELOPED[name]: EXAMPLES[name]}
    landed = take(write(tmp_path, "log.json", json.dumps(sent, indent=1)))
    assert (landed.format, landed.rows_read, len(landed.table)) == (name, 2, 1)
