"""Ids in a form or a body: changed after they were checked, of others, in bulk.

tests/test_every_id.py asks with ids in URLs; here they are among what is sent.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from engagement.roles import PARTNER, acting_as
from engagement.scope import Refused
from partners import credentials
from partners.models import AccessRequest, AuditEvent, Credential, Membership
from reports import runs, schedules
from reports.models import Bundle, Schedule
from reports.plan import ask_bundle
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.walls import WHOLE

API = "/api/v1/p/aurora/"
REPORTS = "/p/aurora/reports/"
WISH = {"from": "2026-01-01", "until": "2026-01-05", "language": "en"}
AT = {"weekday": "2", "hour": "9", "zone": "Asia/Shanghai", "language": "en"}


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


def schedule_of(owner: Membership, name: str, *recipients: Membership) -> Schedule:
    return schedules.create(
        membership=owner, name=name, titles=None, weekday=2, hour=9, zone="Asia/Shanghai",
        language="en", recipients=[m.pk for m in recipients or (owner,)],
    )  # fmt: skip


def row(thing: Any) -> dict[str, Any]:
    found: dict[str, Any] = type(thing).objects.filter(pk=thing.pk).values().get()
    if isinstance(thing, Schedule):
        found["recipients"] = set(thing.recipients.values_list("pk", flat=True))
    return found


def without(answer: HttpResponse, *sent: object) -> tuple[int, bytes]:
    """Status and body, without the ids that were sent and what no two answers share."""
    body = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"', b"", answer.content)
    for id_ in sent:
        body = body.replace(str(id_).encode(), b"ID")
    return answer.status_code, body


# --- case 16: checked when it was made, and again when it is changed -----------------------------

CHANGES: dict[str, Any] = {
    "title": lambda cast: {"titles": [cast.foreign.pk]},
    "title not granted": lambda cast: {"titles": [cast.hidden.pk]},
    "own title and title": lambda cast: {"titles": [cast.film.pk, cast.foreign.pk]},
    "recipient": lambda cast: {"recipients": [cast.bob.pk]},
    "own recipient and recipient": lambda cast: {"recipients": [cast.alice.pk, cast.bob.pk]},
    "co-producer": lambda cast: {"recipients": [cast.cleo.pk]},
}
IGNORED: dict[str, Any] = {
    # fields that the form does not have
    "partner": lambda cast: {"partner": cast.borealis.pk, "partner_id": cast.borealis.pk},
    "owner": lambda cast: {"owner": cast.bob.pk, "owner_id": cast.bob.pk},
    "territory": lambda cast: {"territory": "*", "territories": ["*"], "exits": ["api"]},
    "id": lambda cast: {"id": uuid4(), "pk": uuid4(), "schedule_id": uuid4()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_case_16_a_schedule_is_not_moved_to_what_it_could_not_be_made_with(
    cast: Cast, alice: SignedIn, change: str
) -> None:
    schedule = schedule_of(cast.alice, "Weekly")
    before = row(schedule)
    form = {"name": "Moved", **AT, "recipients": [cast.alice.pk], "titles": [cast.film.pk]}
    made = alice.post(f"{REPORTS}schedule/new/", form | CHANGES[change](cast))
    assert (made.status_code, Schedule.objects.count()) == (200, 1)
    changed = alice.post(f"{REPORTS}schedule/{schedule.pk}/", form | CHANGES[change](cast))
    assert changed.status_code == 200
    assert b"ZQB" not in changed.content
    assert row(schedule) == before
    assert alice.post(f"{REPORTS}schedule/{schedule.pk}/", form).status_code == 302
    assert row(schedule)["name"] == "Moved"


@pytest.mark.parametrize("field", IGNORED)
def test_case_16_what_the_form_does_not_have_changes_nothing(
    cast: Cast, alice: SignedIn, field: str
) -> None:
    schedule = schedule_of(cast.alice, "Weekly")
    before = row(schedule)
    form = {"name": "Weekly", **AT, "recipients": [cast.alice.pk]}
    answer = alice.post(f"{REPORTS}schedule/{schedule.pk}/", form | IGNORED[field](cast))
    assert answer.status_code == 302
    assert row(schedule) == before
    assert Schedule.objects.count() == 1


def test_case_16_a_schedule_made_before_does_not_keep_what_has_ended(
    cast: Cast, alice: SignedIn
) -> None:
    """A title that its member may no longer have is not named again; what stays is not theirs to
    add to, and reaches nobody whose own grants do not hold it.
    """
    schedule = schedule_of(cast.alice, "Weekly", cast.amy)
    form = {"name": "Weekly", **AT, "recipients": [cast.amy.pk], "titles": [cast.shared.pk]}
    assert alice.post(f"{REPORTS}schedule/{schedule.pk}/", form).status_code == 302
    Membership.objects.filter(pk=cast.alice.pk).update(limit_titles=[cast.film.pk])
    alice = SignedIn(cast.alice.user)  # the limit ended her session
    assert alice.post(f"{REPORTS}schedule/{schedule.pk}/", form).status_code == 200
    with pytest.raises(Refused):
        schedules.edit(
            membership=cast.alice, schedule_id=schedule.pk, name="x", titles=[cast.foreign.pk],
            weekday=1, hour=1, zone="Asia/Shanghai", language="en", recipients=[cast.amy.pk],
        )  # fmt: skip
    assert row(schedule)["weekday"] == 2


@pytest.mark.parametrize("method", ["put", "patch", "post", "delete"])
def test_case_16_a_bundle_and_a_credential_are_not_changed_once_they_are_made(
    cast: Cast, alice: SignedIn, method: str
) -> None:
    bundle = ask_bundle(membership=cast.alice, titles=[cast.film.pk], window=WHOLE, language="en")
    credential, token = credentials.make(
        membership=cast.alice, name="x", exits=["api", "export"], families=["viewing"], networks=[]
    )
    before = row(bundle)
    moved = {"titles": ["foreign"], "recipient": str(cast.bob.pk), "partner": "borealis", **WISH}
    program = Client(headers={"authorization": f"Bearer {token}"})
    for client in (alice, program):
        for path in (f"{API}bundles/{bundle.pk}/", f"{API}schedules/", f"{API}titles/film/"):
            if method == "delete" and path.startswith(f"{API}bundles/"):
                continue  # so it is cancelled, whatever is sent along
            answer = getattr(client, method)(
                path, json.dumps(moved), content_type="application/json"
            )
            assert answer.status_code == 405, path
    for path in (f"{REPORTS}{bundle.pk}/", f"{REPORTS}{bundle.pk}/download/"):
        assert getattr(alice, method)(path).status_code == 405, path
    assert row(bundle) == before
    known = row(credential)
    wider = {"grace": "24", "days": "30", "families": ["danmu"], "reads": "1", "networks": "",
             "maker": cast.bob.pk, "partner": cast.borealis.pk}  # fmt: skip
    if method == "post":
        path = f"/p/aurora/credentials/{credential.pk}/replace/"
        assert alice.post(path, wider).status_code == 200
        [new] = Credential.objects.exclude(pk=credential.pk)
        for name in ("families", "exits", "networks", "maker_id", "partner_id"):
            assert row(new)[name] == known[name], name


def test_case_16_postgres_moves_no_row_to_another_partner(cast: Cast) -> None:
    """Python out of the way: what was made as Aurora's is not updated to be Borealis'."""
    schedule = schedule_of(cast.alice, "Weekly")
    bundle = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    for thing in (schedule, bundle):
        with pytest.raises(DatabaseError), acting_as(PARTNER, partner_id=cast.aurora.pk):
            type(thing).objects.filter(pk=thing.pk).update(partner=cast.borealis)
    assert {row(thing)["partner_id"] for thing in (schedule, bundle)} == {cast.aurora.pk}


# --- case 17: children that are somebody else's --------------------------------------------------


def test_case_17_a_stolen_child_is_as_one_that_is_made_up_and_stays_where_it_is(
    cast: Cast, alice: SignedIn
) -> None:
    """Reports, grants, recipients and requests of Borealis', by every name they may have."""
    theirs = {
        "report": ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en"),
        "schedule": schedule_of(cast.bob, "ZQB-weekly"),
        "grant": cast.grants["foreign"],
        "recipient": cast.bob,
        "credential": credentials.make(
            membership=cast.bob, name="ZQB", exits=["api"], families=None, networks=[]
        )[0],
        "access_request": AccessRequest.objects.create(
            partner=cast.borealis, title=cast.foreign, asked_by=cast.bob.user,
            families=["viewing"], reason="ZQB",
        ),
    }  # fmt: skip
    own = schedule_of(cast.alice, "Weekly")
    before = {name: row(thing) for name, thing in theirs.items()} | {"own": row(own)}
    form = {"name": "Weekly", **AT, "recipients": [cast.alice.pk]}
    for name, thing in theirs.items():
        answers = []
        for id_ in (thing.pk, uuid4()):
            nested = {name: id_, f"{name}_id": id_, f"{name}_ids": [id_], f"{name}s-0-id": id_}
            answers.append(
                [
                    without(answer, id_)
                    for answer in (
                        alice.post(f"{REPORTS}schedule/{own.pk}/", form | nested),
                        alice.post(f"{REPORTS}schedule/{own.pk}/", form | {"recipients": [id_]}),
                        alice.post(f"{REPORTS}schedule/{own.pk}/", form | {"titles": [id_]}),
                        alice.post(f"/p/aurora/team/{cast.amy.pk}/", {"role": "x", **nested}),
                        alice.post(f"/p/aurora/team/{id_}/", {"role": "owner"}),
                        alice.post(f"/p/aurora/access/{id_}/withdraw/"),
                        alice.post(f"/p/aurora/credentials/{id_}/revoke/"),
                        alice.post(f"{API}bundles/", {**WISH, "titles": [str(id_)]},
                                   content_type="application/json"),
                        alice.post(f"{API}bundles/", {**WISH, "titles": {"id": str(id_)}},
                                   content_type="application/json"),
                    )
                ]
            )  # fmt: skip
        assert answers[0] == answers[1], name
        assert [status for status, _ in answers[0]] == [302, 200, 200, 200, 404, 404, 404, 404, 400]
        assert not any(b"ZQB" in body for _, body in answers[0]), name
    assert {n: row(t) for n, t in theirs.items()} | {"own": row(own)} == before
    assert not AuditEvent.objects.filter(partner=cast.borealis, actor=cast.alice.user).exists()


