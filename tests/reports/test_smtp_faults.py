"""Fault 16: the mail server fails at each step of the conversation; nothing is lost or doubled."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from reports.deliver import send
from reports.models import Delivery
from tests.background import Mailbox
from tests.cast import Cast
from tests.files import without_rendering
from tests.mailing import due_now, state_of, waiting

CODES = ["421 closing", "450 busy", "452 full", "550 no such user", "552 too large", "554 refused"]


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


@contextmanager
def saying(settings: Settings, *pieces: bytes, every: float = 0.0) -> Iterator[None]:
    """A server that says these pieces to whoever connects and then nothing any more."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def talk() -> None:
        line, _ = listener.accept()
        with line:
            for piece in pieces:
                try:
                    line.sendall(piece)
                except OSError:
                    return
                if over.wait(every):
                    return
            over.wait(10)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    was, settings.EMAIL_PORT = settings.EMAIL_PORT, listener.getsockname()[1]
    timeout, settings.EMAIL_TIMEOUT = settings.EMAIL_TIMEOUT, 1
    try:
        yield
    finally:
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = was, timeout
        over.set()
        listener.close()
        thread.join(5)


def test_fault_16_each_answer_at_each_step_ends_as_it_must(cast: Cast, mailbox: Mailbox) -> None:
    """4xx: queued again; 5xx: failed for that recipient alone, but for a size without the file."""
    delivery, other = waiting(cast.alice, cast.amy)
    message_id = delivery.message_id
    for step in ("MAIL", "RCPT", "DATA", "the end"):
        for answer in CODES:
            Delivery.objects.filter(pk=delivery.pk).update(
                state="queued", failure="", problem="", attempts=0
            )
            mailbox.script.append(answer if step == "the end" else (step, answer))
            assert not send(due_now(delivery).pk), (step, answer)
            again = answer.startswith("4") or (answer.startswith("552") and step != "RCPT")
            expected = ("queued", "trouble", 1) if again else ("failed", "rejected", 1)
            assert state_of(delivery) == expected, (step, answer)
            assert answer in delivery.problem
    assert mailbox.messages == []
    assert send(other.pk)
    assert [m["To"] for m in mailbox.messages] == ["amy@example.com"]
    Delivery.objects.filter(pk=delivery.pk).update(state="queued", problem="")
    assert send(due_now(delivery).pk)
    assert mailbox.messages[-1]["Message-ID"] == message_id


@pytest.mark.parametrize("said", [b"421 not now\r\n", b"554 go away\r\n", b"", b"220 mx\r\n"])
def test_fault_16_before_data_silence_and_a_refusal_of_ours_are_tried_again(
    cast: Cast, mailbox: Mailbox, settings: Settings, said: bytes
) -> None:
    """A greeting is about us, not about the recipient: 554 there is not final."""
    [delivery] = waiting(cast.alice)
    with saying(settings, said):
        assert not send(delivery.pk)
    assert state_of(delivery) == ("queued", "trouble", 1)
    assert send(due_now(delivery).pk)
    assert len(mailbox.messages) == 1


def test_fault_16_a_slow_drip_ends_with_the_line_and_is_tried_again(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    [delivery] = waiting(cast.alice)
    start = time.monotonic()
    drip = [bytes([c]) for c in b"220 mx"] + [b"x"] * 3
    with saying(settings, *drip, every=0.2):
        assert not send(delivery.pk)
    assert time.monotonic() - start < 60
    assert state_of(delivery) == ("queued", "trouble", 1)
    assert send(due_now(delivery).pk)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], "queued"),
        ([b"220 mx\r\n", *[b"250 ok\r\n"] * 3, b"354 go on\r\n"], "unknown"),
    ],
)
def test_fault_16_a_server_that_never_ends_its_answer_is_cut_off(
    cast: Cast, mailbox: Mailbox, settings: Settings, said: list[bytes], state: str
) -> None:
    """Never silent for as long as the time-out: only the whole mail's deadline ends it."""
    [delivery] = waiting(cast.alice)
    settings.EMAIL_DEADLINE = 8 if said else 2  # a busy machine must get to the message by then
    start = time.monotonic()
    with saying(settings, *said, *[b"250-and\r\n"] * 600, every=0.1):
        assert not send(delivery.pk)
    assert time.monotonic() - start < 50  # the server goes on for a minute
    assert state_of(delivery)[0] == state
    if state == "queued":
        assert send(due_now(delivery).pk)
    else:
        assert not send(delivery.pk)  # nobody knows whether it arrived: never by itself again
    assert len(mailbox.messages) == (state == "queued")


def test_fault_16_a_failed_tls_handshake_sends_nothing_in_plain_text(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    [delivery] = waiting(cast.alice)
    settings.EMAIL_USE_SSL = True
    assert not send(delivery.pk)  # the server speaks no TLS
    assert state_of(delivery) == ("queued", "trouble", 1)
    assert mailbox.messages == []
    settings.EMAIL_USE_SSL = False
    assert send(due_now(delivery).pk)


def test_fault_17_one_poison_recipient_leaves_the_others_alone(
    cast: Cast, mailbox: Mailbox
) -> None:
    deliveries = waiting(cast.alice, cast.amy, cast.victor)
    mailbox.script.append("hang")
    assert [send(d.pk) for d in deliveries] == [False, True, True]
    assert [state_of(d)[0] for d in deliveries] == ["unknown", "done", "done"]
    assert len({m["Message-ID"] for m in mailbox.messages}) == 3
