"""What keeps a whole file out, and what looks broken but is read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from engagement.formats import (
    Options,
    Quarantined,
    Unrecognised,
    container,
    read_title_map,
    readable,
)
from tests.engagement.landing_files import (
    DANMU,
    SEGMENT,
    SEGMENT_HEADER,
    danmu_csv,
    problem,
    segments_csv,
    take,
    write,
)

GOOD = segments_csv(SEGMENT, good=3)


def parquet(folder: Path, name: str = "segments.parquet") -> Path:
    names = SEGMENT_HEADER.split(",")
    cells = SEGMENT.split(",")
    pq.write_table(
        pa.table({n: [c] * 50 for n, c in zip(names, cells, strict=True)}), folder / name
    )
    return folder / name


@pytest.mark.parametrize("name", ["segments.csv", "danmu.jsonl", "segments.parquet", "a.xml"])
def test_an_empty_file_is_quarantined(tmp_path: Path, name: str) -> None:
    """Fault 20."""
    assert problem(write(tmp_path, name, "")) == "the file is empty"
    assert problem(write(tmp_path, name + ".gz", "")) == "the gz is empty"


def test_a_file_of_blanks_is_quarantined(tmp_path: Path) -> None:
    assert "nothing but blanks" in problem(write(tmp_path, "segments.csv", "\n \n"))


def test_a_header_without_rows_is_quarantined(tmp_path: Path) -> None:
    expected = "the file has a header and no rows"
    assert problem(write(tmp_path, "segments.csv", SEGMENT_HEADER + "\n\n")) == expected
    assert problem(write(tmp_path, "segments.csv", SEGMENT_HEADER)) == expected
    names = SEGMENT_HEADER.split(",")
    empty = pa.table({n: pa.array([], pa.string()) for n in names})
    pq.write_table(empty, tmp_path / "segments.parquet")
    assert problem(tmp_path / "segments.parquet") == expected


@pytest.mark.parametrize(("delimiter", "spoken"), [(";", "';'"), ("\t", "a tab"), ("|", "'|'")])
def test_a_wrong_delimiter_is_named(tmp_path: Path, delimiter: str, spoken: str) -> None:
    path = write(tmp_path, "segments.csv", GOOD.replace(",", delimiter))
    assert problem(path) == f"line 1: the columns are separated by {spoken}, not by ','"


@pytest.mark.parametrize(
    "column", ["session_id", "viewer_id", "title_id", "started_at", "from_s", "to_s"]
)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, "segments.csv", GOOD.replace(column, "x_" + column[:1], 1))
    assert problem(path).startswith(f"missing column {column}")
    table = pq.read_table(parquet(tmp_path)).drop_columns([column])
    pq.write_table(table, tmp_path / "segments.parquet")
    assert problem(tmp_path / "segments.parquet").startswith(f"missing column {column}")


@pytest.mark.parametrize("column", ["title_id", "offset_s", "posted_at", "text"])
def test_a_missing_danmu_column_is_named(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, "danmu.csv", danmu_csv(DANMU).replace(column, "other", 1))
    why = problem(path, options=Options(format="native"))
    assert why.startswith(f"missing column {column}")


def test_a_file_without_a_header_says_what_its_first_line_is_and_should_be(tmp_path: Path) -> None:
    needed = "session_id, viewer_id, title_id, started_at, from_s, to_s"
    for same in ("", ",CN"):  # two cells alike are no column that is there twice
        first = "s1,v1,film,2026-09-01T12:00:00Z,0,60,CN" + same
        assert problem(write(tmp_path, "segments.csv", f"{first}\n{first}\n")) == (
            "line 1 names no column that is known: the first line should be the header, and is"
            f" {first!r}; needed are {needed}"
        )
    long = ",".join(["x"] * 100)
    assert f"and is '{long[:120]}...'; needed" in problem(write(tmp_path, "segments.csv", long))
    path = write(tmp_path, "comments.csv", "a,b\n1,2\n")
    assert problem(path, options=Options(format="crawler-csv")) == (
        "line 1 names no column that is known: the first line should be the header, and is 'a,b';"
        " needed are one of the comments' text (such as content or 弹幕内容), their offset or time"
    )


def test_a_rendering_is_recognised_and_not_offered(tmp_path: Path) -> None:
    assert "ass" not in readable()
    path = write(tmp_path, "comments.ass", "[Script Info]\nTitle: x\n")
    for asked in (Options(), Options(format="ass")):
        assert problem(path, options=asked).startswith("this is an .ass subtitle file, a rendering")
    with pytest.raises(CommandError, match=r"argument --format: invalid choice: 'ass'"):
        call_command("ingest", str(path), "--format", "ass")


def test_a_missing_json_key_is_named(tmp_path: Path) -> None:
    rows = [json.dumps({"title_id": "film", "offset_s": 1, "posted_at": "2026-09-01"})] * 3
    why = problem(write(tmp_path, "danmu.jsonl", "\n".join(rows)))
    assert why.startswith("missing column text")


def test_a_duplicate_column_is_named(tmp_path: Path) -> None:
    doubled = GOOD.replace("device", "to_s", 1)
    assert problem(write(tmp_path, "segments.csv", doubled)) == "line 1: duplicate column to_s"
    line = '{"title_id": "film", "text": "a", "text": "b", "offset_s": 1, "posted_at": null}'
    assert problem(write(tmp_path, "danmu.jsonl", line)) == "duplicate column text"


def test_undecodable_bytes_are_quarantined_with_their_line(tmp_path: Path) -> None:
    data = danmu_csv(DANMU, DANMU.replace("好看", "坏"), good=20).encode()
    broken = data.replace("坏".encode(), b"\xe5\x9d", 1)
    why = problem(write(tmp_path, "danmu.csv", broken))
    assert why.startswith("line 3 holds bytes that are not utf-8")


def test_a_nul_is_quarantined_with_its_line(tmp_path: Path) -> None:
    why = problem(write(tmp_path, "segments.csv", GOOD.replace("g1", "g\0", 1)))
    assert why == "line 4 holds a NUL character"


def test_a_truncated_gz_is_quarantined(tmp_path: Path) -> None:
    packed = gzip.compress(segments_csv(SEGMENT, good=500).encode())
    (tmp_path / "segments.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert "the gz is truncated" in problem(tmp_path / "segments.csv.gz")
    (tmp_path / "segments.csv.gz").write_bytes(packed[:-4])
    assert "the gz is truncated" in problem(tmp_path / "segments.csv.gz")


def test_a_damaged_gz_is_quarantined(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(segments_csv(SEGMENT, good=500).encode()))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "segments.csv.gz").write_bytes(bytes(packed))
    assert "the gz is " in problem(tmp_path / "segments.csv.gz")


def test_a_name_that_lies_about_gz_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "segments.csv.gz").write_text(GOOD)
    assert "is not gzip" in problem(tmp_path / "segments.csv.gz")


def test_gz_is_read_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "segments.csv").write_bytes(gzip.compress(GOOD.encode()))
    assert take(tmp_path / "segments.csv").table.num_rows == 4
    two_members = gzip.compress(GOOD[:60].encode()) + gzip.compress(GOOD[60:].encode())
    (tmp_path / "segments.csv.gz").write_bytes(two_members)
    assert take(tmp_path / "segments.csv.gz").table.num_rows == 4


def test_a_parquet_in_a_gz_is_read(tmp_path: Path) -> None:
    packed = gzip.compress(parquet(tmp_path).read_bytes())
    (tmp_path / "segments.parquet.gz").write_bytes(packed)
    assert take(tmp_path / "segments.parquet.gz").table.num_rows == 50


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 21."""
    monkeypatch.setattr(container, "RATIO_FREE", 1 << 20)
    path = write(tmp_path, "danmu.csv.gz", b" " * (8 << 20))
    assert "refused as a decompression bomb" in problem(path)
    monkeypatch.setattr(container, "UNPACKED_LIMIT", 1000)
    path = write(tmp_path, "segments.csv.gz", segments_csv(SEGMENT, good=50))
    assert "refused as a decompression bomb" in problem(path)


