"""The PDF: what it says in both languages, in which font, and what it refuses to fetch."""

from __future__ import annotations

import io
import logging
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.utils.translation import gettext, override

from engagement.families.viewing import Total
from engagement.sketches import Estimate
from reports.render.bundle import Bundle
from reports.render.document import Report
from reports.render.pdf import OnlyOurs, RenderFailed, printable, render_html, render_pdf
from tests.reports import film

TextOf = Callable[[bytes], str]


def test_the_chinese_report_says_the_numbers_in_wan(chinese: Bundle, text_of: TextOf) -> None:
    text = text_of(chinese.members[0].content)
    assert "热辣滚烫" in text
    assert "星河影业" in text
    assert "13.8 万" in text  # 138,420 plays
    assert "≈ 10.0 万" in text
    assert "9.9 万" in text
    assert "10.2 万" in text
    assert "98.3%" in text  # still there at 30 s
    assert "2024年10月24日 – 2024年11月20日" in text
    assert "播放了至少 1 秒的会话数" in text  # a definition


def test_the_english_report_says_them_in_thousands(english: Bundle, text_of: TextOf) -> None:
    text = text_of(english.members[0].content)
    assert "YOLO" in text
    assert "138,420" in text
    assert "≈ 100,412" in text
    assert "95% between 98,904 and 101,957" in text
    assert "24 October 2024 – 20 November 2024" in text
    assert "Sessions that played at least one second." in text
    assert "Sample data" not in text


def test_a_danmu_peak_and_what_was_written_there_is_text(english: Bundle, text_of: TextOf) -> None:
    text = text_of(english.members[0].content)
    assert "0:54:00 – 0:55:00 5.1 times the usual danmu of those watching" in text
    assert "雷佳音：拍完电影得算工伤" in text


