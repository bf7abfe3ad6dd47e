"""The team page: owners ask people in, and learn nothing of who is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client

from partners import invitations, members
from partners.invitations import InvitationError, enter_invited
from partners.models import Invitation, Membership, User
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff
from tests.portal.web.team import INVITED, TEAM, actions, link_in

pytestmark = pytest.mark.usefixtures("outbox")


def test_an_owner_asks_somebody_in_with_a_role_and_a_limit(cast: Cast) -> None:
    owner = SignedIn(cast.alice.user)
    limit = {"narrow_titles": "on", "titles": [str(cast.film.pk)],
             "narrow_families": "on", "families": ["danmu"]}  # fmt: skip
    assert owner.post(f"{TEAM}invite/", INVITED | limit)["Location"] == TEAM
    listed = owner.get(TEAM).content.decode()
    assert "waits until" in listed
    assert re.search(r"Only:\s+The Long Night\s", listed)
    password = "a-long-quiet-evening"
    form = {"name": "Nora", "password": password, "repeated": password}
    assert Client().post(link_in(mail.outbox[0].body), form).status_code == 302
    nora = Membership.objects.get(user__email="nora@example.com")
    assert (nora.partner, nora.role) == (cast.aurora, "analyst")
    assert (nora.limit_titles, nora.limit_families) == ([cast.film.pk], ["danmu"])
    listed = owner.get(TEAM).content.decode()
    assert "Nora" in listed
    assert "waits until" not in listed
    assert actions(cast.aurora)[-2:] == ["invitation.sent", "invitation.accepted"]


def test_whether_an_address_has_a_login_elsewhere_changes_nothing(cast: Cast) -> None:
    """Case 12: Bob is somebody else's owner; nobody is a stranger. Both look the same."""
    owner = SignedIn(cast.alice.user)
    seen = []
    for email in (cast.bob.user.email, "bob@elsewhere.com"):
        answer = owner.post(f"{TEAM}invite/", INVITED | {"email": email}, follow=True)
        told = mail.outbox[-1]
        words = (
            [step for _, step in answer.redirect_chain],
            answer.content.decode(),
            told.subject,
            str(told.body).replace(link_in(told.body), ""),
        )
        seen.append([re.sub(re.escape(email), "EMAIL", str(w)) for w in words])
        owner.post(f"{TEAM}invitations/withdraw/", {"email": email})
        owner.get(TEAM)
    clock = r"\d\d:\d\d"
    plain = [re.sub(rf'value="\w{{64}}"|{clock}', "", "".join(words)) for words in seen]
    assert plain[0] == plain[1]
    assert len(mail.outbox) == 2
    # only who is in the own team already is told so
    answer = owner.post(f"{TEAM}invite/", INVITED | {"email": "amy@example.com"})
    assert "member of the partner already" in answer.content.decode()


def test_two_partners_ask_the_same_address_in(cast: Cast) -> None:
    """Case 27: neither learns of the other, and one login is in both."""
    for member, slug in ((cast.alice, "aurora"), (cast.bob, "borealis")):
        answer = SignedIn(member.user).post(f"/p/{slug}/team/invite/", INVITED)
        assert answer["Location"] == f"/p/{slug}/team/"
    assert Invitation.objects.filter(email="nora@example.com").count() == 2
    page = SignedIn(cast.alice.user).get(TEAM).content.decode()
    assert page.count("nora@example.com") == 3  # the name and two buttons
    assert "ZQB" not in page
    password = "a-long-quiet-evening"
    nora = Client(headers={"accept-language": "en"})
    first, second = (link_in(m.body) for m in mail.outbox)
    nora.post(first, {"name": "Nora", "password": password, "repeated": password})
    assert nora.get("/")["Location"] == "/p/aurora/"
    nora.post(second)
    choice = nora.get("/")
    assert choice.status_code == 200
    assert "/p/aurora/" in choice.content.decode()
    assert "/p/borealis/" in choice.content.decode()


def test_an_invitation_is_sent_again_and_withdrawn(cast: Cast) -> None:
    owner = SignedIn(cast.alice.user)
    owner.post(f"{TEAM}invite/", INVITED | {"narrow_families": "on", "families": ["danmu"]})
    Invitation.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert "expired" in owner.get(TEAM).content.decode()
    owner.post(f"{TEAM}invitations/send/", {"email": "nora@example.com"})
    first, second = (link_in(m.body) for m in mail.outbox)
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200
    assert Invitation.objects.get().limit_families == ["danmu"]
    owner.post(f"{TEAM}invitations/withdraw/", {"email": "nora@example.com"})
    assert Client().get(second).status_code == 404
    assert actions(cast.aurora)[-3:] == ["invitation.sent", "invitation.sent", "invitation.removed"]