def test_case_17_a_nested_id_makes_no_bundle_of_it(cast: Cast, alice: SignedIn) -> None:
    """What the body names beside the wish is not taken: the bundle is Alice's own, newly made."""
    theirs = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    wish = {**WISH, "id": str(theirs.pk), "bundle_id": str(theirs.pk), "run": str(theirs.pk),
            "recipient": str(cast.bob.pk), "grant_id": str(cast.grants["foreign"].pk),
            "partner": "borealis", "file": {"id": str(theirs.pk)}}  # fmt: skip
    before = row(theirs)
    answer = alice.post(f"{API}bundles/", wish, content_type="application/json")
    assert answer.status_code == 202
    made = Bundle.objects.exclude(pk=theirs.pk).get()
    assert (made.recipient, made.partner, made.run) == (cast.alice, cast.aurora, None)
    assert answer.json()["id"] == str(made.pk)
    assert row(theirs) == before


def test_case_17_a_child_of_others_that_was_tied_all_the_same_gets_nothing(cast: Cast) -> None:
    """Python out of the way. Borealis' schedule is out of reach; Aurora's that names Bob sends
    him nothing, since the run asks again whose member he is.
    """
    own, theirs = schedule_of(cast.alice, "Weekly"), schedule_of(cast.bob, "ZQB-weekly")
    with pytest.raises(DatabaseError), acting_as(PARTNER, partner_id=cast.aurora.pk):
        Schedule.recipients.through.objects.create(schedule=theirs, membership=cast.alice)
    assert row(theirs)["recipients"] == {cast.bob.pk}
    with pytest.raises(DatabaseError), acting_as(PARTNER, partner_id=cast.aurora.pk):
        Schedule.recipients.through.objects.create(schedule=own, membership=cast.bob)
    Schedule.recipients.through.objects.create(schedule=own, membership=cast.bob)  # as the owner
    Schedule.objects.filter(pk=own.pk).update(
        active_from=datetime(2026, 1, 8, tzinfo=UTC), deadline_hours=0
    )
    Schedule.objects.filter(pk=theirs.pk).update(paused_at=datetime(2026, 1, 8, tzinfo=UTC))
    assert runs.make_runs(datetime(2026, 1, 14, 2, tzinfo=UTC)) == 1
    assert [b.recipient for b in Bundle.objects.all()] == [cast.alice]


