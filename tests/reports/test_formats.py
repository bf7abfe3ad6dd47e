"""The workbook, the Parquet files and the descriptor, opened as strangers open them."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import frictionless
import openpyxl
import pyarrow.parquet as pq
import pytest

from engagement.families import Cell, Result
from reports.render import xlsx
from reports.render.bundle import Bundle, build_bundle
from reports.render.csv import unguard
from reports.render.document import Report
from reports.render.xlsx import CHARACTERS, Sheet, sheet_names, to_xlsx
from tests.reports import film
from tests.reports.conftest import SCOPE

HOSTILE = [
    '=HYPERLINK("http://evil.example","x")', "=1+1", "+1+1", "-1+1", "@SUM(A1)", "|calc", "%0A",
    "＝1+1", " =1", "\u3000=1", "\t=1", "\r=1", "\n=1", "'=1", '"=1',
    "<r><t>rich</t></r>", "<r></c></row></sheetData></r>", "<b>&amp;</b>", "]]>", "_x000D_=1",
    "http://evil.example/", "mailto:x@evil.example", "internal:Sheet1!A1", "external:c:\\x.xlsx",
    "{=1+1}", "file:///etc/passwd", "../../x", "/abs", "C:\\x", "CON", "a/b", "[x]:*?", "History",
    "contents", "ＣＯＮ", "é", "e\u0301", "\u202egnp.exe", "\ufeff=1", "\u200b=1", "😀泰 ไทย",
    "a\nb\r\nc", "007", "1E5", "2024-01-01", "TRUE", "12345678901234567890", "#N/A", " ", "x" * 300,
]  # fmt: skip
"""What a name or a comment may be, of which nothing may run, lead outside or get lost."""


@pytest.fixture
def no_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The PDF is tried elsewhere."""
    monkeypatch.setattr("reports.render.bundle.render_pdf", lambda report, attached=(): b"%PDF-1.7")


def built(report: Report) -> Bundle:
    return build_bundle(replace(report, formats=("xlsx", "parquet")), SCOPE)


@pytest.fixture(scope="module")
def of_the_film() -> Bundle:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reports.render.bundle.render_pdf", lambda *_, **__: b"%PDF-1.7")
        return built(film.REPORT)


@pytest.fixture(scope="module")
def workbook(of_the_film: Bundle) -> openpyxl.Workbook:
    return opened(file(of_the_film, "data.xlsx"))


def file(bundle: Bundle, name: str) -> bytes:
    return next(m.content for m in bundle.members if m.name == name)


def said(texts: list[str]) -> Result:
    number = len(texts)
    data: dict[str, list[Cell]] = {
        "content_second": [None] * number,
        "day": [date(2024, 11, 2)] * number,
        "text": list(texts),
        "repeats": [3] * number,
        "likes": [-5] * number,
    }
    return film.result(film.DANMU_COMMENTS, data, ("CN",))


def book(*sheets: Sheet) -> bytes:
    return to_xlsx(sheets, portal="Dailies", partner="Aurora", about=[], as_of=film.REPORT.as_of)


def opened(content: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


def hostile_report() -> Report:
    """A hostile name wherever a partner, a title, a slug or a viewer can give one."""
    titles = tuple(
        replace(
            film.FILM,
            slug=name,
            name_zh=name,
            name_en=HOSTILE[-1 - n],
            results={"danmu_comments": said(HOSTILE if n == 0 else [name])},
            moments=(),
        )
        for n, name in enumerate(HOSTILE)
    )
    return replace(
        film.REPORT, titles=titles, portal_name='=cmd|" /C calc"!A0', partner_name=HOSTILE[0]
    )


def test_promise_14_hostile_names_are_texts_in_every_file(no_pdf: None, tmp_path: Path) -> None:
    """P14, cases 38, 54, 55 and 56: through the zip, CSV, XLSX, Parquet and both descriptors."""
    bundle = built(hostile_report())
    names = zipfile.ZipFile(io.BytesIO(bundle.zip.content)).namelist()
    assert len({n.casefold() for n in names}) == len(names) == 2 * len(HOSTILE) + 4
    for name in names:
        assert re.fullmatch(r"(data/[a-z0-9-]{1,64}/)?[a-z_]+\.(pdf|csv|xlsx|parquet|json)", name)
    first = next(n.removesuffix(".csv") for n in names if n.endswith(".csv"))
    texts = file(bundle, f"{first}.csv").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(texts, newline="")))
    assert [unguard(r["text"]) for r in rows] == HOSTILE
    assert pq.read_table(io.BytesIO(file(bundle, f"{first}.parquet")))["text"].to_pylist() == (
        HOSTILE
    )
    workbook = opened(file(bundle, "data.xlsx"))
    assert len(workbook.sheetnames) == 1 + len(HOSTILE)
    cells = [row[2] for row in workbook.worksheets[1].iter_rows(min_row=2)]
    assert [c.value for c in cells] == [_as_read(t) for t in HOSTILE]
    assert {c.data_type for c in cells} == {"s"}
    _is_inert(file(bundle, "data.xlsx"))
    zipfile.ZipFile(io.BytesIO(bundle.zip.content)).extractall(tmp_path)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")) == (
        sorted(names)
    )
    checked = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert checked.valid, checked.flatten(["message"])
    manifest = json.loads(file(bundle, "manifest.json"))
    assert [t["slug"] for t in manifest["titles"]] == HOSTILE


