"""The access page, and what staff make of a request."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.test import Client
from django.urls import reverse

from engagement.measured import measured_families
from engagement.roles import PARTNER, acting_as
from partners import access_requests, grants
from partners.access import scope_for
from partners.models import AccessRequest, AuditEvent, Grant, Holding, Membership
from tests.cast import CANARY, Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

MEASURED = ("viewing", "retention", "rewatch", "danmu", "discussion", "sharing")


def page(client: Client, partner: str = "aurora") -> str:
    return client.get(f"/p/{partner}/access/").content.decode()


def asked(cast: Cast, *families: str) -> AccessRequest:
    return access_requests.ask(cast.alice, "hidden", families or ("danmu",), "For the sequel")


def test_a_partner_reads_what_is_measured_of_what_it_holds_and_no_figure(cast: Cast) -> None:
    [entry] = [e for e in access_requests.askable(cast.alice) if e.title == cast.hidden]
    assert set(entry.missing) == set(MEASURED)
    assert entry.granted == ()
    text = page(SignedIn(cast.alice.user))
    assert "Not Granted" in text
    for foreign in ("ZQB", str(CANARY), ">150<", ">100<"):
        assert foreign not in text


def test_what_is_not_held_is_not_measured_either(cast: Cast) -> None:
    """By the view alone: Python asks for a title of Borealis'."""
    ids = [cast.hidden.pk, cast.foreign.pk]
    assert measured_families(cast.aurora.pk, ids)[cast.foreign.pk] == frozenset()
    assert measured_families(cast.aurora.pk, ids)[cast.hidden.pk] == set(MEASURED)
    Holding.objects.filter(title=cast.hidden).update(until="2026-01-01")
    assert measured_families(cast.aurora.pk, ids)[cast.hidden.pk] == frozenset()
    assert cast.hidden not in [e.title for e in access_requests.askable(cast.alice)]


def test_an_owner_asks_and_staff_grant_it_in_two_clicks(cast: Cast, staff: Staff) -> None:
    alice, mona = SignedIn(cast.alice.user), SignedIn(staff.mona)
    form = {"families": ["danmu", "viewing"], "reason": "For the sequel"}
    assert alice.post("/p/aurora/access/ask/hidden/", form).status_code == 302
    request = AccessRequest.objects.get()
    assert (request.families, request.state, request.asked_by) == (
        ["viewing", "danmu"], "waiting", cast.alice.user,
    )  # fmt: skip
    assert "For the sequel" in page(alice)

    listing = mona.get(reverse("admin:partners_accessrequest_changelist")).content.decode()
    assert "Not Granted" in listing
    mona.post(reverse("admin:partners_accessrequest_propose", args=[request.pk]))
    request.refresh_from_db()
    grant = request.grant
    assert grant is not None
    assert (request.state, grant.state, grant.made_by) == ("proposed", "proposed", staff.mona)
    assert (grant.families, grant.territories, grant.exits) == (
        ["viewing", "danmu"],
        ["*"],
        ["web"],
    )
    assert cast.hidden.pk not in scope_for(cast.alice, "web").titles()

    grants.approve(grant, by=staff.max)
    request.refresh_from_db()
    assert (request.state, request.decided_by) == ("granted", staff.max)
    assert scope_for(cast.alice, "web").families(cast.hidden.pk) == {"viewing", "danmu"}
    assert "granted" in page(alice)
    told = AuditEvent.objects.filter(action__startswith="access_request.").order_by("id")
    assert [e.action.split(".")[1] for e in told] == ["made", "proposed", "granted"]


def test_a_proposal_keeps_to_the_territories_and_days_held(cast: Cast, staff: Staff) -> None:
    """Of a co-production: Aurora's part of it."""
    Holding.objects.filter(title=cast.hidden).update(territories=["CN"], from_day="2026-01-03")
    grant = access_requests.propose(asked(cast), by=staff.mona)
    assert (grant.territories, str(grant.data_from), grant.data_until) == (
        ["CN"], "2026-01-03", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "proposed"),
    [
        # CN once, SG later: CN's early days are not SG's
        (
            [(["CN"], "2026-01-01", None), (["SG"], "2026-02-01", "2030-01-01")],
            (["CN", "SG"], "2026-02-01", "2030-01-01"),
        ),
        # everywhere once, CN since: not everywhere since
        (
            [(["*"], "2020-01-01", "2021-01-01"), (["CN"], "2021-01-01", None)],
            (["CN"], "2020-01-01", "None"),
        ),
        ([(["*"], None, None), (["CN"], "2026-01-01", "2030-01-01")], (["*"], "None", "None")),
        ([(["SG"], None, "2021-01-01"), (["CN"], "2026-01-01", None)],
         (["CN"], "2026-01-01", "None")),
    ],
)  # fmt: skip
def test_case_3_a_proposal_of_a_request_crosses_no_holdings(
    cast: Cast, staff: Staff, held: list[tuple[Any, ...]], proposed: tuple[Any, ...]
) -> None:
    """Two holdings of other territories and days do not make one of all of them."""
    request = asked(cast)
    Holding.objects.filter(title=cast.hidden).delete()
    for territories, since, until in held:
        Holding.objects.create(
            partner=cast.aurora, title=cast.hidden, territories=territories,
            from_day=since, until=until,
        )  # fmt: skip
    grant = access_requests.propose(request, by=staff.mona)
    assert (grant.territories, str(grant.data_from), str(grant.data_until)) == proposed


