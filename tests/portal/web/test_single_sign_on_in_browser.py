"""Single sign-on in Chromium, by a real provider: the policy of our pages lets one through."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from tests.cast import make_cast
from tests.portal.providers import real_provider
from tests.portal.web.test_single_sign_on import address, signs_in_by

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_member_goes_to_the_provider_and_comes_back_signed_in(
    live_server: LiveServer, settings: Settings, chromium: Browser, scripts: bool
) -> None:
    settings.BASE_URL = live_server.url
    cast = make_cast()
    address(cast.alice.user, "alice@aurora.example")
    with real_provider() as real:
        provider = signs_in_by(cast, cast.aurora, real.issuer, enforced=True)
        real.has("alice", email="alice@aurora.example", email_verified=True)
        context = chromium.new_context(locale="en-GB", java_script_enabled=scripts)
        page = context.new_page()
        refused: list[str] = []
        page.on(
            "console", lambda m: refused.append(m.text) if "Security Policy" in m.text else None
        )  # the provider's own page misses files of other sites
        page.goto(live_server.url + reverse("single_sign_on", args=[provider.pk]))
        page.click("text=Continue")
        page.wait_for_url(f"{real.issuer}/**", timeout=60_000)
        page.fill("input[name=sub]", "alice")
        page.click("button")
        page.wait_for_url(f"{live_server.url}/p/aurora/")
        assert page.locator("h1").count() == 1
        assert refused == []
        context.close()
