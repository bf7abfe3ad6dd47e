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
from django.urls import reverse
from pytest_django.fixtures import Settings

from partners import credentials, grants, second_factors, staff_views
from partners.models import AuditEvent, Grant, IdentityProvider, StaffView
from partners.sessions import end_all_access
from reports.build import build
from reports.deliver import send
from reports.models import Bundle, Delivery
from tests.background import Mailbox
from tests.cast import CANARY, DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.portal.web.test_second_factor import PASSWORD, SECRET, able, code

HOME = "203.0.113.7"
FILM = "/p/aurora/titles/film/"
REST = "/api/v1/p/aurora/"
FROM_HOME = {
    "sign_in.failed", "numbers.read", "credential.refused", "staff_view.page",
    "single_sign_on.refused",
}  # fmt: skip


class Walk:
    """Each step, and what it added to the trail."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.client = Client(headers={"accept-language": "en"}, REMOTE_ADDR=HOME)
        self.seen = AuditEvent.objects.latest("pk").pk
        self.secrets: list[str] = []

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
    cast: Cast, mailbox: Mailbox, storage: Path
) -> None:
    """Case 80: UTC, who, for which partner, what, from where; no number and no secret."""
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
    go(walk, steps)


def go(walk: Walk, steps: list[tuple[Callable[[], Any], str, object]]) -> None:
    """Each step adds one record: what, by whom, for Aurora, in UTC, with no secret and number."""
    for step, action, actor in steps:
        step()
        events = walk.added()
        assert [e.action for e in events] == [action]
        [event] = events
        assert (event.actor, event.partner) == (actor, walk.cast.aurora)
        assert event.at.utcoffset() == timedelta(0)
        by_browser = action in FROM_HOME or actor == walk.cast.amy.user
        assert (event.ip == str(ipaddress.ip_address(HOME))) == by_browser, action
        told = json.dumps([event.target, event.detail])
        for secret in (PASSWORD, "wrong-horse", str(CANARY), "sessionid", SECRET, *walk.secrets):
            assert secret not in told


def test_second_factors_tokens_sign_on_and_staff_leave_one_record_a_step(
    cast: Cast, settings: Settings
) -> None:
    """Case 80, of what the walk above does not do."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    amy, alice = able(cast.amy.user), cast.alice.user
    provider = IdentityProvider.objects.create(
        partner=cast.aurora, issuer="http://localhost:9", client_id="x", enabled=True
    )
    walk = Walk(cast)
    looking = SignedIn(cast.stella)
    token: list[Any] = []

    def with_code(given: str) -> Callable[[], None]:
        def step() -> None:
            walk.client.post("/account/second-factor/sign-in/", {"code": given})

        return step

    def half_way() -> None:
        walk.client.post("/account/login/", {"login": amy.email, "password": PASSWORD})
        assert walk.added() == []  # a password alone is no sign-in yet
        with_code("000000")()

    def make() -> None:
        token.extend(
            credentials.make(
                membership=cast.alice, name="x", exits=["api"], families=None, networks=[]
            )
        )
        walk.secrets.append(token[1])

    def by_token() -> None:
        program = Client(headers={"authorization": f"Bearer {token[1]}"}, REMOTE_ADDR=HOME)
        path = f"{REST}titles/film/viewing/"
        expected = 401 if token[0].__class__.objects.get(pk=token[0].pk).revoked_at else 200
        assert program.get(path).status_code == expected

    def look() -> None:
        staff_views.start(cast.aurora, member=None, reason="a call", by=cast.stella)

    def look_at() -> None:
        assert looking.get(FILM, REMOTE_ADDR=HOME).status_code == 200

    def sign_on() -> None:
        path = reverse("single_sign_on", args=[provider.pk])
        assert walk.client.post(path).status_code == 403

    steps: list[tuple[Callable[[], Any], str, object]] = [
        (half_way, "sign_in.failed", None),
        (with_code(code()), "sign_in", amy),
        (make, "credential.made", alice),
        (by_token, "numbers.read", alice),
        (lambda: credentials.revoke(token[0], by=alice), "credential.revoked", alice),
        (by_token, "credential.refused", None),
        (look, "staff_view.started", cast.stella),
        (look_at, "staff_view.page", cast.stella),
        (
            lambda: staff_views.end(StaffView.objects.get(), by=cast.stella),
            "staff_view.ended",
            cast.stella,
        ),
        (sign_on, "single_sign_on.refused", None),
        (
            lambda: second_factors.reset(amy, by=cast.sam, reason="lost"),
            "second_factor.reset",
            cast.sam,
        ),
        (lambda: end_all_access(amy, by=cast.sam, reason="lost"), "access.ended", cast.sam),
    ]
    go(walk, steps)
