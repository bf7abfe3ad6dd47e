"""Cases 20, 50, 52, 59, 61 and 63, and the live half of fault 6: what a right's end, a recipient's
partner, a poisoned Host and a flushed broker may not get past.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from engagement.models import Title
from engagement.scope import Window
from partners import grants, invitations
from partners.models import AuditEvent, Holding, IdentityProvider, Membership
from partners.refreshing import refresh
from partners.suspension import suspend
from reports import downloads, jobs, runs
from reports.build import build
from reports.deliver import send
from reports.models import Bundle, Delivery, Schedule
from reports.plan import ask_bundle
from tests.background import Broker, Mailbox
from tests.cast import CANARY, DAY, DAYS, Cast, write_facts
from tests.conftest import SignedIn
from tests.files import without_rendering
from tests.portal.web.test_second_factor import PASSWORD, able
from tests.reports.test_schedules import at, made, values

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
EVIL = "evil.example"


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's content is no matter here."""
    without_rendering(monkeypatch)


def asked(member: Membership, *titles: Title, language: str = "en") -> Bundle:
    return ask_bundle(
        membership=member,
        titles=[t.pk for t in titles] or None,
        window=WHOLE,
        language=language,
    )


def built(member: Membership, *titles: Title, language: str = "en") -> Bundle:
    bundle = asked(member, *titles, language=language)
    assert build(bundle.pk)
    bundle.refresh_from_db()
    return bundle


def status(browser: Client, path: str) -> int:
    """Of an answer that is read to its end."""
    answer = browser.get(path)
    if answer.streaming:
        assert b"".join(answer.streaming_content)  # type: ignore[arg-type]
    return answer.status_code


# --- case 20 ---
def test_case_20_of_a_suspended_partner_every_way_refuses_from_the_next_request_on(
    cast: Cast, settings: Settings, mailbox: Mailbox
) -> None:
    """The ways that tests/test_revocation.py does not walk: sign-on, a new password, invitations,
    polling, and work that was queued before.
    """
    alice = able(cast.alice.user, totp=False)
    provider = IdentityProvider.objects.create(
        partner=cast.aurora, issuer="https://id.aurora.example", client_id="x", enabled=True
    )
    queued, waiting = asked(cast.alice, language="en"), built(cast.alice, language="zh-hans")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    browser = SignedIn(alice)
    invitations.invite(
        email="nora@example.com", partner=cast.aurora, role="viewer", language="en", by=cast.sam
    )
    Client(headers={"accept-language": "en"}).post(
        "/account/password/reset/", {"email": alice.email}
    )
    asked_in, reset = (re.search(r"http://localhost:8000(\S+)", m.body)[1] for m in mail.outbox)  # type: ignore[index]
    in_progress = [
        f"/p/aurora/reports/{queued.pk}/progress/", f"/api/v1/p/aurora/bundles/{queued.pk}/",
        f"/p/aurora/reports/{waiting.pk}/download/", f"/account/single-sign-on/{provider.pk}/",
        asked_in,
    ]  # fmt: skip
    for path in in_progress:
        assert status(browser, path) == 200, path
    suspend(cast.aurora, by=cast.sam)

    for path in in_progress[:4]:
        assert browser.get(path).status_code == 404, path
    assert 'name="password1"' not in Client().get(asked_in).content.decode()
    # a new password is one's own, and opens nothing of the partner
    person = Client(headers={"accept-language": "en"})
    form = person.get(reset, follow=True).redirect_chain[-1][0]
    fresh = "another-long-evening"
    person.post(form, {"password1": fresh, "password2": fresh})
    person.post("/account/login/", {"login": alice.email, "password": fresh})
    for path in ("/p/aurora/", *in_progress[:3], "/api/v1/p/aurora/titles/"):
        assert person.get(path).status_code == 404, path
    home = person.get("/", follow=True).content.decode()
    assert "Aurora" not in home
    assert "极光" not in home
    # what was queued: nothing is made, nothing is sent, and no new run is due
    assert not build(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.failure) == ("failed", "refused")
    assert not send(Delivery.objects.get(bundle=waiting).pk)
    assert mailbox.messages == []
    assert runs.make_runs() == 0


