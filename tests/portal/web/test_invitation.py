"""Invitations: the mail, the form, and every link that does not work."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from partners.invitations import invite
from partners.models import Invitation, Membership, User
from tests.cast import Cast
from tests.conftest import SignedIn

PASSWORD = "a-long-quiet-evening"
FORM = {"name": "Nora", "password": PASSWORD, "repeated": PASSWORD}


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def invited(cast: Cast, email: str = "nora@example.com", language: str = "en") -> str:
    """The path of the link in the mail."""
    invite(email=email, partner=cast.aurora, role="analyst", language=language, by=cast.stella)
    [link] = re.findall(r"http://localhost:8000(\S+)", mail.outbox[-1].body)
    return str(link)


def english() -> Client:
    return Client(headers={"accept-language": "en"})


def test_the_mail_speaks_the_language_of_the_invited(cast: Cast) -> None:
    invited(cast)
    assert mail.outbox[-1].subject == "Invitation to Aurora on Dailies"
    invited(cast, language="zh-hans")
    assert mail.outbox[-1].subject == "邀请您加入 Dailies 上的极光影业"
    assert mail.outbox[-1].to == ["nora@example.com"]


def test_opening_the_link_changes_nothing(cast: Cast) -> None:
    link = invited(cast)
    for _ in range(3):
        assert english().get(link).status_code == 200
    assert english().head(link).status_code == 200
    assert Invitation.objects.get().accepted_at is None
    assert not User.objects.filter(email="nora@example.com").exists()


def test_the_form_makes_a_login_with_a_verified_address_and_a_membership(cast: Cast) -> None:
    link = invited(cast)
    client = english()
    response = client.post(link, FORM)
    assert response["Location"] == "/"
    user = User.objects.get(email="nora@example.com")
    assert (user.name, user.check_password(PASSWORD), user.is_staff) == ("Nora", True, False)
    assert EmailAddress.objects.get(user=user).verified
    membership = Membership.objects.get(user=user)
    assert (membership.partner, membership.role) == (cast.aurora, "analyst")
    assert client.get("/p/aurora/").status_code == 200
    # and the same password signs in elsewhere
    other = english()
    other.post("/account/login/", {"login": "nora@example.com", "password": PASSWORD})
    assert other.get("/p/aurora/").status_code == 200


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"password": "short", "repeated": "short"}, "at least 15 characters"),
        ({"repeated": "another-long-evening"}, "not the same"),
        ({"name": ""}, "required"),
    ],
)
def test_a_form_that_will_not_do_uses_nothing_up(
    cast: Cast, changed: dict[str, str], words: str
) -> None:
    link = invited(cast)
    response = english().post(link, FORM | changed)
    assert words in response.content.decode()
    assert Invitation.objects.get().accepted_at is None
    assert english().post(link, FORM).status_code == 302


def test_used_expired_and_made_up_links_are_one_answer(cast: Cast) -> None:
    used = invited(cast)
    english().post(used, FORM)
    expired = invited(cast, "late@example.com")
    Invitation.objects.filter(email="late@example.com").update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    made_up = english().get("/account/invitation/AAAA/")
    assert made_up.status_code == 404
    for link in (used, expired):
        for response in (english().get(link), english().post(link, FORM)):
            assert (response.status_code, response.content) == (404, made_up.content)


def test_an_address_with_a_login_joins_by_signing_in(cast: Cast) -> None:
    link = invited(cast, cast.bob.user.email)
    # neither a form for a password, nor anybody else's session, lets somebody in
    assert b"password" not in english().get(link).content
    english().post(link, FORM)
    SignedIn(cast.cleo.user).post(link)
    assert not Membership.objects.filter(user=cast.bob.user, partner=cast.aurora).exists()
    bob = SignedIn(cast.bob.user)
    assert "Join" in bob.get(link).content.decode()
    assert bob.post(link)["Location"] == "/"
    joined = Membership.objects.get(user=cast.bob.user, partner=cast.aurora)
    assert joined.role == "analyst"
    assert bob.post(link).status_code == 404


def test_nobody_signs_up_without_an_invitation(cast: Cast) -> None:
    page = english().post(
        "/account/signup/",
        {"email": "x@example.com", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert "By invitation only" in page.content.decode()
    assert not User.objects.filter(email="x@example.com").exists()
