"""One question, one answer: page, JSON, CSV, and the bundle's CSV and PDF."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from engagement.scope import Window
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle
from tests.background import Mailbox
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn

WINDOW = Window(DAY, DAY + timedelta(days=DAYS))
ASKED = f"?from={WINDOW.since}&until={WINDOW.until}"


@pytest.fixture
def packed(cast: Cast, storage: Path, mailbox: Mailbox) -> dict[str, bytes]:
    bundle = ask_bundle(membership=cast.alice, titles=[cast.film.pk], window=WINDOW, language="en")
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
