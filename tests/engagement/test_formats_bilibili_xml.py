"""Bilibili XML that is odd in one way each."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.formats import Landed, Options
from tests.engagement.landing_files import problem, take, write

FILM = Options(title="film")
P = "12.5,1,25,16777215,1756728000,0,5c3b5c06,41833218383544323"  # 2025-09-01 20:00 in Shanghai
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<i><chatid>1</chatid>\n'


def xml(*comments: tuple[str, str], head: str = HEAD) -> str:
    body = "\n".join(f'<d p="{p}">{text}</d>' for p, text in comments)
    return f"{head}{body}\n</i>\n"


def distinct(p: str, number: int) -> str:
    return p.replace("41833218383544323", str(41833218383544323 + number))


def landed(folder: Path, content: str | bytes, name: str = "a.xml") -> Landed:
    return take(write(folder, name, content), options=FILM)


def texts(found: Landed) -> list[str]:
    return [str(t) for t in found.table["text"].to_pylist()]


@pytest.mark.parametrize("extra", ["", ",10"])
def test_eight_and_nine_fields_say_the_same(tmp_path: Path, extra: str) -> None:
    found = landed(tmp_path, xml((P + extra, "好看")))
    assert found.format == "bilibili-xml"
    assert found.table.to_pylist() == [
        {
            "line": 3,
            "title_id": "film",
            "offset_s": 12,
            "posted_at": datetime(2025, 9, 1, 12, tzinfo=UTC),
            "day": date(2025, 9, 1),
            "text": "好看",
            "sender_id": "5c3b5c06",
            "likes": 0,
            "territory": "CN",
            "deleted_at": None,
            "row_key": "41833218383544323",
        }
    ]


def test_the_row_id_may_come_first_under_xml_2(tmp_path: Path) -> None:
    p = "5275435951194114,0,302181,1,25,16777215,1756728000,0,f5021a8f"
    head = '<?xml version="2.0" encoding="UTF-8"?><i><oid>1</oid>\n'
    found = landed(tmp_path, xml((p, "好"), head=head)).table.to_pylist()[0]
    assert (found["offset_s"], found["sender_id"]) == (302, "f5021a8f")
    assert (found["row_key"], found["line"]) == ("5275435951194114", 2)


def test_drawn_text_is_taken_out_of_its_array(tmp_path: Path) -> None:
    drawn = P.replace(",1,25", ",7,25")
    cases = [
        '["32","126","1-0","0.9","大/n工/n告成","0","0"]',
        '[1,500,"0.98-0.1",4.5,"想/n你",1,100]',
        '[1,500,"1-1",4.5,"a "q" b"',  # broken JSON
        "no array",
    ]
    found = landed(tmp_path, xml(*[(distinct(drawn, i), c) for i, c in enumerate(cases)]))
    assert texts(found) == ["大\n工\n告成", "想\n你", "a ", "no array"]


def test_scripts_and_blank_drawings_are_no_comments_and_no_damage(tmp_path: Path) -> None:
    script = (P.replace(",1,25", ",8,25"), "var c = $.createComment('x');")
    basic = (P.replace(",1,25", ",9,25"), "def text a {}")
    blank = (P.replace(",1,25", ",7,25"), '["1","1","1-1","1","　","0","0"]')
    found = landed(tmp_path, xml((P, "好"), script, basic, blank))
    assert texts(found) == ["好"]
    assert found.rejected["not_a_comment"].rows == 3
    assert [e["line"] for e in found.rejected["not_a_comment"].examples] == [4, 5, 6]


def test_line_breaks_are_told_from_words(tmp_path: Path) -> None:
    cases = ["上/n下", "and/not", "a/nB", "[redacted]"]
    found = landed(tmp_path, xml(*[(distinct(P, i), c) for i, c in enumerate(cases)]))
    assert texts(found) == ["上\n下", "and/not", "a\nB", "[redacted]"]


def test_a_comment_without_text_counts_in_its_second(tmp_path: Path) -> None:
    found = landed(tmp_path, xml((P, ""), (distinct(P, 1), "好")))
    assert texts(found) == ["", "好"]
    assert found.notes["blank_text"] == 1


def test_control_characters_and_bare_ampersands_lose_nothing_else(tmp_path: Path) -> None:
    cases = ["a\x08b", "c&#8;d", "e&#x1F;f", "R&B", "&nbsp;", "&lt;3 &amp; &#20320;", "\x1b"]
    found = landed(tmp_path, xml(*[(distinct(P, i), c) for i, c in enumerate(cases)]))
    assert texts(found) == ["ab", "cd", "ef", "R&B", "&nbsp;", "<3 & 你", ""]
    assert (found.notes["control_characters"], found.notes["bare_ampersands"]) == (4, 2)
    assert found.table["line"].to_pylist() == [3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("UTF-8", "utf-8-sig"),
        ("UTF-8", "gb18030"),  # declared and wrong
        ("GB2312", "gb18030"),
        ("GBK", "utf-8"),  # declared and wrong
        ("UTF-16", "utf-16"),
        ("no-such-code", "gb18030"),
    ],
)
def test_the_bytes_decide_where_the_declaration_is_wrong(
    tmp_path: Path, declared: str, encoding: str
) -> None:
    content = xml((P, "热辣滚烫，好看"), head=HEAD.replace("UTF-8", declared))
    assert texts(landed(tmp_path, content.encode(encoding))) == ["热辣滚烫，好看"]


def test_entities_and_document_types_are_refused(tmp_path: Path) -> None:
    laughs = "".join(
        f'<!ENTITY l{i} "{"&l" + str(i - 1) + ";" if i else "ha"}{"x" * 9}">' for i in range(9)
    )
    head = f"<!DOCTYPE i [{laughs}]>\n<i>\n"
    assert "document type or entities" in problem(
        write(tmp_path, "a.xml", xml((P, "&l8;"), head=head)), options=FILM
    )
    outside = '<!DOCTYPE i [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<i>\n'
    assert "document type or entities" in problem(
        write(tmp_path, "a.xml", xml((P, "&x;"), head=outside)), options=FILM
    )


def test_a_truncated_file_is_quarantined_with_its_line(tmp_path: Path) -> None:
    whole = xml(*[(distinct(P, i), "好") for i in range(10)])
    why = problem(write(tmp_path, "a.xml", whole[: whole.rindex("<d p")]), options=FILM)
    assert why.startswith("line 12 is not well-formed XML")
    assert "9 comments were read before it" in why


def test_a_file_without_comments_is_quarantined(tmp_path: Path) -> None:
    assert "holds no comment" in problem(write(tmp_path, "a.xml", HEAD + "</i>"), options=FILM)


def test_a_strange_p_is_a_bad_row(tmp_path: Path) -> None:
    good = [(distinct(P, i), "好") for i in range(60)]
    odd = [("1,2,3", "x"), (P.replace("1756728000", "never"), "x"), (P.replace("12.5", "-1"), "x")]
    found = landed(tmp_path, xml(*good, *odd))
    assert {r: v.rows for r, v in found.rejected.items()} == {"bad_value": 2, "out_of_range": 1}
    assert found.rejected["bad_value"].examples == [
        {"line": 63, "why": "p has 3 fields, not 8 or 9"},
        {"line": 64, "why": "posted_at is no time that can be read"},
    ]


def test_row_ids_are_keys_only_where_none_stands_for_two_comments(tmp_path: Path) -> None:
    twice = landed(tmp_path, xml((P, "好"), (P, "好"), (distinct(P, 1), "坏")))
    assert twice.table["row_key"].null_count == 0
    clash = landed(tmp_path, xml((P, "好"), (P, "坏")))
    assert clash.table["row_key"].null_count == 2
    hole = landed(tmp_path, xml((P, "好"), (P.replace("41833218383544323", "x"), "坏")))
    assert hole.table["row_key"].null_count == 2


def test_row_ids_rounded_by_a_spreadsheet_are_no_keys(tmp_path: Path) -> None:
    rounded = [P.replace("41833218383544323", f"4183321838354{i:02d}00") for i in range(20)]
    found = landed(tmp_path, xml(*[(p, "好") for p in rounded]))
    assert found.table["row_key"].null_count == 20


def test_the_title_comes_from_the_option_or_the_map(tmp_path: Path) -> None:
    path = write(tmp_path, "a.xml.gz", xml((P, "好")))
    why = problem(path, name="folder/a.xml.gz")
    assert "Give --title, or a line 'folder/a.xml.gz,,<title_id>' in titles.map.csv" in why
    for key in ("folder/a.xml.gz", "folder/a.xml", "a.xml.gz", "a.xml"):
        found = take(path, name="folder/a.xml.gz", title_map={(key, ""): "short"})
        assert found.table["title_id"].to_pylist() == ["short"]
    found = take(path, options=FILM, title_map={("a.xml", ""): "short"})
    assert found.table["title_id"].to_pylist() == ["film"]


def test_a_title_that_is_not_in_the_catalogue_quarantines_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a.xml", xml((P, "好")))
    assert "unknown_title 1" in problem(path, options=Options(title="no-such"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=20), min_size=1, max_size=8))
def test_any_text_survives_being_written_as_xml(tmp_path: Path, said: list[str]) -> None:
    from xml.sax.saxutils import escape

    clean = [t.replace("\0", "").replace("\r", "").replace("/n", "") for t in said]
    clean = [t.encode("utf-8", "ignore").decode() for t in clean]
    found = landed(tmp_path, xml(*[(distinct(P, i), escape(t)) for i, t in enumerate(clean)]))
    legal = ["".join(c for c in t if c in "\t\n" or c >= " ") for t in clean]
    legal = [t.translate({0x7F: None, 0xFFFE: None, 0xFFFF: None}) for t in legal]
    assert texts(found) == legal


def test_bad_comments_in_one_line_are_told_by_their_number(tmp_path: Path) -> None:
    good = [(distinct(P, n), "好看") for n in range(60)]
    body = [*good[:9], ("1,2", "a"), *good[9:20], ("1", "b"), *good[20:]]
    found = landed(tmp_path, xml(*body).replace("\n", ""))
    assert found.rejected["bad_value"].examples == [
        {"line": 10, "why": "p has 2 fields, not 8 or 9"},
        {"line": 22, "why": "p has 1 fields, not 8 or 9"},
    ]
    bad = xml(*[("1,2", "a")] * 4).replace("\n", "")
    why = problem(write(tmp_path, "b.xml", bad), options=FILM)
    assert "bad_value 4 (line 1: p has 2 fields, not 8 or 9; line 2: p" in why
