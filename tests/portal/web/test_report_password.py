"""The page of what opens a member's encrypted reports."""

from __future__ import annotations

import re

import pytest

from partners import staff_views
from partners.models import AuditEvent
from reports import passwords
from tests.cast import Cast
from tests.conftest import SignedIn

PAGE = "/p/aurora/reports/password/"


@pytest.fixture
def closed(cast: Cast) -> Cast:
    """Aurora's reports are encrypted."""
    cast.aurora.encrypt_reports = True
    cast.aurora.save()
    for member in (cast.alice, cast.amy, cast.victor):
        member.refresh_from_db()
    return cast


def shown(client: SignedIn) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r'value="([a-z2-9-]{24})"', answer.content.decode())
    assert found is not None
    return found[1]


def test_each_member_sees_their_own_again_and_again(closed: Cast) -> None:
    alice, victor = SignedIn(closed.alice.user), SignedIn(closed.victor.user)
    assert shown(alice) == shown(alice) == passwords.password_of(closed.alice)
    assert shown(victor) == passwords.password_of(closed.victor) != shown(alice)
    events = AuditEvent.objects.filter(action="report_password.shown")
    assert events.count() == 4
    password = passwords.password_of(closed.alice)
    assert all(password not in str(event.detail) for event in AuditEvent.objects.all())
    assert "/p/aurora/reports/password/" in alice.get("/p/aurora/reports/").content.decode()


def test_a_second_factor_is_asked_for_again_first(closed: Cast) -> None:
    for ago in (None, 3600.0):
        stale = SignedIn(closed.alice.user, shown_ago=ago)
        for method in ("get", "post"):
            answer = getattr(stale, method)(PAGE)
            assert answer.status_code == 302
            assert answer["Location"].startswith("/account/second-factor/")
    assert not AuditEvent.objects.filter(action__startswith="report_password").exists()


def test_a_new_one_is_taken_and_the_trail_says_so(closed: Cast) -> None:
    alice = SignedIn(closed.alice.user)
    before = shown(alice)
    answer = alice.post(PAGE)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert shown(alice) != before
    assert AuditEvent.objects.filter(action="report_password.renewed").count() == 1


def test_where_no_report_is_encrypted_there_is_no_such_page(cast: Cast) -> None:
    """Not for a member whose partner does not ask for it, not for staff who look."""
    for ago in (0.0, None):
        assert SignedIn(cast.alice.user, shown_ago=ago).get(PAGE).status_code == 404
    assert (
        "reports/password"
        not in SignedIn(cast.alice.user).get("/p/aurora/reports/").content.decode()
    )
    cast.aurora.encrypt_reports = True
    cast.aurora.save()
    staff_views.start(cast.aurora, member=cast.alice, reason="a call", by=cast.stella)
    stella = SignedIn(cast.stella)
    assert stella.get(PAGE).status_code == 404
    assert "reports/password" not in stella.get("/p/aurora/reports/").content.decode()


def test_what_was_encrypted_can_still_be_opened_when_the_partner_asks_no_more(
    closed: Cast,
) -> None:
    before = shown(SignedIn(closed.alice.user))
    closed.aurora.encrypt_reports = False
    closed.aurora.save()
    assert shown(SignedIn(closed.alice.user)) == before
