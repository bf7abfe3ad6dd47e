"""The one door to a stored file: who may open it, and when it closes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from engagement.roles import PARTNER, acting_as
from engagement.scope import Refused, Window
from partners import grants, narrowing
from partners.models import AuditEvent, Membership, User
from reports import downloads
from reports.build import build
from reports.downloads import bundle_for, bundles_of, open_bundle, purge
from reports.models import Bundle
from reports.plan import ask_bundle
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.files import without_rendering
from tests.reports.ends import expire, revoke, suspend

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


def made(member: Membership, titles: list[int] | None = None) -> Bundle:
    bundle = ask_bundle(membership=member, titles=titles, window=WHOLE, language="en")
    assert build(bundle.pk)
    return Bundle.objects.get(pk=bundle.pk)


def test_the_recipient_gets_the_bytes_and_it_is_recorded(cast: Cast) -> None:
    bundle = made(cast.amy)
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        artefact, file = open_bundle(cast.amy, bundle.pk)
        content = file.read()
        file.close()
    assert content == str(bundle.pk).encode()
    assert hashlib.sha256(content).hexdigest() == artefact.sha256
    event = AuditEvent.objects.get(action="bundle.downloaded")
    assert (event.actor, event.partner, event.target) == (
        cast.amy.user,
        cast.aurora,
        str(bundle.pk),
    )
    assert event.detail == {"sha256": artefact.sha256, "bytes": len(content)}


def test_others_get_the_same_refusal_as_for_an_id_that_is_not(cast: Cast) -> None:
    bundle = made(cast.alice)
    for member in (cast.amy, cast.victor, cast.bob, cast.cleo):
        for wanted in (bundle.pk, uuid4()):
            with acting_as(PARTNER, partner_id=member.partner_id), pytest.raises(Refused):
                open_bundle(member, wanted)
            with acting_as(PARTNER, partner_id=member.partner_id), pytest.raises(Refused):
                bundle_for(member, wanted)
        assert bundles_of(member) == []
    assert not AuditEvent.objects.filter(action="bundle.downloaded").exists()


def test_an_owner_opens_a_members_bundle_only_inside_the_owners_scope(cast: Cast) -> None:
    bundle = made(cast.amy)
    assert bundles_of(cast.alice) == [bundle]
    open_bundle(cast.alice, bundle.pk)[1].close()
    Membership.objects.filter(pk=cast.alice.pk).update(limit_families=["viewing"])
    cast.alice.refresh_from_db()
    assert bundles_of(cast.alice) == []
    with pytest.raises(Refused):
        open_bundle(cast.alice, bundle.pk)


def test_a_bundle_that_is_being_made_is_seen_but_not_opened(cast: Cast) -> None:
    bundle = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    assert bundle_for(cast.alice, bundle.pk) == bundle
    with pytest.raises(Refused):
        open_bundle(cast.alice, bundle.pk)


def narrow(cast: Cast, **left: Any) -> None:
    terms = grants.Terms.of(cast.grants["film"])
    narrowing.narrow(cast.grants["film"], replace(terms, **left), by=cast.sam)


def narrow_families(cast: Cast) -> None:
    narrow(cast, families=frozenset({"viewing", "retention", "rewatch"}))


def narrow_territories(cast: Cast) -> None:
    narrow(cast, territories=frozenset({"CN", "SG"}))


def narrow_window(cast: Cast) -> None:
    narrow(cast, data_until=WHOLE.until - timedelta(days=1))


def narrow_exits(cast: Cast) -> None:
    narrow(cast, exits=frozenset({"web", "email", "api"}))


def disable(cast: Cast) -> None:
    User.objects.filter(pk=cast.amy.user_id).update(is_active=False)


def limit(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.amy.pk).update(limit_families=["viewing"])


ENDS = [
    revoke,
    narrow_families,
    narrow_territories,
    narrow_window,
    narrow_exits,
    expire,
    suspend,
    disable,
    limit,
]


@pytest.mark.parametrize("end", ENDS)
def test_a_file_is_dead_at_once_and_gone_with_the_next_purge(
    cast: Cast, storage: Path, end: Callable[[Cast], None]
) -> None:
    """Case 50."""
    bundle = made(cast.amy, [cast.film.pk])
    open_bundle(cast.amy, bundle.pk)[1].close()
    end(cast)
    member = Membership.objects.get(pk=cast.amy.pk)
    with pytest.raises(Refused):
        open_bundle(member, bundle.pk)
    with pytest.raises(Refused):
        bundle_for(member, bundle.pk)
    assert bundles_of(member) == []
    assert len(list(storage.rglob("*.zip"))) == 1
    assert purge() == 1
    assert list(storage.rglob("*.zip")) == []
    assert AuditEvent.objects.get(action="bundle.purged").detail == {"why": "not granted"}


def test_a_revoked_bundle_stays_dead_when_a_grant_comes_back_after_the_purge(cast: Cast) -> None:
    bundle = made(cast.amy, [cast.film.pk])
    revoke(cast)
    purge()
    cast.grant(cast.aurora, cast.film)
    with pytest.raises(Refused):
        open_bundle(cast.amy, bundle.pk)


def test_files_are_kept_thirty_days(cast: Cast, storage: Path) -> None:
    bundle = made(cast.amy)
    Bundle.objects.update(done_at=timezone.now() - timedelta(days=29, hours=23))
    assert purge() == 0
    Bundle.objects.update(done_at=timezone.now() - timedelta(days=30, hours=1))
    assert purge() == 1
    assert list(storage.rglob("*.zip")) == []
    assert bundles_of(cast.amy) == [bundle]  # shown, as no longer kept
    with pytest.raises(Refused):
        open_bundle(cast.amy, bundle.pk)


def test_what_a_dead_worker_left_is_removed_after_an_hour(cast: Cast, storage: Path) -> None:
    kept = made(cast.amy)
    (storage / "ab").mkdir()
    fresh, old = storage / "ab" / ".x.part", storage / "ab" / ("ab" * 32 + ".zip")
    for file in (fresh, old):
        file.write_bytes(b"")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    purge()
    assert not old.exists()
    assert fresh.exists()
    assert (storage / kept.artefact.path).exists()


def test_a_stored_path_cannot_leave_the_storage(cast: Cast, storage: Path) -> None:
    bundle = made(cast.amy)
    (storage.parent / "secret.zip").write_bytes(b"secret")
    bundle.artefact.path = "../secret.zip"
    bundle.artefact.save()
    with pytest.raises(Refused):
        open_bundle(cast.amy, bundle.pk)


def test_without_an_audit_record_no_byte_leaves(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made(cast.amy)

    def fail(*_: object, **__: object) -> None:
        raise OSError("the audit trail is away")

    monkeypatch.setattr("reports.downloads.record", fail)
    with pytest.raises(OSError, match="audit"):
        open_bundle(cast.amy, bundle.pk)


def download(cast: Cast, bundle: Bundle) -> Any:
    """The answer to the browser of the bundle's recipient, its bytes not read yet."""
    path = f"/p/aurora/reports/{bundle.pk}/download/"
    answer = SignedIn(cast.amy.user).get(path)
    assert answer.status_code == 200
    return answer


