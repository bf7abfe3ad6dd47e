"""Every danmaku file of other people's tools: what went in, against the manifest; and damage."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engagement.formats import Landed, Options, Quarantined
from tests.engagement.landing_files import manifest, problem, real_data, take, write

FILM = Options(title="real", day=date(2024, 1, 1))
RUNTIMES = {"real": 0, "act-1": 0, "act-2": 0}
ACTS = {
    ("musical-hamilton.csv.gz", "P2"): "act-1",
    ("musical-hamilton.csv.gz", "P3"): "act-2",
}
FORMAT = {
    "danmaku-anime-gb18030": "crawler-csv",
    "danmaku-anime-towerofgod": "crawler-csv",
    "danmaku-bilibili-csv": "crawler-csv",
    "danmaku-bilibili-protobuf": "bilibili-protobuf",
    "danmaku-bilibili-xml": "bilibili-xml",
    "danmaku-dplayer-json": "dplayer-json",
    "danmaku-drama-direnjie2": "bilibili-xml",
    "danmaku-film-yolo-2024": "crawler-csv",
    "danmaku-iqiyi-zhuixu": "iqiyi-csv",
    "danmaku-niconico-anime-2022": "niconico-json",
    "danmaku-tencent-douluo": "tencent-json",
    "shortfilm-erjiu": "crawler-csv",
}
OTHER_FORMAT = {
    "niconico-sm23726371.xml.gz": "niconico-xml",
    "acfun-ac940133.json.gz": "acfun-json",
}
REJECTED = {
    "music-1147523.xml.gz": {"not_a_comment": 47},  # scripts
    "ccl-test2.xml.gz": {"not_a_comment": 1},
    "niconico-sm23726371.xml.gz": {"not_a_comment": 3},  # deleted by Niconico
    "acfun-ac940133.json.gz": {"bad_value": 3},  # texts of more than 10,000 characters
    "bilibili_ep1746689_dplayer.json.gz": {"not_a_comment": 1},  # the server's notice
}
FILES = 84
RENDERINGS = 9


def danmaku() -> list[tuple[str, str]]:
    return [
        (folder, name)
        for folder, name in manifest()
        if folder.startswith("danmaku-") or (folder, name) == ("shortfilm-erjiu", "danmaku.csv")
    ]


def landed(folder: str, name: str) -> Landed:
    return take(real_data() / folder / name, options=FILM, title_map=ACTS, runtimes=RUNTIMES)


def test_every_danmaku_file_lands_as_the_manifest_counts_or_is_refused_as_a_rendering() -> None:
    seen, expected, refused = {}, {}, 0
    for folder, name in danmaku():
        if ".ass" in name:
            with pytest.raises(Quarantined, match=r"an \.ass subtitle file, a rendering"):
                landed(folder, name)
            refused += 1
            continue
        rows = manifest()[folder, name]
        rejected = REJECTED.get(name, {})
        expected[folder, name] = (
            OTHER_FORMAT.get(name, FORMAT[folder]), rows, rejected, rows - sum(rejected.values())
        )  # fmt: skip
        found = landed(folder, name)
        seen[folder, name] = (
            found.format,
            found.rows_read,
            {reason: rejects.rows for reason, rejects in found.rejected.items()},
            found.table.num_rows,
        )
    assert seen == expected
    assert (len(seen), refused) == (FILES - RENDERINGS, RENDERINGS)


@pytest.mark.parametrize(
    ("folder", "name", "why"),
    [
        (
            "danmaku-bilibili-xml",
            "music-1147523.xml.gz",
            "a script or a drawing without text",
        ),
        (
            "danmaku-bilibili-xml",
            "niconico-sm23726371.xml.gz",
            "a comment that Niconico deleted",
        ),
        (
            "danmaku-dplayer-json",
            "bilibili_ep1746689_dplayer.json.gz",
            "the server's notice at the head of the list",
        ),
    ],
)
def test_what_is_no_comment_is_told_in_the_words_of_its_format(
    folder: str, name: str, why: str
) -> None:
    examples = landed(folder, name).rejected["not_a_comment"].examples
    assert {example["why"] for example in examples} == {why}


def test_a_protobuf_segment_has_the_columns_that_xml_has() -> None:
    found = landed("danmaku-bilibili-protobuf", "segment_a.dm")
    assert len(set(found.table["sender_id"].to_pylist())) == 888
    seconds = found.table["offset_s"].to_pylist()
    assert (min(seconds), max(seconds)) == (0, 359)
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (first["sender_id"], first["row_key"]) == ("2c12a310", "1259181282681056512")


def test_niconico_json_and_xml_say_where_when_who_and_what() -> None:
    new = landed("danmaku-niconico-anime-2022", "danmachi4-01.json.gz").table.slice(0, 1)
    first = new.to_pylist()[0]
    assert (first["offset_s"], first["likes"], first["row_key"]) == (327, 14, "1001510389873164288")
    assert first["posted_at"] == datetime(2022, 7, 26, 15, 24, 44, tzinfo=UTC)
    old = landed("danmaku-bilibili-xml", "niconico-sm23726371.xml.gz").table.slice(1, 1)
    second = old.to_pylist()[0]
    assert (second["offset_s"], second["text"]) == (15, "ハム太郎")
    assert second["sender_id"] == "zNPRknd1ymzb7D4wdQmzXXMpzM8"


def test_tencents_likes_and_acfuns_drawn_text_are_read() -> None:
    first = landed("danmaku-tencent-douluo", "tencent_barrage_0-60s.json.gz").table.slice(0, 1)
    assert first["likes"].to_pylist() == [187]
    drawn = landed("danmaku-bilibili-xml", "acfun-ac940133.json.gz").table["text"].to_pylist()
    assert drawn[:2] == ["BGM-CARAMELLDANSEN(ウッーウッーウ)", "GO！"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("danmaku-dplayer-json", "bilibili_ep1746689_dplayer.json.gz"),
        ("danmaku-iqiyi-zhuixu", "iqiyi_zhuixu_one_episode.csv"),
    ],
)
def test_comments_without_a_time_need_a_day(folder: str, name: str) -> None:
    why = problem(real_data() / folder / name, options=Options(title="real"), runtimes=RUNTIMES)
    assert "no posted_at, and no --day was given" in why


def test_a_truncated_or_lying_protobuf_is_refused(tmp_path: Path) -> None:
    whole = (real_data() / "danmaku-bilibili-protobuf" / "segment_a.dm").read_bytes()
    lying = b"\n\xff\xff\xff\xff\x07\x08\x01"
    for name, data in (("cut.dm", whole[:-7]), ("lying.dm", lying)):
        why = problem(write(tmp_path, name, data), options=FILM, runtimes=RUNTIMES)
        assert "the protobuf is damaged or truncated" in why


def test_fields_unknown_to_us_are_passed_over(tmp_path: Path) -> None:
    elem = b"\x10\xe8\x07\x18\x01\x3a\x02ok\x40\x80\xfe\xf2\x9a\x06\xba\x06\x03new"
    path = write(tmp_path, "new.dm", b"\n" + bytes([len(elem)]) + elem)
    row = take(path, options=FILM, runtimes=RUNTIMES).table.to_pylist()[0]
    assert (row["offset_s"], row["text"]) == (1, "ok")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("danmaku-dplayer-json", "bilibili_ep1746689_dplayer.json.gz"),
        ("danmaku-tencent-douluo", "tencent_barrage_0-60s.json.gz"),
        ("danmaku-bilibili-xml", "acfun-ac940133.json.gz"),
        ("danmaku-niconico-anime-2022", "danmachi4-01.json.gz"),
    ],
)
def test_a_json_that_breaks_off_is_refused(folder: str, name: str, tmp_path: Path) -> None:
    text = gzip.decompress((real_data() / folder / name).read_bytes()).decode().rstrip()
    path = write(tmp_path, "cut.json", text[:-40])
    assert "the file is truncated" in problem(path, options=FILM, runtimes=RUNTIMES)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep = '{"barrage_list": [' + "[" * 200_000 + "]" * 200_000 + "]}"
    path = write(tmp_path, "deep.json", deep)
    assert "cannot be read" in problem(path, options=FILM, runtimes=RUNTIMES)


def test_an_xml_bomb_in_niconicos_clothes_is_refused(tmp_path: Path) -> None:
    bomb = "<packet><chat>1</chat></packet>"
    path = write(tmp_path, "bomb.xml", '<!DOCTYPE x [<!ENTITY a "aa">]>' + bomb)
    why = problem(path, options=Options(title="real", format="niconico-xml"), runtimes=RUNTIMES)
    assert "declares a document type" in why


def test_the_owners_thread_is_not_the_audience(tmp_path: Path) -> None:
    said = {"id": "1", "vposMs": 1000, "body": "hi", "userId": "u", "nicoruCount": 0}
    said["postedAt"] = "2022-07-27T00:24:44+09:00"
    threads = [
        {"fork": "owner", "comments": [said]},
        {"fork": "easy", "comments": [said | {"id": "2", "userId": "v"}]},
    ]
    path = write(tmp_path, "n.json", json.dumps({"data": {"threads": threads}}))
    found = take(path, options=FILM, runtimes=RUNTIMES)
    assert found.table["sender_id"].to_pylist() == ["v"]
    refused = found.rejected["not_a_comment"]
    assert refused.examples == [{"line": 1, "why": "a comment of the owner's own thread"}]
