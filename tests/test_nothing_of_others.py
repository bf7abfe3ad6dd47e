"""What pages offer, find and count is the same before and after a competitor has been busy."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse

from engagement.models import Title
from partners import credentials
from partners.audit import record
from partners.models import AccessRequest, Holding
from reports import schedules
from reports.models import Bundle
from reports.plan import ask_bundle
from tests.cast import CANARY, DAY, Cast, write_facts
from tests.conftest import SignedIn
from tests.walls import WHOLE

API = "/api/v1/p/aurora/"
PAGES = (
    "/", "/?q=ZQB", "/?q=Z", "/?q=异乡", "/?q=foreign", "/?kind=series", "/?kind=trailer",
    "/?page=2", "/?page=99", "/titles/film/", "/titles/shared/", "/titles/film/?territory=HK",
    "/reports/", "/reports/?title=foreign", "/reports/?page=2", "/reports/schedule/new/",
    "/team/", "/team/invite/", "/access/", "/credentials/", "/credentials/new/",
    "/activity/?who=staff", "/activity/?action=schedule.made",
)  # fmt: skip
LISTS = ("titles/", "titles/film/", "titles/shared/viewing/", "releases/", "changes/", "bundles/",
         "schedules/", "activity/?who=staff", "activity/?action=schedule.made")  # fmt: skip
OF_THE_ASKING = rb'name="csrfmiddlewaretoken" value="[^"]*"|nonce-[^\'"]*'
"""What differs between any two answers."""


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


def seen(client: SignedIn, paths: tuple[str, ...], before: str) -> dict[str, Any]:
    """Status and body of each; of the reader's own activity only what others could add to."""
    found = {}
    for path in paths:
        answer: HttpResponse = client.get(before + path)
        found[path] = answer.status_code, re.sub(OF_THE_ASKING, b"", answer.content)
    return found


def busy(cast: Cast) -> None:
    """Borealis warms everything: new titles of kinds, places and names of their own, members,
    bundles, schedules, credentials, requests, and searches of them all.
    """
    for kind in ("series", "trailer"):
        title = Title.objects.create(
            key=f"zqb-{kind}", slug=f"zqb-{kind}", kind=kind, name_zh=f"ZQB-{kind}",
            name_en=f"ZQB-{kind}", runtime_s=120,
        )  # fmt: skip
        Holding.objects.create(partner=cast.borealis, title=title, territories=["HK"])
        cast.grant(cast.borealis, title, territories=["HK", "CN", "SG"])
        if kind == "trailer":
            write_facts(title, base=CANARY)
    bundle = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    for number in range(3):
        Bundle.objects.create(
            partner=cast.borealis, recipient=cast.bob, from_day=DAY, language="en",
            until=DAY + timedelta(days=number + 1), state="done",
        )  # fmt: skip
        schedules.create(
            membership=cast.bob, name=f"ZQB-{number}", titles=None, weekday=2, hour=9,
            zone="Asia/Shanghai", language="en", recipients=[cast.bob.pk],
        )  # fmt: skip
    credentials.make(
        membership=cast.bob, name="ZQB-token", exits=["api"], families=None, networks=[]
    )
    AccessRequest.objects.create(
        partner=cast.borealis, title=cast.foreign, asked_by=cast.bob.user, families=["viewing"],
        reason="ZQB-reason",
    )  # fmt: skip
    record("grant.revoked", actor=cast.stella, partner=cast.borealis, target="ZQB-grant")
    bob = SignedIn(cast.bob.user)
    for page in (*PAGES, "/titles/foreign/", "/titles/zqb-trailer/"):
        bob.get("/p/borealis" + page)
    for path in LISTS:
        bob.get(f"/api/v1/p/borealis/{path}")
    assert bob.get(f"/p/borealis/reports/{bundle.pk}/").status_code == 200


def test_case_8_what_is_offered_and_found_is_the_same_after_a_competitor_warmed_it(
    cast: Cast, alice: SignedIn
) -> None:
    """Searches, kinds, territories, titles, people, actions: in every page and list."""
    for _ in range(2):  # the second time Alice has warmed them as well
        before = seen(alice, PAGES, "/p/aurora"), seen(alice, LISTS, API)
    busy(cast)
    after = seen(alice, PAGES, "/p/aurora"), seen(alice, LISTS, API)
    for was, became in zip(before, after, strict=True):
        for path, (status, body) in became.items():
            assert status == was[path][0], path
            assert b"ZQB" not in body.replace(b"?q=ZQB", b"").replace(b'value="ZQB"', b""), path
            assert str(CANARY).encode() not in body, path
            assert body == was[path][1], path
    assert "ZQB" in SignedIn(cast.bob.user).get("/p/borealis/").content.decode()


