"""STORAGE_URL: what it may be, and that a wrong one is said in words without its secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.checks import refuse_to_start, storage_address
from portal.storage_url import BadStorageUrl, folder_of, storage_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://dailies-files", {"bucket_name": "dailies-files", "location": ""}),
        (
            "s3://dailies.files/a/b/?region=eu-central-1",
            {"bucket_name": "dailies.files", "location": "a/b", "region_name": "eu-central-1"},
        ),
        (
            "s3://files?endpoint=https://oss.example.com:9000&addressing=path",
            {
                "bucket_name": "files",
                "location": "",
                "endpoint_url": "https://oss.example.com:9000",
                "addressing_style": "path",
            },
        ),
    ],
)
def test_a_bucket_is_named_by_its_url(url: str, options: dict[str, str]) -> None:
    assert storage_of(url) == {"BACKEND": "reports.bucket.Bucket", "OPTIONS": options}
    assert folder_of(url) is None


BAD = [
    ("files", "neither file:// nor s3://"),
    ("", "neither file:// nor s3://"),
    ("file://files", "not an absolute folder"),
    ("gs://files", "neither file:// nor s3://"),
    ("s3://", "names no bucket"),
    ("s3:///files", "names no bucket"),
    ("s3://Files_Of_Ours", "names no bucket"),
    ("s3://files/a/../b", "prefix is none"),
    ("s3://key:zqb-secret@files", "holds credentials"),
    ("s3://files/a b", "prefix is none"),
    ("s3://files?bucket=x", "'bucket', which is none of region, endpoint, addressing"),
    ("s3://files?addressing=dns", "addressing is none of auto, path, virtual"),
    ("s3://files?endpoint=oss.example.com", "endpoint is no http(s) address"),
    ("s3://files?endpoint=http://oss.example.com", "endpoint is not https"),
    ("s3://[x", "no URL"),
]


@pytest.mark.parametrize(("url", "problem"), BAD)
def test_a_url_that_names_no_place_stops_the_start(settings: Any, url: str, problem: str) -> None:
    """In production or not; its text, which may hold a secret, is not repeated."""
    with pytest.raises(BadStorageUrl) as raised:
        storage_of(url)
    assert problem in str(raised.value)
    settings.STORAGE_URL = url
    assert [found.id for found in storage_address()] == ["dailies.E007"]
    with pytest.raises(ImproperlyConfigured, match=r"dailies\.E007") as refused:
        refuse_to_start()
    assert "zqb-secret" not in str(refused.value)


def test_the_portal_says_so_itself() -> None:
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
    ran = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment | {"STORAGE_URL": "s3://key:zqb-secret@files"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode != 0
    assert "(dailies.E007) STORAGE_URL cannot be used. It holds credentials" in ran.stderr
    assert "zqb-secret" not in ran.stdout + ran.stderr
