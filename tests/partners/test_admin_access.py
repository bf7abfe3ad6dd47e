"""Staff help somebody who lost a second factor, and end what somebody holds."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail

from partners import credentials
from partners.models import AuditEvent, User
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff
from tests.portal.web.test_second_factor import PASSWORD, able, english

REASON = {"reason": "Lost the phone; called back at the number in the contract."}


@pytest.fixture(autouse=True)
def _outbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def step(user: User, name: str) -> str:
    return f"/admin/partners/user/{user.pk}/{name}/"


def test_staff_remove_a_lost_factor_and_its_owner_sets_up_anew(cast: Cast, staff: Staff) -> None:
    alice = able(cast.alice.user)
    cast.aurora.requires_mfa = True
    cast.aurora.save()
    session, mona = SignedIn(alice), SignedIn(staff.mona)
    page = step(alice, "second-factor")
    assert mona.get(page).status_code == 200
    assert mona.post(page, {"reason": ""}).status_code == 200
    assert Authenticator.objects.filter(user=alice).exists()
    assert mona.post(page, REASON).status_code == 302
    assert not Authenticator.objects.filter(user=alice).exists()
    assert session.get("/p/aurora/")["Location"].startswith("/account/login/")
    event = AuditEvent.objects.get(action="second_factor.reset")
    assert (event.actor, event.target) == (staff.mona, alice.email)
    assert event.detail == {**REASON, "removed": ["totp"]}
    assert mail.outbox[-1].to == [alice.email]
    again = english()
    again.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert "/second-factor/confirm/" in again.get("/p/aurora/")["Location"]


@pytest.mark.parametrize("name", ["second-factor", "end-access"])
def test_nobody_does_it_to_themselves_above_them_or_without_a_fresh_factor(
    cast: Cast, staff: Staff, name: str
) -> None:
    alice = able(cast.alice.user)
    for user in (staff.root, staff.max, staff.mona):
        able(user)
        assert SignedIn(staff.mona).post(step(user, name), REASON).status_code == 403
    assert SignedIn(staff.root).post(step(staff.root, name), REASON).status_code == 403
    assert SignedIn(staff.dora).post(step(alice, name), REASON).status_code in (403, 404)
    stale = SignedIn(staff.mona, shown_ago=3600).post(step(alice, name), REASON)
    assert "/account/second-factor/confirm/" in stale["Location"]
    assert Authenticator.objects.count() == 4
    assert not AuditEvent.objects.filter(action__in=["second_factor.reset", "access.ended"])


def test_everything_a_person_holds_ends_at_once(cast: Cast, staff: Staff) -> None:
    """Cases 20 and 71: sessions and tokens, on the next request; somebody else's go on."""
    _, token = credentials.make(
        membership=cast.alice, name="script", exits=["api"], families=None, networks=[]
    )
    headers = {"authorization": f"Bearer {token}"}
    assert english().get("/api/v1/p/aurora/titles/", headers=headers).status_code == 200
    session, amy = SignedIn(cast.alice.user), SignedIn(cast.amy.user)
    page = step(cast.alice.user, "end-access")
    assert SignedIn(staff.mona).post(page, REASON).status_code == 302
    assert session.get("/p/aurora/").status_code == 302
    assert english().get("/api/v1/p/aurora/titles/", headers=headers).status_code == 401
    assert amy.get("/p/aurora/").status_code == 200
    assert AuditEvent.objects.get(action="access.ended").detail["credentials"] == 1
