"""Second factors: asked for before anything opens, used once, and never lost by accident."""

from __future__ import annotations

import re
import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core import mail
from django.test import Client
from pytest_django import Settings

from partners.models import AuditEvent, Grant, User
from tests.cast import Cast
from tests.conftest import SignedIn

PASSWORD = "a-long-quiet-evening"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PAGES = ("/admin/", "/admin/partners/user/", "/", "/api/v1/schema/", "/account/password/change/")


def code(secret: str = SECRET, step: int = 0) -> str:
    """What the authenticator app shows `step` steps of 30 s from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def able(user: User, *, totp: bool = True) -> User:
    """A user who can sign in by password and, with `totp`, a code."""
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    if totp:
        TOTP.activate(user, SECRET)
    return user


def english() -> Client:
    return Client(headers={"accept-language": "en"})


def half_in(user: User) -> Client:
    """A browser that has given the password and is asked for the second factor."""
    client = english()
    answer = client.post("/account/login/", {"login": user.email, "password": PASSWORD})
    assert answer["Location"] == "/account/second-factor/sign-in/"
    return client


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.mark.parametrize("path", PAGES)
def test_staff_without_a_second_factor_open_nothing_but_its_set_up(cast: Cast, path: str) -> None:
    """Case 66: pages, admin and API by session alike."""
    able(cast.stella, totp=False)
    client = english()
    client.post("/account/login/", {"login": cast.stella.email, "password": PASSWORD})
    answer = client.get(path)
    if path.startswith("/api/"):
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "second_factor_required"
    else:
        assert answer["Location"].startswith("/account/second-factor/confirm/?next=")
        assert client.get(answer["Location"])["Location"] == "/account/second-factor/"
    assert client.get("/account/second-factor/app/").status_code == 200


def test_a_partner_can_ask_its_members_for_a_second_factor(cast: Cast) -> None:
    alice, bob = SignedIn(cast.alice.user, shown_ago=None), SignedIn(cast.bob.user, shown_ago=None)
    cast.aurora.requires_mfa = True
    cast.aurora.save()
    assert alice.get("/p/aurora/")["Location"].startswith("/account/second-factor/confirm/")
    assert alice.get("/api/v1/p/aurora/titles/").status_code == 403
    assert bob.get("/p/borealis/").status_code == 200
    assert SignedIn(cast.alice.user).get("/p/aurora/").status_code == 200


def test_setting_up_an_app_opens_the_portal_and_shows_the_codes_once(cast: Cast) -> None:
    able(cast.stella, totp=False)
    client = english()
    client.post("/account/login/", {"login": cast.stella.email, "password": PASSWORD})
    page = client.get("/account/second-factor/app/").content.decode()
    [secret] = re.findall(r'class="secret">(\w+)<', page)
    used = code(secret)
    answer = client.post("/account/second-factor/app/", {"code": used})
    assert answer["Location"] == "/account/second-factor/recovery-codes/"
    shown = re.findall(r"<code>(\d{10})</code>", client.get(answer["Location"]).content.decode())
    assert len(set(shown)) == 10
    again = client.get("/account/second-factor/recovery-codes/").content.decode()
    assert not any(c in again for c in shown)
    assert client.get("/admin/").status_code == 200
    [message] = mail.outbox
    assert message.to == [cast.stella.email]
    event = AuditEvent.objects.get(action="second_factor.changed")
    assert event.actor == cast.stella
    assert event.detail == {"added": ["recovery_codes", "totp"], "removed": []}
    # what is kept is no use to who reads the table, and the code of the set-up is used up
    assert not any(
        secret in str(row.data) or row.data.get("seed", "x") in "".join(shown)
        for row in Authenticator.objects.filter(user=cast.stella)
    )
    answer = half_in(cast.stella).post("/account/second-factor/sign-in/", {"code": used})
    assert "Incorrect code" in answer.content.decode()


def test_a_code_signs_in_once(cast: Cast) -> None:
    """Case 69: TOTP replay, at once and while the clock's tolerance lasts."""
    user = able(cast.alice.user)
    now = code()
    first = half_in(user).post("/account/second-factor/sign-in/", {"code": now})
    assert first["Location"] == "/"
    for used in (now, code(step=-1)):
        answer = half_in(user).post("/account/second-factor/sign-in/", {"code": used})
        assert answer.status_code == 200
        assert "Incorrect code" in answer.content.decode()
    assert (
        half_in(user).post("/account/second-factor/sign-in/", {"code": code(step=1)}).status_code
        == 302
    )


