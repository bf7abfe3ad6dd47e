"""A report of every family, as Chinese, English and both: its pages, tags, figures and numbers."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pdfua
import pikepdf
import pytest

from reports.render.bundle import Bundle, build_bundle
from reports.render.document import Report, TitleReport
from reports.render.pdf import render_pdf
from tests.reports import families, film

SECTIONS = {
    "zh-hans": (
        "时间线", "关键时刻", "每日播放", "在哪里离开", "回看了什么", "年龄与性别", "地区",
        "弹幕里说了什么", "讨论", "分享", "粉丝群",
    ),
    "en": (
        "Timeline", "Top moments", "Plays by day", "Where they stop", "What they watch again",
        "Age and gender", "Regions", "What they say in danmu", "Discussion", "Sharing", "Fan sets",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Printed:
    bundle: Bundle
    pages: list[str]  # as pdftotext lays them out

    @property
    def pdf(self) -> bytes:
        return self.bundle.members[0].content


def pages_of(pdf: bytes) -> list[str]:
    read = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return read.stdout.decode().split("\f")[:-1]


def printed(report: Report) -> Printed:
    bundle = build_bundle(report, [])
    return Printed(bundle, pages_of(bundle.members[0].content))


@pytest.fixture(scope="module")
def english() -> Printed:
    return printed(replace(families.REPORT, language="en", formats=("pdfa",)))


@pytest.fixture(scope="module")
def both() -> Printed:
    return printed(replace(families.REPORT, language="both", paper="letter"))


@pytest.fixture(params=["english", "both"])
def either(request: pytest.FixtureRequest) -> Printed:
    found: Printed = request.getfixturevalue(request.param)
    return found


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def figures(pdf: bytes) -> list[str]:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        waiting: list[Any] = [document.Root.StructTreeRoot]
        found = []
        while waiting:
            element = waiting.pop()
            if element.get("/S") == pikepdf.Name.Figure:
                found.append(str(element.get("/Alt", "")))
            kids = element.get("/K")
            for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
                if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
                    waiting.append(kid)
    return found


def test_the_checker_of_pdf_ua_finds_nothing(either: Printed, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(either.pdf)
    assert [str(finding) for finding in pdfua.validate(str(path)).findings] == []


def test_every_figure_says_what_is_in_it(english: Printed) -> None:
    told = figures(english.pdf)
    assert len(told) == 12
    assert all(len(alt) > 40 for alt in told), told
    for part in (
        "most on 26 October 2024 with 7,280",
        "Largest: 25 to 30 women 5,200; 25 to 30 men, unknown 4,900; 18 to 24 women 4,300",
        "Largest: Guangdong 2,920; Jiangsu 1,940; Zhejiang 1,780",
        "In all: Laughter ",
        "Most: WeChat 4,590; WeChat Moments 3,806; Weibo 3,022",
        "Highest: jia-ling 3.90; boxing 2.10; comedy 1.30",
    ):
        assert [alt for alt in told if part in alt], (part, told)


def test_the_contents_name_the_page_on_which_each_section_is(either: Printed) -> None:
    [contents] = [p for p in either.pages if re.search(r"^\s*(Contents|目录 · Contents)", p, re.M)]
    found = re.findall(r"(\S(?:.*?\S)?)\s{2,}(\d+)(?:\s{2,}|$)", contents, re.M)
    named = [(name, int(number)) for name, number in found]
    wanted = (
        SECTIONS["en"] if either.pages[0].count("简体中文") == 0 else sum(SECTIONS.values(), ())
    )
    assert set(wanted) <= {name for name, _ in named}
    for name, number in named:
        assert name in squeezed(either.pages[number - 1]), (name, number)


def test_a_report_in_both_languages_is_whole_in_chinese_and_then_in_english(both: Printed) -> None:
    with pikepdf.open(io.BytesIO(both.pdf)) as document:
        [whole] = document.Root.StructTreeRoot.K
        elements: Any = whole.K
        languages = [str(element.get("/Lang", "")) for element in elements]
        with document.open_outline() as outline:
            tops = [str(item.title) for item in outline.root]
    assert tops[-2:] == ["简体中文", "English"]
    assert languages == sorted(languages, key=["", "zh-CN", "en"].index)
    begins = next(n for n, page in enumerate(both.pages) if n > 1 and "English" in page)
    chinese, english = "".join(both.pages[2:begins]), "".join(both.pages[begins:])
    for name in SECTIONS["zh-hans"]:
        assert name in chinese
    for name in SECTIONS["en"]:
        assert name in english
        assert name not in chinese
    cover = squeezed(both.pages[0])
    for said in ("观众报告", "Audience report", "时间窗", "Period", "热辣滚烫 · YOLO"):
        assert said in cover


def test_an_archive_holds_the_csvs_of_the_bundle_once_and_dated_by_its_numbers(
    english: Printed,
) -> None:
    tables = {
        m.name.removeprefix("data/").replace("/", "."): m.content
        for m in english.bundle.members
        if m.name.endswith(".csv")
    }
    with pikepdf.open(io.BytesIO(english.pdf)) as document:
        named = [file.objgen for file in document.Root.AF]
        assert len(named) == len(set(named)) == len(tables) == 14
        assert {str(file.AFRelationship) for file in document.Root.AF} == {"/Data"}
        inside = {name: spec.get_file() for name, spec in document.attachments.items()}
        assert {file.creation_date.date() for file in inside.values()} == {film.WINDOW.until}
        assert {name: file.read_bytes() for name, file in inside.items()} == tables
        with document.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
            assert metadata["pdfuaid:part"] == "1"
    assert (
        render_pdf(replace(families.REPORT, language="en", formats=("pdfa",)), list(tables.items()))
        == english.pdf
    )


def read_csv(printed: Printed, resource: str) -> list[dict[str, str]]:
    [table] = [m for m in printed.bundle.members if m.name.endswith(f"/{resource}.csv")]
    return list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))


def test_the_tables_say_the_numbers_of_the_csvs(english: Printed) -> None:
    """P6. Each row is looked for in the text of the PDF as it is in the file, or added up."""
    text = squeezed("".join(english.pages))
    last = [r for r in read_csv(english, "demographics") if r["from"] == "2024-11-11"]
    assert len(last) == 12
    for row in last:
        assert f" {int(row['viewers']):,} {int(row['finishers']):,} " in text
    for row in read_csv(english, "geography"):
        if row["from"] == "2024-11-11":
            assert f" {int(row['viewers']):,} {int(row['finishers']):,} " in text
    for row in read_csv(english, "danmu_phrases"):
        assert f"{row['phrase']} {row['comments']} {float(row['lift']):.1f}" in text
    for row in read_csv(english, "discussion"):
        assert f" {int(row['posts']):,} {int(row['replies']):,} {int(row['likes']):,} " in text
    for row in read_csv(english, "fanbases"):
        assert f"{row['fan_set']} {int(row['viewers_in_common']):,} " in text
        assert f" {float(row['lift_low']):.2f} – {float(row['lift_high']):.2f} " in text
    shares = read_csv(english, "sharing")
    weibo = [r for r in shares if r["channel"] == "weibo"]
    sums = [sum(int(r[c] or 0) for r in weibo) for c in ("shares", "visits", "new_viewers")]
    assert f"Weibo {sums[0]:,} {sums[1]:,} {sums[2]:,} " in text
    retention = read_csv(english, "retention")[600:1200]
    stops = sum(int(r["stops"]) for r in retention)
    assert re.search(
        rf"0:10:00 – 0:20:00 {float(retention[0]['retention']):.1%} \S+ 0 {stops:,} ", text
    )
    danmu = read_csv(english, "danmu")[3000:3600]
    added = [sum(int(r[c]) for r in danmu) for c in ("comments", "laughter", "tears", "shock")]
    assert f"0:50:00 – 1:00:00 {' '.join(f'{n:,}' for n in added)} " in text


def test_no_row_is_cut_and_every_page_of_a_table_repeats_its_head(english: Printed) -> None:
    heads = [p for p in english.pages if re.search(r"Day\s+Plays\s+Viewers\s+Watch hours", p)]
    assert len(heads) == 2
    days = [re.findall(r"^\s*(\w{3} \d+ \w{3} 2024)\s+\d[\d,]+\s.*%$", p, re.M) for p in heads]
    assert all(len(of_page) > 2 for of_page in days)
    assert len(days[0]) + len(days[1]) == 28


def empty(title: TitleReport) -> TitleReport:
    results = {
        name: replace(r, data={c: [] for c in r.resource.column_names()}, releases=())
        for name, r in title.results.items()
    }
    return replace(title, results=results, moments=(), before={})


def test_many_titles_long_names_and_one_without_numbers() -> None:
    """Each has its chapter; a family that is granted and empty says so, another is absent."""
    few = {name: families.FILM.results[name] for name in ("viewing", "discussion")}
    short = replace(families.FILM, results=few, before={}, moments=())
    titles = [
        replace(short, slug=f"t{n}", name_zh=f"第{n}部", name_en=f"Title {n} " + "of many " * n)
        for n in range(9)
    ]
    titles.append(replace(empty(families.FILM), name_en="Nothing yet"))
    report = replace(families.REPORT, language="en", titles=tuple(titles), changes=())
    pages = pages_of(render_pdf(report))
    whole = squeezed("".join(pages))
    assert "Title 8 of many of many of many" in whole
    first = next(p for p in pages if "Title 0" in p and "Film" in p)
    assert "Timeline" not in first
    assert "Regions" not in first
    begin = next(n for n, p in enumerate(pages) if "Nothing yet" in p and "Film" in p)
    last = squeezed("".join(pages[begin : begin + 4]))
    for section in SECTIONS["en"][2:]:
        assert f"{section} No data yet." in last, section
    assert "10 titles in all" in squeezed(pages[0])