# --- case 50 ---
def test_case_50_a_file_of_a_title_that_moved_is_dead_in_every_way(
    cast: Cast, storage: Path, mailbox: Mailbox
) -> None:
    """A granted series opens its episode while Aurora holds it; then Borealis does."""
    series = Title.objects.create(
        key="s", slug="series", kind="series", name_zh="剧", name_en="Series", runtime_s=0
    )
    episode = Title.objects.create(
        key="e", slug="episode", kind="episode", name_zh="集", name_en="Ep", runtime_s=120,
        parent=series,
    )  # fmt: skip
    write_facts(episode, base=100)
    for title in (series, episode):
        Holding.objects.create(partner=cast.aurora, title=title, territories=["*"])
    cast.grant(cast.aurora, series)
    sent, waiting = built(cast.amy, episode), built(cast.amy, episode, language="zh-hans")
    assert send(Delivery.objects.get(bundle=sent).pk)
    browser = SignedIn(cast.amy.user)
    ways = [
        f"/p/aurora/reports/{sent.pk}/download/", f"/p/aurora/reports/{sent.pk}/",
        f"/p/aurora/reports/{sent.pk}/progress/", f"/api/v1/p/aurora/bundles/{sent.pk}/",
    ]  # fmt: skip

    def history() -> str:
        page = browser.get("/p/aurora/reports/").content.decode()
        return page + browser.get("/api/v1/p/aurora/bundles/").content.decode()

    assert [status(browser, path) for path in ways] == [200] * 4
    assert str(sent.pk) in history()

    Holding.objects.filter(title=episode).update(partner=cast.borealis)
    refresh([episode.pk], by=cast.sam)
    assert [browser.get(path).status_code for path in ways] == [404] * 4
    assert str(sent.pk) not in history()
    assert not send(Delivery.objects.get(bundle=waiting).pk)
    assert len(mailbox.messages) == 1
    assert downloads.purge() == 2
    assert list(storage.rglob("*.zip")) == []


