"""Guessing is limited at every door, for nobody for good, and tells nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from partners import credentials
from partners.attempts import Key, account_of, give_back, network_of, take
from partners.credentials import new_token
from partners.models import Attempt, AuditEvent, User
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.portal.web.test_second_factor import PASSWORD, able, code, english, half_in

WRONG = "not-the-right-evening"


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def attempt(login: str, password: str = WRONG, **meta: str) -> int:
    form = {"login": login, "password": password}
    return english().post("/account/login/", form, **meta).status_code  # type: ignore[arg-type]


def test_an_account_is_tried_ten_times_from_one_network_and_not_locked_for_good(
    cast: Cast,
) -> None:
    """Case 67."""
    user = able(cast.alice.user, totp=False)
    assert [attempt(user.email) for _ in range(11)] == [200] * 10 + [429]
    assert attempt(user.email, PASSWORD) == 429
    assert attempt(user.email, PASSWORD, REMOTE_ADDR="198.51.100.9") == 302  # its owner elsewhere
    Attempt.objects.update(began_at=Now() - timedelta(minutes=16))
    assert attempt(user.email, PASSWORD) == 302


def test_spellings_of_an_address_are_one_account(cast: Cast) -> None:
    """Case 67."""
    spellings = ("Alice@Example.com", " alice@example.com ", "ａlice@example.com",
                 "alice@\u200bexample.com", "ALICE@EXAMPLE.COM")  # fmt: skip
    assert {account_of(s) for s in spellings} == {"alice@example.com"}
    for spelling in spellings * 2:
        attempt(spelling)
    assert attempt("alice@example.com") == 429


def test_a_header_anybody_can_write_is_no_other_network(cast: Cast) -> None:
    """Case 67: X-Forwarded-For counts only from a proxy that is ours."""
    answers = [
        attempt("alice@example.com", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}") for n in range(11)
    ]
    assert answers[-1] == 429


def test_behind_our_own_proxy_the_client_is_who_it_says(cast: Cast, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1/32", "10.0.0.0/8"]
    for _ in range(10):  # what the client wrote itself stands left of what the proxies wrote
        attempt("alice@example.com", HTTP_X_FORWARDED_FOR="1.1.1.1, 203.0.113.5, 10.0.0.2")
    forged = {"HTTP_X_FORWARDED_FOR": "2.2.2.2, 203.0.113.5, 10.0.0.2"}
    assert attempt("alice@example.com", **forged) == 429
    assert attempt("alice@example.com", HTTP_X_FORWARDED_FOR="203.0.113.6, 10.0.0.2") == 200


def test_a_network_is_an_ipv4_address_or_a_64() -> None:
    """Case 67."""
    assert (
        network_of("2001:db8:1:2:aaaa::1") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    )
    assert network_of("2001:db8:1:3::9") != "2001:db8:1:2::/64"
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_a_good_sign_in_gives_back_its_own_try_alone(cast: Cast) -> None:
    """Case 67: signing in to one's own account between guesses makes no room for more."""
    able(cast.alice.user, totp=False)
    for _ in range(10):
        attempt(cast.bob.user.email)
        assert attempt(cast.alice.user.email, PASSWORD) == 302
    assert attempt(cast.bob.user.email) == 429


def test_a_hundred_accounts_are_one_network(cast: Cast) -> None:
    """Case 67: one password tried on many."""
    for _ in range(100):
        take([Key("sign-in", "127.0.0.1", 100, 900)])
    assert attempt("somebody@example.com") == 429


def test_strangers_do_not_lock_the_owner_out_of_a_network_of_their_own(cast: Cast) -> None:
    """Case 67: tries from everywhere close the account to strangers, not to its desk."""
    user = able(cast.alice.user, totp=False)
    assert attempt(user.email, PASSWORD, REMOTE_ADDR="192.0.2.1") == 302
    for _ in range(100):
        take([Key("sign-in", user.email, 100, 3600)])
    assert attempt(user.email, PASSWORD, REMOTE_ADDR="203.0.113.9") == 429
    assert attempt(user.email, PASSWORD, REMOTE_ADDR="192.0.2.1") == 302


def test_codes_are_not_guessed(cast: Cast) -> None:
    """Case 69: ten codes, then none, the right one included."""
    client = half_in(able(cast.alice.user))
    path = "/account/second-factor/sign-in/"
    answers = [client.post(path, {"code": "000000"}).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]
    assert client.post(path, {"code": code()}).status_code == 429
    again = half_in(cast.alice.user)  # a fresh half-way session is the same person
    assert again.post(path, {"code": code()}).status_code == 429


