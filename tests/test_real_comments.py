"""Real comments on a real film and a drama episode, from the file to the browser and the PDF.

They go in as titles of Aurora: Alice sees where the film's danmu peak, in the browser, the CSV
and the PDF's text. Bob of Borealis gets for each address what a made-up one gets. After the
grant is revoked, Alice's mailed link and the bundle built before are dead.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from engagement.models import DanmuFact, Title
from partners import grants
from partners.models import Grant, User
from reports.models import Bundle, Delivery
from tests.background import Background, Mailbox, wait_until
from tests.cast import Cast, make_cast
from tests.conftest import SignedIn

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "seven-lanterns-on-the-quay"
TITLES = """\
title_id,kind,name_zh,name_en,runtime_s,parent_title_id
yolo,film,热辣滚烫,YOLO,7772,
di-renjie,series,神探狄仁杰 第二部,Detective Di Renjie II,0,
di-renjie-1,episode,神探狄仁杰 第二部 第1集,Detective Di Renjie II 1,2717,di-renjie
"""
MAP = "file,part,title_id\nbilibili_yolo.csv,,yolo\nbilibili_483236581.xml,,di-renjie-1\n"


@pytest.fixture
def cast(transactional_db: None, real_data: Path, tmp_path: Path, settings: Settings) -> Cast:
    settings.STAGING, settings.SOURCES = tmp_path / "staged", tmp_path / "sources"
    settings.PEOPLE = tmp_path / "people"
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(TITLES)
    (landing / "titles.map.csv").write_text(MAP)
    for file in (
        real_data / "danmaku-film-yolo-2024" / "bilibili_yolo.csv",
        real_data / "danmaku-drama-direnjie2" / "bilibili_483236581.xml.gz",
    ):
        (landing / file.name).symlink_to(file)
    call_command("ingest", str(landing))
    cast = make_cast()
    cast.grants["real"] = cast.grant(
        cast.aurora, Title.objects.get(key="yolo"), Title.objects.get(key="di-renjie-1")
    )
    for member in (cast.alice, cast.bob):
        member.user.set_password(PASSWORD)
        member.user.save()
        EmailAddress.objects.create(
            user=member.user, email=member.user.email, verified=True, primary=True
        )
    return cast


def sign_in(browser: Browser, server: LiveServer, user: User, **options: Any) -> BrowserContext:
    """Through the page, as a person does."""
    context = browser.new_context(**{"locale": "zh-CN", **options})
    page = context.new_page()
    page.goto(f"{server.url}/account/login/")
    page.fill("[name=login]", user.email)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit].primary")
    page.wait_for_url(re.compile(r"/p/"))
    page.close()
    return context


def same_as_made_up(client: SignedIn, path: str, made_up: str) -> bool:
    """Status, body and headers of both."""
    ours, other = client.get(path), client.get(made_up)
    return (
        ours.status_code == other.status_code == 404
        and ours.content == other.content
        and sorted(ours.items()) == sorted(other.items())
    )


def test_every_comment_is_counted_once(cast: Cast) -> None:
    totals = {
        title.key: sum(
            DanmuFact.objects.filter(title=title, territory="*").values_list("comments", flat=True)
        )
        for title in Title.objects.filter(key__in=("yolo", "di-renjie-1"))
    }
    assert totals == {"yolo": 9600, "di-renjie-1": 18533}


def test_the_film_peaks_in_minute_54_for_alice_and_is_nothing_to_bob(
    cast: Cast,
    live_server: LiveServer,
    chromium: Browser,
    background: Background,
    mailbox: Mailbox,
    settings: Settings,
    tmp_path: Path,
    text_of: Callable[[bytes], str],
) -> None:
    settings.STORAGE_ROOT = tmp_path / "files"
    settings.BASE_URL = background.environment["BASE_URL"] = live_server.url
    context = sign_in(chromium, live_server, cast.alice.user)
    page = context.new_page()
    see_the_peak(page, f"{live_server.url}/p/aurora/titles/yolo/")

    bundle = ask_for_everything(page, f"{live_server.url}/p/aurora/reports/")
    background.start_worker()
    background.start_beat()
    wait_until(lambda: Delivery.objects.filter(bundle=bundle, state="done").exists(), 90)
    page.reload()
    with page.expect_download() as download:
        page.click(f"a[href$='{bundle.pk}/download/']")
    read_the_peak(Path(download.value.path()).read_bytes(), text_of)

    [message] = mailbox.of(cast.alice.user.email)
    body = message.get_body(("plain",))
    assert body is not None
    [mailed] = re.findall(rf"{live_server.url}(\S+)", body.get_content())
    link = Client().get(mailed).headers["Location"]
    bob, alice = SignedIn(cast.bob.user), SignedIn(cast.alice.user)
    unknown = "00000000-0000-4000-8000-000000000000"
    addresses = {
        "/p/aurora/titles/yolo/": "/p/no-such/titles/no-such/",
        "/p/borealis/titles/yolo/": "/p/borealis/titles/no-such/",
        "/api/v1/p/aurora/titles/yolo/danmu/": "/api/v1/p/no-such/titles/no-such/danmu/",
        "/api/v1/p/borealis/titles/yolo/danmu/": "/api/v1/p/borealis/titles/no-such/danmu/",
        link: link.replace(str(bundle.pk), unknown).replace("aurora", "no-such"),
        link.replace("aurora", "borealis"): f"/p/borealis/reports/{unknown}/",
        f"/p/borealis/reports/{bundle.pk}/download/": f"/p/borealis/reports/{unknown}/download/",
        f"/api/v1/p/borealis/bundles/{bundle.pk}/": f"/api/v1/p/borealis/bundles/{unknown}/",
    }
    for path, made_up in addresses.items():
        assert same_as_made_up(bob, path, made_up), path
    assert alice.get(link).status_code == 200

    grants.revoke(Grant.objects.get(pk=cast.grants["real"].pk), by=cast.stella)
    for path in (
        link,
        f"{link}download/",
        "/p/aurora/titles/yolo/",
        f"/api/v1/p/aurora/bundles/{bundle.pk}/",
    ):
        assert alice.get(path).status_code == 404, path
    context.close()


def see_the_peak(page: Page, url: str) -> None:
    """The film's page names minute 54 first, and shows its comments when that is clicked."""
    page.goto(url)
    first = page.locator(".moment-list a").first
    assert first.get_attribute("data-from") == str(54 * 60)
    assert "510 条弹幕" in first.inner_text()
    page.wait_for_selector("#timeline canvas")
    first.click()
    expect(page.locator("#comments li")).to_have_count(510)
    assert page.locator("#comments").inner_text().count("啊？") > 50


