"""A member takes themselves off a schedule by the link of its mail: RFC 2369 and RFC 8058."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from engagement.scope import Window
from partners.models import AuditEvent, Membership
from reports.build import build
from reports.deliver import send
from reports.links import Leaving, out_of
from reports.models import Bundle, Delivery, Schedule
from reports.plan import ask_bundle
from tests.background import Mailbox
from tests.cast import DAY, Cast
from tests.files import without_rendering
from tests.mailing import run_of, schedule_for, state_of, waiting

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_rendering(monkeypatch)


def link_of(mail: Any) -> str:
    """The address in the mail's header, below the host."""
    [found] = re.fullmatch(r"\s*<(https?://\S+)>", str(mail["List-Unsubscribe"])).groups()  # type: ignore[union-attr]
    parts = urlsplit(found)
    assert f"{parts.scheme}://{parts.netloc}" == "http://localhost:8000"
    return parts.path


def on_it(schedule: Schedule) -> list[str]:
    return sorted(m.user.email for m in schedule.recipients.select_related("user"))


def test_a_scheduled_mail_names_its_way_out_and_one_asked_for_has_none(
    cast: Cast, mailbox: Mailbox
) -> None:
    [delivery] = waiting(cast.amy)
    assert send(delivery.pk)
    [mail] = mailbox.messages
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for kind in ("plain", "html"):
        assert link_of(mail) in mail.get_body((kind,)).get_content()  # type: ignore[union-attr]
    window = Window(DAY, DAY + timedelta(days=3))
    asked = ask_bundle(membership=cast.amy, titles=None, window=window, language="en")
    assert build(asked.pk)
    assert send(Delivery.objects.get(bundle=asked).pk)
    assert mailbox.messages[1]["List-Unsubscribe"] is None


def test_one_click_takes_that_member_off_that_schedule_and_is_recorded(
    cast: Cast, mailbox: Mailbox, signed_in: Any
) -> None:
    deliveries = waiting(cast.alice, cast.amy, cast.victor)
    other = schedule_for(cast.alice, cast.amy)
    for delivery in deliveries:
        assert send(delivery.pk)
    schedule = deliveries[0].bundle.run.schedule
    stranger = Client(enforce_csrf_checks=True)  # a mail program: no cookie, no token
    link = link_of(mailbox.of("amy@example.com")[0])
    for _ in range(2):  # a program that posts twice is told the same
        assert stranger.post(link, ONE_CLICK).status_code == 200
    assert on_it(schedule) == ["alice@example.com", "victor@example.com"]
    assert on_it(other) == ["alice@example.com", "amy@example.com"]
    event = AuditEvent.objects.get(action="schedule.left")
    assert (event.actor, event.partner, event.target) == (
        cast.amy.user, cast.aurora, str(schedule.pk),
    )  # fmt: skip
    activity = signed_in(cast.alice.user).get("/p/aurora/activity/").content.decode()
    assert "took themselves off a schedule" in activity


def test_looking_at_the_link_changes_nothing(cast: Cast, mailbox: Mailbox) -> None:
    """Mail scanners open every link."""
    [delivery] = waiting(cast.amy)
    assert send(delivery.pk)
    link = link_of(mailbox.messages[0])
    for method in ("get", "head"):
        answer = getattr(Client(headers={"accept-language": "en"}), method)(link)
        assert answer.status_code == 200
    page = Client(headers={"accept-language": "en"}).get(link).content.decode()
    assert "Stop getting “Weekly”?" in page
    assert on_it(delivery.bundle.run.schedule) == ["amy@example.com"]
    assert "no-store" in Client().get(link).headers["Cache-Control"]


def test_what_still_waits_is_stopped_and_nobody_elses(cast: Cast, mailbox: Mailbox) -> None:
    alices, amys = waiting(cast.alice, cast.amy)
    link = urlsplit(out_of(Leaving(cast.aurora.pk, amys.bundle.run.schedule_id, cast.amy.pk))).path
    assert Client().post(link, ONE_CLICK).status_code == 200
    assert state_of(amys) == ("cancelled", "withdrawn", 0)
    assert not send(amys.pk)
    assert send(alices.pk)
    assert [m["To"] for m in mailbox.messages] == ["alice@example.com"]


def test_a_bundle_that_is_not_made_yet_is_not_made(cast: Cast) -> None:
    schedule = schedule_for(cast.alice, cast.amy)
    _, amys = run_of(schedule)
    link = urlsplit(out_of(Leaving(cast.aurora.pk, schedule.pk, cast.amy.pk))).path
    Client().post(link, ONE_CLICK)
    states = {b.recipient_id: b.state for b in Bundle.objects.all()}
    assert states == {cast.alice.pk: "queued", cast.amy.pk: "cancelled"}
    assert amys.recipient_id == cast.amy.pk


def test_a_link_that_is_not_ours_opens_nothing(cast: Cast, mailbox: Mailbox) -> None:
    schedule = schedule_for(cast.alice, cast.amy)
    link = urlsplit(out_of(Leaving(cast.aurora.pk, schedule.pk, cast.amy.pk))).path
    token = link.split("/")[3]
    said, seal = token.rsplit(".", 1)
    absent = Client().get("/no-such-page/")
    for wrong in (
        said,
        f"{said}.{seal[:-1]}",
        f"{said[:-2]}AA.{seal}",
        f".{seal}",
        "%00",
        "x" * 4000,
    ):
        for method in ("get", "post"):
            answer = getattr(Client(), method)(f"/mail/leave/{wrong}/")
            assert answer.status_code == 404, wrong
            assert answer.content == absent.content
    assert len(on_it(schedule)) == 2


def test_ids_that_do_not_belong_together_change_nothing(cast: Cast) -> None:
    """A link is bound to both: of one partner's schedule and another's member there is none."""
    schedule = schedule_for(cast.alice, cast.amy)
    for partner, member in (
        (cast.borealis.pk, cast.amy.pk),
        (cast.aurora.pk, cast.bob.pk),
        (cast.borealis.pk, cast.bob.pk),
    ):
        link = urlsplit(out_of(Leaving(partner, schedule.pk, member))).path
        assert Client().get(link).status_code == Client().post(link).status_code == 200
    assert len(on_it(schedule)) == 2
    assert not AuditEvent.objects.filter(action="schedule.left").exists()


def test_the_links_stand_on_the_setting_whatever_the_host_said(
    cast: Cast, mailbox: Mailbox, settings: Settings
) -> None:
    settings.BASE_URL = "https://portal.example.com"
    [delivery] = waiting(cast.amy)
    assert send(delivery.pk)
    [mail] = mailbox.messages
    assert (
        str(mail["List-Unsubscribe"]).strip().startswith("<https://portal.example.com/mail/leave/")
    )
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert set(re.findall(r"https?://[^/]+", text)) == {"https://portal.example.com"}


def test_a_member_who_is_gone_leaves_a_link_that_does_nothing(cast: Cast) -> None:
    schedule = schedule_for(cast.alice, cast.amy)
    link = urlsplit(out_of(Leaving(cast.aurora.pk, schedule.pk, cast.amy.pk))).path
    Membership.objects.filter(pk=cast.amy.pk).delete()
    assert Client().post(link, ONE_CLICK).status_code == 200
