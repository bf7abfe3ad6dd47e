"""The partner's walk in Chromium: sign in, timeline, ask for a bundle, download it.

In both languages, at a desk's width and a phone's. No page may break the content-security policy,
be wider than the screen, or mix the languages.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from reports.models import Bundle, Delivery
from tests.background import Background, wait_until
from tests.cast import CANARY, Cast, make_cast

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "seven-lanterns-on-the-quay"
WAYS = [
    pytest.param(language, width, id=f"{language}-{width}")
    for language in ("zh-CN", "en-GB")
    for width in (1440, 390)
]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    cast = make_cast()
    cast.alice.user.set_password(PASSWORD)
    cast.alice.user.save()
    EmailAddress.objects.create(
        user=cast.alice.user, email=cast.alice.user.email, verified=True, primary=True
    )
    return cast


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Any]:
    """Opens a page that notes each broken policy and script error."""
    contexts: list[BrowserContext] = []

    def open_page(language: str, width: int) -> Page:
        context = chromium.new_context(
            locale=language,
            viewport={"width": width, "height": 900},
            is_mobile=width < 500,
            has_touch=width < 500,
        )
        contexts.append(context)
        page = context.new_page()
        page.faults = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
        page.on(
            "console",
            lambda message: message.type == "error" and page.faults.append(message.text),  # type: ignore[attr-defined]
        )
        return page

    yield open_page
    for context in contexts:
        context.close()


def said(page: Page) -> str:
    """The page without the tokens of its forms: by chance such a one holds any three letters."""
    return re.sub(r'value="\w{64}"', "", page.content())


def check(page: Page, language: str, name: str, known: Collection[str] = ()) -> None:
    """What holds for every page. With SHOTS=folder a picture is kept, to be looked at.

    `known` are words beside the usual that stand in Latin letters on a Chinese page too.
    """
    page.wait_for_load_state()  # in between two pages there is no document
    width = page.evaluate("document.documentElement.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.faults == [], name  # type: ignore[attr-defined]
    content = said(page)
    assert str(CANARY) not in content
    assert "ZQB" not in content
    words = page.locator("body").inner_text()
    if language.startswith("zh"):
        assert page.get_attribute("html", "lang") == "zh-Hans"
        english = {
            word
            for word in re.findall(r"\b[A-Za-z]{4,}\b", words)
            if word not in ("Dailies", "English", "Alice", "Aurora", "alice", "example", "Long")
            and word not in ("Night", "film", "shared", "Shared", "Asia", "Shanghai", "Chinese")
            and word not in known
        }
        assert english == set(), name
    else:
        assert page.get_attribute("html", "lang") == "en"
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{language}-{width}-{name}.png", full_page=True)


@pytest.mark.parametrize(("language", "width"), WAYS)
def test_a_producer_walks_from_sign_in_to_the_file(
    cast: Cast,
    live_server: LiveServer,
    background: Background,
    browse: Any,
    settings: Settings,
    tmp_path: Path,
    language: str,
    width: int,
) -> None:
    settings.STORAGE_ROOT = tmp_path / "files"
    settings.BASE_URL = background.environment["BASE_URL"] = live_server.url
    page = browse(language, width)
    page.goto(f"{live_server.url}/p/aurora/titles/film/")
    assert page.url.startswith(f"{live_server.url}/account/login/?next=")
    check(page, language, "sign-in")
    page.fill("[name=login]", cast.alice.user.email)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit].primary")
    page.wait_for_url("**/p/aurora/titles/film/")

    page.wait_for_selector("#timeline canvas")
    check(page, language, "title")
    panels = page.locator(".panel").all()
    assert len(panels) >= 2
    for panel in panels:
        panel.scroll_into_view_if_needed()
        panel.locator("canvas").wait_for()
    check(page, language, "title-panels")
    page.locator("#timeline").scroll_into_view_if_needed()
    assert lanes(page) == ["danmu", "retention", "rewatch", "stops"]
    before = zoom(page)
    page.locator("#timeline").scroll_into_view_if_needed()
    box = page.locator("#timeline canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150)
    if width > 500:
        page.keyboard.down("Control")
        page.mouse.wheel(0, -600)
        page.keyboard.up("Control")
        wait_until(lambda: zoom(page) != before, 60)
    page.locator(".moment-list a[data-kind=danmu_peak]").first.click()
    expect(page.locator("#comments li")).to_have_count(20)
    check(page, language, "moment")
    assert re.search(r"\?from=2026-01-01&until=2026-01-11(&zoom=\d+-\d+)?&moment=\d+$", page.url)
    goes_by_keys(page)

    page.goto(f"{live_server.url}/p/aurora/titles/film/?view=table")
    check(page, language, "table")
    row = page.locator(".scroll.tall tbody tr").first.bounding_box()
    assert row is not None
    assert row["height"] < 45  # one line: no number is broken, the table scrolls

    page.goto(f"{live_server.url}/p/aurora/compare/?title=film&title=shared")
    page.wait_for_selector("#compare canvas")
    page.locator("details.define summary").first.click()
    check(page, language, "compare")

    page.goto(f"{live_server.url}/p/aurora/")
    check(page, language, "portfolio")
    assert page.locator("a[href*='/titles/']").count() >= 2

    page.goto(f"{live_server.url}/p/aurora/reports/")
    page.locator("input[name=titles]").first.check()
    page.fill("[name=since]", "2026-01-01")
    page.fill("[name=until]", "2026-01-08")
    page.click("#ask button.primary")
    page.wait_for_selector(".bundle")
    check(page, language, "reports-queued")
    bundle = Bundle.objects.get()
    background.start_worker()
    background.start_beat()
    wait_until(lambda: Delivery.objects.filter(bundle=bundle, state="done").exists(), 90)
    page.wait_for_selector(f"a[href$='{bundle.pk}/download/']", timeout=60_000)  # by itself
    check(page, language, "reports-done")
    with page.expect_download() as download:
        page.click(f"a[href$='{bundle.pk}/download/']")
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as packed:
        assert "report.pdf" in packed.namelist()
        assert any(name.startswith("data/film/") for name in packed.namelist())


def goes_by_keys(page: Page) -> None:
    """Along the content by arrows, closer by a plus; a link shows a colleague the same."""
    timeline = page.locator("#timeline")
    page.goto(page.url.partition("?")[0])
    page.wait_for_selector("#timeline[role=slider]")
    timeline.focus()
    for key, at, clock in (("Home", 0, "0:00:00"), ("Shift+ArrowRight", 10, "0:00:10")):
        page.keyboard.press(key)
        expect(timeline).to_have_attribute("aria-valuenow", str(at))
        told = timeline.get_attribute("aria-valuetext") or ""
        assert told.startswith(f"{clock}; ")
        assert told.count(";") == 4  # every lane
    page.keyboard.press("+")
    page.wait_for_url("**zoom=0-60&moment=*")
    page.keyboard.press("Enter")
    page.wait_for_url("**zoom=0-60&at=10")
    expect(page.locator("#moment-name")).to_have_text("0:00:05 – 0:00:15")
    page.reload()
    page.wait_for_selector("#timeline[role=slider]")
    assert zoom(page)[:2] == [0, 60]
    timeline.focus()
    page.keyboard.press("0")
    page.wait_for_url(lambda url: "zoom" not in url)
    if page.viewport_size and page.viewport_size["width"] > 500:
        drags_to_zoom(page)
    assert page.faults == []  # type: ignore[attr-defined]


def drags_to_zoom(page: Page) -> None:
    """From a quarter of the axis to its middle: that is what is shown then."""
    box = page.locator("#timeline canvas").bounding_box()
    assert box is not None
    at = page.evaluate(PIXELS, [30, 60])
    page.mouse.move(box["x"] + at[0], box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + at[1], box["y"] + 150, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"zoom=\d+-\d+"))
    since, until = zoom(page)[:2]
    assert abs(since - 30) < 2
    assert abs(until - 60) < 2


PIXELS = """seconds => {
  const chart = echarts.getInstanceByDom(document.querySelector('#timeline canvas')
    .closest('[_echarts_instance_]'));
  return seconds.map(t => chart.convertToPixel({ xAxisIndex: 0 }, t));
}"""
ZOOM = """(() => {
  const chart = echarts.getInstanceByDom(document.querySelector('#timeline canvas')
    .closest('[_echarts_instance_]'));
  const zoom = chart.getOption().dataZoom[0];
  return [zoom.startValue, zoom.endValue, zoom.start, zoom.end];
})()"""


def zoom(page: Page) -> Any:
    return page.evaluate(ZOOM)


def lanes(page: Page) -> list[str]:
    """The lanes that the chart draws, by the ids of their series."""
    ids = page.evaluate(
        """(() => {
          const chart = echarts.getInstanceByDom(document.querySelector('#timeline canvas')
            .closest('[_echarts_instance_]'));
          return chart.getOption().series.map((s) => s.id);
        })()"""
    )
    return sorted({i for i in ids if i in ("retention", "stops", "rewatch", "danmu")})
