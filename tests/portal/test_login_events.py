"""Owners read the sign-ins of their people, and of no other organisation that there is one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from engagement.roles import PARTNER, acting_as
from partners import second_factors
from partners.models import AuditEvent, IdentityProvider, Membership, User
from partners.sessions import end_all_access
from portal.web.single_sign_on import METHOD, this_sign_in
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.portal.web.test_second_factor import PASSWORD, able, code, english, half_in

HOME = "203.0.113.7"
OF_LOGINS = {
    "sign_in", "sign_in.failed", "sign_out", "password.changed", "session.ended", "access.ended",
    "second_factor.changed", "second_factor.reset", "recovery_code.used",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def amy(cast: Cast) -> User:
    """Of Aurora, where she is an analyst, and of Cirrus, where she is a viewer."""
    Membership.objects.create(user=cast.amy.user, partner=cast.cirrus, role="viewer")
    return able(cast.amy.user, totp=False)


def sign_in(user: User, password: str = PASSWORD) -> Client:
    client = Client(headers={"accept-language": "en"}, REMOTE_ADDR=HOME)
    client.post("/account/login/", {"login": user.email, "password": password})
    return client


def read_by(owner: Membership) -> list[dict[str, Any]]:
    """What an owner's activity tells of logins, the newest first."""
    path = f"/api/v1/p/{owner.partner.slug}/activity/"
    found = SignedIn(owner.user).get(path).json()["activity"]
    return [entry for entry in found if entry["action"] in OF_LOGINS]


def test_each_owner_reads_the_sign_ins_of_their_own_people(cast: Cast, amy: User) -> None:
    sign_in(amy, "wrong-horse")
    sign_in(amy).post("/account/logout/")
    for owner in (cast.alice, cast.cleo):
        out, came, failed = read_by(owner)
        assert [e["action"] for e in (out, came, failed)] == [
            "sign_out",
            "sign_in",
            "sign_in.failed",
        ]
        assert (came["who"], came["email"], came["ip"]) == ("member", amy.email, HOME)
        assert (failed["who"], failed["name"], failed["target"]) == ("unknown", "", amy.email)
        assert failed["ip"] == HOME
        page = SignedIn(owner.user).get(f"/p/{owner.partner.slug}/activity/").content.decode()
        assert "A sign-in failed" in page
        assert "Somebody unknown" in page
    assert read_by(cast.bob) == []


def test_nothing_that_an_owner_reads_tells_of_another_organisation(cast: Cast, amy: User) -> None:
    """The rows of each are as those of a person of one partner, in what they say and how many."""
    sign_in(amy, "wrong-horse")
    browser = sign_in(amy)
    browser.post("/account/logout/")
    end_all_access(amy, by=cast.sam, reason="Cirrus asked for it")
    fields = ("action", "actor", "target", "ip", "detail")
    rows = {}
    for partner in (cast.aurora, cast.cirrus):
        events = AuditEvent.objects.filter(partner=partner, action__in=OF_LOGINS).order_by("pk")
        rows[partner] = list(events.values(*fields))
    assert rows[cast.aurora] == rows[cast.cirrus]
    assert len(rows[cast.aurora]) == 4
    told = (
        str(read_by(cast.alice))
        + SignedIn(cast.alice.user).get("/p/aurora/activity/").content.decode()
    )
    for foreign in ("cirrus", "Cirrus", "卷云", str(cast.cirrus.pk)):
        assert foreign not in told


def test_postgres_shows_a_partner_its_own_record_of_a_sign_in_alone(cast: Cast, amy: User) -> None:
    """The second wall, with the first one open: no WHERE, every column."""
    sign_in(amy)
    assert AuditEvent.objects.filter(action="sign_in").count() == 2
    for partner, seen in ((cast.aurora, 1), (cast.cirrus, 1), (cast.borealis, 0)):
        with acting_as(PARTNER, partner_id=partner.pk), connection.cursor() as cursor:
            cursor.execute("SELECT partner_id FROM partners_auditevent WHERE action = 'sign_in'")
            assert cursor.fetchall() == [(partner.pk,)] * seen
    with acting_as(PARTNER), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM partners_auditevent")
        assert cursor.fetchall() == []


