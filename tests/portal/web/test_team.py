"""The team page: owners keep their own people, and learn nothing of anybody else's."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client
from pytest_django.fixtures import Settings

from engagement.roles import PARTNER, acting_as
from engagement.scope import Refused, Window
from partners import credentials, members
from partners.models import AuditEvent, Credential, Invitation, Membership, User
from reports.build import build
from reports.models import Bundle, Schedule
from reports.plan import ask_bundle
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.portal.web.team import INVITED, TEAM, actions, invited_by_staff, schedule_of

pytestmark = pytest.mark.usefixtures("outbox")

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))


# --- whose it is -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
def test_a_foreign_member_is_as_a_made_up_one(cast: Cast, method: str) -> None:
    """Case 13: by every verb, and nothing of Borealis' changes."""
    owner = SignedIn(cast.alice.user)

    def ask(path: str) -> tuple[object, ...]:
        answer = getattr(owner, method)(TEAM + path, {"role": "viewer"})
        assert b"ZQB" not in answer.content
        headers = sorted((k, v) for k, v in answer.items() if k != "Content-Length")
        return (
            answer.status_code,
            re.sub(rb'(action|href|value)="[^"]*"', b"", answer.content),
            headers,
        )

    for step in ("", "remove/"):
        for foreign in (cast.bob.pk, cast.bob.user_id, cast.alice.user_id):
            assert ask(f"{foreign}/{step}") == ask(f"{uuid4()}/{step}")
    owner.post(f"{TEAM}invitations/withdraw/", {"email": "bob@example.com"})
    cast.bob.refresh_from_db()
    assert (cast.bob.role, Membership.objects.count()) == ("owner", 5)


@pytest.mark.parametrize("name", ["amy", "victor"])
def test_the_team_is_the_owners(cast: Cast, name: str) -> None:
    client = SignedIn(getattr(cast, name).user)
    for path in ("", "invite/", f"{cast.alice.pk}/", f"{getattr(cast, name).pk}/"):
        assert client.get(TEAM + path).status_code == 404
        assert client.post(TEAM + path, INVITED | {"role": "owner"}).status_code == 404
    for path in (f"{cast.alice.pk}/remove/", "invitations/send/", "invitations/withdraw/"):
        assert client.post(TEAM + path, {"email": "x@example.com"}).status_code == 404
    assert Membership.objects.filter(partner=cast.aurora, role="owner").get() == cast.alice
    assert mail.outbox == []


def test_the_team_changes_after_a_second_factor_shown_just_now(cast: Cast) -> None:
    stale = SignedIn(cast.alice.user, shown_ago=3600)
    assert stale.get(TEAM).status_code == 200
    for path in ("invite/", f"{cast.amy.pk}/", f"{cast.amy.pk}/remove/", "invitations/send/"):
        answer = stale.post(TEAM + path, INVITED | {"role": "owner"})
        assert answer["Location"].startswith("/account/second-factor/")
    cast.amy.refresh_from_db()
    assert (cast.amy.role, Invitation.objects.count()) == ("analyst", 0)


def test_what_the_form_does_not_offer_is_not_taken(cast: Cast) -> None:
    """Case 18."""
    owner = SignedIn(cast.alice.user)
    owner.post(f"{TEAM}{cast.amy.pk}/", {
        "role": "viewer", "partner": str(cast.borealis.pk), "user": str(cast.bob.user_id),
        "is_staff": "on", "is_superuser": "on", "limit_titles": "1", "email": "x@example.com",
    })  # fmt: skip
    cast.amy.refresh_from_db()
    assert (cast.amy.role, cast.amy.partner, cast.amy.limit_titles) == ("viewer", cast.aurora, None)
    assert (cast.amy.user.email, cast.amy.user.is_staff) == ("amy@example.com", False)
    for wrong in (
        {"role": "staff"},
        {"role": "viewer", "narrow_titles": "on", "titles": [str(cast.foreign.pk)]},
        {"role": "viewer", "narrow_titles": "on", "titles": [str(cast.hidden.pk)]},
        {"role": "viewer", "narrow_families": "on", "families": ["everything"]},
    ):
        page = owner.post(f"{TEAM}{cast.amy.pk}/", wrong).content.decode()
        assert "Select a valid choice" in page
        assert "ZQB" not in page
    owner.post(f"{TEAM}invite/", INVITED | {"partner": str(cast.borealis.pk), "is_staff": "on"})
    assert Invitation.objects.get().partner == cast.aurora


