"""Mails that came back: `record_bounces` reads RFC 3464 from whoever writes it."""

from __future__ import annotations

import io
import mailbox as mailboxes
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from partners.models import AuditEvent
from reports.bounces import MOST_BYTES, bounces_in
from reports.deliver import send
from reports.ledger import State, lines_of
from reports.models import Delivery
from tests.background import Mailbox
from tests.cast import Cast
from tests.files import without_rendering
from tests.mailing import state_of, waiting


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


def notification(message_id: str, *, action: str = "failed", returned: str = "headers") -> bytes:
    """As Postfix writes it (RFC 3464, 3461 and 6522)."""
    headers = f"From: no-reply@localhost\nMessage-ID:\n {message_id}\nSubject: a report"
    third = {
        "headers": f"Content-Type: text/rfc822-headers\n\n{headers}\n",
        "message": f"Content-Type: message/rfc822\n\n{headers}\n\nThe text.\n",
    }[returned]
    text = f"""\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: no-reply@localhost
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; alice@example.com
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <alice@example.com>:
    Recipient address rejected: User unknown

--B
{third}
--B--
"""
    return text.replace("\n", "\r\n").encode()


def record(path: Path | str = "-") -> str:
    out = io.StringIO()
    call_command("record_bounces", str(path), stdout=out)
    return out.getvalue().strip()


def sent(cast: Cast) -> Delivery:
    [delivery] = waiting(cast.alice)
    assert send(delivery.pk)
    return delivery


@pytest.mark.parametrize("returned", ["headers", "message"])
def test_a_mail_that_came_back_is_marked_with_the_servers_words(
    cast: Cast, mailbox: Mailbox, tmp_path: Path, returned: str
) -> None:
    delivery = sent(cast)
    path = tmp_path / "bounce.eml"
    path.write_bytes(notification(delivery.message_id, returned=returned))
    assert record(path) == "1 read, 1 marked as bounced"
    assert state_of(delivery) == ("bounced", "rejected", 1)
    assert delivery.bounced_at is not None
    assert delivery.problem == (
        "5.1.1 smtp; 550 5.1.1 <alice@example.com>: Recipient address rejected: User unknown"
    )
    [line] = lines_of(cast.alice)
    assert (line.state, line.at, line.may_go_again) == (State.BOUNCED, delivery.bounced_at, True)
    assert record(path) == "1 read, 0 marked as bounced"
    event = AuditEvent.objects.get(action="mail.bounced")
    assert (event.partner, event.target) == (cast.aurora, str(delivery.bundle_id))


def test_it_is_read_from_a_pipe_and_from_a_maildir(
    cast: Cast, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, other = waiting(cast.alice, cast.amy)
    for each in (delivery, other):
        assert send(each.pk)
    piped = io.BytesIO(notification(delivery.message_id))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=piped))
    assert record() == "1 read, 1 marked as bounced"
    folder = mailboxes.Maildir(tmp_path / "Maildir")
    folder.add(b"Subject: holiday\n\nI am away.\n")
    folder.add(notification(other.message_id))
    assert record(tmp_path / "Maildir") == "2 read, 1 marked as bounced"
    assert {state_of(each)[0] for each in (delivery, other)} == {"bounced"}


def test_one_that_is_only_late_or_unknown_to_us_changes_nothing(
    cast: Cast, mailbox: Mailbox, tmp_path: Path
) -> None:
    delivery = sent(cast)
    path = tmp_path / "bounce.eml"
    for content in (
        notification(delivery.message_id, action="delayed"),
        notification(delivery.message_id, action="delivered"),
        notification(delivery.message_id.replace("<", "<x")),
        notification(""),
        b"Message-ID: " + delivery.message_id.encode() + b"\n\nNo report.\n",
    ):
        path.write_bytes(content)
        assert record(path) == "1 read, 0 marked as bounced"
    assert state_of(delivery) == ("done", "", 1)


def test_a_mail_that_has_not_left_cannot_come_back(
    cast: Cast, mailbox: Mailbox, tmp_path: Path
) -> None:
    [delivery] = waiting(cast.alice)
    path = tmp_path / "bounce.eml"
    path.write_bytes(notification(delivery.message_id))
    assert record(path) == "1 read, 0 marked as bounced"
    assert state_of(delivery) == ("queued", "", 0)


def test_one_that_was_unknown_is_known_to_have_come_back(
    cast: Cast, mailbox: Mailbox, tmp_path: Path
) -> None:
    [delivery] = waiting(cast.alice)
    mailbox.script.append("drop")
    assert not send(delivery.pk)
    path = tmp_path / "bounce.eml"
    path.write_bytes(notification(delivery.message_id))
    assert record(path) == "1 read, 1 marked as bounced"


def test_a_file_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        record(tmp_path / "absent")


WHOLE = notification("<a@b>")


@given(cut=st.integers(0, len(WHOLE)), noise=st.binary(max_size=60), at=st.integers(0, len(WHOLE)))
def test_whatever_strangers_write_is_read_without_a_fault(cut: int, noise: bytes, at: int) -> None:
    for content in (WHOLE[:cut], WHOLE[:at] + noise + WHOLE[at:], noise):
        for bounce in bounces_in(content):
            assert len(bounce.words) <= 500
            assert len(bounce.message_id) <= 400 or "\n" not in bounce.words


def test_what_is_huge_or_deep_ends_soon() -> None:
    deep = b"".join(
        b'Content-Type: multipart/report; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(2000)
    )
    assert bounces_in(deep) == []
    returned = notification("<a@b>", returned="message") + b"x" * (5 * MOST_BYTES)
    assert [b.message_id for b in bounces_in(returned)] == ["<a@b>"]
    many = WHOLE.replace(b"--B--", b"--B\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 5000)
    assert len(bounces_in(many)) == 1
