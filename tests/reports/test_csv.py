"""CSV: typed, with a byte-order mark, and with formulas made harmless."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.render.csv import guard, to_csv, unguard
from tests.reports import film


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "|calc",
        "%0A",
        "\t=1",
        "\tplain",
        "\rplain",
        "\nplain",
        "\0plain",
        " =1",
        "   =1",
        "\u3000=1",
        "\u00a0=1",
        "\u200b=1",
        "＝1+1",
        "＋1",
        "－1+1",
        "＠x",
        '"=1',
        "'=1",
        "“=1",
        ",=1",
        ";=1",
        '",=1',
        "-",
        "- 5",
        "-5.2%x",
    ],
)
def test_what_a_spreadsheet_would_run_becomes_text(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "好看", "a=b", "-5", "-5.2%", "+3", "12", "'hello'", "“好”", "1E5", "007", " "]
)
def test_all_else_stays_as_it_was_written(text: str) -> None:
    assert guard(text) == text


@given(st.text(alphabet="=+-@|%\t\r\n\0 '\",a1＝.😀好"))
def test_the_rule_can_be_undone(text: str) -> None:
    assert unguard(guard(text)) == text


def test_a_comment_that_is_a_formula_is_a_text_cell() -> None:
    """Case 55, P14."""
    content = to_csv(film.comments())
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows[1]["text"] == '\'=HYPERLINK("http://evil.example")'
    assert rows[0] == {
        "content_second": "3241",
        "day": "2024-11-02",
        "text": "啊？",
        "repeats": "70",
        "likes": "12",
    }


def test_the_file_opens_with_a_mark_and_ends_each_line_as_excel_does() -> None:
    """Case 56."""
    content = to_csv(film.viewing())
    assert content.startswith(b"\xef\xbb\xbffrom,until,territory,device,plays,")
    lines = content.decode("utf-8-sig").split("\r\n")
    assert lines[1] == (
        "2024-10-24,2024-10-25,CN,*,6000,5400,5400,5400,24000000,2760,2484,,carried_on:not_measured"
    )
    assert len(lines) == 1 + 29 + 1
    assert "\n" not in "".join(lines)


def test_an_absent_cell_is_empty_and_negative_numbers_stay_numbers() -> None:
    changed = film.result(
        film.REWATCH,
        {
            "content_second": [0],
            "times_played": [-5],
            "rewatches": [None],
            "audience_watch_ratio": [-0.25],
            "typical_audience_watch_ratio": [None],
            "hidden_reason": ["below_floor"],
        },
        ("CN",),
    )
    assert to_csv(changed).decode("utf-8-sig").split("\r\n")[1] == "0,-5,,-0.25,,below_floor"


def test_embedded_line_ends_commas_and_quotes_come_back() -> None:
    text = 'a\nb,"c" 泰 ไทย 😀'
    made = film.result(
        film.DANMU_COMMENTS,
        {
            "content_second": [None],
            "day": [date(2024, 11, 2)],
            "text": [text],
            "repeats": [3],
            "likes": [0],
        },
        ("CN",),
    )
    rows = list(csv.reader(io.StringIO(to_csv(made).decode("utf-8-sig"), newline="")))
    assert rows[1] == ["", "2024-11-02", text, "3", "0"]