def test_a_recovery_code_signs_in_once_and_is_told_by_mail(cast: Cast) -> None:
    """Case 69."""
    user = able(cast.alice.user)
    [one, *_others] = RecoveryCodes.activate(user).generate_codes()
    assert half_in(user).post("/account/second-factor/sign-in/", {"code": one}).status_code == 302
    assert "恢复码" in mail.outbox[-1].subject
    assert half_in(user).post("/account/second-factor/sign-in/", {"code": one}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/p/aurora/", "/api/v1/p/aurora/titles/", "/account/second-factor/",
             "/account/second-factor/app/", "/account/second-factor/recovery-codes/",
             "/account/password/change/", "/admin/"],
)  # fmt: skip
def test_a_session_half_way_in_opens_nothing_else(cast: Cast, path: str) -> None:
    """Case 69: the password alone, with the factor still to come."""
    able(cast.alice.user)
    answer = half_in(cast.alice.user).get(path)
    assert answer.status_code == 401 or re.search("/(login|sign-in)/", answer["Location"])
    assert english().get(path).status_code == answer.status_code


def test_a_new_password_by_mail_keeps_the_second_factor(cast: Cast) -> None:
    """Case 69."""
    user = able(cast.alice.user)
    client = english()
    client.post("/account/password/reset/", {"email": user.email})
    [link] = re.findall(r"http://localhost:8000(\S+/key/\S+)", mail.outbox[-1].body)
    form = client.get(link, follow=True).redirect_chain[-1][0]
    fresh = "another-long-evening"
    client.post(form, {"password1": fresh, "password2": fresh}, follow=True)
    assert client.get("/p/aurora/").status_code == 302  # setting it signs nobody in
    answer = english().post("/account/login/", {"login": user.email, "password": fresh})
    assert answer["Location"] == "/account/second-factor/sign-in/"


def test_a_password_does_not_stand_in_for_the_second_factor(cast: Cast) -> None:
    """Case 69: somebody at an open desk who knows the password removes nothing."""
    able(cast.alice.user)
    client = SignedIn(cast.alice.user, shown_ago=3600)
    answer = client.get("/account/reauthenticate/?next=/account/second-factor/app/remove/")
    assert answer["Location"].startswith("/account/second-factor/confirm/")
    answer = client.post("/account/second-factor/app/remove/")
    assert "/account/second-factor/confirm/code/" in answer["Location"]
    assert Authenticator.objects.filter(user=cast.alice.user).exists()


def test_who_must_have_a_factor_does_not_remove_the_last_one(cast: Cast) -> None:
    for user, left in ((cast.stella, 1), (cast.alice.user, 0)):
        able(user)
        SignedIn(user).post("/account/second-factor/app/remove/")
        assert Authenticator.objects.filter(user=user).count() == left


def test_a_changed_factor_ends_every_other_session(cast: Cast) -> None:
    """Case 70."""
    able(cast.alice.user)
    here, elsewhere = SignedIn(cast.alice.user), SignedIn(cast.alice.user)
    here.post("/account/second-factor/app/remove/")
    assert here.get("/p/aurora/").status_code == 200
    assert elsewhere.get("/p/aurora/").status_code == 302


@pytest.mark.parametrize(("shown_ago", "approved"), [(0, True), (3600, False)])
def test_a_sensitive_step_asks_again_after_a_while(
    cast: Cast, shown_ago: float, approved: bool
) -> None:
    grant = Grant.objects.create(
        partner=cast.aurora, families=["viewing"], territories=["*"], exits=["web"],
        valid_from="2026-01-01T00:00Z", contract_reference="C-9", made_by=cast.stella,
    )  # fmt: skip
    grant.titles.set([cast.hidden])
    sam = SignedIn(cast.sam, shown_ago=shown_ago)
    path = f"/admin/partners/grant/{grant.pk}/approve/"
    assert (sam.get(path).status_code == 200) is approved
    if not approved:
        assert "/account/second-factor/confirm/?next=%2Fadmin" in sam.post(path)["Location"]
