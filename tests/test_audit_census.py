"""A walk through the portal, from a proposed grant to a revoked one: one record a step."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.test import Client
from pytest_django.fixtures import Settings

from partners import grants
from partners.models import AuditEvent, Grant
from reports.build import build
from reports.deliver import send
from reports.models import Bundle, Delivery
from tests.background import Mailbox
from tests.cast import CANARY, DAY, DAYS, Cast

PASSWORD = "correct-horse-battery"
HOME = "203.0.113.7"
FILM = "/p/aurora/titles/film/"
REST = "/api/v1/p/aurora/"


class Walk:
    """Each step, and what it added to the trail."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.client = Client(headers={"accept-language": "en"}, REMOTE_ADDR=HOME)
        self.seen = AuditEvent.objects.latest("pk").pk

    def added(self) -> list[AuditEvent]:
        events = list(AuditEvent.objects.filter(pk__gt=self.seen).order_by("pk"))
        self.seen = events[-1].pk if events else self.seen
        return events

    def get(self, path: str, **options: Any) -> Callable[[], None]:
        def step() -> None:
            answer = self.client.get(path, **options)
            assert answer.status_code == 200, path
            if answer.streaming:
                assert b"".join(answer.streaming_content)

        return step

    def sign_in(self, password: str) -> Callable[[], None]:
        def step() -> None:
            self.client.post("/account/login/", {"login": "amy@example.com", "password": password})

        return step


def test_an_end_to_end_walk_leaves_one_record_a_step(
    cast: Cast, mailbox: Mailbox, storage: Path, settings: Settings
) -> None:
    """Case 80: UTC, who, for which partner, what, from where; no number and no secret."""
    settings.JOB_LEASE_SECONDS = 600  # nothing renews it inside of the test's transaction
    amy = cast.amy.user
    amy.set_password(PASSWORD)
    amy.save()
    EmailAddress.objects.create(user=amy, email=amy.email, verified=True, primary=True)
    grant = Grant.objects.create(
        partner=cast.aurora,
        families=["viewing"],
        territories=["*"],
        exits=["web"],
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        contract_reference="C-9",
        made_by=cast.stella,
    )
    grant.titles.add(cast.hidden)
    walk = Walk(cast)
    january = {"from": DAY.isoformat(), "until": (DAY + timedelta(days=DAYS)).isoformat()}

    def ask() -> None:
        body = json.dumps({**january, "titles": ["film"], "language": "en"})
        path = f"{REST}bundles/"
        assert walk.client.post(path, body, content_type="application/json").status_code == 202

    def make_and_mail() -> None:
        bundle = Bundle.objects.get()
        assert build(bundle.pk)
        assert send(Delivery.objects.get(bundle=bundle).pk)

    def download() -> None:
        walk.get(f"/p/aurora/reports/{Bundle.objects.get().pk}/download/")()

    steps: list[tuple[Callable[[], Any], str, object]] = [
        (lambda: grants.propose(grant, by=cast.stella), "grant.made", cast.stella),
        (lambda: grants.approve(grant, by=cast.sam), "grant.approved", cast.sam),
        (walk.sign_in("wrong-horse-battery"), "sign_in.failed", None),
        (walk.sign_in(PASSWORD), "sign_in", amy),
        (walk.get("/p/aurora/"), "numbers.read", amy),
        (walk.get(FILM), "numbers.read", amy),
        (walk.get("/p/aurora/titles/hidden/"), "numbers.read", amy),
        (walk.get(f"{REST}titles/film/retention/"), "numbers.read", amy),
        (
            walk.get(f"{REST}titles/film/viewing/", headers={"accept": "text/csv"}),
            "export.csv",
            amy,
        ),
        (walk.get(f"{FILM}csv/danmu/"), "export.csv", amy),
        (ask, "bundle.asked", amy),
        (make_and_mail, "bundle.mailed", None),
        (walk.get("/p/aurora/reports/"), "list.read", amy),
        (download, "bundle.downloaded", amy),
        (lambda: grants.revoke(grant, by=cast.sam), "grant.revoked", cast.sam),
        (lambda: walk.client.post("/account/logout/"), "sign_out", amy),
    ]
    for step, action, actor in steps:
        step()
        events = walk.added()
        assert [e.action for e in events] == [action]
        [event] = events
        assert event.actor == actor
        assert event.partner == cast.aurora
        assert event.at.utcoffset() == timedelta(0)
        by_browser = actor == amy or action == "sign_in.failed"
        assert (event.ip == str(ipaddress.ip_address(HOME))) == by_browser
        told = json.dumps([event.target, event.detail])
        for secret in (PASSWORD, "wrong-horse", str(CANARY), "sessionid"):
            assert secret not in told
