"""The two places that files are stored in: a folder, and a bucket of a real S3 server over HTTP."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone
from pytest_django.fixtures import Settings

from engagement.scope import Window
from partners import grants
from partners.models import AuditEvent
from portal.storage_url import storage_of
from reports import bucket as bucket_module
from reports import downloads, storage
from reports.build import build
from reports.models import Artefact, Bundle, Rendering
from reports.plan import ask_bundle
from reports.renderings import Made
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.files import without_rendering

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = f"{SHA256[:2]}/{SHA256}.zip"
WHOLE = Window(DAY, DAY + timedelta(days=DAYS))


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("storage" if request.param == "folder" else "bucket")


def lying() -> list[str]:
    return sorted(path for path, _ in storage.lying())


def made(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    without_rendering(monkeypatch)
    bundle = ask_bundle(membership=cast.amy, titles=[cast.film.pk], window=WHOLE, language="en")
    assert build(bundle.pk)
    return Bundle.objects.get(pk=bundle.pk)


def test_a_file_is_stored_by_its_hash_read_in_any_part_and_removed(place: Any) -> None:
    stored = storage.put(CONTENT)
    assert (stored.path, stored.sha256, stored.size_bytes) == (PATH, SHA256, len(CONTENT))
    assert storage.put(CONTENT) == stored
    [(path, written)] = storage.lying()
    assert path == PATH
    assert abs(written - time.time()) < 60
    with storage.open_stored(PATH) as file:
        assert file.read() == CONTENT
        file.seek(2_000_000)
        assert file.read(10) == CONTENT[2_000_000:2_000_010]
        file.seek(-5, os.SEEK_END)
        assert (file.read(), file.read()) == (CONTENT[-5:], b"")
    storage.remove(PATH)
    storage.remove(PATH)
    assert lying() == []
    with pytest.raises(FileNotFoundError):
        storage.open_stored(PATH)


@pytest.mark.parametrize("path", ["../secret.zip", "ab/../../x.zip", "/etc/passwd", "", "ab/x.zip"])
def test_no_other_name_is_ever_looked_up(place: Any, path: str) -> None:
    """Case 51."""
    with pytest.raises(FileNotFoundError):
        storage.open_stored(path)


def test_a_folders_files_are_their_owners_alone(storage: Path) -> None:
    from reports.storage import put

    file = storage / put(CONTENT).path
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_bucket_holds_the_file_below_its_prefix_and_nothing_else_is_ours(bucket: Any) -> None:
    storage.put(CONTENT)
    [found] = bucket.objects.all()
    assert found.key == f"portal/files/{PATH}"
    assert found.Object().content_type == "application/zip"
    for key in ("else/x", "portal/files/notes.txt", "portal/files/ab/x.part", PATH):
        bucket.put_object(Key=key, Body=b"theirs")
    assert lying() == [PATH]


def test_a_bucket_is_read_piece_by_piece(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a slow reader holds no connection to S3 open, and no file is read whole."""
    storage.put(CONTENT)
    asked: list[tuple[int, int]] = []
    piece = bucket_module.Bucket.piece

    def told(self: Any, name: str, first: int, last: int) -> bytes:
        asked.append((first, last))
        return piece(self, name, first, last)

    monkeypatch.setattr(bucket_module.Bucket, "piece", told)
    with storage.open_stored(PATH) as file:
        file.seek(1_000)
        assert file.read(65_536) == CONTENT[1_000:66_536]
    assert [last - first + 1 for first, last in asked] == [bucket_module.PIECE]


