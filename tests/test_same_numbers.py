"""One question, one answer: page, JSON, CSV, and the bundle's CSV, XLSX, Parquet and PDF."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from engagement.families import Cell
from engagement.families.registry import RESOURCES
from engagement.scope import Window
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle
from reports.render.csv import unguard
from tests.background import Mailbox
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn

WINDOW = Window(DAY, DAY + timedelta(days=DAYS))
ASKED = f"?from={WINDOW.since}&until={WINDOW.until}"


@pytest.fixture
def packed(cast: Cast, storage: Path, mailbox: Mailbox) -> dict[str, bytes]:
    bundle = ask_bundle(
        membership=cast.alice,
        titles=[cast.film.pk],
        window=WINDOW,
        language="en",
        formats=["xlsx", "parquet"],
    )
    assert build(bundle.pk)
    path = storage / Bundle.objects.get().artefact.path
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


@pytest.mark.parametrize(
    "resource", ["viewing", "retention", "rewatch", "danmu", "danmu_comments", "danmu_phrases"]
)
def test_the_bundles_csv_is_the_apis(cast: Cast, packed: dict[str, bytes], resource: str) -> None:
    alice = SignedIn(cast.alice.user)
    url = f"/api/v1/p/aurora/titles/film/{resource}/{ASKED}"
    assert (
        packed[f"data/film/{resource}.csv"]
        == alice.get(url, headers={"accept": "text/csv"}).content
    )


def test_workbook_and_parquet_have_every_cell_of_the_csv(packed: dict[str, bytes]) -> None:
    """P6, of every table: empty cells are empty in each, and only those."""
    book = openpyxl.load_workbook(io.BytesIO(packed["data.xlsx"]), read_only=True)
    for name in RESOURCES:
        text = packed[f"data/film/{name}.csv"].decode("utf-8-sig")
        heading, *in_csv = csv.reader(io.StringIO(text, newline=""))
        parquet = pq.read_table(io.BytesIO(packed[f"data/film/{name}.parquet"]))
        in_parquet = [list(row.values()) for row in parquet.to_pylist()]
        in_book = [list(row) for row in book[f"film.{name}"].iter_rows(values_only=True)]
        assert in_book.pop(0) == heading == parquet.column_names
        kinds = [column.type for column in RESOURCES[name].columns]
        typed = [[_typed(k, cell) for k, cell in zip(kinds, row, strict=True)] for row in in_csv]
        assert in_parquet == typed
        assert _as_shown(in_book) == _as_shown(typed), name


def _as_shown(rows: list[list[Cell]]) -> list[list[Cell]]:
    """With the days as days, and numbers to the 15 digits that a spreadsheet keeps."""
    return [
        [
            v.date()
            if isinstance(v, datetime)
            else f"{v:.15g}"
            if isinstance(v, int | float)
            else v
            for v in row
        ]
        for row in rows
    ]


def _typed(kind: str, cell: str) -> Cell:
    if cell == "":
        return None
    if kind == "date":
        return date.fromisoformat(cell)
    return {"integer": int, "number": float, "string": unguard}[kind](cell)


def test_page_json_csv_and_pdf_say_the_same_plays(
    cast: Cast, packed: dict[str, bytes], text_of: Callable[[bytes], str]
) -> None:
    alice = SignedIn(cast.alice.user)
    rows = alice.get(f"/api/v1/p/aurora/titles/film/viewing/{ASKED}").json()["rows"]
    [total] = [r for r in rows if (r["from"], r["until"]) == (str(WINDOW.since), str(WINDOW.until))]
    read = csv.DictReader(io.StringIO(packed["data/film/viewing.csv"].decode("utf-8-sig")))
    [in_csv] = [
        r for r in read if (r["from"], r["until"]) == (str(WINDOW.since), str(WINDOW.until))
    ]
    assert {k: str(v) if v is not None else "" for k, v in total.items()} == in_csv
    assert (total["plays"], total["viewers"], total["completions"]) == (1500, 150, 750)
    page = alice.get(f"/p/aurora/titles/film/{ASKED}").content.decode()
    text = text_of(packed["report.pdf"])
    for said in ("1,500", "150", "37.5", "50.0%"):
        assert said in page
        assert said in text


def test_every_family_of_the_pdf_says_the_numbers_of_the_csv(
    packed: dict[str, bytes], text_of: Callable[[bytes], str]
) -> None:
    """P6. Those of the last week alone where a week is published; sums where days are added up."""
    text = " ".join(text_of(packed["report.pdf"]).split())

    def rows(resource: str) -> list[dict[str, str]]:
        read = packed[f"data/film/{resource}.csv"].decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(read)))

    def added(resource: str, column: str) -> int:
        return sum(int(row[column] or 0) for row in rows(resource))

    for resource in ("demographics", "geography"):
        last = [r for r in rows(resource) if r["until"] == str(WINDOW.until)]
        [whole] = [r for r in last if r["territory"] == "*"]
        reached = [f"{float(whole[f'survival_{share}']):.1%}" for share in (25, 50, 75, 100)]
        people = f"{int(whole['viewers']):,} {int(whole['finishers']):,}"
        assert text.count(f"{people} {' '.join(reached)}") == 2, resource  # once in either
    [fans] = [r for r in rows("fanbases") if r["until"] == str(WINDOW.until)]
    assert f"{int(fans['viewers_in_common']):,} 50.0% 2.00 1.50 – 2.50" in text
    posts = [added("discussion", column) for column in ("posts", "replies", "likes")]
    assert f"Together {posts[0]:,} {posts[1]:,} {posts[2]:,}" in text
    assert f" {added('danmu', 'comments'):,} {added('danmu', 'laughter'):,} " in text
    assert f"Together {added('sharing', 'shares'):,} " in text
