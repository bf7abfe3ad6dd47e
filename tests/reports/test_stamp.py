"""The stamp: whom a report is for, as which bundle and when, on a PDF that was rendered before."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pdfua
import pikepdf
import pypdfium2
import pytest

from reports.render import layout, renderer
from reports.render.bundle import Bundle
from reports.render.stamp import Mark, NoRoom, make_room, stamped
from reports.render.zipping import unzipped
from tests.reports import film

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MARK = Mark("陈小明 Amélie O'Brien", ID, datetime(2026, 12, 1, 9, 30, tzinfo=UTC), "en")
NAMES = [
    "永" * 200,
    "x" * 200,
    "Wolfeschlegelsteinhausenbergerdorff " * 6,
    "😀👨‍👩‍👧‍👦🏳️‍🌈",
    "שלום עולם مرحبا",
    "\u202egpj.exe\u200f \ufeff",
    "Robert') Tj ET Q\n%%EOF startxref 0",
    "<b>&amp;</b>]]>",
    "\x00\x01\x7f\ud83d",
    "",
]


@pytest.fixture
def pdf(english: Bundle) -> bytes:
    return english.members[0].content


def pages_of(path: Path) -> list[str]:
    read = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    return read.stdout.decode().split("\f")[:-1]


def test_the_cover_and_the_foot_of_every_page_say_whose_it_is(pdf: bytes, tmp_path: Path) -> None:
    path = tmp_path / "stamped.pdf"
    path.write_bytes(stamped(pdf, MARK))
    cover, *others = pages_of(path)
    facts = " ".join(cover.split())
    assert "For 陈小明 Amélie O'Brien Made 1 December 2026 09:30 UTC" in facts
    assert f"Bundle {ID}" in facts
    assert len(others) >= 3
    for page in (cover, *others):
        assert page.rstrip().endswith(f"陈小明 Amélie O'Brien · {ID}")
    fonts = subprocess.run(["pdffonts", str(path)], capture_output=True, check=True)
    names = [line.split()[0] for line in fonts.stdout.decode().splitlines()[2:]]
    assert {name.partition("+")[2].removesuffix("-Bold") for name in names} == {"Noto-Sans-SC"}


def test_before_it_is_stamped_it_says_so_nowhere(pdf: bytes, tmp_path: Path) -> None:
    path = tmp_path / "unstamped.pdf"
    path.write_bytes(pdf)
    assert film.REPORT.recipient_name not in "".join(pages_of(path))
    assert film.REPORT.bundle_id not in "".join(pages_of(path))
    assert film.REPORT.bundle_id.encode() not in pdf


def test_the_same_mark_gives_the_same_bytes_behind_those_of_the_rendering(pdf: bytes) -> None:
    made = stamped(pdf, MARK)
    assert made == stamped(pdf, MARK)
    assert made.startswith(pdf)
    assert len(made) - len(pdf) < 20_000
    assert made != stamped(pdf, replace(MARK, recipient="Victor"))


@pytest.mark.parametrize("language", ["zh-hans", "en", "both"])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn_within_the_page_and_breaks_nothing(
    name: str, language: str, pdf: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "stamped.pdf"
    path.write_bytes(stamped(pdf, replace(MARK, recipient=name, language=language)))
    boxes = subprocess.run(
        ["pdftotext", "-bbox", "-l", "1", str(path), "-"], capture_output=True, check=True
    )
    width = layout.SIZES["a4"][0] * 72 / 25.4
    for line in boxes.stdout.decode(errors="replace").splitlines():
        if "xMax" in line:
            assert float(line.partition('xMax="')[2].partition('"')[0]) < width
    assert all(ID in page.rstrip().splitlines()[-1] for page in pages_of(path))
    with pikepdf.open(path) as document:
        assert document.check_pdf_syntax() == []


def test_both_kinds_of_metadata_name_the_bundle_and_its_time(pdf: bytes) -> None:
    with pikepdf.open(io.BytesIO(stamped(pdf, MARK))) as document:
        info = document.trailer.Info
        assert str(info["/DailiesBundle"]) == ID
        assert str(info.CreationDate) == str(info.ModDate) == "D:20261201093000+00'00'"
        assert str(info.Author) == film.REPORT.portal_name
        with document.open_metadata() as metadata:
            assert metadata["xmpMM:DocumentID"] == f"uuid:{ID}"
            assert metadata["xmp:CreateDate"] == "2026-12-01T09:30:00+00:00"
            assert metadata["pdfuaid:part"] == "1"
        assert metadata["xmp:ModifyDate"] == "2026-12-01T09:30:00+00:00"


def test_it_is_an_artifact_and_the_checker_of_pdf_ua_finds_nothing(
    pdf: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "stamped.pdf"
    path.write_bytes(stamped(pdf, MARK))
    report = pdfua.validate(str(path))
    assert [f"{f.rule_id}: {f.message}" for f in report.findings] == []


def test_poppler_and_pdfium_draw_the_same(pdf: bytes, tmp_path: Path) -> None:
    path = tmp_path / "stamped.pdf"
    path.write_bytes(stamped(pdf, MARK))
    document = pypdfium2.PdfDocument(path)
    page = document[0]
    text = page.get_textpage()
    assert "陈小明 Amélie O'Brien" in text.get_text_range()
    text.close()
    page.close()
    document.close()


def test_on_letter_it_stands_in_its_place_too(storage: Path, tmp_path: Path) -> None:
    report = replace(film.REPORT, paper="letter", language="en", titles=(film.only("danmu"),))
    members = {m.name: m.content for m in unzipped(renderer.render(report, []))}
    path = tmp_path / "letter.pdf"
    path.write_bytes(stamped(members["report.pdf"], replace(MARK, paper="letter")))
    facts = " ".join(pages_of(path)[0].split())
    assert f"Bundle {ID} Confidential." in facts


def test_a_stamp_costs_no_rendering(pdf: bytes) -> None:
    def seconds() -> Iterator[float]:
        for _ in range(10):
            start = time.process_time()
            stamped(pdf, MARK)
            yield time.process_time() - start

    assert min(seconds()) < 0.015


def test_a_pdf_that_is_none_of_ours_is_not_stamped() -> None:
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(out)
    with pytest.raises(NoRoom):
        stamped(out.getvalue(), MARK)
    with pikepdf.new() as document:
        make_room(document)  # and one without a page is left alone