def test_every_page_of_sample_data_says_so(chinese: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "sample.pdf"
    path.write_bytes(chinese.members[0].content)
    with override("zh-hans"):
        mark = gettext("Sample data")
    with pikepdf.open(path) as document:
        count = len(document.pages)
    pages = [
        subprocess.run(
            ["pdftotext", "-f", str(n), "-l", str(n), str(path), "-"],
            capture_output=True,
            check=True,
        ).stdout.decode()
        for n in range(1, count + 1)
    ]
    assert [n for n, page in enumerate(pages, 1) if mark not in page] == []


def test_no_font_but_ours_is_in_the_file(chinese: Bundle, english: Bundle, tmp_path: Path) -> None:
    for bundle in (chinese, english):
        path = tmp_path / "fonts.pdf"
        path.write_bytes(bundle.members[0].content)
        listed = subprocess.run(["pdffonts", str(path)], capture_output=True, check=True)
        lines = listed.stdout.decode().splitlines()[2:]
        assert {line.split()[0].split("+")[1] for line in lines} == {
            "Noto-Sans-SC",
            "Noto-Sans-SC-Bold",
        }


def test_the_same_report_gives_the_same_bytes(chinese: Bundle) -> None:
    assert render_pdf(film.REPORT) == chinese.members[0].content


def test_the_file_is_tagged_and_every_heading_cell_has_its_scope(english: Bundle) -> None:
    with pikepdf.open(io.BytesIO(english.members[0].content)) as document:
        assert str(document.Root.Lang) == "en"
        assert document.Root.MarkInfo.Marked
        scopes = [
            str(element.A.Scope)
            for element in elements(document.Root.StructTreeRoot)
            if element.get("/S") == pikepdf.Name.TH
        ]
        figures = [
            str(element.Alt)
            for element in elements(document.Root.StructTreeRoot)
            if element.get("/S") == pikepdf.Name.Figure
        ]
        with document.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
    assert {"/Column", "/Row"} == set(scopes)
    assert len(figures) == 2
    assert [f for f in figures if "Timeline of YOLO" in f and "5.1 times the usual danmu" in f]


def elements(top: Any) -> list[Any]:
    found, waiting = [], [top]
    while waiting:
        element = waiting.pop()
        found.append(element)
        kids = element.get("/K")
        for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
            if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
                waiting.append(kid)
    return found


def test_a_family_not_granted_is_absent_and_not_empty(text_of: TextOf) -> None:
    only = replace(film.REPORT, language="en", titles=(film.only("danmu"),))
    text = text_of(render_pdf(only))
    assert "Danmu" in text
    assert "Top moments" not in text
    assert "Plays" not in text
    assert "Retention" not in text
    assert "retention" not in text


def test_moments_are_those_of_the_families_granted_with_their_strength(text_of: TextOf) -> None:
    watched = film.only("retention", "moments")
    text = text_of(render_pdf(replace(film.REPORT, language="en", titles=(watched,))))
    for words in (
        "Top moments",
        "Opening 1 0:00:00 – 0:00:30 91.0% still there at 30 s",
        "Where they leave 2 0:22:00 – 0:22:04 4.2% of those watching left, beyond the usual",
        "Where they stay 3 0:25:00 – 0:45:00 people leave 80.0% slower than in the whole title",
    ):
        assert words in text
    for absent in ("go back to", "Danmu peaks", "quoted"):
        assert absent not in text
    whole = text_of(render_pdf(film.REPORT))
    for words in (
        "每会话比平常多回看 0.31 次",
        "啊？",
        "弹幕率为平常的 5.1 倍",
    ):
        assert words in whole


def test_a_title_without_data_says_so(text_of: TextOf) -> None:
    text = text_of(render_pdf(replace(film.REPORT, language="en", titles=(film.without_rows(),))))
    assert "No data yet" in text
    assert "Waiting for the floor" in text
    assert "Retention the whole row waits until enough viewers are together" in text


def test_viewers_of_several_territories_are_not_added_up(text_of: TextOf) -> None:
    both = replace(
        film.FILM,
        territories=("CN", "SG"),
        results={"viewing": film.viewing(("CN", "SG"))},
        moments=(),
    )
    text = text_of(render_pdf(replace(film.REPORT, language="en", titles=(both,))))
    assert "276,840" in text  # plays: 2 x 138,420
    assert "200,824" not in text  # viewers: 2 x 100,412
    assert "Singapore" in text


HOSTILE = (
    "</p><script>alert(1)</script>",
    '"><img src="http://evil.example/a.png">',
    '<img src="file:///etc/passwd">',
    '<link rel="attachment" href="file:///etc/passwd">',
    '<link rel="stylesheet" href="http://evil.example/a.css">',
    "<style>@import url(http://evil.example/b.css);</style>",
    "<style>@font-face{font-family:x;src:url(http://evil.example/f.ttf)}</style>",
    '<svg><image href="http://evil.example/i.png"/></svg>',
    "{{ report.bundle_id }}{% load static %}",
    "'); content: url(http://evil.example/c.png); x: ('",
    "\u202eevil\u202c 😀😀 \x07",
)


def hostile(text: str) -> Report:
    title = replace(
        film.only("danmu", "moments"),
        name_zh=text,
        name_en=text,
        territories=(text,),
        moments=(replace(film.MOMENTS[-1], texts=(text,)),),
    )
    return replace(
        film.REPORT,
        language="en",
        partner_name=text,
        recipient_name=text,
        portal_name=text,
        titles=(title,),
        releases=(text,),
    )


def test_hostile_names_are_text_and_nothing_is_fetched(
    caplog: pytest.LogCaptureFixture, text_of: TextOf
) -> None:
    """Case 57, P14."""
    everything = " ".join(HOSTILE)[:190]
    for text in (*HOSTILE, everything):
        fetcher = OnlyOurs()
        page = render_html(hostile(text), fetcher)
        assert "<script" not in page
        assert page.count("<img") == 1
        assert page.count("<link") == 0
    caplog.set_level(logging.WARNING)
    text = text_of(render_pdf(hostile(everything)))
    assert "<script>alert(1)</script>" in text.replace("\n", "")
    assert [r.message for r in caplog.records if "Failed to load" in r.message] == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "https://evil.example/a.png",
        "ftp://evil.example/",
        "data:text/css,@import",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "dailies-font:../../../etc/passwd",
        "dailies-font:900",
    ],
)
def test_the_fetcher_refuses_all_but_our_font_and_charts(url: str) -> None:
    """Case 57."""
    fetcher = OnlyOurs()
    with pytest.raises(ValueError, match="fetches nothing"):
        fetcher.fetch(url)
    assert fetcher.refused == [url]


