"""The platform's own landing files: what goes in, which single rows stay out, and why."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.formats import Landed, Options
from engagement.formats.schema import DANMU as DANMU_SCHEMA
from engagement.formats.schema import SEGMENTS as SEGMENTS_SCHEMA
from engagement.formats.schema import TERRITORIES
from engagement.formats.schema import TITLES as TITLES_SCHEMA
from tests.engagement.landing_files import (
    DANMU,
    DANMU_HEADER,
    RUNTIMES,
    SEGMENT,
    SEGMENT_HEADER,
    danmu_csv,
    segments_csv,
    take,
    write,
)


def rejected(landed: Landed) -> dict[str, int]:
    return {reason: found.rows for reason, found in landed.rejected.items()}


def row(landed: Landed, at: int = 0) -> dict[str, object]:
    return dict(landed.table.slice(at, 1).to_pylist()[0])


# segments


def test_a_segment_row_lands_as_the_schema_says(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "segments.csv", segments_csv(SEGMENT)))
    assert landed.table.schema == SEGMENTS_SCHEMA
    assert (landed.kind, landed.format, landed.rows_read) == ("segments", "native", 1)
    assert row(landed) == {
        "line": 2,
        "session_id": "s1",
        "viewer_id": "v1",
        "title_id": "film",
        "started_at": datetime(2026, 9, 1, 12, tzinfo=UTC),
        "from_s": 0,
        "to_s": 60,
        "device": "phone",
        "territory": "CN",
        "region": "CN-SH",
        "age_band": "18-24",
        "gender": "female",
    }


def three_ways(folder: Path, kind: str, table: pa.Table) -> list[Path]:
    """The same table as Parquet, CSV and JSON lines."""
    rows = table.to_pylist()
    plain = [
        {k: v.isoformat() if isinstance(v, datetime | date) else v for k, v in r.items()}
        for r in rows
    ]
    pq.write_table(table, folder / f"{kind}.parquet")
    lines = [",".join("" if v is None else str(v) for v in r.values()) for r in plain]
    write(folder, f"{kind}.csv", "\n".join([",".join(plain[0]), *lines]) + "\n")
    write(folder, f"{kind}.jsonl", "\n".join(json.dumps(r, ensure_ascii=False) for r in plain))
    return [folder / f"{kind}.{ending}" for ending in ("parquet", "csv", "jsonl")]


def test_parquet_csv_and_json_lines_land_the_same_segments(tmp_path: Path) -> None:
    instants = [datetime(2026, 9, 1, 12, minute, tzinfo=UTC) for minute in range(3)]
    table = pa.table(
        {
            "session_id": ["s1", "s1", "s2"],
            "viewer_id": ["v1", "v1", "v2"],
            "title_id": ["film", "film", "short"],
            "started_at": pa.array(instants, pa.timestamp("ms", tz="UTC")),
            "from_s": [0.9, 60.0, 5.5],
            "to_s": [59.2, 90.0, 120.0],
            "device": ["TV", None, "phone"],
            "territory": ["CN", None, "us"],
            "region": [None, "CN-SH", "US-CA"],
            "age_band": ["18-24", None, "51+"],
            "gender": ["female", None, "Male"],
        }
    )
    as_parquet, as_csv, as_json = [take(p).table for p in three_ways(tmp_path, "segments", table)]
    numbered = as_csv.drop_columns(["line"])
    assert as_parquet["line"].to_pylist() == [1, 2, 3]
    assert as_csv["line"].to_pylist() == [2, 3, 4]
    assert as_parquet.drop_columns(["line"]).equals(numbered)
    assert as_json.equals(as_parquet)
    assert numbered["from_s"].to_pylist() == [0, 60, 5]
    assert numbered["to_s"].to_pylist() == [59, 90, 100]  # clipped to the runtime of 100 s
    assert numbered["device"].to_pylist() == ["tv", "unknown", "phone"]
    assert numbered["territory"].to_pylist() == ["CN", "CN", "US"]
    assert numbered["gender"].to_pylist() == ["female", "unknown", "male"]


def test_an_absent_territory_is_home_or_what_the_option_says(tmp_path: Path) -> None:
    header = "session_id,viewer_id,title_id,started_at,from_s,to_s"
    path = write(
        tmp_path, "segments.csv", segments_csv("s,v,film,2026-09-01T12:00:00Z,0,5", header=header)
    )
    assert row(take(path))["territory"] == "CN"
    assert row(take(path, options=Options(territory="SG")))["territory"] == "SG"
    assert take(path).notes["no_territory_column"] == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (SEGMENT.replace("film", "no-such"), "unknown_title"),
        (SEGMENT.replace(",CN,", ",UK,"), "unknown_territory"),
        (SEGMENT.replace(",CN,", ",ZZ,"), "unknown_territory"),
        (SEGMENT.replace(",0,60,", ",-1,60,"), "out_of_range"),
        (SEGMENT.replace(",0,60,", ",NaN,60,"), "out_of_range"),
        (SEGMENT.replace(",0,60,", ",0,1e308,"), "out_of_range"),
        (SEGMENT.replace(",0,60,", ",0,inf,"), "out_of_range"),
        (SEGMENT.replace(",0,60,", ",60,20,"), "out_of_range"),
        (SEGMENT.replace(",0,60,", ",7800,7801,"), "out_of_range"),
        (SEGMENT.replace("2026-09-01", "2026-10-02"), "future"),
        (SEGMENT.replace(",0,60,", ",zero,60,"), "bad_value"),
        (SEGMENT.replace(",0,60,", ",,60,"), "bad_value"),
        (SEGMENT.replace("2026-09-01", "2026-02-30"), "bad_value"),
        (SEGMENT.replace("2026-09-01", "1970-01-01"), "bad_value"),
        (SEGMENT.replace("2026-09-01T12:00:00Z", "yesterday"), "bad_value"),
        (SEGMENT.replace("s1,v1", "s1,"), "bad_value"),
        (SEGMENT.replace("s1,v1", "s" * 201 + ",v1"), "bad_value"),
        (SEGMENT + ",surplus", "bad_value"),
        ("s1,v1,film", "bad_value"),
    ],
)
def test_a_bad_segment_is_rejected_with_its_line_and_the_rest_lands(
    tmp_path: Path, bad: str, reason: str
) -> None:
    landed = take(write(tmp_path, "segments.csv", segments_csv(SEGMENT, bad, good=30)))
    assert rejected(landed) == {reason: 1}
    assert landed.rejected[reason].examples[0]["line"] == 3
    assert landed.rejected[reason].examples[0]["why"]
    assert (landed.table.num_rows, landed.rows_read) == (31, 32)
    assert 3 not in landed.table["line"].to_pylist()


def test_a_day_ahead_of_the_clock_is_still_no_future(tmp_path: Path) -> None:
    edge = SEGMENT.replace("2026-09-01T12:00:00Z", "2026-10-01T12:00:00Z")
    past = SEGMENT.replace("2026-09-01T12:00:00Z", "2026-10-01T12:00:01Z")
    landed = take(write(tmp_path, "segments.csv", segments_csv(edge, past, good=30)))
    assert rejected(landed) == {"future": 1}
    assert landed.rejected["future"].examples[0]["line"] == 3


def test_a_session_keeps_the_viewer_of_its_first_row_by_time(tmp_path: Path) -> None:
    rows = [
        "s1,late,film,2026-09-01T12:05:00Z,0,60,,,,,",
        "s1,first,film,2026-09-01T12:00:00Z,0,60,,,,,",
        "s1,first,film,2026-09-01T12:01:00Z,60,70,,,,,",
        "s1,other,short,2026-09-01T12:00:00Z,0,60,,,,,",  # another title, another session
        "s2,a,film,2026-09-01T12:00:00Z,0,60,,,,,",
        "s2,b,film,2026-09-01T12:00:00Z,0,60,,,,,",  # the same instant: the earlier line counts
    ]
    landed = take(write(tmp_path, "segments.csv", segments_csv(*rows, good=60)))
    assert rejected(landed) == {"two_viewers": 2}
    assert [e["line"] for e in landed.rejected["two_viewers"].examples] == [2, 7]
    assert "first" not in str(landed.rejected["two_viewers"].examples)


def test_a_rejected_row_does_not_decide_whose_the_session_is(tmp_path: Path) -> None:
    rows = [
        "s1,ghost,film,2026-09-01T11:00:00Z,-5,60,,,,,",
        "s1,v1,film,2026-09-01T12:00:00Z,0,60,,,,,",
    ]
    landed = take(write(tmp_path, "segments.csv", segments_csv(*rows, good=40)))
    assert rejected(landed) == {"out_of_range": 1}


def test_a_zero_length_segment_is_left_out_and_is_not_bad(tmp_path: Path) -> None:
    rows = [SEGMENT.replace(",0,60,", ",5.1,5.9,")] * 3
    landed = take(write(tmp_path, "segments.csv", segments_csv(*rows, SEGMENT)))
    assert landed.notes["zero_length"] == 3
    assert landed.rejected == {}
    assert (landed.rows_read, landed.table["line"].to_pylist()) == (4, [5])


def test_duplicates_are_kept_in_the_files_order(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "segments.csv", segments_csv(SEGMENT, SEGMENT, SEGMENT)))
    assert landed.table["line"].to_pylist() == [2, 3, 4]


def test_unknown_words_read_as_unknown_and_are_noted(tmp_path: Path) -> None:
    odd = SEGMENT.replace("CN-SH,18-24,female", "US-CA,19-20,robot").replace("phone", "*")
    landed = take(write(tmp_path, "segments.csv", segments_csv(odd)))
    found = row(landed)
    assert (found["device"], found["region"]) == ("unknown", None)
    assert (found["age_band"], found["gender"]) == ("unknown", "unknown")
    assert {k: landed.notes[k] for k in ("odd_region", "odd_age_band", "odd_gender")} == {
        "odd_region": 1,
        "odd_age_band": 1,
        "odd_gender": 1,
    }


def test_a_title_without_a_runtime_has_no_upper_bound(tmp_path: Path) -> None:
    long = SEGMENT.replace("film", "unknown-length").replace(",0,60,", ",9000,10000,")
    landed = take(write(tmp_path, "segments.csv", segments_csv(long)))
    assert (row(landed)["from_s"], row(landed)["to_s"]) == (9_000, 10_000)


def test_no_more_than_twenty_examples_of_a_reason_are_kept(tmp_path: Path) -> None:
    bad = [SEGMENT.replace("film", "no-such")] * 30
    landed = take(write(tmp_path, "segments.csv", segments_csv(*bad, good=600)))
    assert landed.rejected["unknown_title"].rows == 30
    assert len(landed.rejected["unknown_title"].examples) == 20


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["film", "short", "nothing"]),
            st.floats(-10, 9_000) | st.sampled_from([math.nan, math.inf, 1e308]),
            st.floats(-10, 9_000) | st.sampled_from([math.nan, math.inf, 1e308]),
            st.sampled_from(["CN", "", "hk", "XX"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_random_rows_are_judged_as_a_slow_and_obvious_reading_does(
    tmp_path: Path, rows: list[tuple[str, float, float, str]]
) -> None:
    def fate(title: str, start: float, end: float, territory: str) -> str:
        if title not in RUNTIMES:
            return "unknown_title"
        if territory.upper() not in {*TERRITORIES, ""}:
            return "unknown_territory"
        if not (0 <= start <= 360_000 and 0 <= end <= 360_000) or end < start:
            return "out_of_range"
        if int(start) >= RUNTIMES[title]:
            return "out_of_range"
        return "zero" if int(start) == min(int(end), RUNTIMES[title]) else "lands"

    lines = [
        f"s{i},v{i},{title},2026-09-01T12:00:00Z,{start!r},{end!r},,{territory},,,"
        for i, (title, start, end, territory) in enumerate(rows)
    ]
    path = write(tmp_path, "segments.csv", segments_csv(*lines, good=20 * len(rows)))
    landed = take(path)
    fates = [fate(*r) for r in rows]
    reasons = ("unknown_title", "unknown_territory", "out_of_range")
    assert rejected(landed) == {r: fates.count(r) for r in reasons if r in fates}
    assert landed.notes.get("zero_length", 0) == fates.count("zero")
    expected = [i + 2 for i, what in enumerate(fates) if what == "lands"]
    assert [n for n in landed.table["line"].to_pylist() if n < len(rows) + 2] == expected


# danmu


def test_a_danmu_row_lands_as_the_schema_says(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(DANMU)))
    assert landed.table.schema == DANMU_SCHEMA
    assert row(landed) == {
        "line": 2,
        "title_id": "film",
        "offset_s": 10,
        "posted_at": datetime(2026, 9, 1, 12, tzinfo=UTC),
        "day": date(2026, 9, 1),
        "text": "好看",
        "sender_id": "u1",
        "likes": 3,
        "territory": "CN",
        "deleted_at": None,
        "row_key": None,
    }


def test_the_reporting_day_turns_at_midnight_in_the_platforms_zone(tmp_path: Path) -> None:
    before = DANMU.replace("2026-09-01T12:00:00Z", "2026-09-01T15:59:59Z")
    after = DANMU.replace("2026-09-01T12:00:00Z", "2026-09-01T16:00:00Z")
    offset = DANMU.replace("2026-09-01T12:00:00Z", "2026-09-02T00:30:00+09:00")
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(before, after, offset)))
    days = landed.table["day"].to_pylist()
    assert days == [date(2026, 9, 1), date(2026, 9, 2), date(2026, 9, 1)]


def test_a_row_without_an_offset_counts_in_its_day_and_in_no_second(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(DANMU.replace("10.7", ""))))
    assert (row(landed)["offset_s"], row(landed)["day"]) == (None, date(2026, 9, 1))


def test_a_row_without_a_time_goes_to_the_day_given(tmp_path: Path) -> None:
    timeless = DANMU.replace("2026-09-01T12:00:00Z", "")
    path = write(tmp_path, "danmu.csv", danmu_csv(timeless, good=30))
    landed = take(path, options=Options(day=date(2026, 8, 5)))
    assert landed.table["day"].to_pylist() == [date(2026, 8, 5)] + [date(2026, 9, 1)] * 30
    assert row(landed)["posted_at"] is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (DANMU.replace("2026-09-01T12:00:00Z", ""), "no_time"),
        (DANMU.replace("film", "no-such"), "unknown_title"),
        (DANMU.replace(",CN,", ",EU,"), "unknown_territory"),
        (DANMU.replace("10.7", "-0.5"), "out_of_range"),
        (DANMU.replace("10.7", "nan"), "out_of_range"),
        (DANMU.replace("10.7", "1e308"), "out_of_range"),
        (DANMU.replace("10.7", "7860"), "out_of_range"),
        (DANMU.replace(",3,", ",-3,"), "out_of_range"),
        (DANMU.replace(",3,", ",many,"), "bad_value"),
        (DANMU.replace("10.7", "soon"), "bad_value"),
        (DANMU.replace("2026-09-01", "2027-09-01"), "future"),
        (DANMU + "never", "bad_value"),
        (DANMU.replace("好看", "好" * 10_001), "bad_value"),
    ],
)
def test_a_bad_danmu_row_is_rejected_with_its_line(tmp_path: Path, bad: str, reason: str) -> None:
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(DANMU, bad, good=30)))
    assert rejected(landed) == {reason: 1}
    assert landed.rejected[reason].examples[0]["line"] == 3
    assert landed.table.num_rows == 31


def test_comments_within_a_minute_after_the_runtime_are_kept(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(DANMU.replace("10.7", "7859.9"))))
    assert row(landed)["offset_s"] == 7_859


def test_a_deleted_comment_keeps_when_it_was_deleted(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(DANMU + "2026-09-03T00:00:00Z")))
    assert row(landed)["deleted_at"] == datetime(2026, 9, 3, tzinfo=UTC)


def test_the_title_option_stands_in_for_a_missing_title_column(tmp_path: Path) -> None:
    content = "offset_s,posted_at,text\n5,2026-09-01T12:00:00Z,好\n"
    path = write(tmp_path, "danmu.csv", content)
    landed = take(path, options=Options(title="film", format="native"))
    assert row(landed)["title_id"] == "film"


def test_quoted_line_breaks_keep_the_line_numbers_right(tmp_path: Path) -> None:
    two_lines = DANMU.replace("好看", '"一\n二"')
    landed = take(write(tmp_path, "danmu.csv", danmu_csv(two_lines, DANMU, "", DANMU)))
    assert landed.table["line"].to_pylist() == [2, 4, 6]
    assert row(landed)["text"] == "一\n二"


def test_json_lines_with_a_bad_line_land_the_others(tmp_path: Path) -> None:
    good = json.dumps(dict(zip(DANMU_HEADER.split(","), DANMU.split(","), strict=True)))
    content = "\n".join([good, "{broken", good, "[1]", *[good] * 50]) + "\n"
    landed = take(write(tmp_path, "danmu.jsonl", content))
    assert rejected(landed) == {"bad_value": 2}
    assert [e["line"] for e in landed.rejected["bad_value"].examples] == [2, 4]
    assert landed.table["line"].to_pylist()[:3] == [1, 3, 5]


def test_a_nul_written_as_an_escape_is_a_bad_row(tmp_path: Path) -> None:
    good = dict(zip(DANMU_HEADER.split(","), DANMU.split(","), strict=True))
    rows = [json.dumps(good | {"text": "a\0b"}), *[json.dumps(good)] * 30]
    assert rejected(take(write(tmp_path, "danmu.jsonl", "\n".join(rows)))) == {"bad_value": 1}


# titles


def test_titles_land_with_their_lists(tmp_path: Path) -> None:
    content = (
        "title_id,kind,name_zh,name_en,runtime_s,released_on,parent_title_id,cut_of,genres,cast,"
        "source_work\n"
        "e1,Episode,第一集,Episode 1,2700.8,2026-01-02,series,,悬疑| 古装 |悬疑,甲|乙,\n"
        "series,series,剧,,,,,,,,原著\n"
    )
    landed = take(write(tmp_path, "titles.csv", content))
    assert landed.table.schema == TITLES_SCHEMA
    first, second = landed.table.to_pylist()
    assert first == {
        "line": 2,
        "title_id": "e1",
        "kind": "episode",
        "name_zh": "第一集",
        "name_en": "Episode 1",
        "runtime_s": 2_700,
        "released_on": date(2026, 1, 2),
        "parent_title_id": "series",
        "cut_of": None,
        "genres": ["悬疑", "古装"],
        "cast": ["甲", "乙"],
        "source_work": [],
    }
    assert (second["runtime_s"], second["released_on"], second["source_work"]) == (
        0,
        None,
        ["原著"],
    )


def test_titles_in_parquet_may_bring_real_lists(tmp_path: Path) -> None:
    table = pa.table(
        {
            "title_id": ["f"],
            "kind": ["film"],
            "name_zh": ["片"],
            "runtime_s": [60],
            "released_on": [date(2026, 1, 2)],
            "genres": [["喜剧", "爱情"]],
        }
    )
    pq.write_table(table, tmp_path / "titles.parquet")
    landed = take(tmp_path / "titles.parquet")
    assert (row(landed)["genres"], row(landed)["released_on"]) == (
        ["喜剧", "爱情"],
        date(2026, 1, 2),
    )


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (",film,名,,60", "bad_value"),
        ("x,clip,名,,60", "bad_value"),
        ("x,film,,,60", "bad_value"),
        ("x,film,名,,long", "bad_value"),
        ("x,film,名,,-60", "out_of_range"),
    ],
)
def test_a_bad_title_is_rejected(tmp_path: Path, bad: str, reason: str) -> None:
    good = [f"t{i},film,名,,60" for i in range(30)]
    content = "\n".join(["title_id,kind,name_zh,name_en,runtime_s", bad, *good]) + "\n"
    assert rejected(take(write(tmp_path, "titles.csv", content))) == {reason: 1}


def test_there_are_249_territories() -> None:
    assert len(TERRITORIES) == 249
    assert {"CN", "HK", "MO", "TW", "US", "GB"} <= TERRITORIES
    assert not {"UK", "EU", "XK", "ZZ"} & TERRITORIES


def test_headers_are_read_in_any_case(tmp_path: Path) -> None:
    path = write(tmp_path, "segments.csv", segments_csv(SEGMENT, header=SEGMENT_HEADER.upper()))
    assert take(path).table.num_rows == 1