def test_a_gz_in_a_gz_and_other_archives_are_refused(tmp_path: Path) -> None:
    nested = write(tmp_path, "segments.csv.gz", gzip.compress(GOOD.encode()))
    assert "a gz inside a gz" in problem(nested)
    assert "a zip archive or spreadsheet" in problem(
        write(tmp_path, "segments.csv", b"PK\x03\x04 and so on")
    )


def test_a_truncated_parquet_is_quarantined(tmp_path: Path) -> None:
    whole = parquet(tmp_path).read_bytes()
    (tmp_path / "segments.parquet").write_bytes(whole[: len(whole) // 2])
    assert "damaged or truncated" in problem(tmp_path / "segments.parquet")
    (tmp_path / "segments.parquet").write_bytes(b"not parquet at all")
    assert "damaged or truncated" in problem(tmp_path / "segments.parquet")


def test_a_parquet_of_nested_values_is_quarantined(tmp_path: Path) -> None:
    table = pq.read_table(parquet(tmp_path))
    nested = table.set_column(4, "from_s", pa.array([{"a": 1}] * 50))
    pq.write_table(nested, tmp_path / "segments.parquet")
    assert "column from_s holds struct" in problem(tmp_path / "segments.parquet")


def test_a_file_with_too_many_columns_is_quarantined(tmp_path: Path) -> None:
    header = SEGMENT_HEADER + "".join(f",c{i}" for i in range(2000))
    why = problem(write(tmp_path, "segments.csv", header + "\n1\n"))
    assert "2011 columns, more than 1000" in why


def test_a_torn_last_line_is_a_truncated_file(tmp_path: Path) -> None:
    why = problem(write(tmp_path, "segments.csv", segments_csv(SEGMENT, good=99)[:-60]))
    assert why.startswith("line 101, the last, breaks off")
    row = json.dumps({"title_id": "film", "offset_s": 1, "posted_at": None, "text": "好"})
    why = problem(write(tmp_path, "danmu.jsonl", "\n".join([row] * 50)[:-5]))
    assert why.startswith("line 50, the last, breaks off")


def test_a_quote_never_closed_is_quarantined(tmp_path: Path) -> None:
    content = danmu_csv(DANMU, DANMU.replace("好看", '"好看'), good=30)
    assert problem(write(tmp_path, "danmu.csv", content)) == (
        "line 3: a quote is opened and never closed"
    )


def test_exactly_five_percent_of_bad_rows_go_in_and_more_do_not(tmp_path: Path) -> None:
    bad = SEGMENT.replace("film", "no-such")
    landed = take(write(tmp_path, "segments.csv", segments_csv(bad, good=19)))
    assert landed.rejected["unknown_title"].rows == 1
    path = write(tmp_path, "segments.csv", segments_csv(bad, good=18))
    with pytest.raises(Quarantined) as caught:
        take(path)
    assert caught.value.problem == (
        "1 of 19 rows are bad, more than 5%. unknown_title 1 "
        "(line 2: title 'no-such' is not in the catalogue)."
    )
    assert (caught.value.rows_read, caught.value.rejected["unknown_title"].rows) == (19, 1)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    content = danmu_csv(DANMU, good=20)
    landed = take(write(tmp_path, "danmu.csv", content.encode(encoding)))
    assert landed.table["text"].to_pylist() == ["好看"] * 21


def test_mixed_line_ends_are_lines(tmp_path: Path) -> None:
    content = f"{SEGMENT_HEADER}\r\n{SEGMENT}\n{SEGMENT}\r{SEGMENT}\r\n\r\n{SEGMENT}"
    landed = take(write(tmp_path, "segments.csv", content))
    assert landed.table["line"].to_pylist() == [2, 3, 4, 6]


def test_a_file_that_no_reader_knows_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unrecognised, match="no reader knows this file"):
        take(write(tmp_path, "notes.txt", "hello\n"))
    assert "no format is called 'mp4'" in problem(
        write(tmp_path, "segments.csv", GOOD), options=Options(format="mp4")
    )


def test_a_home_that_is_no_territory_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "segments.csv", GOOD)
    assert "'XX' is not an ISO 3166-1 code" in problem(path, options=Options(territory="XX"))


def test_the_map_of_titles_is_read_with_parts(tmp_path: Path) -> None:
    path = write(
        tmp_path, "titles.map.csv", "file,part,title_id\na.csv,P1,x\na.csv,P2,y\nb.xml,,z\n"
    )
    assert read_title_map(path) == {
        ("a.csv", "P1"): "x",
        ("a.csv", "P2"): "y",
        ("b.xml", ""): "z",
    }
    with pytest.raises(Unrecognised):
        take(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("file,part\na,b\n", "lacks the column title_id"),
        ("file,part,title_id\na,,x\na,,y\n", "line 3: a  has two titles"),
        ("file,part,title_id\na,,\n", "line 2: file and title_id"),
        ("file,part,title_id\na,x\nb,,c\n", "line 2: 2 fields"),
    ],
)
def test_a_broken_map_is_refused_with_its_line(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(Quarantined) as caught:
        read_title_map(write(tmp_path, "titles.map.csv", content))
    assert why in caught.value.problem
