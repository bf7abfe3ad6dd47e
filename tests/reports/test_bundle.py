"""The zip: what is in it, what it says about itself, and that it is the same every time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engagement.families import METRIC_VERSION
from reports.render.bundle import Bundle, build_bundle, folder_names
from reports.render.descriptors import MANIFEST, PACKAGE, REPORT, readdressed
from reports.render.zipping import File, rezipped, zipped
from tests.reports import film
from tests.reports.conftest import SCOPE


def read(bundle: Bundle) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bundle.zip.content))


def test_it_holds_what_the_contract_lists(chinese: Bundle) -> None:
    assert read(chinese).namelist() == [
        "report.pdf",
        "data/yolo/viewing.csv",
        "data/yolo/retention.csv",
        "data/yolo/rewatch.csv",
        "data/yolo/danmu.csv",
        "data/yolo/danmu_comments.csv",
        "data/yolo/moments.csv",
        "datapackage.json",
        "manifest.json",
    ]


def test_the_same_report_gives_the_same_zip(chinese: Bundle) -> None:
    assert build_bundle(film.REPORT, SCOPE).zip.sha256 == chinese.zip.sha256


def test_the_manifest_names_the_hash_of_every_other_file(chinese: Bundle) -> None:
    archive = read(chinese)
    manifest = json.loads(archive.read("manifest.json"))
    hashes = {f["path"]: f["sha256"] for f in manifest["files"]}
    assert hashes == {
        name: hashlib.sha256(archive.read(name)).hexdigest()
        for name in archive.namelist()
        if name != "manifest.json"
    }
    assert set(manifest) == {
        "bundle", "portal", "partner", "recipient", "language", "sample", "created", "scope",
        "window", "delayed", "data_through", "releases", "metric_versions", "titles", "formulas",
        "files",
    }  # fmt: skip
    assert manifest["window"] == {"from": "2024-10-24", "until": "2024-11-21"}
    assert manifest["metric_versions"] == dict.fromkeys(
        ("danmu", "retention", "rewatch", "viewing"), METRIC_VERSION
    )
    assert manifest["scope"] == SCOPE


def test_the_datapackage_describes_every_column_in_both_languages(chinese: Bundle) -> None:
    archive = read(chinese)
    package = json.loads(archive.read("datapackage.json"))
    assert package["profile"] == "data-package"
    assert package["resources"][0]["path"] == "report.pdf"
    for resource in package["resources"][1:]:
        content = archive.read(resource["path"])
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        heading = next(csv.reader(io.StringIO(content.decode(resource["encoding"]))))
        fields = resource["schema"]["fields"]
        assert [f["name"] for f in fields] == heading
        assert all(f["description"] and f["description_zh"] for f in fields)
        assert resource["schema"]["missingValues"] == [""]
    assert "apostrophe" in package["formulas"]


def test_the_busiest_second_can_be_found_in_the_csv(chinese: Bundle) -> None:
    text = read(chinese).read("data/yolo/danmu.csv").decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text))
    assert sum(int(r["comments"]) for r in rows if 3240 <= int(r["content_second"]) < 3300) == 510


def test_members_have_one_date_and_one_mode(chinese: Bundle) -> None:
    infos = read(chinese).infolist()
    assert {i.date_time for i in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {i.external_attr >> 16 for i in infos} == {0o100644}


def test_folder_names_are_made_here_and_none_is_lost() -> None:
    slugs = [
        "../../x",
        "/abs",
        "C:\\x",
        "热辣滚烫",
        "Yolo",
        "yolo",
        "con",
        "é",
        "e\u0301",
        "a" * 300,
    ]
    names = folder_names(slugs)
    assert names == [
        "x", "abs", "c-x", "title-4", "yolo", "yolo-2", "title-7", "title-8", "e", "a" * 60,
    ]  # fmt: skip


def test_two_titles_that_one_disk_takes_for_one_are_both_there() -> None:
    """Cases 38 and 54."""
    one = replace(film.only("danmu"), slug="Yolo")
    two = replace(film.only("danmu"), slug="yolo")
    names = read(build_bundle(replace(film.REPORT, titles=(one, two)), SCOPE)).namelist()
    assert "data/yolo/danmu.csv" in names
    assert "data/yolo-2/danmu.csv" in names


def test_a_name_that_stands_twice_is_refused() -> None:
    """Case 54."""
    with pytest.raises(ValueError, match="two files"):
        zipped([File("a.csv", b"1"), File("A.csv", b"2")])


def test_a_bundle_for_another_recipient_is_as_one_made_for_them(chinese: Bundle) -> None:
    """Only what names them differs; the tables are copied packed."""
    bundle_id, name, made = "b-2", "王敏", datetime(2024, 11, 23, tzinfo=UTC)
    pdf = File(REPORT, b"%PDF-1.7 stamped")
    told = readdressed(
        read(chinese).read(PACKAGE),
        read(chinese).read(MANIFEST),
        pdf,
        bundle_id=bundle_id,
        recipient=name,
        made=made,
    )
    theirs = rezipped(chinese.zip.content, [pdf, *told])
    report = replace(film.REPORT, bundle_id=bundle_id, recipient_name=name, created_at=made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.render.bundle.render_pdf", lambda *_: pdf.content)
        assert theirs == build_bundle(report, SCOPE).zip.content
    archive = zipfile.ZipFile(io.BytesIO(theirs))
    assert archive.testzip() is None
    assert name in archive.read("manifest.json").decode()
    assert b"lin@xinghe" not in b"".join(archive.read(n) for n in archive.namelist())


def test_nothing_is_put_into_a_zip_that_it_did_not_have(chinese: Bundle) -> None:
    with pytest.raises(ValueError, match=r"not in the zip: c\.csv"):
        rezipped(chinese.zip.content, [File("c.csv", b"1")])
