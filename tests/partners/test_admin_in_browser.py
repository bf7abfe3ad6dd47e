"""Every page of the admin in Chromium, under the policy; and nothing left after signing out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from partners.models import User
from tests.cast import Cast, make_cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff
from tests.partners.test_admin_pages import addresses

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def browse(chromium: Browser, live_server: LiveServer) -> Iterator[Any]:
    """Opens a page of a signed-in person that notes each broken policy and script error."""
    contexts: list[BrowserContext] = []

    def open_page(user: User, width: int, scheme: str = "light") -> Page:
        context = chromium.new_context(
            locale="en-GB", viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        cookie = SignedIn(user).cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        page.faults = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
        page.on("console", lambda said: _note(page, said))
        return page

    yield open_page
    for context in contexts:
        context.close()


def _note(page: Any, said: Any) -> None:
    """A refused page (403) is an answer; a refused script or style is a fault."""
    if said.type == "error" and "status of 403" not in said.text:
        page.faults.append(said.text)


def shot(page: Page, name: str) -> None:
    """With SHOTS=folder a picture is kept, to be looked at."""
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_no_page_of_the_admin_breaks_the_policy(
    cast: Cast, staff: Staff, filled: dict[str, Any], live_server: LiveServer, browse: Any
) -> None:
    """Reports of the content-security policy come to the console: there is none."""
    page = browse(staff.root, 1440)
    for address in addresses(filled):
        if address.endswith(("/jsi18n/", "/autocomplete/")):
            continue  # no pages
        page.goto(live_server.url + address)
        assert page.faults == [], address
        shot(page, "admin" + address.strip("/").replace("/", "-")[5:60])


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_administrator_gives_a_role(
    cast: Cast, staff: Staff, live_server: LiveServer, browse: Any, width: int, scheme: str
) -> None:
    """With the scripts that choose partners: what is typed is looked up and chosen."""
    page = browse(staff.ada, width, scheme)
    page.goto(f"{live_server.url}/admin/partners/user/{staff.dora.pk}/change/")
    page.click("a[href$='/role/']")
    shot(page, f"role-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.check("input[name=role][value='Partner managers']")
    page.check("input[name=narrow]")
    page.click(".select2-selection")
    page.keyboard.type("aurora")
    page.click(".select2-results__option >> text=Aurora")
    shot(page, f"role-chosen-{width}-{scheme}")
    page.click(".submit-row input[type=submit]")
    page.wait_for_selector(".messagelist .success")
    shot(page, f"role-given-{width}-{scheme}")
    dora = User.objects.get(pk=staff.dora.pk)
    assert dora.limit_partners == [cast.aurora.pk]
    page.goto(f"{live_server.url}/admin/partners/membership/?partner__slug=aurora")
    shot(page, f"filter-{width}-{scheme}")
    assert page.faults == []


def test_after_signing_out_the_back_button_shows_nothing(
    cast: Cast, live_server: LiveServer, browse: Any
) -> None:
    """Case 37."""
    page = browse(cast.alice.user, 1440)
    title = f"{live_server.url}/p/aurora/titles/film/"
    page.goto(title)
    assert "The Long Night" in page.content()
    page.goto(f"{live_server.url}/account/logout/")
    page.click("button.primary")
    page.wait_for_url("**/account/login/*")
    for _ in range(2):
        page.go_back()
        assert "The Long Night" not in page.content()
    page.goto(title)
    assert "/account/login/" in page.url
