"""reports/notices.py: who is told that a grant ends or a request moved; each once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from partners import access_requests, grants
from partners.models import AuditEvent, Grant, Membership
from partners.suspension import suspend
from reports import notices
from reports.models import Notice
from tests.background import Mailbox
from tests.cast import Cast


def told() -> list[tuple[str, str]]:
    """(address, days left or state) of what was made, in order."""
    rows = Notice.objects.order_by("user__email", "key")
    return [(n.user.email, n.key.rsplit(":", 1)[1]) for n in rows]


def ends_in(grant: Grant, **left: int) -> Grant:
    """Its end moved by the owner of the table: an end only comes earlier otherwise."""
    at = timezone.now() + timedelta(**left)
    Grant.objects.filter(pk=grant.pk).update(valid_until=at)
    grant.entitlements.update(valid_until=at)
    return grant


def send_all() -> list[bool]:
    return [notices.send(pk) for pk in Notice.objects.values_list("pk", flat=True)]


def test_owners_and_the_maker_are_told_once_at_each_of_the_days(
    cast: Cast, mailbox: Mailbox
) -> None:
    """Bob's Borealis and Cleo's Cirrus have grants without an end and hear nothing."""
    grant = ends_in(cast.grants["film"], days=61)
    assert notices.make_notices() == 0
    for left, days in ((59, "60"), (58, "60"), (29, "30"), (6, "7")):
        ends_in(grant, days=left)
        notices.make_notices()
        assert notices.make_notices() == 0
        assert {d for _, d in told()} >= {days}
    owner, maker = "alice@example.com", "stella@platform.example.com"
    days = {d for _, d in told()}
    assert days == {"60", "30", "7"}
    assert {who for who, _ in told()} == {owner, maker}


def test_a_grant_approved_late_is_told_of_once_not_three_times(cast: Cast) -> None:
    ends_in(cast.grants["film"], days=5)
    assert notices.make_notices() == 2
    assert told() == [("alice@example.com", "7"), ("stella@platform.example.com", "7")]


def test_the_mail_names_the_end_and_no_title_and_no_figure(cast: Cast, mailbox: Mailbox) -> None:
    ends_in(cast.grants["film"], days=5)
    notices.make_notices()
    assert send_all() == [True, True]
    assert send_all() == [False, False]
    mails = sorted(mailbox.messages, key=lambda m: str(m["To"]))
    assert [m["To"] for m in mails] == ["alice@example.com", "stella@platform.example.com"]
    for mail, page in zip(mails, ("/p/aurora/access/", "/admin/partners/grant/"), strict=True):
        text = mail.get_content() if not mail.is_multipart() else str(mail)
        assert page in text
        assert "C-1" in text
        for said in ("The Long Night", "长夜", "150"):
            assert said not in text
    sent = AuditEvent.objects.filter(action="grant.reminded")
    assert {(e.partner, e.target) for e in sent} == {(cast.aurora, str(cast.grants["film"].pk))}


@pytest.mark.parametrize("closed", ["revoked", "suspended", "disabled", "removed"])
def test_nobody_is_told_what_is_not_so_any_more(cast: Cast, mailbox: Mailbox, closed: str) -> None:
    ends_in(cast.grants["film"], days=5)
    notices.make_notices()
    if closed == "revoked":
        grants.revoke(cast.grants["film"], by=cast.stella)
    elif closed == "suspended":
        suspend(cast.aurora, by=cast.stella)
    elif closed == "disabled":
        for user in (cast.alice.user, cast.stella):
            user.is_active = False
            user.save()
    else:
        Membership.objects.filter(pk=cast.alice.pk).delete()
        cast.stella.is_staff = False
        cast.stella.save()
    assert send_all() == [False, False]
    assert mailbox.messages == []
    assert set(Notice.objects.values_list("state", flat=True)) == {"cancelled"}


def test_a_grant_that_is_replaced_already_is_not_reminded_of(cast: Cast) -> None:
    old = ends_in(cast.grants["film"], days=5)
    assert old.valid_until is None  # as it was read before
    new = Grant.objects.create(
        partner=cast.aurora, families=["danmu"], territories=["*"], exits=["web"],
        valid_from=timezone.now() + timedelta(days=4), contract_reference="C-2",
        made_by=cast.stella, replaces=old,
    )  # fmt: skip
    new.titles.set([cast.film])
    grants.approve(new, by=cast.sam)
    assert notices.make_notices() == 0


def test_who_asked_is_told_each_time_the_platform_moves_the_request(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    asked: Any = access_requests.ask(cast.alice, "hidden", ["danmu"], "For the sequel")
    assert notices.make_notices() == 0
    grant = access_requests.propose(asked, by=cast.stella)
    assert notices.make_notices() == 1
    grants.approve(grant, by=cast.sam)
    assert notices.make_notices() == 1
    assert notices.make_notices() == 0
    assert told() == [("alice@example.com", "granted"), ("alice@example.com", "proposed")]
    assert sorted(send_all()) == [False, True]  # that it was proposed is history
    [mail] = mailbox.messages
    assert mail["To"] == "alice@example.com"
    assert AuditEvent.objects.get(action="access_request.mailed").target == str(asked.pk)