def test_a_proposal_that_is_revoked_lets_the_request_wait_again(cast: Cast, staff: Staff) -> None:
    request = asked(cast)
    grants.revoke(access_requests.propose(request, by=staff.mona), by=staff.mona)
    request.refresh_from_db()
    assert request.state == "waiting"


def test_declining_needs_a_reason_that_the_partner_reads(cast: Cast, staff: Staff) -> None:
    request, mona = asked(cast), SignedIn(staff.mona)
    url = reverse("admin:partners_accessrequest_decline", args=[request.pk])
    mona.post(url, {"answer": " "})
    request.refresh_from_db()
    assert request.state == "waiting"
    mona.post(url, {"answer": "Not in the contract"})
    assert "Not in the contract" in page(SignedIn(cast.alice.user))
    with pytest.raises(access_requests.RequestError):
        access_requests.propose(request, by=staff.mona)


def test_a_request_is_withdrawn_while_it_waits(cast: Cast, staff: Staff) -> None:
    request, alice = asked(cast), SignedIn(cast.alice.user)
    url = f"/p/aurora/access/{request.pk}/withdraw/"
    assert alice.post(url).status_code == 302
    request.refresh_from_db()
    assert request.state == "withdrawn"
    again = asked(cast)
    access_requests.propose(again, by=staff.mona)
    with pytest.raises(access_requests.RequestError):
        access_requests.withdraw(cast.alice, again.pk)


def test_only_owners_ask_and_only_for_what_the_partner_holds(cast: Cast) -> None:
    request = asked(cast)
    for member in (cast.amy, cast.victor):
        client = SignedIn(member.user)
        assert client.get("/p/aurora/access/").status_code == 200
        assert client.post("/p/aurora/access/ask/hidden/").status_code == 404
        assert client.post(f"/p/aurora/access/{request.pk}/withdraw/").status_code == 404
    alice, form = SignedIn(cast.alice.user), {"families": ["danmu"], "reason": "x"}
    foreign = alice.post("/p/aurora/access/ask/foreign/", form)
    made_up = alice.post("/p/aurora/access/ask/no-such-title/", form)
    assert foreign.status_code == made_up.status_code == 404
    assert foreign.content == made_up.content
    bob = SignedIn(cast.bob.user)
    assert bob.post(f"/p/borealis/access/{request.pk}/withdraw/").status_code == 404
    assert "Not Granted" not in page(bob, "borealis")


def test_a_members_limit_hides_other_titles(cast: Cast) -> None:
    asked(cast)
    Membership.objects.filter(pk=cast.alice.pk).update(limit_titles=[cast.film.pk])
    cast.alice.refresh_from_db()
    assert "Not Granted" not in page(SignedIn(cast.alice.user))


@pytest.mark.parametrize(
    ("families", "reason"),
    [([], "x"), (["danmu"], " "), (["money"], "x"), (["prerelease"], "x")],
)
def test_what_cannot_be_asked_for_is_refused(cast: Cast, families: list[str], reason: str) -> None:
    with pytest.raises(access_requests.RequestError):
        access_requests.ask(cast.alice, "hidden", families, reason)
    with pytest.raises(access_requests.RequestError):  # granted already
        access_requests.ask(cast.alice, "film", ["danmu"], "x")


def test_one_request_a_title_is_open(cast: Cast) -> None:
    asked(cast)
    with pytest.raises(access_requests.RequestError, match="open already"):
        asked(cast)


def test_the_database_lets_a_partner_ask_and_withdraw_and_nothing_else(cast: Cast) -> None:
    """By the wall alone: Python would let Aurora's role decide."""
    request = asked(cast)

    def as_partner(who: Any, **change: Any) -> int:
        with acting_as(PARTNER, partner_id=who.pk):
            return AccessRequest.objects.filter(pk=request.pk).update(**change)

    for forged in ({"state": "granted"}, {"state": "withdrawn", "grant": cast.grants["film"]},
                   {"reason": "better"}, {"partner": cast.borealis}):  # fmt: skip
        with pytest.raises(ProgrammingError), transaction.atomic():
            as_partner(cast.aurora, **forged)
    assert as_partner(cast.borealis, state="withdrawn") == 0
    assert as_partner(cast.aurora, state="withdrawn") == 1
    with pytest.raises(ProgrammingError), acting_as(PARTNER, partner_id=cast.aurora.pk):
        AccessRequest.objects.create(
            partner=cast.aurora, title=cast.film, families=["danmu"], reason="x",
            asked_by=cast.alice.user, state="granted",
        )  # fmt: skip


def test_data_operations_decide_no_request(cast: Cast, staff: Staff) -> None:
    request = asked(cast)
    for step in ("propose", "decline"):
        url = reverse(f"admin:partners_accessrequest_{step}", args=[request.pk])
        assert SignedIn(staff.dora).post(url, {"answer": "x"}).status_code in (403, 404)
    assert not Grant.objects.filter(state="proposed").exists()