def ask_for_everything(page: Page, url: str) -> Bundle:
    """A bundle of the film over the days on which people wrote."""
    page.goto(url)
    for box in page.locator("input[name=titles]").all():
        box.set_checked("热辣滚烫" in box.evaluate("e => e.closest('label').innerText"))
    page.fill("[name=since]", "2024-04-19")
    page.fill("[name=until]", "2024-11-20")
    page.click("#ask button.primary")
    page.wait_for_selector(".bundle")
    return Bundle.objects.get()


def read_the_peak(packed: bytes, text_of: Callable[[bytes], str]) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
        text = text_of(bundle.read("report.pdf"))
        rows = list(
            csv.DictReader(io.StringIO(bundle.read("data/yolo/danmu.csv").decode("utf-8-sig")))
        )
        quoted = list(
            csv.DictReader(
                io.StringIO(bundle.read("data/yolo/danmu_comments.csv").decode("utf-8-sig"))
            )
        )
    assert re.search(r"0:54:00 – 0:55:00 510", text)
    counts = [int(r["comments"]) for r in rows]
    minutes = [sum(counts[m : m + 60]) for m in range(0, len(counts), 60)]
    assert (minutes.index(max(minutes)), max(minutes), sum(counts)) == (54, 510, 9600)
    assert quoted
    assert all(int(r["repeats"]) >= 3 or int(r["likes"]) >= 10 for r in quoted)