def test_case_8_a_search_finds_the_own_titles_alone(cast: Cast, alice: SignedIn) -> None:
    """Whatever is asked for: a competitor's very name, none at all, wildcards of SQL."""
    busy(cast)
    for words in ("ZQB", "异乡", "foreign", "Not Granted", "%ZQB%", "_", "Z%", "no such thing"):
        page = alice.get("/p/aurora/", {"q": words})
        assert (page.status_code, page.context["page"].paginator.count) == (200, 0), words
    page = alice.get("/p/aurora/")
    assert page.context["kinds"] == [("film", "film")]
    assert {row.title.slug for row in page.context["rows"]} == {"film", "shared"}
    assert (page.context["granted"], page.context["page"].paginator.count) == (2, 2)
    shared = alice.get("/p/aurora/titles/shared/")
    assert shared.context["territories"] == ["CN"]


# --- counts, cursors and page numbers ------------------------------------------------------------


def activity(client: SignedIn, query: str = "", partner: str = "aurora") -> dict[str, Any]:
    answer = client.get(f"/api/v1/p/{partner}/activity/{query}")
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def test_case_9_counts_and_pages_are_of_the_own_rows(cast: Cast, alice: SignedIn) -> None:
    """Also a page after the last one, which is not told from one that holds others' rows."""
    own = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    busy(cast)
    for number in range(30):
        Bundle.objects.create(
            partner=cast.borealis, recipient=cast.bob, from_day=DAY, language="zh-hans",
            until=DAY + timedelta(days=number + 1), state="done",
        )  # fmt: skip
    for page, count in (("/p/aurora/", 2), ("/p/aurora/reports/", 1)):
        of = [alice.get(page, {"page": n}) for n in ("1", "2", "9999", "0", "-1", "x")]
        assert [a.context["page"].paginator.count for a in of] == [count] * 6
        assert {a.context["page"].number for a in of} == {1}
        assert {a.context["page"].paginator.num_pages for a in of} == {1}
    assert [b["id"] for b in alice.get(f"{API}bundles/").json()["bundles"]] == [str(own.pk)]
    assert alice.get(f"{API}schedules/").json() == {"schedules": []}
    assert alice.get(f"{API}changes/").json() == {"changes": []}


def test_case_9_a_cursor_counts_nobody_elses_records(cast: Cast, alice: SignedIn) -> None:
    """Ids and cursors are UUIDs: numbers in a row would tell how busy all others are."""
    for number in range(205):
        record("list.read", actor=cast.amy.user, partner=cast.aurora, target=f"list-{number:03}")
        record("list.read", actor=cast.bob.user, partner=cast.borealis, target="ZQB")
    first = activity(alice)
    assert len(first["activity"]) == 200
    assert UUID(first["next"]) == UUID(first["activity"][-1]["id"])
    second = activity(alice, f"?before={first['next']}")
    told = [*first["activity"], *second["activity"]]
    targets = [e["target"] for e in told if e["target"].startswith("list-")]
    assert targets == [f"list-{n:03}" for n in range(204, -1, -1)]
    ids = [UUID(e["id"]).int for e in told]
    assert len(set(ids)) == len(ids)
    steps = {a - b for a, b in pairwise(ids)}
    assert min(map(abs, steps)) > 2**64, "ids in a row, or nearly so"
    again = [e["id"] for e in activity(alice)["activity"]]  # after both readings above
    assert again[2:] == [e["id"] for e in first["activity"]][:198]


def test_case_9_a_cursor_of_others_is_as_one_that_is_made_up(cast: Cast, alice: SignedIn) -> None:
    for _ in range(3):
        record("list.read", actor=cast.bob.user, partner=cast.borealis, target="ZQB")
    theirs = activity(SignedIn(cast.bob.user), partner="borealis")["activity"][1]["id"]
    assert activity(SignedIn(cast.bob.user), f"?before={theirs}", "borealis")["activity"]
    answers = []
    for cursor in (theirs, str(uuid4()), str(UUID(int=0)), str(UUID(int=2**128 - 1))):
        answer = alice.get(f"{API}activity/?before={cursor}")
        answers.append((answer.status_code, answer.content, sorted(answer.items())))
        page = alice.get(f"/p/aurora/activity/?before={cursor}")
        assert (page.status_code, page.context["filtered"]) == (200, False)
    assert answers == [answers[0]] * 4
    assert answers[0][0] == 400
    own = activity(alice)["activity"]
    nothing = activity(alice, f"?before={own[-1]['id']}")
    assert nothing == {"activity": [], "next": None}
