"""P15. The mail of a bundle against a real SMTP server that answers as told."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from engagement.scope import Window
from partners.models import AuditEvent, Membership, User
from reports import jobs
from reports.build import build
from reports.deliver import send
from reports.links import follow
from reports.models import Delivery
from reports.plan import ask_bundle
from tests.background import Mailbox
from tests.cast import CANARY, DAY, DAYS, Cast, make_cast
from tests.files import without_rendering
from tests.reports.ends import expire, revoke, suspend

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))


@pytest.fixture(autouse=True)
def quick(settings: object, storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle's content does not matter here: no PDF is rendered."""
    without_rendering(monkeypatch)


def queued(member: Membership, **asked: object) -> Delivery:
    values = {"titles": None, "window": WHOLE, "language": "en", **asked}
    bundle = ask_bundle(membership=member, **values)  # type: ignore[arg-type]
    assert build(bundle.pk)
    return Delivery.objects.get(bundle=bundle)


def due_now(delivery: Delivery) -> Delivery:
    Delivery.objects.filter(pk=delivery.pk).update(due_at=timezone.now())
    return delivery


def now(delivery: Delivery) -> tuple[str, str, int]:
    delivery.refresh_from_db()
    return delivery.state, delivery.failure, delivery.attempts


def test_the_mail_has_a_link_one_recipient_and_figures_only_in_the_file(
    cast: Cast, mailbox: Mailbox
) -> None:
    delivery = queued(cast.alice)
    assert send(delivery.pk)
    assert now(delivery) == ("done", "", 1)
    assert delivery.sent_at is not None
    [mail] = mailbox.messages
    assert mail["To"] == "alice@example.com"
    assert mail["Cc"] is None
    assert mail["Reply-To"] is None
    assert mail["Message-ID"] == delivery.message_id
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"].strip() == "Dailies：极光影业的数据包已备好"
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        text = part.get_content()
        [link] = re.findall(r"http://localhost:8000/mail/report/([^/\s]+)/", text)
        assert follow(link).bundle == f"/p/aurora/reports/{delivery.bundle_id}/"
        assert str(CANARY) not in text
        assert "2026年1月10日" in text
    [file] = mail.iter_attachments()
    assert file.get_content() == str(delivery.bundle_id).encode()
    assert file.get_filename() == delivery.bundle.artefact.name
    [event] = AuditEvent.objects.filter(action="bundle.mailed")
    assert event.target == str(delivery.bundle_id)


def test_the_mail_is_in_the_recipients_language_whatever_the_bundles(
    cast: Cast, mailbox: Mailbox
) -> None:
    User.objects.filter(pk=cast.alice.user_id).update(language="en")
    delivery = queued(cast.alice, language="zh-hans")
    assert send(delivery.pk)
    [mail] = mailbox.messages
    assert mail["Subject"] == "Dailies: the bundle for Aurora is ready"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "Period: 1 January 2026 to 10 January 2026" in text.get_content()


def test_a_name_cannot_write_headers_or_markup(cast: Cast, mailbox: Mailbox) -> None:
    cast.aurora.name_zh = "极光\r\nBcc: bob@example.com <b>&amp;"
    cast.aurora.save()
    assert send(queued(cast.alice).pk)
    [mail] = mailbox.messages
    assert mail["Bcc"] is None
    html = mail.get_body(("html",))
    assert html is not None
    assert "<b>" not in html.get_content()


def test_sending_twice_sends_once(cast: Cast, mailbox: Mailbox) -> None:
    delivery = queued(cast.alice)
    assert send(delivery.pk)
    assert not send(delivery.pk)
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("answer", ["421 try later", "451 greylisted", "452 full"])
def test_a_4xx_is_tried_again_with_the_same_message_id(
    cast: Cast, mailbox: Mailbox, answer: str
) -> None:
    mailbox.script.append(answer)
    delivery = queued(cast.alice)
    assert not send(delivery.pk)
    assert now(delivery) == ("queued", "trouble", 1)
    assert answer in delivery.problem
    assert delivery.due_at - timezone.now() > timedelta(seconds=10)
    assert not send(delivery.pk)  # not due yet
    assert send(due_now(delivery).pk)
    assert now(delivery) == ("done", "", 2)
    assert [m["Message-ID"] for m in mailbox.messages] == [delivery.message_id]


