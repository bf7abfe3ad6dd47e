"""Signing in with an authenticator app and with a passkey, in Chromium with its own authenticator.

At http://localhost, which browsers take for a safe place; the live server is told its name.
"""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from partners.models import User
from tests.background import Mailbox
from tests.cast import make_cast
from tests.portal.web.test_second_factor import PASSWORD, able, code
from tests.test_in_browser import browse, check  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def url(live_server: LiveServer, settings: Settings, mailbox: Mailbox) -> str:
    settings.BASE_URL = live_server.url.replace("127.0.0.1", "localhost")
    settings.CSRF_TRUSTED_ORIGINS = [settings.BASE_URL]
    return str(settings.BASE_URL)


@pytest.fixture
def stella(transactional_db: None) -> User:
    return able(make_cast().stella, totp=False)


def authenticator(page: Page) -> None:
    """A device in the browser that holds passkeys and whose owner always agrees."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def sign_in(page: Page, url: str, user: User) -> None:
    page.goto(f"{url}/account/login/?next=/admin/")
    page.fill("[name=login]", user.email)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit].primary")


@pytest.mark.parametrize(("language", "width"), [("zh-CN", 390), ("en-GB", 1440)])
def test_staff_are_led_to_a_passkey_and_sign_in_with_it(
    stella: User,
    url: str,
    browse: Any,  # noqa: F811
    language: str,
    width: int,
) -> None:
    """Case 69: from the password alone to nothing but set-up; then by passkey, also when asked
    again.
    """
    page = browse(language, width)
    authenticator(page)
    sign_in(page, url, stella)
    page.wait_for_url("**/account/second-factor/")
    check(page, language, "second-factors-none")
    page.click("a[href$='/passkeys/']")
    check(page, language, "passkey-add")
    page.click("#passkey")
    page.wait_for_url("**/recovery-codes/")
    expect(page.locator(".codes li")).to_have_count(10)
    check(page, language, "recovery-codes")
    page.goto(f"{url}/admin/")
    assert page.locator("#user-tools").is_visible()

    page.goto(f"{url}/account/logout/")
    page.locator("main form[action$='/logout/'] button").click()
    page.wait_for_url("**/account/login/")
    sign_in(page, url, stella)
    page.wait_for_url("**/second-factor/sign-in/")
    check(page, language, "sign-in-second-factor")
    page.click("#passkey")
    page.wait_for_url("**/admin/")

    page.goto(f"{url}/account/second-factor/confirm/?next=/account/sessions/")
    page.wait_for_url("**/confirm/passkey/**")
    check(page, language, "confirm-passkey")
    page.click("#passkey")
    page.wait_for_url("**/account/sessions/")
    expect(page.locator(".factors li")).to_have_count(1)
    if language.startswith("en"):  # a browser's and a system's name are the same in every language
        check(page, language, "sessions")
    page.goto(f"{url}/account/second-factor/")
    check(page, language, "second-factors-some")
    assert Authenticator.objects.filter(user=stella, type="webauthn").count() == 1


@pytest.mark.parametrize(("language", "width"), [("zh-CN", 390), ("en-GB", 1440)])
def test_an_app_is_set_up_by_its_key(
    stella: User,
    url: str,
    browse: Any,  # noqa: F811
    language: str,
    width: int,
) -> None:
    page = browse(language, width)
    sign_in(page, url, stella)
    page.wait_for_url("**/account/second-factor/")
    page.click("a[href$='/app/']")
    check(page, language, "app-set-up")
    secret = page.locator(".secret").inner_text()
    page.fill("[name=code]", code(secret))
    page.click("button.primary")
    page.wait_for_url("**/recovery-codes/")
    page.goto(f"{url}/account/second-factor/confirm/?next=/account/sessions/")
    page.wait_for_url("**/confirm/code/**")
    check(page, language, "confirm-code")
    page.fill("[name=code]", code(secret, step=1))
    page.click("button.primary")
    page.wait_for_url("**/account/sessions/")