@pytest.mark.parametrize(
    "path", ["/account/password/change/", "/account/second-factor/confirm/code/"]
)
def test_a_stolen_session_is_no_place_to_guess(cast: Cast, path: str) -> None:
    """Case 66."""
    alice = SignedIn(able(cast.alice.user))
    form = {"oldpassword": WRONG, "password1": "x" * 20, "password2": "x" * 20, "code": "000000"}
    assert [alice.post(path, form).status_code for _ in range(11)] == [200] * 10 + [429]


def test_refused_credentials_of_the_api_count(cast: Cast) -> None:
    """Case 66."""
    for _ in range(99):
        take([Key("api", "127.0.0.1", 100, 900)])
    path, headers = "/api/v1/p/aurora/titles/", {"authorization": "Bearer dly_nothing"}
    assert Client(headers=headers).get(path).status_code == 401
    refused = Client(headers=headers).get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_attempts")
    assert refused["Retry-After"] == "900"
    assert SignedIn(cast.alice.user).get(path).status_code == 200


@pytest.mark.parametrize("path", ["titles/", "bundles/", "titles/film/viewing/"])
def test_tokens_are_not_guessed(cast: Cast, path: str) -> None:
    """Case 66: a hundred wrong ones from a network, each well-formed, then none whatever it is."""
    url = f"/api/v1/p/aurora/{path}"

    def ask(token: str, address: str = "127.0.0.1") -> int:
        client = Client(headers={"authorization": f"Bearer {token}"}, REMOTE_ADDR=address)
        return client.get(url).status_code

    _, right = credentials.make(
        membership=cast.alice, name="x", exits=["api"], families=None, networks=[]
    )
    assert ask(right) == 200
    assert [ask(new_token()) for _ in range(101)] == [401] * 100 + [429]
    assert (ask(right), ask(right, "203.0.113.9")) == (429, 200)


def test_counts_survive_whatever_happens_to_redis(cast: Cast, settings: Settings) -> None:
    """Fault 6: neither a session nor a counted attempt is in Redis."""
    settings.REDIS_URL = "unix:///nowhere.sock"
    attempt("alice@example.com")
    assert Attempt.objects.count() == 3
    assert "Dummy" in settings.CACHES["default"]["BACKEND"]
    assert settings.SESSION_ENGINE == "partners.session_store"


def test_what_is_given_back_can_be_taken_again(db: None) -> None:
    key = Key("door", "somebody", 1, 60)
    assert (take([key]), take([key])) == (True, False)
    give_back([key])
    give_back([key])
    assert (take([key]), take([key])) == (True, False)


def people(cast: Cast) -> dict[str, str]:
    """An address of each kind; all answers to them must be one."""
    able(cast.alice.user)
    inactive = able(User.objects.create_user("gone@example.com", is_active=False), totp=False)
    unverified = User.objects.create_user("unverified@example.com", PASSWORD)
    return {"absent": "nobody@example.com", "with a factor": cast.alice.user.email,
            "inactive": inactive.email, "unverified": unverified.email}  # fmt: skip


def told(html: bytes, email: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", html.decode()).replace(email, "")


@pytest.mark.parametrize(
    ("path", "field"), [("/account/login/", "login"), ("/account/password/reset/", "email")]
)
def test_no_answer_says_whether_an_address_is_known(cast: Cast, path: str, field: str) -> None:
    """Case 64: status, body, headers and count of mails for each kind of address."""
    answers, mails = set(), set()
    for email in people(cast).values():
        before = len(mail.outbox)
        answer = english().post(path, {field: email, "password": WRONG})
        headers = sorted(
            (k, v) for k, v in answer.items() if k not in ("Content-Length", "Expires")
        )
        answers.add((answer.status_code, told(answer.content, email), str(headers)))
        mails.add(len(mail.outbox) - before)
    assert len(answers) == len(mails) == 1


def test_a_disabled_login_is_told_nothing_with_the_right_password(cast: Cast) -> None:
    """Case 71."""
    email = people(cast)["inactive"]
    right = english().post("/account/login/", {"login": email, "password": PASSWORD})
    wrong = english().post("/account/login/", {"login": email, "password": WRONG})
    assert told(right.content, email) == told(wrong.content, email)
    assert AuditEvent.objects.filter(action="sign_in.failed", target=email).count() == 2