def test_a_page_that_asks_for_more_makes_the_report_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reports.render.pdf.render_html",
        lambda report, fetcher: '<p><img src="file:///etc/hostname" alt="x"></p>',
    )
    with pytest.raises(RenderFailed, match="file:///etc/hostname"):
        render_pdf(film.REPORT)


def test_what_the_font_lacks_becomes_one_box_and_directions_are_dropped() -> None:
    assert printable("好😀😀看\u202egpj.exe") == "好□看gpj.exe"


def test_a_title_of_a_hundred_characters_keeps_every_one(text_of: TextOf) -> None:
    long = "永" * 100
    text = text_of(
        render_pdf(replace(film.REPORT, titles=(replace(film.only("danmu"), name_zh=long),)))
    )
    assert long in text.replace(" ", "")


def test_moments_without_quotes_fill_the_page_that_they_begin_on(tmp_path: Path) -> None:
    """Eight with quotes and five without fit on one page, and so do some of those after them."""
    quoted = [replace(film.MOMENTS[1], texts=("一", "二")) for _ in range(8)]
    moments = (*quoted, *[film.MOMENTS[3]] * 5, *[film.MOMENTS[4]] * 5)
    path = tmp_path / "moments.pdf"
    path.write_bytes(
        render_pdf(
            replace(film.REPORT, language="en", titles=(replace(film.FILM, moments=moments),))
        )
    )
    read = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True)
    (page,) = [p for p in read.stdout.decode().split("\f") if "What stands out in" in p]
    assert page.count("people leave 80.0% slower") == 5


def test_a_title_and_its_timeline_and_what_is_said_of_it_stand_on_one_page(tmp_path: Path) -> None:
    viewing = film.FILM.results["viewing"]
    people = Estimate(100_412, 98_904, 101_957)
    total = Total(film.PLAYS + 1000, film.PLAYS * 4000, film.COMPLETIONS, people, people)
    results = {**film.FILM.results, "viewing": replace(viewing, extra={"total": total})}
    near = tuple(replace(film.MOMENTS[0], from_second=n, to_second=n + 1) for n in range(6))
    path = tmp_path / "timeline.pdf"
    path.write_bytes(
        render_pdf(
            replace(
                film.REPORT,
                language="en",
                titles=(replace(film.FILM, results=results, moments=near),),
            )
        )
    )
    read = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True)
    (page,) = [p for p in read.stdout.decode().split("\f") if "One axis of content time" in p]
    assert "The curves count" in page
    assert "Retention at 30 s" in page


@pytest.mark.parametrize(("paper", "size"), [("a4", (210, 297)), ("letter", (215.9, 279.4))])
def test_the_pages_are_of_the_paper_asked_for(paper: str, size: tuple[float, float]) -> None:
    with pikepdf.open(io.BytesIO(render_pdf(replace(film.REPORT, paper=paper)))) as document:
        boxes = {tuple(round(float(n) / 72 * 25.4, 1) for n in p.mediabox) for p in document.pages}
    assert boxes == {(0, 0, *size)}


def test_a_rendering_is_dated_by_its_numbers_and_not_by_when_it_was_made() -> None:
    with (
        pikepdf.open(io.BytesIO(render_pdf(film.REPORT))) as document,
        document.open_metadata() as metadata,
    ):
        assert metadata["xmp:CreateDate"].startswith("2024-11-21T00:00:00")
