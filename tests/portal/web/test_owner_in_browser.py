"""An owner's walk in Chromium: the team, an invitation, a credential whose token is used."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from partners.models import Credential, Membership, User
from tests.background import Mailbox
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.test_in_browser import WAYS, browse, cast, check

__all__ = ["browse", "cast"]

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EXAMPLE = {"curl", "Authorization", "Bearer", "http", "localhost", "aurora", "titles"}


@pytest.mark.parametrize(("language", "width"), WAYS)
def test_an_owner_keeps_the_team_and_the_credentials(
    cast: Cast,
    live_server: LiveServer,
    mailbox: Mailbox,
    browse: Any,
    settings: Settings,
    language: str,
    width: int,
) -> None:
    settings.BASE_URL = live_server.url
    Membership.objects.filter(pk=cast.victor.pk).update(
        limit_titles=[cast.film.pk], limit_families=["danmu", "viewing"]
    )
    User.objects.filter(pk=cast.victor.user_id).update(name="维克多", email="v@example.com")
    page = browse(language, width)
    session = SignedIn(cast.alice.user).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    english = language.startswith("en")

    page.goto(f"{live_server.url}/p/aurora/team/")
    check(page, language, "team")
    page.click("a.button.primary")
    page.fill("[name=email]", "n@example.com")
    page.check("[name=narrow_titles]")
    page.get_by_label("The Long Night" if english else "长夜").check()
    check(page, language, "invite")
    page.click("main button.primary")
    expect(page.locator(".bundle h3", has_text="n@example.com")).to_be_visible()
    check(page, language, "team-invited")
    page.locator("h3 a", has_text="维克多").click()
    check(page, language, "member")

    page.goto(f"{live_server.url}/p/aurora/credentials/")
    page.click("a.button.primary")
    page.fill("[name=name]", "2026")
    page.select_option("[name=reads]", "1")
    check(page, language, "credential-new", {"JSON"})
    page.click("main button.primary")
    token = page.input_value("#token")
    check(page, language, "credential-made", EXAMPLE)
    program = Client(headers={"authorization": f"Bearer {token}"})
    assert program.get("/api/v1/p/aurora/titles/film/viewing/").status_code == 200
    page.locator("main a.button").click()
    expect(page.locator(".bundle h3")).to_have_text("2026")
    check(page, language, "credentials", {"JSON"})
    page.locator(".bundle a.button").click()
    check(page, language, "credential-replace", {"JSON"})
    page.go_back()
    page.click(".bundle button.danger")
    expect(page.locator(".state.failed")).to_be_visible()
    assert re.fullmatch(r"dly_\w{8}", Credential.objects.get().prefix)
    assert program.get("/api/v1/p/aurora/titles/film/viewing/").status_code == 401
