"""P10. Sessions: where they are seen, and everything that ends them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from partners.models import AuditEvent, Session, User
from partners.sessions import end_all_access, end_sessions
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.portal.web.test_second_factor import PASSWORD, able, english

PAGE = "/p/aurora/"


def is_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


def aged(client: Client, **fields: timedelta) -> None:
    """Move the times of the client's session back."""
    rows = Session.objects.filter(pk=row_of(client).pk)
    rows.update(**{name: Now() - ago for name, ago in fields.items()})


def row_of(client: Client) -> Session:
    from partners.session_store import hash_of

    return Session.objects.get(key_sha256=hash_of(client.cookies["sessionid"].value))


def test_the_table_of_sessions_lets_nobody_in(cast: Cast) -> None:
    """What is kept is a hash of the cookie."""
    alice = SignedIn(cast.alice.user)
    assert is_in(alice)
    row = row_of(alice)
    thief = Client()
    for stolen in (row.key_sha256, str(row.pk)):
        thief.cookies["sessionid"] = stolen
        assert not is_in(thief)


def test_a_sign_in_takes_another_key_than_the_one_it_began_with(cast: Cast) -> None:
    """Case 70: fixation, by a key that was handed out and by one that was made up."""
    able(cast.alice.user, totp=False)
    client = english()
    client.get("/account/login/")
    client.post("/account/password/reset/", {"email": "nobody@example.com"})
    for planted in (client.cookies.get("sessionid"), "planted-by-somebody-else-0000000"):
        victim = english()
        victim.cookies["sessionid"] = getattr(planted, "value", planted) or "x" * 32
        before = victim.cookies["sessionid"].value
        victim.post("/account/login/", {"login": cast.alice.user.email, "password": PASSWORD})
        assert is_in(victim)
        assert victim.cookies["sessionid"].value != before
        attacker = Client()
        attacker.cookies["sessionid"] = before
        assert not is_in(attacker)


def test_an_old_cookie_is_worth_nothing_after_signing_out(cast: Cast) -> None:
    """Case 70."""
    alice, kept = SignedIn(cast.alice.user), Client()
    kept.cookies["sessionid"] = alice.cookies["sessionid"].value
    assert is_in(kept)
    alice.post("/account/logout/")
    assert not is_in(kept)


ENDINGS: dict[str, Callable[[Cast], object]] = {
    "password": lambda cast: _save(cast.alice.user, password=make_password("another-evening-x")),
    "disabled": lambda cast: _save(cast.alice.user, is_active=False),
    "made staff": lambda cast: _save(cast.alice.user, is_staff=True),
    "role": lambda cast: _save(cast.alice, role="viewer"),
    "limit": lambda cast: _save(cast.alice, limit_families=["viewing"]),
    "removed": lambda cast: cast.alice.delete(),
    "everything": lambda cast: end_all_access(cast.alice.user, by=cast.sam, reason="lost"),
}


def _save(row: User | object, **fields: object) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=list(fields))  # type: ignore[union-attr]


@pytest.mark.parametrize("what", sorted(ENDINGS))
def test_sessions_end_with_what_they_were_opened_under(cast: Cast, what: str) -> None:
    """Cases 70 and 71: on the next request; somebody else's goes on."""
    alice, amy = SignedIn(cast.alice.user), SignedIn(cast.amy.user)
    assert is_in(alice)
    ENDINGS[what](cast)
    assert alice.get(PAGE)["Location"].startswith("/account/login/")
    assert alice.get("/api/v1/p/aurora/titles/").status_code == 401
    assert is_in(amy)


def test_a_row_saved_as_it_was_read_does_not_bring_sessions_back(cast: Cast) -> None:
    stale = User.objects.get(pk=cast.alice.user.pk)
    alice = SignedIn(cast.alice.user)
    end_sessions(cast.alice.user)
    stale.save()
    assert not is_in(alice)


@pytest.mark.parametrize(("who", "idle", "hours"), [("alice", 12 * 60, 7 * 24), ("stella", 60, 12)])
def test_a_session_ends_unused_and_ends_in_any_case(
    cast: Cast, who: str, idle: int, hours: int
) -> None:
    """Case 70: idle and absolute, by the database's clock; shorter for staff."""
    user = cast.alice.user if who == "alice" else cast.stella
    page = PAGE if who == "alice" else "/admin/"
    minute = timedelta(minutes=1)

    def open_after(**fields: timedelta) -> bool:
        client = SignedIn(user)
        aged(client, **fields)
        return client.get(page).status_code == 200

    assert open_after(last_used_at=timedelta(minutes=idle) - minute)
    assert not open_after(last_used_at=timedelta(minutes=idle) + minute)
    assert open_after(started_at=timedelta(hours=hours) - minute)
    assert not open_after(started_at=timedelta(hours=hours) + minute)


def test_using_a_session_keeps_it(cast: Cast) -> None:
    alice = SignedIn(cast.alice.user)
    aged(alice, last_used_at=timedelta(hours=11))
    assert is_in(alice)
    assert Session.objects.filter(
        pk=row_of(alice).pk, last_used_at__gt=Now() - timedelta(minutes=1)
    ).exists()


def test_one_sees_where_one_is_signed_in_and_ends_one_or_all_others(cast: Cast) -> None:
    """Case 70: list and kill."""
    firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    here, phone, desk = (SignedIn(cast.alice.user) for _ in range(3))
    Session.objects.filter(pk=row_of(desk).pk).update(user_agent=firefox, ip="192.0.2.7")
    page = here.get("/account/sessions/").content.decode()
    assert "Firefox, Windows" in page
    assert "192.0.2.7" in page
    ends = re.findall(r'action="(/account/sessions/[0-9a-f-]{36}/end/)"', page)
    assert len(ends) == 2  # not this one
    bob = SignedIn(cast.bob.user)
    assert bob.post(ends[0]).status_code == 404
    assert here.get(ends[0]).status_code == 405
    here.post(f"/account/sessions/{row_of(desk).pk}/end/")
    assert (is_in(desk), is_in(phone), is_in(here)) == (False, True, True)
    here.post("/account/sessions/end/")
    assert (is_in(phone), is_in(here), bob.get("/p/borealis/").status_code) == (False, True, 200)
    assert AuditEvent.objects.filter(action="session.ended", actor=cast.alice.user).count() == 2


def test_clearsessions_keeps_what_is_live(cast: Cast, settings: Settings) -> None:
    old, live = SignedIn(cast.alice.user), SignedIn(cast.alice.user)
    aged(old, last_used_at=timedelta(days=2))
    call_command("clearsessions")
    assert Session.objects.count() == 1
    assert is_in(live)