# --- case 19: many at once -----------------------------------------------------------------------


def wishes(alice: SignedIn, slugs: Iterable[object]) -> HttpResponse:
    body = {**WISH, "titles": list(slugs)}
    return alice.post(f"{API}bundles/", body, content_type="application/json")


def test_case_19_many_ids_are_taken_all_or_not_at_all_and_none_is_pointed_out(
    cast: Cast, alice: SignedIn
) -> None:
    """One of Borealis' among the own ones, in any place: as one that is made up."""
    schedule = schedule_of(cast.alice, "Weekly")
    before = row(schedule)
    for mixed in ([0, 1], [1, 0]):
        of_form, of_json = [], []
        for other, slug in ((cast.foreign.pk, "foreign"), (cast.hidden.pk, "hidden"),
                            (10**7 + 1, "made-up")):  # fmt: skip
            chosen = [other if n else cast.film.pk for n in mixed]
            form = {"since": "2026-01-01", "until": "2026-01-05", "language": "en"}
            weekly = {"name": "Moved", **AT, "recipients": [cast.alice.pk]}
            place = {"role": "viewer", "narrow_titles": "on"}
            of_form.append([
                without(alice.post(path, fields | {"titles": chosen}), other)
                for path, fields in (
                    (REPORTS, form),
                    (f"{REPORTS}schedule/new/", weekly),
                    (f"{REPORTS}schedule/{schedule.pk}/", weekly),
                    (f"/p/aurora/team/{cast.amy.pk}/", place),
                )
            ])  # fmt: skip
            answer = wishes(alice, [slug if n else "film" for n in mixed])
            of_json.append((answer.status_code, answer.content, sorted(answer.items())))
        assert of_form == [of_form[0]] * 3
        assert of_json == [of_json[0]] * 3
        assert of_json[0][0] == 404
    for recipients in ([cast.amy.pk, cast.bob.pk], [cast.bob.pk, cast.amy.pk]):
        made_up = uuid4()
        answers = [
            without(alice.post(f"{REPORTS}schedule/{schedule.pk}/", form), cast.bob.pk, made_up)
            for form in (
                {"name": "Moved", **AT, "recipients": recipients},
                {"name": "Moved", **AT,
                 "recipients": [made_up if r == cast.bob.pk else r for r in recipients]},
            )
        ]  # fmt: skip
        assert answers[0] == answers[1]
    assert not Bundle.objects.exists()
    assert Schedule.objects.count() == 1
    assert row(schedule) == before
    cast.amy.refresh_from_db()
    assert (cast.amy.role, cast.amy.limit_titles) == ("analyst", None)


