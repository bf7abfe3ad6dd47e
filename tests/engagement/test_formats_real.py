"""The danmaku files that other people's tools wrote, counted against the manifest."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engagement.formats import Landed, Options, Unrecognised
from tests.engagement.landing_files import manifest, problem, real_data, take

FILM = Options(title="real")
RUNTIMES = {"real": 0, "act-1": 0, "act-2": 0}
ACTS = {
    ("musical-hamilton.csv.gz", "P2"): "act-1",
    ("musical-hamilton.csv.gz", "P3"): "act-2",
}

XML = {
    "anime-51816463.xml.gz": 3000,
    "ugc-1358964605.xml.gz": 5022,
    "ugc-1364027332.xml.gz": 270,
    "ugc-8729348-mode7.xml.gz": 1239,
    "music-1903702.xml.gz": 1002,
    "music-1147523.xml.gz": 1046,
    "live-367013145-ninefields.xml.gz": 1200,
    "ugc-51822420-variant-p-order.xml.gz": 6000,
    "ccl-utsukushiki_mono.xml.gz": 6258,
    "ccl-unowen.xml.gz": 1853,
    "ccl-test2.xml.gz": 766,
    "ugc-BV1WD4y1Q7Bf.xml.gz": 6000,
    "ugc-ep317441.xml.gz": 500,
    "ugc-ss29325.xml.gz": 500,
}
NO_COMMENTS = {"music-1147523.xml.gz": 47, "ccl-test2.xml.gz": 1}
CSV = {
    "music-liang-bo.csv.gz": 1200,
    "esports-1-1.csv.gz": 6576,
    "esports-1-2.csv.gz": 3773,
    "esports-1-3.csv.gz": 2017,
}


def landed(folder: str, name: str) -> Landed:
    path = real_data() / folder / name
    found = take(path, options=FILM, runtimes=RUNTIMES)
    assert found.rows_read == manifest()[folder, name]
    return found


@pytest.mark.parametrize("name", XML)
def test_every_bilibili_xml_lands_as_many_rows_as_the_manifest_counts(name: str) -> None:
    found = landed("danmaku-bilibili-xml", name)
    scripts = NO_COMMENTS.get(name, 0)
    assert found.rows_read == XML[name]
    assert found.table.num_rows == XML[name] - scripts
    assert {r: rejects.rows for r, rejects in found.rejected.items()} == (
        {"not_a_comment": scripts} if scripts else {}
    )
    assert found.table["row_key"].null_count == 0
    assert found.table["offset_s"].null_count == 0


def test_the_drama_episode_lands_whole_with_its_row_ids() -> None:
    found = landed("danmaku-drama-direnjie2", "bilibili_483236581.xml.gz")
    assert found.table.num_rows == 18_533
    assert found.rejected == {}
    assert len(set(found.table["row_key"].to_pylist())) == 18_533
    assert len(set(found.table["sender_id"].to_pylist())) == 8_873
    assert max(found.table["offset_s"].to_pylist()) == 2_715  # floored
    days = found.table["day"].to_pylist()
    assert (min(days), max(days)) == (date(2022, 2, 7), date(2022, 4, 26))


def test_the_film_has_510_comments_in_minute_54() -> None:
    found = landed("danmaku-film-yolo-2024", "bilibili_yolo.csv")
    assert found.table.num_rows == 9_600
    minutes = Counter(second // 60 for second in found.table["offset_s"].to_pylist())
    assert minutes.most_common(2) == [(54, 510), (0, 294)]


def test_the_films_wrong_header_is_put_right() -> None:
    found = landed("danmaku-film-yolo-2024", "bilibili_yolo.csv")
    assert found.notes["header_corrected"] == 1
    assert len(set(found.table["sender_id"].to_pylist())) == 4_203
    assert found.table["sender_id"][0].as_py() == "5c3b5c06"
    assert found.table["row_key"].null_count == 9_600
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (first["line"], first["offset_s"]) == (2, 6_989)
    assert first["posted_at"] == datetime.fromtimestamp(1714460325, UTC)
    assert first["day"] == date(2024, 4, 30)


@pytest.mark.parametrize("name", CSV)
def test_every_crawler_csv_lands_as_many_rows_as_the_manifest_counts(name: str) -> None:
    found = landed("danmaku-bilibili-csv", name)
    assert found.table.num_rows == found.rows_read == CSV[name]
    assert found.rejected == {}


def test_row_ids_that_a_spreadsheet_damaged_are_not_keys() -> None:
    found = landed("danmaku-bilibili-csv", "esports-1-1.csv.gz")
    assert found.table["row_key"].null_count == 6_576
    assert found.table["sender_id"][0].as_py() == "348b73a7"
    assert found.notes["no_whole_row_ids"] == 1


def test_a_file_without_offsets_counts_in_its_days_and_in_no_second() -> None:
    found = landed("danmaku-bilibili-csv", "music-liang-bo.csv.gz")
    assert found.table["offset_s"].null_count == 1_200
    first = found.table.slice(0, 1).to_pylist()[0]
    assert first["posted_at"] == datetime(2023, 1, 8, 3, 41, 14, tzinfo=UTC)  # Shanghai's clock
    assert first["day"] == date(2023, 1, 8)


def test_a_csv_of_two_parts_maps_to_two_titles() -> None:
    path = real_data() / "danmaku-bilibili-csv" / "musical-hamilton.csv.gz"
    found = take(path, title_map=ACTS, runtimes=RUNTIMES)
    assert found.rows_read == manifest()["danmaku-bilibili-csv", path.name] == 6_830
    assert Counter(found.table["title_id"].to_pylist()) == {"act-1": 3_901, "act-2": 2_929}
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (first["line"], first["offset_s"], first["sender_id"]) == (1, 453, "74f5f189")
    assert (first["row_key"], first["text"]) == ("3858893191", "超爱的一首！")
    assert first["posted_at"] == datetime(2017, 10, 3, 3, 57, 28, tzinfo=UTC)


def test_a_csv_of_two_parts_asks_for_a_line_for_each() -> None:
    path = real_data() / "danmaku-bilibili-csv" / "musical-hamilton.csv.gz"
    why = problem(path, options=FILM, runtimes=RUNTIMES)
    assert "titles.map.csv lacks a line for part P2, P3" in why


def test_the_other_order_of_p_gives_the_same_columns() -> None:
    found = landed("danmaku-bilibili-xml", "ugc-51822420-variant-p-order.xml.gz")
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (first["offset_s"], first["sender_id"]) == (302, "f5021a8f")
    assert (first["row_key"], first["text"]) == ("5275435951194114", "2333333")
    assert first["posted_at"] == datetime.fromtimestamp(1537204270, UTC)


def test_drawn_comments_say_their_text() -> None:
    found = landed("danmaku-bilibili-xml", "ugc-8729348-mode7.xml.gz")
    assert "好想跟你表白❤❤❤❤❤" in found.table["text"].to_pylist()
    assert not any(str(t).startswith('["') for t in found.table["text"].to_pylist())


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("live-367013145-ninefields.ass.gz", ".ass"),
    ],
)
def test_formats_without_a_reader_are_named_in_the_refusal(name: str, what: str) -> None:
    why = problem(real_data() / "danmaku-bilibili-xml" / name, options=FILM, runtimes=RUNTIMES)
    assert what in why


def test_gb18030_is_read_without_being_declared() -> None:
    found = landed("danmaku-anime-gb18030", "file01.csv.gz")
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (found.table.num_rows, first["text"]) == (3_000, "留个脚印")
    assert first["posted_at"] == datetime(2020, 5, 7, 12, 2, 29, tzinfo=UTC)


def not_danmaku() -> list[Path]:
    return [
        real_data() / "danmaku-film-yolo-2024" / "README.md",
        real_data() / "watchcurves-lectures-vi2" / "lecture-1_per_second.csv",
    ]


def test_tables_and_readmes_are_not_taken_for_danmaku() -> None:
    for path in not_danmaku():
        with pytest.raises(Unrecognised):
            take(path, options=FILM, runtimes=RUNTIMES)
