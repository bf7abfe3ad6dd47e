"""P9: every door, what opens it, and what does not."""

from __future__ import annotations

import base64
import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core import mail
from django.test import Client, RequestFactory
from pytest_django import Settings

from partners.models import Session, User
from portal.web.throttle import door_of
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.portal.web.test_second_factor import PASSWORD, able, english
from tests.test_every_route import ROUTES, concrete


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def reset_link(user: User, **meta: str) -> str:
    """The link of a mail for a forgotten password."""
    english().post("/account/password/reset/", {"email": user.email}, **meta)  # type: ignore[arg-type]
    [link] = re.findall(r"https?://\S+/key/\S+", mail.outbox[-1].body)
    return str(link)


def test_every_form_that_takes_a_password_or_code_is_a_counted_door(cast: Cast) -> None:
    """Case 66: a page with such a field that nobody has put on the list fails here."""
    user = able(cast.alice.user)
    asking = set()
    for path, _name in ROUTES:
        for client in (english(), SignedIn(user)):
            page = client.get(concrete(path, slug="film"), follow=True)
            if re.search(rb'<input[^>]*(?:type="password"|name="code")', page.content):
                asking.add(page.wsgi_request.path)
    uncounted = {p for p in asking if door_of(RequestFactory().get(p)) in (None, "api")}
    assert uncounted <= {"/account/password/set/"}  # it asks for no secret: it sets the first one
    assert "/account/login/" in asking


def test_admin_and_api_have_no_sign_in_of_their_own(cast: Cast) -> None:
    """Case 66."""
    user = able(cast.stella)
    answer = english().post("/admin/login/", {"username": user.email, "password": PASSWORD})
    assert answer["Location"].startswith("/account/login/")
    basic = base64.b64encode(f"{user.email}:{PASSWORD}".encode()).decode()
    api = Client(headers={"authorization": f"Basic {basic}"})
    assert api.get("/api/v1/p/aurora/titles/").status_code == 401
    assert Client().get("/api-auth/login/").status_code == 404


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_scanner_that_opens_the_link_uses_nothing_up(cast: Cast, method: str) -> None:
    """Case 62: a new password and an address to confirm wait for their form."""
    user = able(cast.alice.user, totp=False)
    link = reset_link(user)
    for _ in range(3):
        getattr(Client(), method)(link, follow=True)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    person = english()
    form = person.get(link, follow=True).redirect_chain[-1][0]
    fresh = "another-long-evening"
    assert person.post(form, {"password1": fresh, "password2": fresh}).status_code == 302
    user.refresh_from_db()
    assert user.check_password(fresh)

    address = EmailAddress.objects.create(user=cast.bob.user, email=cast.bob.user.email)
    key = EmailConfirmationHMAC(address).key
    getattr(Client(), method)(f"/account/confirm-email/{key}/")
    address.refresh_from_db()
    assert not address.verified
    Client().post(f"/account/confirm-email/{key}/")
    address.refresh_from_db()
    assert address.verified


def test_a_link_in_a_mail_leads_to_us_whatever_host_was_asked(cast: Cast) -> None:
    """Case 61."""
    user = able(cast.alice.user, totp=False)
    assert reset_link(user, HTTP_X_FORWARDED_HOST="evil.example").startswith(
        "http://localhost:8000/account/"
    )
    form = {"email": user.email}
    answer = english().post("/account/password/reset/", form, headers={"host": "evil.example"})
    assert answer.status_code == 400


def test_a_link_for_a_new_password_opens_once_and_dies_with_the_password(cast: Cast) -> None:
    user = able(cast.alice.user, totp=False)
    first, second = reset_link(user), reset_link(user)
    person = english()
    form = person.get(first, follow=True).redirect_chain[-1][0]
    fresh = "another-long-evening"
    person.post(form, {"password1": fresh, "password2": fresh})
    for link in (first, second):
        assert "has been used or has expired" in english().get(link, follow=True).content.decode()


@pytest.mark.parametrize(
    "path",
    ["/account/login/", "/account/logout/", "/account/password/reset/", "/account/sessions/end/",
     "/account/second-factor/app/", "/account/second-factor/recovery-codes/new/", "/language/",
     "/p/aurora/reports/", "/admin/partners/grant/add/", "/api/v1/p/aurora/bundles/"],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"origin": "null"}, {"origin": "https://evil.example"}])
def test_a_form_of_another_site_is_refused(cast: Cast, path: str, headers: dict[str, str]) -> None:
    """Case 74: without the token, from nowhere, and from elsewhere."""
    user = cast.sam if path.startswith("/admin/") else cast.alice.user
    victim = SignedIn(user)
    victim.handler.enforce_csrf_checks = True
    if path in ("/account/login/", "/account/password/reset/"):
        victim.logout()
    form = {"content_type": "application/json"} if path.startswith("/api/") else {}
    answer = victim.post(path, {}, headers=headers, **form)  # type: ignore[arg-type]
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/account/logout/", "/account/sessions/end/", "/language/"])
def test_reading_changes_nothing(cast: Cast, path: str) -> None:
    """Case 74: a link or an image signs nobody out."""
    here, other = SignedIn(cast.alice.user), SignedIn(cast.alice.user)
    here.get(path)
    assert Session.objects.filter(user=cast.alice.user).count() == 2
    assert other.get("/p/aurora/").status_code == 200
    cast.alice.user.refresh_from_db()
    assert cast.alice.user.language == "zh-hans"