def _as_read(text: str) -> str:
    """XML has one line end, and a workbook's is LF; what else is no character stands escaped."""
    return re.sub(r"_x([0-9A-F]{4})_", lambda m: f"_x005F_{m[0][1:]}", text).replace(
        "\r", "_x000D_"
    )


def _is_inert(workbook: bytes) -> None:
    """Nothing in any part of it that a program would run, follow or ask for."""
    archive = zipfile.ZipFile(io.BytesIO(workbook))
    for name in archive.namelist():
        assert re.fullmatch(
            r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(core|app)\.xml|xl/workbook\.xml"
            r"|xl/_rels/workbook\.xml\.rels|xl/styles\.xml|xl/theme/theme1\.xml"
            r"|xl/worksheets/sheet\d+\.xml",
            name,
        ), name
        tags = set(re.findall(r"<([A-Za-z:]+)", archive.read(name).decode()))
        assert not tags & {
            "f", "hyperlink", "hyperlinks", "externalReference", "definedName", "oleObject",
            "drawing", "legacyDrawing", "ddeLink", "script",
        }, name  # fmt: skip
        assert "TargetMode" not in archive.read(name).decode()


def test_the_workbook_has_the_numbers_of_the_csv_typed(workbook: openpyxl.Workbook) -> None:
    assert workbook.sheetnames == [
        "contents", "yolo.viewing", "yolo.retention", "yolo.rewatch", "yolo.danmu",
        "yolo.danmu_comments", "yolo.moments",
    ]  # fmt: skip
    for name, result in film.FILM.results.items():
        heading, *rows = workbook[f"yolo.{name}"].iter_rows(values_only=True)
        assert heading == result.resource.column_names()
        assert len(rows) == len(result)
        for column, values in zip(heading, zip(*rows, strict=True), strict=True):
            told = [v.date() if isinstance(v, datetime) else v for v in values]
            given = list(result.data[column])
            if any(isinstance(v, float) for v in given):
                assert told == pytest.approx(given, rel=1e-15)
            else:
                assert told == given, (name, column)
    days = workbook["yolo.viewing"]["A2"]
    assert (days.value, days.number_format) == (datetime(2024, 10, 24), "yyyy-mm-dd")
    assert type(workbook["yolo.viewing"]["E2"].value) is int


def test_the_first_sheet_says_what_each_column_is(workbook: openpyxl.Workbook) -> None:
    page = workbook["contents"]
    rows = [tuple(c or "" for c in row) for row in page.iter_rows(values_only=True)]
    assert [row[0] for row in rows[:3]] == [
        "Dailies · 星河影业", "[2024-10-24, 2024-11-21)", "示例数据 Sample data",
    ]  # fmt: skip
    told = {(row[0], row[4]): row for row in rows}
    assert told["yolo.viewing", "watch_seconds"] == (
        "yolo.viewing", "热辣滚烫 · YOLO", "观看 Viewing", "1-29", "watch_seconds", "观看时长",
        "Watch seconds", "s", "播放的内容秒数；同一秒播放两次计两次。",
        "Content seconds played; a second played twice counts twice.",
    )  # fmt: skip
    for name, result in film.FILM.results.items():
        for column in result.resource.column_names():
            assert (f"yolo.{name}", column) in told


def test_a_workbooks_properties_name_the_portal_and_the_partner_alone(of_the_film: Bundle) -> None:
    archive = zipfile.ZipFile(io.BytesIO(file(of_the_film, "data.xlsx")))
    core = re.sub(r"<[^>]+>", "|", archive.read("docProps/core.xml").decode())
    assert set(core.split("|")) - {"", "\n"} == {
        "Dailies · 星河影业", "Dailies", "2024-11-21T00:00:00Z",
    }  # fmt: skip
    assert {i.date_time for i in archive.infolist()} == {(1980, 1, 31, 0, 0, 0)}


def test_parquet_has_the_types_units_and_definitions(of_the_film: Bundle) -> None:
    for name, result in film.FILM.results.items():
        table = pq.read_table(io.BytesIO(file(of_the_film, f"data/yolo/{name}.parquet")))
        assert table.to_pydict() == {k: list(v) for k, v in result.data.items()}
        kinds = {"integer": "int64", "number": "double", "string": "string", "date": "date32[day]"}
        for column in result.resource.columns:
            field = table.schema.field(column.name)
            assert str(field.type) == kinds[column.type]
            assert field.metadata.get(b"unit", b"").decode() == column.unit
            assert field.metadata[b"description"].decode() == column.definition["en"]
            assert field.metadata[b"description_zh"].decode() == column.definition["zh"]
        told = table.schema.metadata
        assert (told[b"partner"].decode(), told[b"title"]) == ("星河影业", b"yolo")
        assert (told[b"family"].decode(), told[b"sample"]) == (result.resource.family, b"true")