def test_a_download_leaves_one_record_with_its_bytes(cast: Cast) -> None:
    bundle = made(cast.amy)
    answer = download(cast, bundle)
    assert AuditEvent.objects.filter(action="bundle.downloaded").count() == 1
    content = b"".join(answer.streaming_content)
    event = AuditEvent.objects.get(action="bundle.downloaded")
    assert event.detail["bytes"] == len(content) == int(answer["Content-Length"])
    assert not AuditEvent.objects.filter(action="bundle.cut").exists()


@pytest.mark.parametrize("end", ENDS)
def test_a_right_that_ends_cuts_a_download_that_is_under_way(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, end: Callable[[Cast], None]
) -> None:
    """Case 52. The trail holds how many bytes had left."""
    assert downloads.LOOK_AGAIN_S <= 60
    monkeypatch.setattr(downloads, "LOOK_AGAIN_S", 0)
    monkeypatch.setattr(downloads, "CHUNK", 10)
    bundle = made(cast.amy, [cast.film.pk])
    answer = download(cast, bundle)
    sent = iter(answer.streaming_content)
    assert len(next(sent)) == 10
    assert len(next(sent)) == 10
    end(cast)
    with pytest.raises(Refused):
        next(sent)
    [event] = AuditEvent.objects.filter(action="bundle.cut")
    assert event.detail == {
        "bytes": bundle.artefact.size_bytes,
        "sent": 20,
        "why": "not granted any more",
    }
    assert (event.actor, event.partner) == (cast.amy.user, cast.aurora)


def test_a_reader_who_goes_away_leaves_how_much_they_got(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "CHUNK", 10)
    answer = download(cast, made(cast.amy))
    next(iter(answer.streaming_content))
    answer._iterator.close()  # as the server closes it when the line is gone
    [event] = AuditEvent.objects.filter(action="bundle.cut")
    assert (event.detail["sent"], event.detail["why"]) == (10, "the reader went away")