def test_case_19_one_id_many_times_is_one(cast: Cast, alice: SignedIn) -> None:
    assert wishes(alice, ["film"] * 500).status_code == 202
    form = {"since": "2026-01-01", "until": "2026-01-04", "language": "en",
            "titles": [cast.film.pk] * 900}  # fmt: skip
    assert alice.post(REPORTS, form).status_code == 302
    weekly = {"name": "Weekly", **AT, "titles": [cast.film.pk] * 400,
              "recipients": [cast.alice.pk] * 400}  # fmt: skip
    assert alice.post(f"{REPORTS}schedule/new/", weekly).status_code == 302
    assert [b.titles for b in Bundle.objects.all()] == [[cast.film.pk]] * 2
    schedule = Schedule.objects.get()
    assert (schedule.titles, list(schedule.recipients.all())) == ([cast.film.pk], [cast.alice])


def test_case_19_ten_thousand_ids_are_refused_at_once(cast: Cast, alice: SignedIn) -> None:
    """Before any is looked up: own, foreign and made-up ones alike, and a body of any size."""
    schedule = schedule_of(cast.alice, "Weekly")
    many = 10_000
    said = set()
    for slugs in (["film"] * many, ["foreign"] * many, [f"made-up-{n}" for n in range(many)]):
        with CaptureQueriesContext(connection) as queries:
            answer = wishes(alice, slugs)
        said.add((answer.status_code, len(answer.content) < 2000))
        assert not any("engagement_title" in q["sql"] for q in queries)
    assert said == {(400, True)}
    with CaptureQueriesContext(connection) as queries:
        forms = [
            alice.post(path, {"name": "Weekly", **AT, name: list(ids)})
            for path in (REPORTS, f"{REPORTS}schedule/new/", f"{REPORTS}schedule/{schedule.pk}/")
            for name, ids in (("titles", range(many)), ("recipients", [cast.alice.pk] * many))
        ]
    assert max(len(q["sql"]) for q in queries) < many  # none carries them
    assert {answer.status_code for answer in forms} == {400}
    assert not Bundle.objects.exists()
    assert Schedule.objects.count() == 1


class Body(io.RawIOBase):
    """A body that says how much of it was read."""

    def __init__(self, size: int) -> None:
        self.left, self.taken = size, 0

    def read(self, size: int = -1) -> bytes:
        part = b"9" * (self.left if size < 0 else min(size, self.left))
        self.left -= len(part)
        self.taken += len(part)
        return part


@pytest.mark.parametrize(
    ("kind", "size", "status", "read"),
    [
        ("application/json", 2_000_000, 400, 2_000_000),
        ("application/json", 3_000_000, 413, 0),
        ("application/json", 3_000_000_000, 413, 0),
        ("application/x-www-form-urlencoded", 3_000_000, 413, 0),
    ],
)
def test_case_19_a_body_of_any_size_is_not_read_into_memory(
    cast: Cast, alice: SignedIn, kind: str, size: int, status: int, read: int
) -> None:
    _, token = credentials.make(
        membership=cast.alice, name="x", exits=["api", "export"], families=None, networks=[]
    )
    for client in (alice, Client(headers={"authorization": f"Bearer {token}"})):
        body = Body(size)
        sent = {"wsgi.input": body, "CONTENT_LENGTH": str(size), "CONTENT_TYPE": kind}
        answer = client.generic("POST", f"{API}bundles/", **sent)  # type: ignore[arg-type]
        assert (answer.status_code, body.taken) == (status, read)
        assert set(answer.json()) == {"error"}
    assert not Bundle.objects.exists()
