"""On a phone no page of a member is wider than its window, and none has a table to be pushed
sideways but the one of a title's numbers. In both languages.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from partners import access_requests, credentials
from partners.audit import record
from partners.invitations import invite
from partners.models import User
from reports.models import Schedule
from tests.background import Mailbox
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.test_in_browser import browse, cast

__all__ = ["browse", "cast"]
pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "a-newcomer.with-a-very-long-name-of-their-own@some-production-company.example.com"

PUSHED_SIDEWAYS = """[...document.querySelectorAll("body, body *")].filter((e) =>
  e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
).map((e) => e.className)"""


@pytest.fixture
def pages(cast: Cast, mailbox: Mailbox) -> dict[str, str]:
    """Every page of an owner's that has something to show, with words that are long."""
    team = {"partner": cast.aurora, "role": "analyst", "language": "en", "by": cast.alice.user}
    invite(email=LONG, limit_titles=[cast.film.pk], limit_families=["danmu"], **team)
    held, _ = credentials.make(
        membership=cast.alice, name="Power BI 每日刷新（总部数据中台）", exits=["api", "export"],
        families=["viewing", "retention"], networks=["203.0.113.0/24", "2001:db8::/32"],
    )  # fmt: skip
    schedule = Schedule.objects.create(partner=cast.aurora, name="Weekly", owner=cast.alice)
    access_requests.ask(cast.alice, "hidden", ["danmu"], f"2026-17 {LONG}")
    record(
        "export.csv", actor=cast.amy.user, partner=cast.aurora, target=LONG, territory="*",
        window="2026-01-01..2026-01-10", families=["viewing", "demographics"], reason=LONG,
    )  # fmt: skip
    slug = cast.aurora.slug
    of_partner = {
        "portfolio": [], "title": ["film"], "reports": [], "schedule-new": [],
        "schedule": [schedule.pk], "access": [], "access-ask": ["shared"], "activity": [],
        "team": [], "team-invite": [], "member": [cast.amy.pk], "credentials": [],
        "credential-new": [], "credential-replace": [held.pk],
    }  # fmt: skip
    own = (
        "mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "sessions", "account_change_password",
        "account_logout", "single_sign_on_ask", "account_reset_password_done", "account_inactive",
    )  # fmt: skip
    return {
        **{name: reverse(name, args=[slug, *args]) for name, args in of_partner.items()},
        **{name: reverse(name) for name in own},
        "nothing": f"/p/{slug}/nothing/",
    }


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_no_page_of_a_member_is_wider_than_a_phone(
    cast: Cast, pages: dict[str, str], live_server: LiveServer, browse: Any, language: str
) -> None:
    User.objects.filter(pk=cast.alice.user.pk).update(name="爱丽丝·欧阳司徒")
    page = browse(language, 390)
    cookie = SignedIn(cast.alice.user).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    wrong = {}
    for name, path in pages.items():
        page.goto(live_server.url + path)
        wider = page.evaluate("document.documentElement.scrollWidth") - 390
        pushed = page.evaluate(PUSHED_SIDEWAYS)
        if wider > 0 or pushed:
            wrong[name] = (wider, pushed)
    assert wrong == {}
    page.goto(f"{live_server.url}/p/aurora/activity/")
    labels = page.locator("table.activity tbody tr").first.locator("td[data-label]")
    assert labels.first.evaluate("e => getComputedStyle(e, '::before').content") in (
        '"When"', '"时间"',
    )  # fmt: skip