# --- roles and limits --------------------------------------------------------------------------


def test_a_change_holds_from_the_next_request_and_is_told(cast: Cast) -> None:
    amy, owner = SignedIn(cast.amy.user), SignedIn(cast.alice.user)
    assert amy.get("/p/aurora/titles/shared/").status_code == 200
    form = {"role": "viewer", "narrow_titles": "on", "titles": [str(cast.film.pk)],
            "narrow_families": "on", "families": ["viewing"]}  # fmt: skip
    owner.post(f"{TEAM}{cast.amy.pk}/", form)
    assert amy.get("/p/aurora/titles/film/")["Location"].startswith("/account/login/")
    amy = SignedIn(cast.amy.user)
    assert amy.get("/p/aurora/titles/film/").status_code == 200
    assert amy.get("/p/aurora/titles/shared/").status_code == 404
    assert amy.get("/api/v1/p/aurora/titles/film/retention/").status_code == 404
    assert amy.get("/api/v1/p/aurora/titles/film/viewing/", headers={"accept": "text/csv"}
                   ).status_code == 403  # fmt: skip
    assert [(m.to, m.subject) for m in mail.outbox] == [
        (["amy@example.com"], "Your place in Aurora on Dailies has changed")
    ]
    event = AuditEvent.objects.get(action="membership.changed")
    assert event.detail["before"] == {"role": "analyst", "titles": None, "families": None}
    assert event.detail["after"] == {
        "role": "viewer", "titles": [cast.film.pk], "families": ["viewing"],
    }  # fmt: skip
    # sending the same form again changes and tells nothing
    owner.post(f"{TEAM}{cast.amy.pk}/", form)
    assert len(mail.outbox) == 1


def test_a_limited_owner_gives_no_more_than_they_have(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.alice.pk).update(
        limit_titles=[cast.film.pk], limit_families=["viewing", "danmu"]
    )
    owner = SignedIn(cast.alice.user)
    own = {"narrow_titles": "on", "titles": [str(cast.film.pk)],
           "narrow_families": "on", "families": ["danmu"]}  # fmt: skip
    for less in (own | {"narrow_titles": ""}, own | {"narrow_families": ""}):
        page = owner.post(f"{TEAM}invite/", INVITED | less).content.decode()
        assert "You cannot give more than you may read yourself." in page
        # nor lift the own limit
        page = owner.post(f"{TEAM}{cast.alice.pk}/", {"role": "owner"} | less).content.decode()
        assert "You cannot give more than you may read yourself." in page
    assert owner.post(f"{TEAM}invite/", INVITED | own).status_code == 302
    # nor make an unlimited invitation of staff's theirs
    invited_by_staff(cast, "sent@example.com")
    page = owner.post(f"{TEAM}invitations/send/", {"email": "sent@example.com"}, follow=True)
    assert "You cannot give more than you may read yourself." in page.content.decode()
    # what somebody had already may stay or become less, and what this owner cannot see is kept
    Membership.objects.filter(pk=cast.victor.pk).update(
        limit_titles=[cast.film.pk, cast.shared.pk], limit_families=None
    )
    page = owner.get(TEAM).content.decode()
    assert "1 title that is closed to you" in page
    assert "Shared" not in page
    same = {"role": "analyst", "narrow_titles": "on", "titles": [str(cast.film.pk)]}
    assert owner.post(f"{TEAM}{cast.victor.pk}/", same).status_code == 302
    cast.victor.refresh_from_db()
    assert (cast.victor.role, cast.victor.limit_titles) == (
        "analyst", [cast.film.pk, cast.shared.pk],
    )  # fmt: skip
    owner.post(f"{TEAM}{cast.victor.pk}/", same | {"titles": []})
    cast.victor.refresh_from_db()
    assert cast.victor.limit_titles == [cast.shared.pk]