@pytest.mark.parametrize("answer", ["550 no such user", "554 refused"])
def test_a_5xx_fails_this_recipient_and_no_other(cast: Cast, mailbox: Mailbox, answer: str) -> None:
    mailbox.script.append(("RCPT", answer))
    refused, other = queued(cast.alice), queued(cast.amy)
    assert not send(refused.pk)
    assert now(refused) == ("failed", "rejected", 1)
    assert answer in refused.problem
    assert send(other.pk)
    assert [m["To"] for m in mailbox.messages] == ["amy@example.com"]


def test_a_message_refused_with_5xx_after_data_has_failed(cast: Cast, mailbox: Mailbox) -> None:
    mailbox.script.append("554 not such a message")
    delivery = queued(cast.alice)
    assert not send(delivery.pk)
    assert now(delivery) == ("failed", "rejected", 1)


@pytest.mark.parametrize("answer", ["hang", "drop"])
def test_silence_after_data_is_unknown_and_not_sent_again(
    cast: Cast, mailbox: Mailbox, answer: str
) -> None:
    mailbox.script.append(answer)
    delivery = queued(cast.alice)
    assert not send(delivery.pk)
    assert now(delivery) == ("unknown", "uncertain", 1)
    jobs.sweep()
    assert not send(due_now(delivery).pk)
    assert now(delivery) == ("unknown", "uncertain", 1)
    assert len(mailbox.messages) == (1 if answer == "hang" else 0)


def test_a_server_that_is_away_is_tried_again(cast: Cast, mailbox: Mailbox) -> None:
    delivery = queued(cast.alice)
    mailbox.close()
    assert not send(delivery.pk)
    assert now(delivery) == ("queued", "trouble", 1)
    assert "ConnectionRefusedError" in delivery.problem


def test_after_a_day_of_trying_it_has_failed(cast: Cast, mailbox: Mailbox) -> None:
    delivery = queued(cast.alice)
    Delivery.objects.update(made_at=timezone.now() - timedelta(days=1))
    mailbox.script.append("451 greylisted")
    assert not send(delivery.pk)
    assert now(delivery) == ("failed", "broken", 1)


def test_a_server_without_the_encryption_asked_for_gets_nothing(
    cast: Cast, mailbox: Mailbox, settings: object
) -> None:
    settings.EMAIL_USE_TLS = True  # type: ignore[attr-defined]
    delivery = queued(cast.alice)
    assert not send(delivery.pk)
    assert now(delivery) == ("queued", "trouble", 1)
    assert mailbox.messages == []


def narrow(cast: Cast) -> None:
    revoke(cast)
    cast.grant(cast.aurora, cast.film, families=["viewing"])


def disable(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.user_id).update(is_active=False)


def limit(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.alice.pk).update(limit_titles=[])


@pytest.mark.parametrize("end", [revoke, narrow, expire, suspend, disable, limit])
def test_queued_mail_of_ended_access_is_cancelled(
    cast: Cast, mailbox: Mailbox, end: object
) -> None:
    delivery = queued(cast.alice, titles=[cast.film.pk])
    end(cast)  # type: ignore[operator]
    assert not send(delivery.pk)
    assert now(delivery) == ("cancelled", "refused", 1)
    assert mailbox.messages == []


