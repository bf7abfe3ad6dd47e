"""The delivery ledger over REST: the lines of the page, for the same readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from portal.api import deliveries
from reports.deliver import send
from reports.models import Delivery, Run
from tests.background import Mailbox
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.files import without_rendering
from tests.mailing import waiting
from tests.portal.tokens import by, made

URL = "/api/v1/p/aurora/deliveries/"


@pytest.fixture
def mails(cast: Cast, storage: Path, monkeypatch: pytest.MonkeyPatch) -> list[Delivery]:
    """Alice's weekly report, which waits to be sent to her, Amy and Victor."""
    without_rendering(monkeypatch)
    return waiting(cast.alice, cast.amy, cast.victor)


def lines(client: Client, asked: str = "") -> list[dict[str, Any]]:
    answer = client.get(URL + asked)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def recipients(client: Client, asked: str = "") -> set[str]:
    return {line["recipient"].partition("@")[0] for line in lines(client, asked)}


def test_a_line_says_what_became_of_it_and_what_to_do(
    cast: Cast, mails: list[Delivery], mailbox: Mailbox
) -> None:
    mailbox.script.append(("RCPT", "550 5.1.1 mx7.internal: no such user"))
    assert not send(mails[0].pk)
    alice = SignedIn(cast.alice.user)
    [line] = lines(alice, "?state=failed")
    assert line["reason"]
    assert line["advice"]
    assert "mx7" not in str(line)  # the server's words are for staff
    mails[0].refresh_from_db()
    run = Run.objects.get()
    assert {k: line[k] for k in ("id", "schedule", "name", "from", "until", "attempts")} == {
        "id": str(mails[0].bundle_id),
        "schedule": str(run.schedule_id),
        "name": "Weekly",
        "from": run.from_day.isoformat(),
        "until": run.until.isoformat(),
        "attempts": 1,
    }
    assert alice.get(f"{URL}{line['id']}/").json() == line


def test_an_owner_reads_all_lines_a_member_their_own_a_stranger_none(
    cast: Cast, mails: list[Delivery]
) -> None:
    everyone = {"alice", "amy", "victor"}
    assert recipients(SignedIn(cast.alice.user)) == everyone
    assert recipients(SignedIn(cast.amy.user)) == {"amy"}
    assert recipients(SignedIn(cast.victor.user)) == {"victor"}
    assert SignedIn(cast.bob.user).get(URL).status_code == 404
    schedule = Run.objects.get().schedule_id
    assert recipients(SignedIn(cast.alice.user), f"?schedule={schedule}") == everyone
    assert recipients(SignedIn(cast.alice.user), f"?schedule={uuid4()}") == set()


def test_the_line_of_others_is_as_one_that_is_not(cast: Cast, mails: list[Delivery]) -> None:
    amy, hers, his = SignedIn(cast.amy.user), mails[1].bundle_id, mails[2].bundle_id
    assert amy.get(f"{URL}{hers}/").status_code == 200
    foreign, made_up = amy.get(f"{URL}{his}/"), amy.get(f"{URL}{uuid4()}/")
    assert foreign.status_code == made_up.status_code == 404
    assert foreign.content == made_up.content


def test_only_a_token_that_may_order_bundles_is_told(cast: Cast, mails: list[Delivery]) -> None:
    _, whole = made(cast.alice)
    assert recipients(by(whole)) == {"alice", "amy", "victor"}
    for less in ({"exits": ("api",)}, {"families": ["viewing"]}):
        _, token = made(cast.alice, **less)  # type: ignore[arg-type]
        for path in (URL, f"{URL}{mails[0].bundle_id}/", f"{URL}{uuid4()}/"):
            answer = by(token).get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (
                403, "export_not_granted",
            ), path  # fmt: skip


def test_pages_lead_to_the_next_until_all_is_told(
    cast: Cast, mails: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "A_PAGE", 2)
    alice = SignedIn(cast.alice.user)
    first, last = alice.get(URL).json(), alice.get(URL + "?page=2").json()
    assert (len(first["deliveries"]), first["next"]) == (2, 2)
    assert (len(last["deliveries"]), last["next"]) == (1, None)
    told = [line["id"] for line in first["deliveries"] + last["deliveries"]]
    assert sorted(told) == sorted(str(m.bundle_id) for m in mails)


@pytest.mark.parametrize(
    "asked", ["page=0", "page=9", "page=x", "state=lost", "schedule=7", "recipient=amy"]
)
def test_what_cannot_be_asked_is_refused(cast: Cast, asked: str) -> None:
    assert SignedIn(cast.alice.user).get(f"{URL}?{asked}").status_code == 400
