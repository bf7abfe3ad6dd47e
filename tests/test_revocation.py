"""P4: an ended right is dead on the next request, through every way that a number leaves by.

Every channel is tried open before and shut after, in the same test, so that none can be shut for
another reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from engagement.scope import Window
from partners import credentials, grants, narrowing, suspension
from partners.models import Membership
from reports.build import build
from reports.deliver import send
from reports.models import Bundle, Delivery
from reports.plan import ask_bundle
from tests.background import Mailbox
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.files import without_rendering

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
API = "/api/v1/p/aurora/titles/film/viewing/"


@pytest.fixture(autouse=True)
def quick(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's content is no matter here: tests/test_same_numbers.py makes whole ones."""
    without_rendering(monkeypatch)


class Ways:
    """Every way by which Amy, an analyst of Aurora, gets at the film's viewing."""

    def __init__(self, cast: Cast, mailbox: Mailbox) -> None:
        self.cast = cast
        self.mailbox = mailbox
        _, token = credentials.make(
            membership=cast.alice, name="Nightly", exits=["api", "export"], families=None,
            networks=[],
        )  # fmt: skip
        self.token = Client(headers={"authorization": f"Bearer {token}"})
        self.session = SignedIn(cast.amy.user)
        self.made, self.waiting = (self._bundle(language) for language in ("en", "zh-hans"))

    def _bundle(self, language: str) -> Bundle:
        bundle = ask_bundle(
            membership=self.cast.amy, titles=[self.cast.film.pk], window=WHOLE, language=language
        )
        assert build(bundle.pk)
        return bundle

    def open(self, session: Client) -> Iterator[tuple[str, bool]]:
        csv = {"accept": "text/csv"}
        reports = f"/p/aurora/reports/{self.made.pk}/"
        for name, client, path, headers in (
            ("page", session, "/p/aurora/titles/film/", {}),
            ("page's csv", session, "/p/aurora/titles/film/csv/viewing/", {}),
            ("json", session, API, {}),
            ("csv", session, API, csv),
            ("bundle's page", session, reports, {}),
            ("download", session, f"{reports}download/", {}),
        ):
            answer = client.get(path, headers=headers)
            if answer.streaming:
                assert b"".join(answer.streaming_content)  # type: ignore[arg-type]
            yield name, answer.status_code == 200

    def by_token(self) -> dict[str, bool]:
        return {
            "json by token": self.token.get(API).status_code == 200,
            "csv by token": self.token.get(API, headers={"accept": "text/csv"}).status_code == 200,
            "download by token": self._downloads(),
        }

    def _downloads(self) -> bool:
        answer = self.token.get(f"/api/v1/p/aurora/bundles/{self.made.pk}/download/")
        return answer.status_code == 200 and bool(b"".join(answer.streaming_content))  # type: ignore[arg-type]

    def mail_of(self, bundle: Bundle) -> bool:
        return send(Delivery.objects.get(bundle=bundle).pk)


@pytest.fixture
def ways(cast: Cast, mailbox: Mailbox) -> Ways:
    """All of them open."""
    found = Ways(cast, mailbox)
    assert dict(found.open(found.session)) == dict.fromkeys(EVERY, True)
    assert found.by_token() == dict.fromkeys(BY_TOKEN, True)
    assert found.mail_of(found.made)
    return found


EVERY = ("page", "page's csv", "json", "csv", "bundle's page", "download")
BY_TOKEN = ("json by token", "csv by token", "download by token")
SHUT = dict.fromkeys(EVERY, False)


def revoke(cast: Cast) -> None:
    grants.revoke(cast.grants["film"], by=cast.stella)


def narrow(cast: Cast) -> None:
    """To another family: the title stays, its viewing goes."""
    terms = grants.Terms.of(cast.grants["film"])
    less = grants.Terms(
        titles=terms.titles, families=frozenset({"danmu"}), territories=terms.territories,
        exits=terms.exits, data_from=terms.data_from, data_until=terms.data_until,
    )  # fmt: skip
    narrowing.narrow(cast.grants["film"], less, by=cast.stella)


def expire(cast: Cast) -> None:
    grants.expire(cast.grants["film"], at=timezone.now() - timedelta(hours=1), by=cast.stella)


def suspend(cast: Cast) -> None:
    suspension.suspend(cast.aurora, by=cast.stella)


def disable(cast: Cast) -> None:
    """Both: Amy, and Alice, whose token it is."""
    for member in (cast.amy, cast.alice):
        member.user.is_active = False
        member.user.save()


def leave(cast: Cast) -> None:
    Membership.objects.filter(pk__in=[cast.amy.pk, cast.alice.pk]).delete()


@pytest.mark.parametrize("end", [revoke, expire, suspend, disable])
def test_an_ended_right_is_dead_through_every_channel(
    cast: Cast, ways: Ways, end: Callable[[Cast], None]
) -> None:
    """P4, P5; cases 20, 50: session, token, files made before, and mail that is still queued."""
    end(cast)
    assert dict(ways.open(ways.session)) == SHUT
    assert not any(ways.by_token().values())
    assert not ways.mail_of(ways.waiting)
    assert Delivery.objects.get(bundle=ways.waiting).state == "cancelled"
    assert len(ways.mailbox.of("amy@example.com")) == 1  # the one before


def test_a_narrowed_grant_leaves_what_it_names_and_no_more(cast: Cast, ways: Ways) -> None:
    """P4: the title's page stays for what is left of it."""
    narrow(cast)
    assert dict(ways.open(ways.session)) == SHUT | {"page": True}
    assert "1,500" not in ways.session.get("/p/aurora/titles/film/").content.decode()
    assert not any(ways.by_token().values())
    assert not ways.mail_of(ways.waiting)


def test_a_viewer_keeps_pages_and_what_was_delivered(cast: Cast, ways: Ways) -> None:
    """P4, case 21: a changed role ends the session; signed in again, files of it are refused."""
    for member in (cast.amy, cast.alice):
        Membership.objects.filter(pk=member.pk).update(role="viewer")
    again = SignedIn(cast.amy.user)
    assert dict(ways.open(again)) == SHUT | {
        "page": True,
        "json": True,
        "bundle's page": True,
        "download": True,
    }
    assert not any(ways.by_token().values())
    assert ways.mail_of(ways.waiting)


def test_who_has_left_reads_nothing(cast: Cast, ways: Ways) -> None:
    """P4: what was theirs goes with the membership."""
    leave(cast)
    assert dict(ways.open(SignedIn(cast.amy.user))) == SHUT
    assert not any(ways.by_token().values())
    assert not Delivery.objects.filter(bundle=ways.waiting).exists()
