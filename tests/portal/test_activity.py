"""What is read is told to the audit trail, once and before it leaves; owners read their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.urls import resolve

from engagement.models import Release
from engagement.scope import Window
from partners import credentials
from partners.audit import record
from partners.models import AuditEvent
from portal.reads import RELEASES_NAMED, _releases
from reports.models import Schedule
from reports.plan import ask_bundle
from tests.cast import CANARY, DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.test_every_route import MEMBER_PREFIXES, ROUTES

API = "/api/v1/p/aurora/"
FILM = "/p/aurora/titles/film/"


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


def told(since: int) -> list[tuple[str, str]]:
    """(action, target) of every record after that id, the oldest first."""
    events = AuditEvent.objects.filter(pk__gt=since).order_by("pk")
    return list(events.values_list("action", "target"))


def last_id() -> int:
    return AuditEvent.objects.latest("pk").pk


READS = [
    ("/p/aurora/", "numbers.read", "portfolio"),
    (FILM, "numbers.read", "film"),
    (FILM + "?view=table", "numbers.read", "film"),
    (FILM + "csv/viewing/", "export.csv", "film/viewing"),
    ("/p/aurora/compare/?title=film&title=shared", "numbers.read", "compare"),
    ("/p/aurora/reports/", "list.read", "bundles"),
    ("/p/aurora/reports/{bundle}/", "list.read", "bundles/{bundle}"),
    ("/p/aurora/reports/deliveries/", "list.read", "deliveries"),
    ("/p/aurora/activity/", "list.read", "activity"),
    ("/p/aurora/access/", "list.read", "access"),
    ("/p/aurora/access/ask/hidden/", "list.read", "access/hidden"),
    ("/p/aurora/credentials/", "list.read", "credentials"),
    ("/p/aurora/credentials/{token}/replace/", "list.read", "credentials/{token}"),
    ("/p/aurora/team/", "list.read", "team"),
    ("/p/aurora/team/invite/", "list.read", "team/invite"),
    ("/p/aurora/team/{amy}/", "list.read", "team/{amy}"),
    ("/p/aurora/reports/schedule/new/", "list.read", "schedules/new"),
    ("/p/aurora/reports/schedule/{schedule}/", "list.read", "schedules/{schedule}"),
    (API + "titles/", "list.read", "titles"),
    (API + "titles/film/", "list.read", "titles/film"),
    (API + "titles/film/retention/", "numbers.read", "film/retention"),
    (API + "releases/", "list.read", "releases"),
    (API + "changes/", "list.read", "changes"),
    (API + "bundles/", "list.read", "bundles"),
    (API + "bundles/{bundle}/", "list.read", "bundles/{bundle}"),
    (API + "schedules/", "list.read", "schedules"),
    (API + "deliveries/", "list.read", "deliveries"),
    (API + "deliveries/{bundle}/", "list.read", "deliveries/{bundle}"),
    (API + "activity/", "list.read", "activity"),
]


def named(cast: Cast) -> dict[str, object]:
    """What stands in the paths of READS by its kind."""
    everything: Any = {"exits": ["api"], "families": None, "networks": []}
    token, _ = credentials.make(membership=cast.alice, name="tool", **everything)
    schedule = Schedule.objects.create(partner=cast.aurora, owner=cast.alice, name="Weekly")
    bundle = ask_bundle(
        membership=cast.alice,
        titles=None,
        window=Window(DAY, DAY + timedelta(days=DAYS)),
        language="en",
    )
    ids = {"token": token, "schedule": schedule, "bundle": bundle, "amy": cast.amy}
    return {name: row.pk for name, row in ids.items()}


@pytest.mark.parametrize(("path", "action", "target"), READS)
def test_each_page_and_answer_leaves_exactly_one_record(
    cast: Cast, alice: SignedIn, path: str, action: str, target: str
) -> None:
    """Case 80, of reads: who, for which partner, what, from where."""
    if "{" in path:
        ids = named(cast)
        path, target = path.format(**ids), target.format(**ids)
    before = last_id()
    assert alice.get(path, REMOTE_ADDR="203.0.113.7").status_code == 200
    assert told(before) == [(action, target)]
    event = AuditEvent.objects.latest("pk")
    assert (event.actor, event.partner, event.ip) == (cast.alice.user, cast.aurora, "203.0.113.7")
    assert event.database_user == "dailies_owner as dailies_partner"


def test_every_url_of_a_partner_that_reads_is_among_them() -> None:
    """A new page or answer is added to READS, or here with why it is no read."""
    elsewhere = {
        "report-progress",  # a part of a page that was recorded
        "download",  # `bundle.downloaded`, in tests/reports/test_downloads.py
        "api:bundle-file",  # the same by token, in tests/portal/test_bundles_by_token.py
        "report-password",  # `report_password.shown`, in tests/portal/web/test_report_password.py
        "credential-new",  # a form about nothing that is there
    }
    writes = {f"{what}-{step}" for what in ("access", "team") for step in ("withdraw",)} | {
        "credential-revoke", "member-remove", "report-cancel", "schedule-delete", "schedule-pause",
        "schedule-resume", "schedule-now", "api:schedule-run-now", "report-resend",
        "team-ask-again",
    }  # fmt: skip
    some = "00000000-0000-4000-8000-000000000000"
    ids = dict.fromkeys(("token", "schedule", "bundle", "amy"), some)
    read = {resolve(path.format(**ids).partition("?")[0]).view_name for path, _, _ in READS}
    of_a_partner = {name for path, name in ROUTES if path.startswith(MEMBER_PREFIXES)}
    assert of_a_partner - elsewhere - writes == read


@pytest.mark.parametrize(
    "path", ["/p/borealis/", FILM.replace("film", "foreign"), API + "titles/x/"]
)
def test_what_is_refused_is_no_read(cast: Cast, alice: SignedIn, path: str) -> None:
    before = last_id()
    assert alice.get(path).status_code == 404
    assert told(before) == []


def test_a_page_says_its_families_window_and_releases(cast: Cast, alice: SignedIn) -> None:
    alice.get(FILM + "?from=2026-01-01&until=2026-01-03")
    detail = AuditEvent.objects.latest("pk").detail
    assert detail["window"] == "2026-01-01..2026-01-02"
    assert {"viewing", "retention", "rewatch", "danmu", "moments"} <= set(detail["families"])
    kinds = {"segments", "danmu"}
    released = Release.objects.filter(title=cast.film, kind__in=kinds).values_list("pk", flat=True)
    assert detail["releases"]["ids"] == sorted(str(pk) for pk in released)


def test_many_releases_are_told_by_their_hash() -> None:
    few = {str(n) for n in range(RELEASES_NAMED)}
    assert _releases(few) == {"in_all": RELEASES_NAMED, "ids": sorted(few)}
    many = _releases({*few, "more"})
    assert many == {
        "in_all": RELEASES_NAMED + 1,
        "sha256": "9c64f193948e9dff16b9255d3d8e6d068d711f9725b7ecb50f952c484f65e443",
    }


def test_no_number_of_a_partner_is_in_the_trail(cast: Cast) -> None:
    bob = SignedIn(cast.bob.user)
    viewing = "/api/v1/p/borealis/titles/foreign/viewing/"
    plays = str(CANARY + CANARY // 2)  # a day, over all territories
    for accept in ("application/json", "text/csv"):
        assert plays in bob.get(viewing, headers={"accept": accept}).content.decode()
    bob.get("/p/borealis/titles/foreign/?from=2026-01-01&until=2026-01-11")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM partners_auditevent e WHERE e::text LIKE ANY (%s)",
            [[f"%{number}%" for number in (CANARY, plays, CANARY * 10)]],
        )
        assert cursor.fetchone() == (0,)


# --- no record, no data --------------------------------------------------------------------------
@pytest.mark.parametrize("path", [FILM + "csv/viewing/", "/p/aurora/", FILM])
def test_without_an_audit_table_a_page_is_refused_in_plain_words(
    cast: Cast, alice: SignedIn, path: str
) -> None:
    """Case 81, the outage: the right to write it is gone, as a full disk would have it."""
    assert alice.get(path).status_code == 200
    away("REVOKE INSERT ON partners_auditevent FROM dailies_partner")
    answer = alice.get(path)
    assert answer.status_code == 503
    assert b"The audit trail cannot be written" in answer.content
    assert b"plays" not in answer.content
    away("GRANT INSERT ON partners_auditevent TO dailies_partner")
    assert alice.get(path).status_code == 200


def test_without_an_audit_table_rest_is_refused_in_the_one_error_shape(
    cast: Cast, alice: SignedIn
) -> None:
    """Case 81, the outage."""
    path = API + "titles/film/viewing/"
    assert alice.get(path, headers={"accept": "text/csv"}).status_code == 200
    away("REVOKE INSERT ON partners_auditevent FROM dailies_partner")
    for accept in ("text/csv", "application/json"):
        answer = alice.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


def away(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


# --- what an owner reads -------------------------------------------------------------------------
def entries(client: SignedIn, query: str = "", partner: str = "aurora") -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/p/{partner}/activity/{query}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["activity"]
    return found


def test_an_owner_reads_the_own_organisation_and_nobody_elses(cast: Cast, alice: SignedIn) -> None:
    SignedIn(cast.bob.user).get("/p/borealis/titles/foreign/")
    SignedIn(cast.amy.user).get(FILM)
    record("numbers.read", actor=cast.stella, partner=cast.aurora, target="film", reason="a call")
    page = alice.get("/p/aurora/activity/").content.decode()
    assert "foreign" not in page
    assert "Bob" not in page
    assert "stella@" not in page
    assert "Amy" in page
    assert "Platform staff" in page
    found = entries(alice)
    assert {e["who"] for e in found} == {"member", "staff"}
    staff = next(e for e in found if e["who"] == "staff" and e["action"] == "numbers.read")
    assert (staff["name"], staff["email"], staff["ip"]) == ("Stella", "", "")
    assert staff["detail"] == {"reason": "a call"}
    [read, *_] = entries(SignedIn(cast.bob.user), partner="borealis")
    assert read["target"] == "foreign"


def test_what_the_platform_only_plans_is_not_told(cast: Cast, alice: SignedIn) -> None:
    record("grant.made", actor=cast.stella, partner=cast.aurora, target="secret-plan")
    record("grant.revoked", actor=cast.stella, partner=cast.aurora, target="x", contract="C-7")
    assert entries(alice)[0]["target"] == "C-7"
    assert "secret-plan" not in alice.get("/p/aurora/activity/").content.decode()
    assert alice.get("/api/v1/p/aurora/activity/?action=grant.made").status_code == 400


def test_only_owners_read_it(cast: Cast, alice: SignedIn) -> None:
    for path in ("/p/aurora/activity/", "/api/v1/p/aurora/activity/"):
        assert alice.get(path).status_code == 200
        for member in (cast.amy, cast.victor, cast.bob):
            assert SignedIn(member.user).get(path).status_code == 404
    assert "/p/aurora/activity/" in alice.get("/p/aurora/").content.decode()
    assert "/p/aurora/activity/" not in SignedIn(cast.amy.user).get("/p/aurora/").content.decode()


def test_it_is_filtered_by_who_what_and_day_and_paged(cast: Cast, alice: SignedIn) -> None:
    SignedIn(cast.amy.user).get(FILM)
    SignedIn(cast.amy.user).get(FILM + "csv/viewing/")
    record("numbers.read", actor=cast.stella, partner=cast.aurora, target="film")
    amy = f"?who={cast.amy.user_id}"
    assert [e["action"] for e in entries(alice, amy)] == ["export.csv", "numbers.read"]
    assert [e["action"] for e in entries(alice, amy + "&action=export.csv")] == ["export.csv"]
    assert {e["who"] for e in entries(alice, "?who=staff")} == {"staff"}
    assert entries(alice, "?day=2026-01-01") == []
    first = entries(alice)
    assert len(first) >= 5
    older = entries(alice, f"?before={first[2]['id']}")
    assert [e["id"] for e in older[:2]] == [e["id"] for e in first[2:5]][1:]
    for wrong in ("?who=x", "?day=1", "?before=0", "?before=-1", "?page=2", "?action=x"):
        assert alice.get(f"/api/v1/p/aurora/activity/{wrong}").status_code == 400, wrong
        assert alice.get(f"/p/aurora/activity/{wrong}").status_code == 200, wrong


def test_pages_of_fifty_lead_to_the_earlier_ones(cast: Cast, alice: SignedIn) -> None:
    for number in range(60):
        record("list.read", actor=cast.amy.user, partner=cast.aurora, target=f"list-{number:02}")
    path = f"/p/aurora/activity/?who={cast.amy.user_id}"
    page = alice.get(path).content.decode()
    assert "list-59" in page
    assert "list-10" in page
    assert "list-09" not in page
    earlier = page.split('href="?')[1].split('"')[0].replace("&amp;", "&")
    second = alice.get(f"/p/aurora/activity/?{earlier}").content.decode()
    assert "list-09" in second
    assert "list-10" not in second