def test_a_bucket_that_is_away_is_trouble_and_no_lost_file(
    cast: Cast, bucket: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is tried again; a download is answered 503, and recorded as nothing."""
    bundle = made(cast, monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # free once the server is closed
    away = storage_of(f"s3://gone?region=x&endpoint=http://127.0.0.1:{port}&addressing=path")
    settings.STORAGES = {**settings.STORAGES, "bundles": away}
    answer = SignedIn(cast.amy.user).get(f"/p/aurora/reports/{bundle.pk}/download/")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.content.decode()
    rest = SignedIn(cast.amy.user).get(f"/api/v1/p/aurora/bundles/{bundle.pk}/download/")
    assert (rest.status_code, rest.json()["error"]["code"]) == (503, "unavailable")
    assert not AuditEvent.objects.filter(action="bundle.downloaded").exists()
    other = ask_bundle(membership=cast.amy, titles=None, window=WHOLE, language="en")
    assert not build(other.pk)
    other.refresh_from_db()
    assert (other.state, other.failure) == ("queued", "trouble")
    assert "S3 cannot be reached" in other.problem


def test_p5_a_revoked_grants_file_is_dead_at_once_and_gone_with_the_next_purge(
    cast: Cast, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5, case 50, in both storages; beat purges every hour."""
    bundle = made(cast, monkeypatch)
    path, browser = f"/p/aurora/reports/{bundle.pk}/download/", SignedIn(cast.amy.user)
    content = b"".join(browser.get(path).streaming_content)  # type: ignore[arg-type]
    assert content == str(bundle.pk).encode()
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert browser.get(path).status_code == 404
    assert lying() == [bundle.artefact.path]
    assert downloads.purge() == 1
    assert lying() == []
    assert downloads.purge() == 0


@pytest.mark.parametrize(
    "end",
    [lambda c: grants.revoke(c.grants["film"], by=c.sam), lambda c: c.amy.delete()],
    ids=["revoked", "left"],
)
def test_case_52_a_right_that_ends_cuts_what_is_under_way_from_either_place(
    cast: Cast, place: Any, monkeypatch: pytest.MonkeyPatch, end: Callable[[Cast], object]
) -> None:
    monkeypatch.setattr(downloads, "CHUNK", 10)
    monkeypatch.setattr(downloads, "LOOK_AGAIN_S", 0)
    bundle = made(cast, monkeypatch)
    path, browser = f"/p/aurora/reports/{bundle.pk}/download/", SignedIn(cast.amy.user)
    answer = browser.get(path, headers={"range": "bytes=3-32"})
    sent = iter(answer.streaming_content)  # type: ignore[arg-type]
    assert next(sent) == str(bundle.pk).encode()[3:13]
    end(cast)
    with pytest.raises(downloads.Refused):
        next(sent)
    told = {e.action: e.detail for e in AuditEvent.objects.filter(target=bundle.pk)}
    assert told["bundle.downloaded"]["bytes"] == 30
    assert told["bundle.cut"] == {"bytes": 30, "sent": 10, "why": "not granted any more"}


def test_a_storage_that_fails_under_way_cuts_the_download_and_the_trail_says_so(
    cast: Cast, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(cast, monkeypatch)
    path = f"/p/aurora/reports/{bundle.pk}/download/"
    answer = SignedIn(cast.amy.user).get(path)
    bucket.objects.all().delete()
    with pytest.raises(FileNotFoundError):
        next(iter(answer.streaming_content))  # type: ignore[arg-type]
    [event] = AuditEvent.objects.filter(action="bundle.cut")
    assert (event.detail["sent"], event.detail["why"]) == (0, "the storage failed")


def test_p5_a_rendering_goes_with_the_last_file_made_of_it_and_after_a_week(
    cast: Cast, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(cast, monkeypatch)
    hours_ago = timezone.now() - timedelta(hours=2)

    def rendering(key: str, **values: Any) -> Rendering:
        stored = storage.put(key.encode())
        return Rendering.objects.create(
            partner=cast.aurora, key=key, path=stored.path, sha256=stored.sha256,
            size_bytes=stored.size_bytes, **values,
        )  # fmt: skip

    used = rendering("used", made_at=hours_ago)
    fresh = rendering("fresh")  # the first bundle of it is being made
    rendering("unused", made_at=hours_ago)
    old = rendering("old", made_at=timezone.now() - timedelta(days=7, hours=1))
    Bundle.objects.update(rendering=used)
    assert (bundle.artefact.path, old.path) != ("", "")
    downloads.purge()
    assert lying() != []
    assert set(Rendering.objects.values_list("key", flat=True)) == {"used", "fresh"}
    kept, given_up = downloads.named_paths()
    assert kept == {bundle.artefact.path, used.path, fresh.path}
    assert given_up == set()
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert downloads.purge() == 1
    assert set(Rendering.objects.values_list("key", flat=True)) == {"fresh"}
    assert not set(lying()) & {bundle.artefact.path}
    _hour_later(monkeypatch)
    downloads.purge()
    assert lying() == [fresh.path]


def _hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the purge sees the clock; the files were written now."""
    now = time.time() + 2 * downloads.ORPHAN_AFTER_S
    monkeypatch.setattr("reports.downloads.time.time", lambda: now)


def test_a_file_that_no_row_names_is_removed_after_an_hour(
    cast: Cast, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(cast, monkeypatch)
    stored = storage.put(CONTENT)
    downloads.purge()
    assert lying() == sorted([bundle.artefact.path, stored.path])
    _hour_later(monkeypatch)
    downloads.purge()
    assert lying() == [bundle.artefact.path]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel writes no file beyond `size` bytes: what a disk does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_fault_15_a_write_that_the_disk_cuts_leaves_nothing_behind(
    storage: Path,
) -> None:
    from reports.storage import put

    with largest_file(1_000_000), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        put(CONTENT)
    assert [p for p in storage.rglob("*") if p.is_file()] == []
    assert (storage / put(CONTENT).path).read_bytes() == CONTENT


def test_fault_15_a_bundle_that_the_disk_does_not_take_fails_with_its_reason(
    cast: Cast,
    storage: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is tried again for six hours, then it has failed; what was written of it is gone."""
    without_rendering(monkeypatch)
    monkeypatch.setattr("reports.build.make_files", lambda *_, **__: Made(CONTENT))
    bundle = ask_bundle(membership=cast.amy, titles=None, window=WHOLE, language="en")
    with largest_file(1_000_000):
        assert not build(bundle.pk)
        bundle.refresh_from_db()
        assert (bundle.state, bundle.failure) == ("queued", "trouble")
        now = timezone.now()
        Bundle.objects.update(due_at=now, made_at=now - timedelta(hours=7))
        assert not build(bundle.pk)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.failure) == ("failed", "broken")
    assert "File too large" in bundle.problem
    assert [p for p in storage.rglob("*") if p.is_file()] == []
    assert not Artefact.objects.exists()


def test_the_default_is_a_folder_and_loads_nothing_of_s3() -> None:
    assert type(storages["bundles"]).__name__ == "Folder"
    assert storage_of("file:///srv/files") == {"BACKEND": "reports.stores.Folder"}
