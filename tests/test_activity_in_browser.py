"""The activity page in Chromium, in both languages and widths; and what is left after sign-out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from partners.audit import record
from partners.models import User
from tests.cast import Cast
from tests.test_in_browser import PASSWORD, WAYS, browse, cast, check

__all__ = ["browse", "cast"]
pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def sign_in(page: Page, server: LiveServer, path: str) -> None:
    page.goto(f"{server.url}{path}")
    page.fill("input[name=login]", "alice@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit].primary")
    page.wait_for_url(f"{server.url}{path}")


@pytest.mark.parametrize(("language", "width"), WAYS)
def test_an_owner_reads_and_filters_the_activity(
    cast: Cast, browse: object, live_server: LiveServer, language: str, width: int
) -> None:
    for user, name in ((cast.stella, "斯黛拉"), (cast.sam, "三木"), (cast.victor.user, "维克多")):
        User.objects.filter(pk=user.pk).update(name=name)
    record("staff_view.page", actor=cast.stella, partner=cast.aurora, target="film")
    record("export.csv", actor=cast.amy.user, partner=cast.aurora, target="film",
           window="2026-01-01..2026-01-10", families=["viewing"])  # fmt: skip
    page = browse(language, width)  # type: ignore[operator]
    sign_in(page, live_server, "/p/aurora/activity/")
    expect(page.locator("table.activity tbody tr").first).to_be_visible()
    check(page, language, f"activity-{language}-{width}")
    page.select_option("#id_who", "staff")
    page.select_option("#id_action", "staff_view.page")
    page.click(".filter button")
    rows = page.locator("table.activity tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("斯黛拉")


def test_after_sign_out_going_back_shows_nothing(
    cast: Cast, browse: object, live_server: LiveServer
) -> None:
    """Case 37."""
    page = browse("en-GB", 1440)  # type: ignore[operator]
    sign_in(page, live_server, "/p/aurora/titles/film/")
    expect(page.locator("h1")).to_contain_text("The Long Night")
    page.click("details.menu summary")
    page.click("form[action='/account/logout/'] button")
    page.wait_for_url("**/account/login/**")
    page.go_back()
    page.wait_for_load_state()
    assert "The Long Night" not in page.content()
    page.goto(f"{live_server.url}/p/aurora/titles/film/")
    assert "The Long Night" not in page.content()