@pytest.mark.parametrize("end", ["disabled", "removed", "demoted"])
def test_an_invitation_ends_with_the_right_of_who_made_it(cast: Cast, end: str) -> None:
    """Case 71."""
    Membership.objects.filter(pk=cast.amy.pk).update(role="owner")
    SignedIn(cast.amy.user).post(f"{TEAM}invite/", INVITED)
    link = link_in(mail.outbox[0].body)
    assert Client().get(link).status_code == 200
    place = Membership.objects.filter(pk=cast.amy.pk)
    if end == "disabled":
        User.objects.filter(pk=cast.amy.user_id).update(is_active=False)
    elif end == "removed":
        place.delete()
    else:
        place.update(role="analyst")
    assert Client().get(link).status_code == 404
    password = "a-long-quiet-evening"
    form = {"name": "Nora", "password": password, "repeated": password}
    assert Client().post(link, form).status_code == 404
    assert not User.objects.filter(email="nora@example.com").exists()


@pytest.mark.parametrize("narrowed", [{"limit_families": ["viewing"]}, {"limit_titles": []}])
def test_case_16_an_invitation_gives_no_more_than_its_owner_has_when_it_is_used(
    cast: Cast, narrowed: dict[str, list[object]]
) -> None:
    """Staff limit Alice after she asked two people in: one to everything, one to danmu."""
    limit = {"narrow_titles": "on", "titles": [str(cast.film.pk)],
             "narrow_families": "on", "families": ["danmu"]}  # fmt: skip
    for form in (INVITED, INVITED | limit | {"email": "max@example.com"}):
        SignedIn(cast.alice.user).post(f"{TEAM}invite/", form)
    whole, part = (link_in(m.body) for m in mail.outbox)
    place = Membership.objects.filter(pk=cast.alice.pk)
    place.update(limit_titles=[cast.film.pk], limit_families=["danmu", "viewing"])
    assert [Client().get(link).status_code for link in (whole, part)] == [404, 200]
    place.update(**narrowed)
    assert Client().get(part).status_code == 404


@pytest.mark.parametrize("end", ["another role", "a limit"])
def test_case_71_an_invitation_by_staff_ends_with_their_right_to_make_it(
    cast: Cast, staff: Staff, end: str
) -> None:
    for partner in (cast.borealis, cast.aurora):
        invitations.invite(
            email=f"nora@{partner.slug}.example", partner=partner, role="owner", language="en",
            by=staff.mona,
        )  # fmt: skip
    links = [link_in(m.body) for m in mail.outbox]
    assert [Client().get(link).status_code for link in links] == [200, 200]
    if end == "a limit":
        User.objects.filter(pk=staff.mona.pk).update(limit_partners=[cast.aurora.pk])
    else:
        staff.mona.groups.set([Group.objects.get(name="Auditors")])
    left = [404, 200 if end == "a limit" else 404]
    assert [Client().get(link).status_code for link in links] == left


def test_case_71_staff_are_invited_by_who_is_still_an_administrator(
    cast: Cast, staff: Staff
) -> None:
    invitations.invite(email="n@p.example", partner=None, role="", language="en", by=staff.ada)
    link = link_in(mail.outbox[0].body)
    assert Client().get(link).status_code == 200
    staff.ada.groups.set([Group.objects.get(name="Partner managers")])
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("end", ["disabled", "removed", "demoted"])
def test_case_71_without_its_link_an_invitation_ends_as_with_it(cast: Cast, end: str) -> None:
    """Single sign-on uses an invitation by its address alone."""
    Membership.objects.filter(pk=cast.amy.pk).update(role="owner")
    SignedIn(cast.amy.user).post(f"{TEAM}invite/", INVITED)
    nora = User.objects.create_user("nora@example.com")
    ends: dict[str, Callable[[], object]] = {
        "disabled": lambda: User.objects.filter(pk=cast.amy.user_id).update(is_active=False),
        "removed": lambda: Membership.objects.filter(pk=cast.amy.pk).delete(),
        "demoted": lambda: Membership.objects.filter(pk=cast.amy.pk).update(role="analyst"),
    }
    with transaction.atomic():
        ends[end]()
        with pytest.raises(InvitationError):
            enter_invited(cast.aurora, nora)
        transaction.set_rollback(True)
    enter_invited(cast.aurora, nora)
    assert Membership.objects.get(user=nora).role == INVITED["role"]


def test_the_portals_mails_are_not_to_be_had_for_the_asking(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MOST_INVITED", 2)
    owner = SignedIn(cast.alice.user)
    for n in range(3):
        answer = owner.post(f"{TEAM}invite/", INVITED | {"email": f"n{n}@example.com"})
    assert "Too many invitations" in answer.content.decode()
    assert len(mail.outbox) == 2
    owner.post(f"{TEAM}invite/", INVITED | {"email": "n0@example.com"})
    assert len(mail.outbox) == 3


def test_an_invitation_of_another_partner_is_not_there(cast: Cast) -> None:
    """Case 13."""
    SignedIn(cast.bob.user).post("/p/borealis/team/invite/", INVITED)
    owner = SignedIn(cast.alice.user)
    for step in ("send", "withdraw"):
        for email in ("nora@example.com", "nobody@example.com"):
            assert owner.post(f"{TEAM}invitations/{step}/", {"email": email}).status_code == 404
    assert (Invitation.objects.count(), len(mail.outbox)) == (1, 1)
