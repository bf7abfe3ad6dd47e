"""The delivery ledger: a line for each (schedule, period, recipient), and sending one again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone, translation

from engagement.scope import Refused
from partners import grants
from partners.models import AuditEvent
from reports import jobs
from reports.build import build
from reports.deliver import send
from reports.ledger import Line, State, lines_of
from reports.models import Bundle, Delivery, Run
from reports.resending import CannotResend, resend, resend_for
from reports.runs import make_runs
from tests.background import Mailbox
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.files import without_rendering
from tests.mailing import WEDNESDAY, due_now, run_of, schedule_for, state_of, waiting

PAGE = "/p/aurora/reports/deliveries/"


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


def told(lines: list[Line]) -> dict[str, State]:
    assert len({line.recipient for line in lines}) == len(lines)
    return {line.recipient.user.name.lower(): line.state for line in lines}


def test_p15_a_line_goes_from_queued_to_sent(cast: Cast, mailbox: Mailbox) -> None:
    [bundle] = run_of(schedule_for(cast.alice))
    states = [told(lines_of(cast.alice))]
    assert build(bundle.pk)
    states.append(told(lines_of(cast.alice)))
    delivery = Delivery.objects.get(bundle=bundle)
    assert send(delivery.pk)
    [line] = lines_of(cast.alice)
    states.append(told([line]))
    assert [s["alice"] for s in states] == [State.QUEUED, State.BUILT, State.SENT]
    delivery.refresh_from_db()
    assert (line.at, line.attempts, line.advice) == (delivery.sent_at, 1, "")
    assert not line.may_go_again


def test_p15_each_end_has_its_word_and_says_what_is_to_be_done(
    cast: Cast, mailbox: Mailbox
) -> None:
    for_alice, for_amy, for_victor = waiting(cast.alice, cast.amy, cast.victor)
    mailbox.script.append(("RCPT", "550 no such user"))
    assert not send(for_alice.pk)
    mailbox.script.append("drop")
    assert not send(for_amy.pk)
    mailbox.script.append("451 greylisted")
    assert not send(for_victor.pk)
    lines = lines_of(cast.alice)
    assert told(lines) == {"alice": State.FAILED, "amy": State.UNKNOWN, "victor": State.BUILT}
    for line in lines:
        assert line.advice
        assert "550" not in str(line.reason)  # the server's words are for staff
        assert line.may_go_again == (line.state != State.BUILT)
    cast.grants["film"].refresh_from_db()
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert not send(due_now(for_victor).pk)
    assert told(lines_of(cast.alice))["victor"] == State.REFUSED


def test_p15_a_run_that_waits_or_was_skipped_has_a_line_for_each_recipient(cast: Cast) -> None:
    schedule = schedule_for(cast.alice, cast.amy)
    assert make_runs(WEDNESDAY) == 1
    Bundle.objects.all().delete()
    later = timezone.now() + timedelta(hours=2)
    for changed, state in (
        ({"held_until": later}, State.HELD),
        ({"held_until": None, "skipped": True}, State.SKIPPED),
    ):
        Run.objects.filter(schedule=schedule).update(**changed)
        assert told(lines_of(cast.alice)) == {"alice": state, "amy": state}
        assert lines_of(cast.amy) == []  # not hers, and nothing of hers was made


def test_an_owner_reads_all_lines_a_member_their_own_a_stranger_none(
    cast: Cast, mailbox: Mailbox
) -> None:
    waiting(cast.alice, cast.amy, cast.victor)
    assert len(lines_of(cast.alice)) == 3
    assert told(lines_of(cast.amy)) == {"amy": State.BUILT}
    assert told(lines_of(cast.victor)) == {"victor": State.BUILT}
    assert lines_of(cast.bob) == lines_of(cast.cleo) == []
    schedule = Run.objects.get().schedule_id
    assert len(lines_of(cast.alice, schedule_id=schedule)) == 3
    assert lines_of(cast.bob, schedule_id=schedule) == []


def test_the_page_shows_the_lines_by_schedule_and_by_state(cast: Cast, mailbox: Mailbox) -> None:
    failed, _ = waiting(cast.alice, cast.amy)
    mailbox.script.append(("RCPT", "550 5.1.1 mx7.internal: no such user"))
    assert not send(failed.pk)
    alice = SignedIn(cast.alice.user)
    page = alice.get(PAGE).content.decode()
    for said in ("Weekly", "Alice", "Amy", "Failed", "The mail server refused the message.",
                 "Send again"):  # fmt: skip
        assert said in page, said
    assert "mx7" not in page
    trouble = alice.get(PAGE, {"state": "trouble"}).content.decode()
    rows = trouble.split("<tbody>")[1]
    assert "Alice" in rows
    assert "Amy" not in rows
    schedule = Run.objects.get().schedule_id
    assert "Amy" in alice.get(PAGE, {"schedule": str(schedule)}).content.decode()
    assert "No delivery like that." in alice.get(PAGE, {"state": "skipped"}).content.decode()
    own = SignedIn(cast.victor.user).get(PAGE).content.decode()
    assert "Send again" not in own.split("<h1>")[1].replace('<span class="sr">Send again', "")


# --- sending one again ---------------------------------------------------------------------------
@pytest.mark.parametrize("end", ["failed", "unknown", "bounced"])
def test_p15_a_person_sends_one_again_in_the_same_row_under_the_same_message_id(
    cast: Cast, mailbox: Mailbox, end: str
) -> None:
    delivery, other = waiting(cast.alice, cast.amy)
    mailbox.script.append({"failed": ("RCPT", "550 no"), "unknown": "hang"}.get(end, "250 OK"))
    send(delivery.pk)
    if end == "bounced":
        Delivery.objects.filter(pk=delivery.pk).update(state="bounced", bounced_at=timezone.now())
    assert state_of(delivery)[0] == end
    heard = len(mailbox.messages)
    answer = SignedIn(cast.alice.user).post(
        f"/p/aurora/reports/{delivery.bundle_id}/resend/", {"next": f"{PAGE}?state=trouble"}
    )
    assert answer.headers["Location"] == f"{PAGE}?state=trouble"
    assert send(delivery.pk)
    assert state_of(delivery) == ("done", "", 2)
    assert (delivery.resent_by, delivery.bounced_at) == (cast.alice.user, None)
    assert Delivery.objects.filter(bundle=delivery.bundle).count() == 1
    [mail] = mailbox.messages[heard:]
    assert mail["Message-ID"] == delivery.message_id
    event = AuditEvent.objects.get(action="bundle.resent")
    assert (event.actor, event.target) == (cast.alice.user, str(delivery.bundle_id))
    assert event.detail == {"was": end, "recipient": str(cast.alice.user_id)}
    assert state_of(other) == ("queued", "", 0)


def test_what_arrived_or_still_waits_is_not_sent_again(cast: Cast, mailbox: Mailbox) -> None:
    sent, waits = waiting(cast.alice, cast.amy)
    assert send(sent.pk)
    for delivery in (sent, waits):
        with pytest.raises(CannotResend):
            resend_for(cast.alice, delivery.bundle_id)
    assert len(mailbox.messages) == 1
    assert not AuditEvent.objects.filter(action="bundle.resent").exists()


def test_p15_the_rights_are_looked_at_anew(cast: Cast, mailbox: Mailbox) -> None:
    [delivery] = waiting(cast.alice)
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert not send(delivery.pk)
    assert state_of(delivery) == ("cancelled", "refused", 1)
    with translation.override("en"), pytest.raises(CannotResend, match="not granted"):
        resend_for(cast.alice, delivery.bundle_id)
    cast.grant(cast.aurora, cast.film)
    resend_for(cast.alice, delivery.bundle_id)
    assert send(delivery.pk)
    assert [m["To"] for m in mailbox.messages] == ["alice@example.com"]


def test_a_right_that_ends_after_somebody_sent_it_again_stops_it(
    cast: Cast, mailbox: Mailbox
) -> None:
    [delivery] = waiting(cast.alice)
    mailbox.script.append(("RCPT", "550 no"))
    assert not send(delivery.pk)
    resend_for(cast.alice, delivery.bundle_id)
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert not send(delivery.pk)
    assert state_of(delivery)[0] == "cancelled"
    assert mailbox.messages == []


def test_only_the_schedules_owner_and_staff_send_again(cast: Cast, mailbox: Mailbox) -> None:
    _, delivery = waiting(cast.alice, cast.amy)
    mailbox.script.append(("RCPT", "550 no"))
    assert not send(delivery.pk)
    for member in (cast.amy, cast.victor, cast.bob, cast.cleo):
        with pytest.raises(Refused):
            resend_for(member, delivery.bundle_id)
    resend(delivery.bundle, by=cast.stella)
    assert send(delivery.pk)
    assert AuditEvent.objects.get(action="bundle.resent").actor == cast.stella


def test_staff_send_again_from_the_list(cast: Cast, mailbox: Mailbox) -> None:
    [delivery] = waiting(cast.alice)
    mailbox.script.append("drop")
    assert not send(delivery.pk)
    stella = SignedIn(cast.stella)
    asked: dict[str, Any] = {"action": "send_again", "_selected_action": [str(delivery.pk)]}
    page = stella.post("/admin/reports/delivery/", asked, follow=True).content.decode()
    assert "1 mail is sent again." in page
    assert state_of(delivery)[0] == "queued"


def test_what_was_sent_again_is_tried_for_a_day_from_then(cast: Cast, mailbox: Mailbox) -> None:
    [delivery] = waiting(cast.alice)
    Delivery.objects.update(made_at=timezone.now() - timedelta(days=3), state="failed")
    resend_for(cast.alice, delivery.bundle_id)
    mailbox.script.append("451 greylisted")
    assert not send(delivery.pk)
    assert state_of(delivery)[0] == "queued"


def test_a_bundle_that_could_not_be_made_is_made_again(cast: Cast) -> None:
    [bundle] = run_of(schedule_for(cast.alice))
    claim = jobs.claim(Bundle, bundle.pk)
    assert claim is not None
    assert jobs.finish(claim, Bundle.State.FAILED, Bundle.Failure.BROKEN, "poisoned")
    [line] = lines_of(cast.alice)
    assert (line.state, line.may_go_again) == (State.FAILED, True)
    resend_for(cast.alice, bundle.pk)
    assert build(bundle.pk)
    assert told(lines_of(cast.alice)) == {"alice": State.BUILT}


# --- the inbox -----------------------------------------------------------------------------------
def test_what_was_sent_to_me_is_new_until_i_have_opened_it(cast: Cast, mailbox: Mailbox) -> None:
    """By its page or by its file; that an owner looks at it does not count."""
    for_amy = waiting(cast.alice, cast.amy)[1]
    new = '<span class="tag new">'
    amy, alice = SignedIn(cast.amy.user), SignedIn(cast.alice.user)
    inbox, page = "/p/aurora/reports/", f"/p/aurora/reports/{for_amy.bundle_id}/"
    assert alice.get(page).status_code == 200
    assert amy.get(inbox).content.decode().count(new) == 1
    assert amy.get(page).status_code == 200
    assert new not in amy.get(inbox).content.decode()
    assert alice.get(inbox).content.decode().count(new) == 1  # her own, not Amy's
    [own] = Bundle.objects.filter(recipient=cast.alice)
    b"".join(alice.get(f"/p/aurora/reports/{own.pk}/download/").streaming_content)
    assert new not in alice.get(inbox).content.decode()


def test_an_inbox_says_that_the_mail_did_not_arrive_in_words(cast: Cast, mailbox: Mailbox) -> None:
    for_amy = waiting(cast.alice, cast.amy)[1]
    mailbox.script.append(("RCPT", "550 mx7.internal: no"))
    assert not send(for_amy.pk)
    page = SignedIn(cast.amy.user).get("/p/aurora/reports/").content.decode()
    assert "Its mail did not arrive; the file is here." in page
    assert "mx7" not in page
