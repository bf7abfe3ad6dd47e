"""Which mail has the file itself: where the exit `email` covers all of it, and it is small."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from partners import grants
from partners.models import AuditEvent
from reports.deliver import Conversation, send
from reports.models import Artefact
from tests.background import Mailbox
from tests.cast import Cast
from tests.files import without_rendering
from tests.mailing import due_now, state_of, waiting


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


def files(mailbox: Mailbox) -> list[list[bytes]]:
    return [[f.get_content() for f in m.iter_attachments()] for m in mailbox.messages]


def without_mail(cast: Cast) -> None:
    """The film may be exported, but leaves by no mail any more."""
    grants.revoke(cast.grants["film"], by=cast.sam)
    cast.grant(cast.aurora, cast.film, exits=["web", "export"])


def test_a_file_that_may_leave_by_mail_does_and_is_recorded(cast: Cast, mailbox: Mailbox) -> None:
    _, delivery = waiting(cast.alice, cast.victor)  # a viewer, to whom it is delivered
    assert send(delivery.pk)
    delivery.refresh_from_db()
    assert files(mailbox) == [[str(delivery.bundle_id).encode()]]
    assert delivery.attached
    event = AuditEvent.objects.get(action="bundle.mailed")
    assert event.detail["attached"] == delivery.bundle.artefact.sha256


def test_one_title_that_is_not_granted_for_mail_keeps_the_file_back(
    cast: Cast, mailbox: Mailbox
) -> None:
    without_mail(cast)
    [delivery] = waiting(cast.alice)
    assert send(delivery.pk)
    delivery.refresh_from_db()
    assert files(mailbox) == [[]]
    assert not delivery.attached
    body = mailbox.messages[0].get_body(("plain",))
    assert body is not None
    assert "/mail/report/" in body.get_content()
    assert "attached" not in AuditEvent.objects.get(action="bundle.mailed").detail


def test_a_right_to_mail_that_ends_while_the_server_is_spoken_to_keeps_the_file_back(
    cast: Cast, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    [delivery] = waiting(cast.alice)
    opened = Conversation.open

    def open_and_narrow(server: Conversation) -> object:
        monkeypatch.setattr(Conversation, "open", opened)
        without_mail(cast)
        return opened(server)

    monkeypatch.setattr(Conversation, "open", open_and_narrow)
    assert not send(delivery.pk)
    assert state_of(delivery) == ("queued", "trouble", 1)
    assert mailbox.messages == []
    assert not AuditEvent.objects.filter(action="bundle.mailed").exists()
    assert send(due_now(delivery).pk)
    assert files(mailbox) == [[]]


def test_fault_17_a_bundle_of_40_megabytes_is_a_link_not_a_silent_drop(
    cast: Cast, mailbox: Mailbox
) -> None:
    [delivery] = waiting(cast.alice)
    Artefact.objects.update(size_bytes=40_000_000)
    assert send(delivery.pk)
    assert state_of(delivery) == ("done", "", 1)
    assert files(mailbox) == [[]]


def test_fault_17_the_size_is_the_settings_to_the_byte(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    settings.ATTACH_MOST_MB = 3
    small, large = waiting(cast.alice, cast.amy)
    Artefact.objects.filter(bundle=small.bundle).update(size_bytes=3_000_000)
    Artefact.objects.filter(bundle=large.bundle).update(size_bytes=3_000_001)
    assert send(small.pk)
    assert send(large.pk)
    assert [len(of_mail) for of_mail in files(mailbox)] == [1, 0]


@pytest.mark.parametrize("stage", ["MAIL", "DATA"])
def test_fault_17_a_server_that_takes_no_such_size_gets_the_link(
    cast: Cast, mailbox: Mailbox, stage: str
) -> None:
    [delivery] = waiting(cast.alice)
    answer = "552 5.3.4 message size exceeds limit"
    mailbox.script.append((stage, answer) if stage == "MAIL" else answer)
    assert not send(delivery.pk)
    assert state_of(delivery) == ("queued", "trouble", 1)
    assert send(due_now(delivery).pk)
    assert files(mailbox) == [[]]
    assert state_of(delivery) == ("done", "", 2)
