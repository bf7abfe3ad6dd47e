"""What the report says of each column, and that it says it once."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils.translation import override

from engagement.families import Cell
from engagement.families.registry import RESOURCES
from reports.render.bundle import build_bundle
from reports.render.definitions import definitions
from reports.render.document import Report
from reports.render.pages import context
from reports.render.pdf import render_pdf
from tests.reports import film

PEOPLE = ("demographics", "geography")


def with_everything(language: str) -> Report:
    """The film with all tables there are; those that it has no numbers of are empty."""
    empty = {
        name: film.result(resource, {c: [] for c in resource.column_names()}, ("CN",))
        for name, resource in RESOURCES.items()
    }
    title = replace(film.FILM, results={**empty, **film.FILM.results})
    return replace(film.REPORT, language=language, titles=(title,))


def test_columns_that_are_alike_stand_in_one_line() -> None:
    told = definitions([RESOURCES["demographics"]], "en")
    assert [(m.name, m.title) for m in told.tables[0].own] == [
        ("from", "From"),
        ("until", "Until"),
        ("territory", "Territory"),
        ("age_band", "Age band"),
        ("gender", "Gender"),
        ("viewers", "Viewers"),
        ("finishers", "Finishers"),
        ("survival_05 … survival_100", "Reached 5 % … 100 %"),
        ("hidden_reason", "Why hidden"),
    ]
    assert told.tables[0].own[7].definition == (
        "A column for every 5 % of the runtime: the share of viewers who came so far; not shown"
        " where uncertain."
    )


def test_a_column_of_several_tables_is_told_before_them_and_named_in_each() -> None:
    told = definitions([RESOURCES[name] for name in PEOPLE], "zh-hans")
    common = ["from", "until", "territory", "viewers", "finishers"]
    assert [m.name for m in told.shared] == [
        *common, "survival_05 … survival_100", "hidden_reason",
    ]  # fmt: skip
    assert [[m.name for m in table.own] for table in told.tables] == [
        ["age_band", "gender"],
        ["region"],
    ]
    assert {table.shared for table in told.tables} == {
        "起、止（不含）、国家/地区、观看人数、完播人数、到达 5% … 100%、未显示原因"
    }


def test_a_column_of_the_same_name_but_another_meaning_is_the_tables_own() -> None:
    told = definitions([RESOURCES["viewing"], RESOURCES["geography"]], "en")
    assert [m.name for m in told.shared] == ["from", "until", "territory", "hidden_reason"]
    assert all("viewers" in [m.name for m in table.own] for table in told.tables)


@pytest.mark.parametrize(
    ("language", "first", "last"),
    [
        ("en", "under the names given here", "The families it is computed from"),
        ("zh-hans", "同样的数字见本数据包的 CSV 文件", "计算所用的数据类别"),
    ],
)
def test_all_there_is_to_define_takes_two_pages(
    language: str, first: str, last: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(with_everything(language)))
    read = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True)
    pages = read.stdout.decode().split("\f")
    began, ended = (next(n for n, p in enumerate(pages) if words in p) for words in (first, last))
    assert ended - began == 1


def test_the_descriptor_still_names_every_column_of_every_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reports.render.bundle.render_pdf", lambda *_, **__: b"%PDF-1.7")
    with zipfile.ZipFile(
        io.BytesIO(build_bundle(with_everything("en"), []).zip.content)
    ) as archive:
        package = json.loads(archive.read("datapackage.json"))
        header = archive.read("data/yolo/geography.csv").decode("utf-8-sig").strip().split(",")
    fields = {
        r["path"]: [f["name"] for f in r["schema"]["fields"]] for r in package["resources"][1:]
    }
    assert fields["data/yolo/geography.csv"] == header
    assert header == list(RESOURCES["geography"].column_names())
    assert len([name for name in header if name.startswith("survival_")]) == 20


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ([f"survival_{n:02d}" for n in range(5, 101, 5)], "Reached 5 % … 100 %"),
        (["finishers", "survival_05", "survival_10"], "Finishers, Reached 5 %, Reached 10 %"),
    ],
)
def test_hidden_columns_that_are_alike_are_named_together_where_all_are(
    hidden: list[str], said: str
) -> None:
    report = with_everything("en")
    results = {**report.titles[0].results}
    empty: dict[str, list[Cell]] = {c: [None] for c in RESOURCES["geography"].column_names()}
    reasons = ";".join(f"{name}:too_uncertain" for name in hidden)
    results["geography"] = film.result(
        RESOURCES["geography"], {**empty, "hidden_reason": [reasons] * 1200}, ("CN",)
    )
    title = replace(report.titles[0], results=results)
    with override("en"):
        told = context(replace(report, titles=(title,)), lambda svg: "")
    assert [h for h in told["parts"][0]["titles"][0]["hidden"] if h["resource"] == "Geography"] == [
        {
            "resource": "Geography",
            "columns": said,
            "said": "too uncertain to be shown",
            "rows": "1,200",
        }
    ]
