"""Requests for access and the staff's pages about them in Chromium, at a desk and on a phone."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from partners import access_requests, staff_views
from partners.models import Grant, Membership, User
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.test_in_browser import WAYS, browse, cast, check, said

__all__ = ["browse", "cast"]

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def sign_in(page: Page, server: LiveServer, user: User) -> None:
    """The session of a person who has signed in, without the form."""
    cookie = SignedIn(user).cookies["sessionid"]
    page.context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": server.url}])


def look(page: Page, name: str) -> None:
    """What holds for a page of the admin. With SHOTS=folder a picture is kept."""
    page.wait_for_load_state()  # in between two pages there is no document
    width = page.evaluate("document.documentElement.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.faults == [], name  # type: ignore[attr-defined]
    assert "ZQB" not in said(page)
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize(("language", "width"), WAYS)
def test_an_owner_asks_for_access(
    cast: Cast, live_server: LiveServer, browse: Any, language: str, width: int
) -> None:
    page = browse(language, width)
    sign_in(page, live_server, cast.alice.user)
    page.goto(f"{live_server.url}/p/aurora/access/")
    check(page, language, f"access-{language}-{width}")
    page.locator("main a.button").first.click()
    check(page, language, f"ask-{language}-{width}")
    page.locator("main input[type=checkbox]").first.check()
    page.locator("main textarea").fill("2026-17")
    page.locator("main button.primary").click()
    page.wait_for_url("**/access/")
    assert "2026-17" in page.locator("main").inner_text()
    check(page, language, f"asked-{language}-{width}")


@pytest.mark.parametrize(("language", "width"), WAYS)
def test_staff_decide_explain_and_look(
    cast: Cast, live_server: LiveServer, browse: Any, language: str, width: int
) -> None:
    page = browse(language, width)
    sign_in(page, live_server, cast.stella)
    asked = access_requests.ask(cast.alice, "hidden", ["danmu"], "2026-17")
    film = cast.grants["film"]
    proposed = Grant.objects.create(
        partner=cast.aurora, families=["danmu", "viewing"], territories=["CN", "SG"],
        exits=["web", "delta"], valid_from=film.valid_from, contract_reference="C-9",
        made_by=cast.sam, replaces=cast.grants["shared"],
    )  # fmt: skip
    proposed.titles.set([cast.shared])
    partner, member = cast.aurora, Membership.objects.get(pk=cast.amy.pk)
    explained = reverse("admin:partners_partner_explain", args=[partner.pk])
    for name, path in {
        "explain-what": explained,
        "explain-why": f"{explained}?title={cast.shared.pk}&family=danmu&territory=SG"
        f"&day=2026-01-05&exit=web&member={member.pk}",
        "narrow": reverse("admin:partners_grant_narrow", args=[film.pk]),
        "approve": reverse("admin:partners_grant_approve", args=[proposed.pk]),
        "revoke": reverse("admin:partners_grant_revoke", args=[film.pk]),
        "request": reverse("admin:partners_accessrequest_change", args=[asked.pk]),
        "decline": reverse("admin:partners_accessrequest_decline", args=[asked.pk]),
        "file": reverse("admin:partners_grantbatch_add"),
        "view-as": reverse("admin:partners_partner_view_as", args=[partner.pk]),
    }.items():
        page.goto(live_server.url + path)
        look(page, f"{name}-{language}-{width}")
    staff_views.start(partner, member=None, reason="2026-17", by=cast.stella)
    page.goto(f"{live_server.url}/p/aurora/")
    assert "2026-17" in page.locator(".staff-view").inner_text()
    look(page, f"viewed-{language}-{width}")
    page.locator(".staff-view button").click()
    page.wait_for_url("**/admin/partners/partner/**")
