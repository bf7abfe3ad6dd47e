"""From the mail to the bytes, as a recipient's browser goes: sign-in, page, file; then revoked."""

from __future__ import annotations

import hashlib
import io
import re
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from engagement.scope import Window
from partners import grants
from partners.models import AuditEvent
from reports.build import build
from reports.deliver import send
from reports.models import Artefact, Bundle, Delivery
from reports.plan import ask_bundle
from tests.background import Mailbox
from tests.cast import DAY, DAYS, Cast

pytestmark = pytest.mark.usefixtures("storage")


def link_in_the_mail(cast: Cast, mailbox: Mailbox) -> str:
    bundle = ask_bundle(
        membership=cast.amy,
        titles=[cast.film.pk],
        window=Window(DAY, DAY + timedelta(days=DAYS)),
        language="en",
    )
    assert build(bundle.pk)
    assert send(Delivery.objects.get(bundle=bundle).pk)
    text = mailbox.of("amy@example.com")[0].get_body(("plain",))
    assert text is not None
    [link] = re.findall(r"http://localhost:8000(/mail/report/\S+)", text.get_content())
    return str(link)


def page_behind(link: str) -> str:
    """Where it leads, signed in or not."""
    answer = Client().get(link)
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def test_the_link_asks_for_sign_in_and_leads_to_the_file(
    cast: Cast, mailbox: Mailbox, signed_in: Any
) -> None:
    link = page_behind(link_in_the_mail(cast, mailbox))
    anonymous = Client().get(link)
    assert anonymous.status_code == 302
    assert anonymous.headers["Location"].startswith("/account/login/")
    browser = signed_in(cast.amy.user)
    assert browser.get(link).status_code == 200
    answer = browser.get(f"{link}download/")
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content)
    assert hashlib.sha256(content).hexdigest() == Bundle.objects.get().artefact.sha256
    assert "report.pdf" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert "no-store" in answer.headers["Cache-Control"]
    assert AuditEvent.objects.filter(action="bundle.downloaded").count() == 1


@pytest.mark.usefixtures("rendered")
def test_a_revoked_grant_kills_yesterdays_link_and_the_file_behind_it(
    cast: Cast, mailbox: Mailbox, signed_in: Any, storage: Path
) -> None:
    link = page_behind(link_in_the_mail(cast, mailbox))
    browser = signed_in(cast.amy.user)
    assert browser.get(link).status_code == 200
    grants.revoke(cast.grants["film"], by=cast.sam)
    made_up = f"/p/aurora/reports/{uuid4()}/"
    for path in ("", "download/", "progress/"):
        dead, absent = browser.get(link + path), browser.get(made_up + path)
        assert dead.status_code == absent.status_code == 404
        assert dead.content == absent.content
    assert (storage / Artefact.objects.get().path).is_file()  # until the purge
    assert not AuditEvent.objects.filter(action="bundle.downloaded").exists()


@pytest.mark.usefixtures("rendered")
def test_nobody_else_opens_the_link(cast: Cast, mailbox: Mailbox, signed_in: Any) -> None:
    link = page_behind(link_in_the_mail(cast, mailbox))
    foreign = link.replace("/aurora/", "/borealis/")
    for member, path in (
        (cast.victor, link),
        (cast.bob, link),
        (cast.bob, foreign),
        (cast.cleo, link),
    ):
        browser = signed_in(member.user)
        for end in ("", "download/", "progress/"):
            assert browser.get(path + end).status_code == 404


@pytest.mark.usefixtures("rendered")
def test_a_link_ends_after_seven_days_and_says_where_the_file_is(
    cast: Cast, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_in_the_mail(cast, mailbox)
    now = time.time()
    week = timedelta(days=7).total_seconds()
    monkeypatch.setattr("time.time", lambda: now + week - 5)
    assert page_behind(link).endswith(f"/{Bundle.objects.get().pk}/")
    monkeypatch.setattr("time.time", lambda: now + week + 5)
    answer = Client(headers={"accept-language": "en"}).get(link)
    assert answer.status_code == 410
    page = answer.content.decode()
    assert 'href="/p/aurora/reports/"' in page
    assert str(Bundle.objects.get().pk) not in page


@pytest.mark.usefixtures("rendered")
def test_a_link_that_the_portal_did_not_make_leads_nowhere(cast: Cast, mailbox: Mailbox) -> None:
    link = link_in_the_mail(cast, mailbox)
    token = link.split("/")[3]
    said, stamp, seal = token.rsplit(".", 2)
    absent = Client().get("/no-such-page/").content
    wrong = (
        said,
        f"borealis.{said.split('.')[1]}.{stamp}.{seal}",
        f"{said}.zzzzzz.{seal}",
        f"{said}.{stamp}.{seal[:-1]}",
        "//evil.example.com",
    )
    for made_up in wrong:
        answer = Client().get(f"/mail/report/{made_up}/")
        assert (answer.status_code, answer.content) == (404, absent)
