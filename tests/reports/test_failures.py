"""reports/failures.py: that a report did not arrive is told once, to whom it concerns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from partners import grants
from partners.models import AuditEvent, User
from partners.roles import Role
from reports import jobs, notices
from reports.deliver import send
from reports.models import Bundle, Notice, Run
from reports.resending import resend_for
from reports.runs import make_runs
from tests.background import Mailbox
from tests.cast import Cast
from tests.files import without_rendering
from tests.mailing import WEDNESDAY, run_of, schedule_for, waiting


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


@pytest.fixture
def olga(cast: Cast) -> User:
    """Of data operations."""
    user = User.objects.create_user("olga@platform.example.com", name="Olga", is_staff=True)
    user.groups.add(Group.objects.get(name=Role.DATA_OPERATIONS.value))
    return user


def told() -> list[str]:
    return sorted(Notice.objects.values_list("user__email", flat=True))


def send_all() -> None:
    for pk in Notice.objects.values_list("pk", flat=True):
        notices.send(pk)


def test_p15_the_owner_and_data_operations_are_told_once_and_of_one_recipient(
    cast: Cast, mailbox: Mailbox, olga: User
) -> None:
    User.objects.filter(pk=cast.alice.user_id).update(language="en")
    amys, victors = waiting(cast.alice, cast.amy, cast.victor)[1:]
    mailbox.script.append(("RCPT", "550 mx7.internal: no such user"))
    assert not send(amys.pk)
    assert send(victors.pk)
    heard = len(mailbox.messages)
    assert notices.make_notices() == 2
    assert notices.make_notices() == 0
    assert told() == ["alice@example.com", "olga@platform.example.com"]
    send_all()
    send_all()
    mails = mailbox.messages[heard:]
    assert sorted(m["To"] for m in mails) == told()
    [to_owner] = [m for m in mails if m["To"] == "alice@example.com"]
    text = to_owner.get_content()
    assert to_owner["Subject"] == "Dailies: a report for Aurora did not arrive"
    for said in ('"Weekly"', "at Amy", "send it again", "/p/aurora/reports/deliveries/?schedule="):
        assert said in text
    [to_staff] = [m for m in mails if m["To"] == olga.email]
    assert f"/admin/reports/bundle/{amys.bundle_id}/change/" in to_staff.get_content()
    for mail in mails:
        for hidden in ("Victor", "victor@", "mx7", "长夜", "The Long Night", "Nobody"):
            assert hidden not in mail.get_content()
    assert AuditEvent.objects.filter(action="report_failure.mailed").count() == 2


def test_what_arrived_after_all_is_told_to_nobody(cast: Cast, mailbox: Mailbox, olga: User) -> None:
    [delivery] = waiting(cast.alice)
    mailbox.script.append(("RCPT", "550 no"))
    assert not send(delivery.pk)
    notices.make_notices()
    resend_for(cast.alice, delivery.bundle_id)
    assert send(delivery.pk)
    send_all()
    assert [m["To"] for m in mailbox.messages] == ["alice@example.com"]
    assert set(Notice.objects.values_list("state", flat=True)) == {"cancelled"}


def test_access_that_ended_is_told_to_the_schedules_owner_alone(
    cast: Cast, mailbox: Mailbox, olga: User
) -> None:
    [delivery] = waiting(cast.alice)
    grants.revoke(cast.grants["film"], by=cast.sam)
    assert not send(delivery.pk)
    notices.make_notices()
    assert told() == ["alice@example.com"]


def test_a_schedule_that_reached_nobody_says_so(cast: Cast, mailbox: Mailbox, olga: User) -> None:
    User.objects.filter(pk=cast.alice.user_id).update(language="en")
    for bundle in run_of(schedule_for(cast.alice, cast.amy)):
        claim = jobs.claim(Bundle, bundle.pk)
        assert claim is not None
        assert jobs.finish(claim, Bundle.State.FAILED, Bundle.Failure.BROKEN, "poisoned")
    assert notices.make_notices() == 4
    send_all()
    assert len(mailbox.messages) == 4
    for mail in mailbox.of("alice@example.com"):
        assert "Nobody has got the report of this period." in mail.get_content()
        assert "poisoned" not in mail.get_content()


def test_a_run_with_nobody_to_go_to_is_told_to_its_owner(cast: Cast, mailbox: Mailbox) -> None:
    User.objects.filter(pk=cast.alice.user_id).update(language="en")
    schedule = schedule_for(cast.alice)
    schedule.recipients.clear()
    assert make_runs(WEDNESDAY) == 1
    assert notices.make_notices() == 0  # it may still be being filled
    Run.objects.update(made_at=timezone.now() - timedelta(hours=1))
    assert notices.make_notices() == 1
    assert notices.make_notices() == 0
    send_all()
    [mail] = mailbox.messages
    assert mail["To"] == "alice@example.com"
    assert "Nobody has got the report" in mail.get_content()


def test_what_somebody_cancelled_or_failed_long_ago_is_told_to_nobody(cast: Cast) -> None:
    cancelled, old = run_of(schedule_for(cast.alice, cast.amy))
    assert jobs.cancel(cancelled.pk)
    Bundle.objects.filter(pk=old.pk).update(
        state="failed", failure="broken", done_at=timezone.now() - timedelta(days=8)
    )
    assert notices.make_notices() == 0