def test_a_sign_in_from_before_one_joined_stays_untold(cast: Cast) -> None:
    """Nor does an owner read on when somebody has left."""
    bob = able(cast.bob.user, totp=False)
    sign_in(bob)
    place = Membership.objects.create(user=bob, partner=cast.aurora, role="viewer")
    assert read_by(cast.alice) == []
    sign_in(bob)
    place.delete()
    sign_in(bob)
    assert len(read_by(cast.alice)) == 1
    assert len(read_by(cast.bob)) == 3


def test_staff_and_names_that_nobody_has_are_of_no_partner(cast: Cast) -> None:
    able(cast.sam, totp=False)
    for name in (cast.sam.email, "nobody@example.com"):
        english().post("/account/login/", {"login": name, "password": "wrong-horse"})
    assert [(e.partner, e.target) for e in AuditEvent.objects.filter(action="sign_in.failed")] == [
        (None, "nobody@example.com"),
        (None, cast.sam.email),
    ]


# --- an organisation's own way of signing in ---------------------------------------------------
def provider_of(cast: Cast, **fields: Any) -> IdentityProvider:
    return IdentityProvider.objects.create(
        partner=cast.cirrus,
        issuer="https://id.cirrus.example",
        client_id="x",
        enabled=True,
        **fields,
    )


def test_where_single_sign_on_is_enforced_a_password_is_not_of_that_partner(
    cast: Cast, amy: User
) -> None:
    provider_of(cast, enforced=True)
    sign_in(amy)
    assert [e.partner for e in AuditEvent.objects.filter(action="sign_in")] == [cast.aurora]


def test_a_sign_in_through_a_provider_is_told_to_its_own_partner(cast: Cast, amy: User) -> None:
    """Which way and by which methods is the newest sign-in's, whatever the session knew before."""
    provider = str(provider_of(cast).pk)
    password, through = {"method": "password"}, {"method": METHOD, "provider": provider}
    for shown, expected in (
        ([password], ("password", ["password"])),
        ([password, {"method": "mfa"}], ("password", ["mfa", "password"])),
        ([{"method": "mfa", "passwordless": True}], ("password", ["mfa"])),
        ([through, {"method": "mfa"}], (provider, ["mfa", METHOD])),
        ([password, through], (provider, [METHOD])),
        ([through, password], ("password", ["password"])),
    ):
        request: Any = type("Request", (), {})()
        request.session = {
            "account_authentication_methods_user": str(amy.pk),
            "account_authentication_methods": shown,
        }
        assert this_sign_in(request, amy) == expected


# --- second factors ------------------------------------------------------------------------------
def test_wrong_codes_and_changed_factors_are_told(cast: Cast) -> None:
    """Case 80, of second factors: one record each."""
    amy = able(cast.amy.user)
    browser = half_in(amy)
    browser.post("/account/second-factor/sign-in/", {"code": "000000"})
    browser.post("/account/second-factor/sign-in/", {"code": code()})
    second_factors.reset(amy, by=cast.sam, reason="Cirrus called")
    reset, came, failed = read_by(cast.alice)
    assert [e["action"] for e in (reset, came, failed)] == [
        "second_factor.reset", "sign_in", "sign_in.failed",
    ]  # fmt: skip
    assert AuditEvent.objects.get(action="sign_in").detail == {"by": ["mfa", "password"]}
    assert AuditEvent.objects.get(action="sign_in.failed").detail == {"by": ["mfa"]}
    assert (reset["who"], reset["name"], reset["target"], reset["detail"]) == (
        "staff", "Sam", amy.email, {},
    )  # fmt: skip
