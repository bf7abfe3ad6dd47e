"""Crawlers' CSV: headers wrong, missing or Chinese."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engagement.formats import Landed, Options, Unrecognised
from tests.engagement.landing_files import problem, take, write

FILM = Options(title="film")
SENDERS = ["5c3b5c06", "fdb8b35", "a609f29", "8c18ccd4", "14063c22"]


def rows(count: int, form: str) -> str:
    """`count` rows; {i} is the number, {h} a sender hash, {u} a Unix time, {r} a row id."""
    return "".join(
        form.format(
            i=i, h=SENDERS[i % 5], u=1756728000 + i, r=41833218383544323 + 7 * i, t=f"好看{i}"
        )
        + "\n"
        for i in range(count)
    )


def landed(folder: Path, content: str, name: str = "film.csv") -> Landed:
    return take(write(folder, name, content), options=FILM)


def test_a_header_wrong_by_one_field_is_put_right(tmp_path: Path) -> None:
    header = "time,mode,size,color,timestamp,user_id,comment_id,text\n"
    found = landed(tmp_path, header + rows(20, "{i}.5,1,25,16777215,{u},0,{h},{t}"))
    first = found.table.to_pylist()[0]
    assert (first["sender_id"], first["row_key"]) == ("5c3b5c06", None)
    assert found.notes["header_corrected"] == 1


def test_the_same_header_is_believed_where_it_is_right(tmp_path: Path) -> None:
    header = "time,mode,size,color,timestamp,user_id,comment_id,text\n"
    found = landed(tmp_path, header + rows(20, "{i}.5,1,25,16777215,{u},{h},{r},{t}"))
    first = found.table.to_pylist()[0]
    assert (first["sender_id"], first["row_key"]) == ("5c3b5c06", "41833218383544323")
    assert "header_corrected" not in found.notes


def test_unnamed_columns_are_told_by_their_cells(tmp_path: Path) -> None:
    header = "出现时间,弹幕类型,字的大小,颜色,弹幕添加时间戳,,Unnamed: 6,unknown,,弹幕内容\n"
    found = landed(tmp_path, header + rows(20, "{i}.5,1,25,1,{u},0,{h},{r},10,{t}"))
    first = found.table.to_pylist()[0]
    assert (first["sender_id"], first["row_key"]) == ("5c3b5c06", "41833218383544323")


def test_no_header_at_all(tmp_path: Path) -> None:
    form = "P2,{i},00:07:3{i},1,25,16777215,Tue Oct  3 11:57:28 2017,0,{h},{r},{t}"
    found = landed(tmp_path, rows(9, form))
    first = found.table.to_pylist()[0]
    assert (first["line"], first["offset_s"], first["text"]) == (1, 450, "好看0")
    assert first["posted_at"] == datetime(2017, 10, 3, 3, 57, 28, tzinfo=UTC)
    assert (first["sender_id"], first["row_key"]) == ("5c3b5c06", "41833218383544323")
    assert found.notes["no_header"] == 1


def test_one_part_may_be_mapped_with_or_without_its_name(tmp_path: Path) -> None:
    form = "P2,{i},00:07:3{i},1,25,1,Tue Oct  3 11:57:28 2017,0,{h},{r},{t}"
    path = write(tmp_path, "film.csv", rows(9, form))
    for part in ("P2", ""):
        found = take(path, title_map={("film.csv", part): "short"}, runtimes={"short": 0})
        assert found.table["title_id"].to_pylist() == ["short"] * 9


def test_a_file_without_times_goes_to_the_day_given(tmp_path: Path) -> None:
    path = write(tmp_path, "film.csv", "seq,uid,content,like_count\n" + rows(9, "{i},{h},{t},{i}"))
    asked = Options(title="film", day=date(2026, 8, 5), format="crawler-csv")
    found = take(path, options=asked).table.to_pylist()
    assert {row["day"] for row in found} == {date(2026, 8, 5)}
    assert [row["likes"] for row in found] == list(range(9))
    assert {row["offset_s"] for row in found} == {None}
    asked = Options(title="film", format="crawler-csv")
    assert "no_time 9" in problem(path, options=asked)


def test_commas_in_a_last_column_without_quotes_belong_to_the_text(tmp_path: Path) -> None:
    header = "offset,mode,size,color,unixtime,pool,uid,rowid,text\n"
    good = rows(30, "{i}.5,1,25,1,{u},0,{h},{r},{t}")
    found = landed(tmp_path, header + good.replace("好看1\n", "好看, 真的, 好\n", 1))
    assert found.table["text"].to_pylist()[1] == "好看, 真的, 好"
    assert found.notes["unquoted_commas"] == 1


def test_short_rows_are_rejected_with_their_line(tmp_path: Path) -> None:
    header = "offset,mode,size,color,unixtime,pool,uid,rowid,text\n"
    good = rows(30, "{i}.5,1,25,1,{u},0,{h},{r},{t}")
    found = landed(tmp_path, header + "1.5,1,25\n" + good)
    assert found.rejected["bad_value"].examples == [
        {"line": 2, "why": "3 fields where there should be 9"}
    ]
    why = problem(write(tmp_path, "film.csv", header + good + "1.5,1,25"), options=FILM)
    assert why.startswith("line 32, the last, breaks off after 3 of 9 fields")


def test_scripts_and_drawings_are_read_as_in_xml(tmp_path: Path) -> None:
    header = "offset,mode,size,color,unixtime,pool,uid,rowid,text\n"
    script = "3.5,8,25,1,1756728000,2,abc,1234567,var c\n"
    drawn = '4.5,7,25,1,1756728000,1,abd,1234568,"[1,1,""1-1"",1,""画""]"\n'
    found = landed(tmp_path, header + script + drawn + rows(20, "{i}.5,1,25,1,{u},0,{h},{r},{t}"))
    assert found.rejected["not_a_comment"].rows == 1
    assert found.table["text"].to_pylist()[0] == "画"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("offset;mode;text;unixtime\n1.5;1;a;1756728000\n", "separated by ';', not by ','"),
        ("offset,mode,mode,text\n1.5,1,1,a\n", "line 1: duplicate column mode"),
        ("offset,mode,unixtime,text\n", "a header and no rows"),
    ],
)
def test_broken_headers_quarantine(tmp_path: Path, header: str, why: str) -> None:
    assert why in problem(write(tmp_path, "film.csv", header), options=FILM)


def test_a_file_called_danmu_csv_may_be_a_crawlers(tmp_path: Path) -> None:
    form = "P2,{i},00:07:3{i},1,25,1,Tue Oct  3 11:57:28 2017,0,{h},{r},{t}"
    assert landed(tmp_path, rows(9, form), "danmu.csv").format == "crawler-csv"


def test_posts_without_any_sign_of_danmaku_are_not_taken(tmp_path: Path) -> None:
    content = "id,time,content,likes\n" + rows(9, "{i},2026-01-01 10:00:00,{t},{i}")
    with pytest.raises(Unrecognised):
        landed(tmp_path, content)