def test_the_same_report_gives_the_same_workbook_and_parquet_files(
    no_pdf: None, of_the_film: Bundle
) -> None:
    assert built(film.REPORT).zip.sha256 == of_the_film.zip.sha256


def test_frictionless_accepts_the_bundle_and_finds_each_flipped_bit(
    no_pdf: None, tmp_path: Path
) -> None:
    """Every file it lists by its SHA-256: CSV, Parquet, workbook and PDF."""
    bundle = built(replace(film.REPORT, titles=(film.only("viewing", "danmu_comments"),)))
    zipfile.ZipFile(io.BytesIO(bundle.zip.content)).extractall(tmp_path)
    package = tmp_path / "datapackage.json"
    listed = [r["path"] for r in json.loads(package.read_bytes())["resources"]]
    assert listed == [
        "report.pdf", "data/yolo/viewing.csv", "data/yolo/danmu_comments.csv",
        "data/yolo/viewing.parquet", "data/yolo/danmu_comments.parquet", "data.xlsx",
    ]  # fmt: skip
    checked = frictionless.validate(str(package))
    assert checked.valid, checked.flatten(["message"])
    for path in listed:
        whole = (tmp_path / path).read_bytes()
        bit = len(whole) // 2
        (tmp_path / path).write_bytes(whole[:bit] + bytes([whole[bit] ^ 1]) + whole[bit + 1 :])
        checked = frictionless.validate(str(package))
        assert not checked.valid, path
        assert "hash-count" in [e for [e] in checked.flatten(["type"])], path
        (tmp_path / path).write_bytes(whole)


def test_sheet_names_are_short_and_no_two_alike() -> None:
    long = "a" * 40
    names = sheet_names([long, long, long.upper(), "contents", "b"])
    assert names == ["a" * 31, "a" * 29 + "~2", "A" * 29 + "~3", "contents~2", "b"]


def test_two_long_titles_each_have_their_sheets(no_pdf: None) -> None:
    one, two = (
        replace(film.only("viewing", "danmu_comments"), slug="a-very-long-name-of-a-film-" + end)
        for end in ("one", "two")
    )
    workbook = opened(file(built(replace(film.REPORT, titles=(one, two))), "data.xlsx"))
    assert workbook.sheetnames == [
        "contents", "a-very-long-name.viewing", "a-very-long-name.danmu_comments",
        "a-very-long-na-2.viewing", "a-very-long-na-2.danmu_comments",
    ]  # fmt: skip


def test_a_table_longer_than_a_sheet_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert xlsx.ROWS == 1_048_576
    monkeypatch.setattr(xlsx, "ROWS", 4)
    texts = [f"text {n}" for n in range(7)]
    workbook = opened(book(Sheet("t.danmu_comments", "T", said(texts))))
    assert workbook.sheetnames[1:] == [
        "t.danmu_comments", "t.danmu_comments~2", "t.danmu_comments~3",
    ]  # fmt: skip
    found = [
        row[2]
        for page in workbook.worksheets[1:]
        for row in page.iter_rows(min_row=2, values_only=True)
    ]
    assert found == texts
    told = {(row[0], row[3]) for row in workbook["contents"].iter_rows(values_only=True)}
    assert told > {
        ("t.danmu_comments", "1-3"), ("t.danmu_comments~2", "4-6"), ("t.danmu_comments~3", "7-7"),
    }  # fmt: skip


@pytest.mark.parametrize("character", ["a", "好", "😀"])
def test_a_text_longer_than_a_cell_says_in_the_cell_that_it_is_cut(character: str) -> None:
    units = len(character.encode("utf-16-le")) // 2
    fits = character * (CHARACTERS // units)
    long = fits + character
    page = opened(book(Sheet("t.danmu_comments", "T", said([fits, long])))).worksheets[1]
    assert page["C2"].value == fits
    cut = page["C3"].value
    assert len(cut.encode("utf-16-le")) // 2 <= CHARACTERS
    assert re.fullmatch(
        rf"{character}{{10000,}} \[…cut 截断: {len(fits) * units + units:,} → 32,767, CSV\]", cut
    )


def test_a_number_that_a_spreadsheet_would_round_is_a_text() -> None:
    changed = replace(said(["a"]), data={**said(["a"]).data, "likes": [12345678901234567890]})
    page = opened(book(Sheet("t.danmu_comments", "T", changed))).worksheets[1]
    assert page["E2"].value == "12345678901234567890"
