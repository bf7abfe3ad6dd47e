"""A part of a stored file: RFC 9110's rules, on the page and over REST, and what is recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import RequestFactory

from engagement.scope import Window
from partners.models import AuditEvent
from portal.ranges import Unsatisfiable, part_asked
from reports.build import build
from reports.models import Bundle
from reports.plan import ask_bundle
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.files import without_rendering

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=10-", (10, 100)),
        ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=90-500", (90, 100)),
        ("BYTES=0-0", (0, 1)),
        ("bytes=99-99", (99, 100)),
        ("bytes=100-", "beyond"),
        ("bytes=999999999999999999-", "beyond"),
        ("bytes=-0", "beyond"),
        ("bytes=9-0", None),
        ("bytes=-", None),
        ("bytes=0-1,5-9", None),
        ("bytes=0-1, -1", None),
        ("bytes=a-b", None),
        ("bytes=٠-٩", None),
        ("lines=0-9", None),
        ("bytes=0-9999999999999999999999999", None),
        ("bytes", None),
        ("", None),
    ],
)
def test_one_range_is_the_part_it_names_and_any_other_wish_is_for_all(
    header: str, part: tuple[int, int] | str | None
) -> None:
    request = RequestFactory(headers={"range": header}).get("/")
    if part == "beyond":
        with pytest.raises(Unsatisfiable):
            part_asked(request, ETAG, 100)
    else:
        assert part_asked(request, ETAG, 100) == (range(*part) if part else None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        (ETAG, range(0, 10)),
        ('"abd"', None),
        ('W/"abc"', None),
        ("Tue, 01 Dec 2026 00:00:00 GMT", None),
    ],
)
def test_a_part_of_another_file_is_never_sent(condition: str, part: range | None) -> None:
    request = RequestFactory(headers={"range": "bytes=0-9", "if-range": condition}).get("/")
    assert part_asked(request, ETAG, 100) == part


@pytest.fixture
def bundle(cast: Cast, storage: object, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    without_rendering(monkeypatch)
    bundle = ask_bundle(
        membership=cast.amy,
        titles=[cast.film.pk],
        window=Window(DAY, DAY + timedelta(days=DAYS)),
        language="en",
    )
    assert build(bundle.pk)
    return Bundle.objects.get(pk=bundle.pk)


@pytest.fixture(params=["/p/aurora/reports/{}/download/", "/api/v1/p/aurora/bundles/{}/download/"])
def path(request: pytest.FixtureRequest, bundle: Bundle) -> str:
    return str(request.param.format(bundle.pk))


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def told(action: str = "bundle.downloaded") -> list[dict[str, Any]]:
    return [e.detail for e in AuditEvent.objects.filter(action=action).order_by("pk")]


def test_a_part_is_sent_and_recorded_as_what_it_is(cast: Cast, bundle: Bundle, path: str) -> None:
    browser, content = SignedIn(cast.amy.user), str(bundle.pk).encode()
    size, sha256 = len(content), bundle.artefact.sha256
    whole = browser.get(path)
    assert (whole.status_code, body(whole)) == (200, content)
    assert (whole["Accept-Ranges"], whole["ETag"]) == ("bytes", f'"{sha256}"')
    rest = browser.get(path, headers={"range": "bytes=10-", "if-range": whole["ETag"]})
    assert (rest.status_code, body(rest)) == (206, content[10:])
    assert rest["Content-Range"] == f"bytes 10-{size - 1}/{size}"
    assert (rest["Content-Length"], rest["ETag"]) == (str(size - 10), whole["ETag"])
    assert rest["Content-Disposition"] == whole["Content-Disposition"]
    for answer in (whole, rest):
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Content-Type-Options"] == "nosniff"
    several = browser.get(path, headers={"range": "bytes=0-1,5-9"})
    assert (several.status_code, body(several)) == (200, content)
    changed = browser.get(path, headers={"range": "bytes=10-", "if-range": '"other"'})
    assert (changed.status_code, body(changed)) == (200, content)
    assert told() == [
        {"sha256": sha256, "bytes": size},
        {"sha256": sha256, "bytes": size - 10, "from": 10, "until": size, "of": size},
        {"sha256": sha256, "bytes": size},
        {"sha256": sha256, "bytes": size},
    ]
    assert told("bundle.cut") == []


def test_an_answer_without_bytes_is_no_download(cast: Cast, bundle: Bundle, path: str) -> None:
    """HEAD, a range beyond the file, a file that the reader has: read as the list is."""
    browser, size = SignedIn(cast.amy.user), bundle.artefact.size_bytes
    etag = f'"{bundle.artefact.sha256}"'
    head = browser.head(path, headers={"range": "bytes=0-9"})
    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", str(size))
    assert (head["Accept-Ranges"], head["ETag"]) == ("bytes", etag)
    assert head["Content-Type"] == "application/zip"
    beyond = browser.get(path, headers={"range": f"bytes={size}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{size}")
    assert beyond.json()["error"]["code"] == "range_not_satisfiable"
    kept = browser.get(path, headers={"if-none-match": etag})
    assert (kept.status_code, kept.content) == (304, b"")
    other = browser.get(path, headers={"if-match": '"other"'})
    assert other.status_code == 412
    for answer in (head, beyond, kept, other):
        assert "no-store" in answer["Cache-Control"]
    assert told() == []
    reads = [e.target for e in AuditEvent.objects.filter(action="list.read")]
    assert reads == [f"bundles/{bundle.pk}"] * 4


def test_a_part_of_a_foreign_file_is_as_one_of_a_file_that_is_not(
    cast: Cast, bundle: Bundle, path: str
) -> None:
    """Case 1."""
    made_up = path.replace(str(bundle.pk), "00000000-0000-4000-8000-000000000000")
    for browser in (SignedIn(cast.bob.user), SignedIn(cast.victor.user)):
        for asked in ({}, {"range": "bytes=0-9"}, {"range": "bytes=999-"}, {"if-none-match": "*"}):
            theirs, none = (browser.get(p, headers=asked) for p in (path, made_up))
            assert (theirs.status_code, none.status_code) == (404, 404)
            assert theirs.content == none.content
            assert "ETag" not in theirs
            assert "Accept-Ranges" not in theirs
        assert browser.head(path).status_code == 404
    assert told() == []