def test_access_that_ends_while_the_server_is_spoken_to_stops_the_mail(
    cast: Cast, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = queued(cast.alice, titles=[cast.film.pk])
    from reports.deliver import Conversation

    opened = Conversation.open

    def open_and_revoke(server: Conversation) -> object:
        revoke(cast)
        return opened(server)

    monkeypatch.setattr(Conversation, "open", open_and_revoke)
    assert not send(delivery.pk)
    assert now(delivery) == ("cancelled", "refused", 1)
    assert mailbox.messages == []


# --- the audit trail ------------------------------------------------------------------------------
def told() -> list[tuple[str, str]]:
    """Of mails: each action, and the outcome where the record has one."""
    events = AuditEvent.objects.filter(action__in=["bundle.mailed", "mail.failed"]).order_by("pk")
    return [(e.action, e.detail.get("outcome", "")) for e in events]


@pytest.mark.django_db(transaction=True)
def test_a_mail_is_in_the_trail_before_its_first_byte_leaves(
    transactional_db: None, mailbox: Mailbox
) -> None:
    """Case 80: seen from another connection, as the server hears DATA and has none of it yet."""
    delivery = queued(make_cast().alice)
    name = connection.settings_dict["NAME"]
    host = connection.get_connection_params().get("host")
    seen: list[object] = []

    def look() -> None:
        with psycopg.connect(dbname=name, host=host, user="dailies_owner") as other:
            mailed = "SELECT count(*) FROM partners_auditevent WHERE action = 'bundle.mailed'"
            state = "SELECT state FROM reports_delivery"
            seen.extend(other.execute(sql).fetchone()[0] for sql in (mailed, state))  # type: ignore[index]

    mailbox.on_data_command = look
    assert send(delivery.pk)
    assert seen == [1, "sending"]
    assert told() == [("bundle.mailed", "")]


def test_without_a_record_of_it_no_mail_leaves(cast: Cast, mailbox: Mailbox) -> None:
    """Case 81, the outage, of mails: it waits for the trail."""
    delivery = queued(cast.alice)
    heard: list[int] = []
    mailbox.on_data_command = lambda: heard.append(1)
    with connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON partners_auditevent FROM dailies_worker")
    assert not send(delivery.pk)
    assert now(delivery) == ("queued", "trouble", 1)
    assert (heard, mailbox.messages) == ([], [])
    with connection.cursor() as cursor:
        cursor.execute("GRANT INSERT ON partners_auditevent TO dailies_worker")
    assert send(due_now(delivery).pk)
    assert (heard, len(mailbox.messages), told()) == ([1], 1, [("bundle.mailed", "")])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 greylisted", "queued"), ("554 refused", "failed"), ("drop", "unknown")],
)
def test_a_mail_that_did_not_arrive_is_in_the_trail_as_well(
    cast: Cast, mailbox: Mailbox, answer: str, outcome: str
) -> None:
    mailbox.script.append(answer)
    delivery = queued(cast.alice)
    assert not send(delivery.pk)
    assert told() == [("bundle.mailed", ""), ("mail.failed", outcome)]
    event = AuditEvent.objects.get(action="mail.failed")
    assert (event.partner, event.target) == (cast.aurora, str(delivery.bundle_id))
    assert event.detail == {"outcome": outcome}


def test_a_mail_that_never_got_to_leave_is_in_no_record(cast: Cast, mailbox: Mailbox) -> None:
    mailbox.script.append(("RCPT", "550 no such user"))
    assert not send(queued(cast.alice).pk)
    assert told() == []


def test_a_worker_lost_while_sending_leaves_it_unknown(cast: Cast, mailbox: Mailbox) -> None:
    delivery = queued(cast.alice)
    claim = jobs.claim(Delivery, delivery.pk)
    assert claim is not None
    assert jobs.advance(claim, Delivery.State.SENDING)
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.sweep()
    assert now(delivery) == ("unknown", "uncertain", 1)
    assert delivery.leases_lost == 1
    assert told() == [("mail.failed", "unknown")]


def test_a_worker_lost_before_sending_leaves_it_to_the_next(cast: Cast, mailbox: Mailbox) -> None:
    delivery = queued(cast.alice)
    assert jobs.claim(Delivery, delivery.pk) is not None
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.sweep()
    assert now(delivery) == ("queued", "trouble", 1)
    assert send(due_now(delivery).pk)


def test_a_job_that_loses_three_workers_is_parked_with_the_reason(cast: Cast) -> None:
    delivery = queued(cast.alice)
    for lost in (1, 2, 3):
        assert jobs.claim(Delivery, due_now(delivery).pk) is not None
        Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
        assert now(delivery)[0] == ("failed" if lost == 3 else "queued")
    assert delivery.failure == "broken"
    assert delivery.problem == "the worker was lost 3 time(s), last at: sending"
