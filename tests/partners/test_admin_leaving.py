"""What a member leaves whom staff remove, and the limits of an invitation that staff send."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from engagement.roles import PARTNER, acting_as
from partners.models import AuditEvent, Invitation, Membership, User
from reports import schedules
from reports.models import Schedule
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff, confirmed
from tests.portal.web.team import schedule_of


def remove(staff: Staff, member: Membership) -> Any:
    return confirmed(
        SignedIn(staff.mona),
        reverse("admin:partners_membership_delete", args=[member.pk]),
        {"post": "yes"},
    )


def test_staff_who_remove_a_member_pause_their_reports_as_the_team_page_does(
    cast: Cast, staff: Staff, django_capture_on_commit_callbacks: Any
) -> None:
    User.objects.update(language="en")
    theirs = schedule_of(cast.amy, cast.amy, cast.victor)
    ours = schedule_of(cast.alice, cast.alice, cast.amy)
    page = SignedIn(staff.mona).get(
        reverse("admin:partners_membership_delete", args=[cast.amy.pk])
    ).content.decode()  # fmt: skip
    assert "Weekly" not in page  # nothing of it would be deleted
    theirs.refresh_from_db()
    assert (theirs.owner, theirs.paused_at) == (cast.amy, None)  # the page only asked
    with django_capture_on_commit_callbacks(execute=True):
        assert remove(staff, cast.amy).status_code == 302
    assert not Membership.objects.filter(pk=cast.amy.pk).exists()
    theirs.refresh_from_db()
    assert (theirs.owner, theirs.paused_at is None) == (cast.alice, False)
    assert list(theirs.recipients.all()) == [cast.victor]
    assert list(ours.recipients.all()) == [cast.alice]
    told = AuditEvent.objects.get(action="schedule.paused")
    assert (told.actor, told.partner, told.target) == (staff.mona, cast.aurora, str(theirs.pk))
    assert told.detail == {"owner_left": "amy@example.com"}
    [message] = mail.outbox
    assert message.to == ["alice@example.com"]
    assert "Weekly" in str(message.body)


def test_removing_the_last_owner_keeps_reports_for_the_next_one(cast: Cast, staff: Staff) -> None:
    """An analyst takes over before a viewer does; the next owner resumes it as their own."""
    theirs = schedule_of(cast.alice, cast.alice, cast.amy)
    remove(staff, cast.alice)
    theirs.refresh_from_db()
    assert (theirs.owner, theirs.paused_at is None) == (cast.amy, False)
    remove(staff, cast.amy)
    theirs.refresh_from_db()
    assert theirs.owner == cast.victor
    zoe = Membership.objects.create(
        partner=cast.aurora, user=User.objects.create_user("zoe@example.com"), role="owner"
    )
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        schedules.resume(membership=zoe, schedule_id=theirs.pk)
    theirs.refresh_from_db()
    assert (theirs.owner, theirs.paused_at) == (zoe, None)
    for member in (zoe, cast.victor):
        remove(staff, member)
    assert not Schedule.objects.filter(partner=cast.aurora).exists()  # nobody is left to read it


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_staff_ask_somebody_in_with_a_limit(cast: Cast, staff: Staff, language: str) -> None:
    client = SignedIn(staff.mona, language)
    address = reverse("admin:partners_partner_invite", args=[cast.aurora.pk])
    assert 'name="narrow_titles"' in client.get(address).content.decode()
    client.post(address, {
        "email": "new@example.com", "role": "analyst", "language": "en",
        "narrow_titles": "on", "only_titles": [cast.film.pk],
        "narrow_families": "on", "only_families": ["danmu"],
    })  # fmt: skip
    invitation = Invitation.objects.get()
    assert (invitation.limit_titles, invitation.limit_families) == ([cast.film.pk], ["danmu"])
    change = reverse("admin:partners_invitation_change", args=[invitation.pk])
    named = {"en": cast.film.name_en, "zh-hans": cast.film.name_zh}[language]
    assert named in client.get(change).content.decode()
    words = {"en": ("1 title", "danmu"), "zh-hans": ("1 部作品", "弹幕")}[language]
    page = client.get(reverse("admin:partners_invitation_changelist")).content.decode()
    assert " · ".join(words) in page
    [link] = re.findall(r"(/account/invitation/\S+)", str(mail.outbox[0].body))
    form = {"name": "Nora", "password": "a-long-quiet-evening", "repeated": "a-long-quiet-evening"}
    assert Client().post(link, form).status_code == 302
    nora = Membership.objects.get(user__email="new@example.com")
    assert (nora.limit_titles, nora.limit_families) == ([cast.film.pk], ["danmu"])
    listed = client.get(reverse("admin:partners_membership_changelist")).content.decode()
    assert words[0] in listed


def test_an_invitation_to_the_staff_has_no_limit(cast: Cast, staff: Staff) -> None:
    client = SignedIn(staff.ada)
    page = client.get(reverse("admin:partners_user_invite")).content.decode()
    assert "narrow_titles" not in page
    client.post(reverse("admin:partners_user_invite"), {
        "email": "new@platform.example.com", "language": "en", "narrow_titles": "on",
    })  # fmt: skip
    assert Invitation.objects.get().limit_titles is None