# --- case 52 ---
def test_case_52_a_range_after_the_right_has_ended_is_refused(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that goes on where it was cut asks anew, and is asked anew for its right."""
    monkeypatch.setattr(downloads, "CHUNK", 10)
    monkeypatch.setattr(downloads, "LOOK_AGAIN_S", 0)
    bundle = built(cast.amy, cast.film)
    path, browser = f"/p/aurora/reports/{bundle.pk}/download/", SignedIn(cast.amy.user)
    answer = browser.get(path, headers={"range": "bytes=0-19"})
    assert answer.status_code == 206
    next(iter(answer.streaming_content))
    grants.revoke(cast.grants["film"], by=cast.sam)
    for asked_for in ("bytes=10-", "bytes=0-0", "bytes=-5", "bytes=99-"):
        assert browser.get(path, headers={"range": asked_for}).status_code == 404
    assert browser.head(path).status_code == 404
    with pytest.raises(downloads.Refused):
        next(iter(answer.streaming_content))
    told = AuditEvent.objects.filter(action__startswith="bundle.").order_by("pk")
    assert [(e.action, e.detail["bytes"], e.detail.get("sent")) for e in told[1:]] == [
        ("bundle.downloaded", 20, None), ("bundle.cut", 20, 10),
    ]  # fmt: skip


# --- case 59 ---
def test_case_59_nobody_schedules_for_people_of_another_partner(cast: Cast) -> None:
    """An owner by the form, by REST, and past the code; staff by the admin, where there is none."""
    schedule = made(cast, recipients=[cast.alice.pk])
    page = f"/p/aurora/reports/schedule/{schedule.pk}/"
    form = {k: v for k, v in values(cast).items() if v is not None}
    form["recipients"] = [str(cast.alice.pk), str(cast.bob.pk)]
    for path in (page, "/p/aurora/reports/schedule/new/"):
        answer = SignedIn(cast.alice.user).post(path, form)
        assert answer.status_code == 200
        assert "ZQB" not in answer.content.decode()
    for method in ("post", "put", "patch"):
        answer = getattr(SignedIn(cast.alice.user), method)("/api/v1/p/aurora/schedules/", form)
        assert answer.status_code in (403, 405)
    staff = SignedIn(able(cast.sam))
    for path in ("add/", f"{schedule.pk}/change/"):
        answer = staff.post(f"/admin/reports/schedule/{path}", form)
        assert answer.status_code == 403, path
    assert Schedule.objects.count() == 1
    assert list(schedule.recipients.all()) == [cast.alice]


def test_case_59_each_send_is_worked_out_anew_by_the_recipients_grants(
    cast: Cast, mailbox: Mailbox
) -> None:
    """Even where a row says otherwise: a run leaves people of others out."""
    schedule = made(cast, recipients=[cast.alice.pk, cast.victor.pk])
    schedule.recipients.add(cast.bob)  # past every check
    Schedule.objects.update(active_from=at(2026, 1, 8))
    runs.make_runs(at(2026, 1, 14, 9))
    assert {b.recipient for b in Bundle.objects.all()} == {cast.alice, cast.victor}
    for bundle in Bundle.objects.all():
        assert build(bundle.pk)
    Membership.objects.filter(pk=cast.victor.pk).update(limit_titles=[])
    sent = {d.recipient: send(d.pk) for d in Delivery.objects.all()}
    assert sent == {cast.alice: True, cast.victor: False}
    assert [m["To"] for m in mailbox.messages] == ["alice@example.com"]


# --- case 61 ---
def test_case_61_a_link_in_a_mail_of_the_workers_names_the_configured_host(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    """Who asks for the bundle by another host that a proxy let through changes no link."""
    settings.BASE_URL = "https://portal.example.com"
    settings.ALLOWED_HOSTS = ["testserver", EVIL]
    body = {"from": str(DAY), "until": str(WHOLE.until), "language": "en"}
    answer = SignedIn(cast.alice.user).post(
        "/api/v1/p/aurora/bundles/", body, content_type="application/json",
        headers={"host": EVIL, "x-forwarded-host": EVIL},
    )  # fmt: skip
    assert answer.status_code == 202
    assert build(Bundle.objects.get().pk)
    assert send(Delivery.objects.get().pk)
    [message] = mailbox.messages
    raw = decoded(message)
    assert EVIL not in raw
    assert set(re.findall(r"https?://[^/\s\"<]+", raw)) == {"https://portal.example.com"}


# --- case 63 ---
def decoded(message: Any) -> str:
    """Headers and every text of a mail as they are read; what is attached is tried elsewhere."""
    parts = [p.get_content() for p in message.walk() if p.get_content_maintype() == "text"]
    return "\n".join([*(f"{k}: {v}" for k, v in message.items()), *parts])


def test_case_63_a_mail_tells_neither_numbers_nor_who_else_gets_it(
    cast: Cast, mailbox: Mailbox
) -> None:
    """Subject and preheader (what a client shows first of the body), Reply-To, other people."""
    made(cast, cast.bob, recipients=[cast.bob.pk])
    made(cast, recipients=[cast.alice.pk, cast.amy.pk, cast.victor.pk])
    Schedule.objects.update(active_from=at(2026, 1, 8))
    runs.make_runs(at(2026, 1, 14, 9))
    for bundle in Bundle.objects.all():
        assert build(bundle.pk)
    assert {send(d.pk) for d in Delivery.objects.all()} == {True}
    people = {m["To"] for m in mailbox.messages}
    assert len(people) == len(mailbox.messages) == 4
    for message in mailbox.messages:
        raw = decoded(message)
        for header in ("Reply-To", "Cc", "Bcc", "Disposition-Notification-To", "Return-Receipt-To"):
            assert message[header] is None
        assert not [other for other in people - {message["To"]} if other in raw]
        assert "platform.example.com" not in raw
        assert not re.search(r"\d", message["Subject"])
        for number in (CANARY, CANARY // 2, 150, "1,500", "150.0", "viewers", "人次"):
            assert str(number) not in raw.replace(str(message["Message-ID"]), "")
        assert ("ZQB" in raw) == (message["To"] == "bob@example.com")  # their own name


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Django's own
def test_case_63_where_encryption_is_stripped_no_mail_leaves(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    """The server says nothing of STARTTLS, as one in the middle would have it."""
    delivery = Delivery.objects.get(bundle=built(cast.alice))
    settings.EMAIL_USE_TLS = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert not send(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.failure) == ("queued", "trouble")
    with pytest.raises(OSError, match="STARTTLS"):  # smtplib's errors are such
        invitations.invite(
            email="nora@example.com", partner=cast.aurora, role="viewer", language="en", by=cast.sam
        )
    assert mailbox.messages == []


# --- fault 6 ---
def test_fault_6_a_flushed_broker_loses_no_job_no_count_and_lets_nobody_in(
    cast: Cast, broker: Broker, settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    settings.REDIS_URL = broker.url
    alice = able(cast.alice.user, totp=False)
    session = SignedIn(cast.amy.user)

    def attempt(password: str) -> int:
        return (
            Client()
            .post("/account/login/", {"login": alice.email, "password": password})
            .status_code
        )

    assert [attempt("wrong-horse") for _ in range(11)] == [200] * 10 + [429]
    with django_capture_on_commit_callbacks(execute=True):
        bundles = {asked(cast.amy, language=language).pk for language in ("en", "zh-hans")}
    assert broker.client.llen("bundles") == 2

    broker.client.flushall()
    assert broker.client.dbsize() == 0
    assert (attempt("wrong-horse"), attempt(PASSWORD)) == (429, 429)
    assert session.get("/p/aurora/").status_code == 200
    assert Client().get("/p/aurora/").status_code == 302
    Bundle.objects.update(ring_at=timezone.now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert set(jobs.sweep()) == bundles
    assert broker.client.llen("bundles") == 2
