"""Sign-in, sign-out and a forgotten password, by the forms."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from pytest_django import Settings

from partners.models import User
from tests.cast import Cast

PASSWORD = "a-long-quiet-evening"


@pytest.fixture
def user(cast: Cast, settings: Settings) -> User:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    user = cast.alice.user
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def browser(language: str = "en") -> Client:
    return Client(headers={"accept-language": language})


def sign_in(client: Client, user: User, password: str = PASSWORD, query: str = "") -> int:
    return client.post(
        "/account/login/" + query, {"login": user.email.upper(), "password": password}
    ).status_code


def test_a_member_signs_in_and_out(user: User) -> None:
    client = browser()
    assert sign_in(client, user) == 302
    assert client.get("/")["Location"] == "/p/aurora/"
    assert client.get("/account/logout/").status_code == 200  # asks, and does nothing
    assert client.get("/p/aurora/").status_code == 200
    client.post("/account/logout/")
    assert client.get("/p/aurora/").status_code == 302


def test_a_wrong_password_says_no_more_than_an_unknown_address(user: User) -> None:
    def answer(login: str) -> str:
        html = browser().post("/account/login/", {"login": login, "password": "x" * 15}).content
        return re.sub(r'value="[^"]*"', "", html.decode())

    assert answer(user.email) == answer("nobody@example.com")


def test_sign_in_speaks_chinese_by_default(db: None) -> None:
    for language, words in (("zh-CN", "登录"), ("fr", "登录"), ("en", "Sign in")):
        assert words in browser(language).get("/account/login/").content.decode()


def test_a_forgotten_password_is_set_by_the_link_of_the_mail(user: User) -> None:
    client = browser()
    assert client.post("/account/password/reset/", {"email": user.email}).status_code == 302
    [message] = mail.outbox
    assert message.subject == "New password for Dailies"
    [link] = re.findall(r"http://localhost:8000(/account/password/reset/key/\S+)", message.body)
    form = client.get(link, follow=True)
    fresh = "another-long-evening"
    answer = client.post(
        form.redirect_chain[-1][0], {"password1": fresh, "password2": fresh}, follow=True
    )
    assert "The password is set" in answer.content.decode()
    assert sign_in(browser(), user, fresh) == 302
    assert "has been used or has expired" in browser().get(link, follow=True).content.decode()


@pytest.mark.parametrize("path", ["change/", "set/"])
def test_password_pages_ask_for_sign_in(db: None, path: str) -> None:
    assert "/account/login/" in browser().get("/account/password/" + path)["Location"]