def test_the_last_owner_stays(cast: Cast) -> None:
    owner = SignedIn(cast.alice.user)
    page = owner.post(f"{TEAM}{cast.alice.pk}/", {"role": "viewer"}).content.decode()
    assert "keeps one owner at least" in page
    page = owner.post(f"{TEAM}{cast.alice.pk}/remove/", follow=True).content.decode()
    assert "keeps one owner at least" in page
    # an owner whose login is closed does not count
    Membership.objects.filter(pk=cast.amy.pk).update(role="owner")
    User.objects.filter(pk=cast.amy.user_id).update(is_active=False)
    owner.post(f"{TEAM}{cast.alice.pk}/remove/")
    assert Membership.objects.filter(pk=cast.alice.pk, role="owner").exists()
    User.objects.filter(pk=cast.amy.user_id).update(is_active=True)
    assert owner.post(f"{TEAM}{cast.alice.pk}/remove/")["Location"] == "/"
    assert Membership.objects.get(partner=cast.aurora, role="owner") == cast.amy
    assert owner.get("/p/aurora/")["Location"].startswith("/account/login/")
    assert SignedIn(cast.alice.user).get("/p/aurora/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_leave_one(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.amy.pk).update(role="owner")
    places = Membership.objects.select_related("user", "partner")
    alice, amy = (places.get(pk=m.pk) for m in (cast.alice, cast.amy))
    both = Barrier(2)

    def remove(owner: Membership, other: Membership) -> bool:
        try:
            with acting_as(PARTNER, partner_id=owner.partner_id):
                both.wait(10)
                members.remove(owner=owner, member_id=other.pk, request=None)
        except Refused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(remove, (alice, amy), (amy, alice)))
    assert sorted(done) == [False, True]
    assert Membership.objects.filter(partner=cast.aurora, role="owner").count() == 1


# --- taking out --------------------------------------------------------------------------------


def test_everything_of_a_removed_member_ends_at_once(cast: Cast) -> None:
    """Case 71: sessions' access, credentials, schedules and bundles that wait."""
    Membership.objects.filter(pk=cast.amy.pk).update(role="owner")
    cast.amy.refresh_from_db()
    _, token = credentials.make(
        membership=cast.amy, name="x", exits=["api"], families=None, networks=[]
    )
    theirs = schedule_of(cast.amy, cast.amy, cast.victor)
    ours = schedule_of(cast.alice, cast.alice, cast.amy)
    bundle = ask_bundle(membership=cast.amy, titles=None, window=WHOLE, language="en")
    amy, program = SignedIn(cast.amy.user), Client(headers={"authorization": f"Bearer {token}"})
    asks = [
        (amy, "/p/aurora/", 200), (amy, "/api/v1/p/aurora/titles/", 200),
        (amy, f"/p/aurora/reports/{bundle.pk}/", 200), (program, "/api/v1/p/aurora/titles/", 200),
    ]  # fmt: skip
    for client, path, status in asks:
        assert client.get(path).status_code == status, path
    page = SignedIn(cast.alice.user).post(f"{TEAM}{cast.amy.pk}/remove/", follow=True)
    assert "Reports of theirs stand still" in page.content.decode()
    again = SignedIn(cast.amy.user)
    for client, path, _ in asks:
        assert client.get(path).status_code in (302, 401), path  # the session has ended as well
        assert client is program or again.get(path).status_code == 404, path
    assert Credential.objects.get().revoked_at is not None
    theirs.refresh_from_db()
    assert (theirs.owner, theirs.paused_at is None) == (cast.alice, False)
    assert list(theirs.recipients.all()) == [cast.victor]
    assert list(ours.recipients.all()) == [cast.alice]
    assert not Bundle.objects.filter(pk=bundle.pk).exists()
    build(bundle.pk)  # the bell that still rings finds nothing
    told = {(m.to[0], m.subject) for m in mail.outbox}
    assert told == {
        ("amy@example.com", "You are no longer a member of Aurora on Dailies"),
        ("alice@example.com", "Reports of Aurora on Dailies stand still"),
    }
    assert [a for a in actions(cast.aurora) if a != "credential.refused"][-3:] == [
        "schedule.paused", "credential.revoked", "membership.removed",
    ]  # fmt: skip


def test_case_71_an_owner_who_leaves_hands_their_reports_to_another(cast: Cast) -> None:
    """In the partner's own role, which reads nobody's password with whom it hands over to."""
    Membership.objects.filter(pk=cast.amy.pk).update(role="owner")
    theirs = schedule_of(cast.alice, cast.alice, cast.victor)
    left = SignedIn(cast.alice.user).post(f"{TEAM}{cast.alice.pk}/remove/")
    assert (left.status_code, left["Location"]) == (302, "/")
    theirs.refresh_from_db()
    assert (theirs.owner, theirs.paused_at is None) == (cast.amy, False)
    assert list(theirs.recipients.all()) == [cast.victor]
    assert [(m.to[0], m.subject) for m in mail.outbox] == [
        ("alice@example.com", "You are no longer a member of Aurora on Dailies"),
        ("amy@example.com", "Reports of Aurora on Dailies stand still"),
    ]
    paused = AuditEvent.objects.get(action="schedule.paused")
    assert paused.actor == cast.alice.user  # who did it, not who has it now


def test_who_is_removed_here_stays_who_they_are_elsewhere(cast: Cast) -> None:
    both = Membership.objects.create(user=cast.amy.user, partner=cast.cirrus, role="owner")
    _, token = credentials.make(
        membership=both, name="x", exits=["api"], families=None, networks=[]
    )
    SignedIn(cast.alice.user).post(f"{TEAM}{cast.amy.pk}/remove/")
    amy = SignedIn(cast.amy.user)
    assert amy.get("/")["Location"] == "/p/cirrus/"
    assert amy.get("/p/cirrus/").status_code == 200
    program = Client(headers={"authorization": f"Bearer {token}"})
    assert program.get("/api/v1/p/cirrus/titles/").status_code == 200


def test_a_mail_that_cannot_be_sent_changes_nothing(cast: Cast, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    owner = SignedIn(cast.alice.user)
    for path, form in (
        ("invite/", INVITED), (f"{cast.amy.pk}/", {"role": "viewer"}),
        (f"{cast.amy.pk}/remove/", {}),
    ):  # fmt: skip
        page = owner.post(TEAM + path, form, follow=True).content.decode()
        assert "The mail could not be sent. Nothing was changed" in page
    cast.amy.refresh_from_db()
    assert (cast.amy.role, Invitation.objects.count()) == ("analyst", 0)
    assert not AuditEvent.objects.filter(action__startswith="membership.").exists()


# --- recipients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipients",
    [
        ["outside@elsewhere.com"], ["bob"], ["alice+reports@example.com"], ["аlice@example.com"],
        ["alice@example.com\nBcc: x@elsewhere.com"], [],
    ],
)  # fmt: skip
def test_reports_go_to_members_only(cast: Cast, recipients: list[str]) -> None:
    """Case 60: an address is no recipient, and another partner's member is none."""
    form = {"name": "x", "weekday": "2", "hour": "9", "zone": "Asia/Shanghai", "language": "en",
            "titles": [str(cast.film.pk)]}  # fmt: skip
    owner = SignedIn(cast.alice.user)
    wrong = [str(cast.bob.pk) if r == "bob" else r for r in recipients]
    page = owner.post("/p/aurora/reports/schedule/new/", form | {"recipients": wrong})
    assert page.status_code == 200
    assert not Schedule.objects.exists()
    many = [str(cast.alice.pk)] * 500 + [str(cast.amy.pk)]
    owner.post("/p/aurora/reports/schedule/new/", form | {"recipients": many})
    assert set(Schedule.objects.get().recipients.all()) == {cast.alice, cast.amy}


# --- its wall ----------------------------------------------------------------------------------


def test_postgres_lets_a_partner_touch_its_own_team_alone(cast: Cast) -> None:
    """Case 1, with Python out of the way."""
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        assert Membership.objects.filter(pk=cast.bob.pk).update(role="viewer") == 0
        assert Membership.objects.filter(pk=cast.amy.pk).update(role="viewer") == 1
    for column, value in (("partner", cast.borealis), ("user", cast.bob.user)):
        with pytest.raises(DatabaseError), transaction.atomic():
            with acting_as(PARTNER, partner_id=cast.aurora.pk):
                Membership.objects.filter(pk=cast.amy.pk).update(**{column: value})
    with pytest.raises(DatabaseError), acting_as(PARTNER, partner_id=cast.aurora.pk):
        Membership.objects.create(user=cast.bob.user, partner=cast.aurora, role="owner")
