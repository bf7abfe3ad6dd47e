"""People in the admin: invitations, members, suspension, and no self-promotion."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from partners.access import scope_for
from partners.models import AuditEvent, Invitation, Membership, Partner, User
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff, confirmed


def invite(user: User, partner: Partner, **fields: str) -> Any:
    return SignedIn(user).post(
        reverse("admin:partners_partner_invite", args=[partner.pk]),
        {"email": "New@Example.com", "role": "analyst", "language": "zh-hans", **fields},
    )


def test_an_invitation_is_mailed_and_only_its_hash_is_kept(
    cast: Cast, staff: Staff, settings: Any
) -> None:
    assert invite(staff.mona, cast.aurora, language="en").status_code == 302
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role, invitation.partner, invitation.made_by) == (
        "new@example.com", "analyst", cast.aurora, staff.mona,
    )  # fmt: skip
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    assert message.subject == "Invitation to Aurora on Dailies"
    (token,) = re.findall(
        re.escape(settings.BASE_URL) + r"/account/invitation/([\w-]{43})/\n", str(message.body)
    )
    assert invitation.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert timedelta(days=6, hours=23) < invitation.expires_at - timezone.now() <= timedelta(days=7)
    told = AuditEvent.objects.get(action="invitation.sent")
    assert (told.actor, told.partner, told.target) == (staff.mona, cast.aurora, "new@example.com")
    assert token not in str(told.detail)


def test_the_mail_is_in_the_invitees_language(cast: Cast, staff: Staff) -> None:
    invite(staff.mona, cast.aurora)
    assert "极光影业" in mail.outbox[0].subject


def test_a_second_invitation_takes_the_place_of_the_first(cast: Cast, staff: Staff) -> None:
    invite(staff.mona, cast.aurora)
    first = Invitation.objects.get().token_sha256
    invite(staff.max, cast.aurora)
    assert Invitation.objects.get().token_sha256 != first


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "alice@example.com"), ("email", "x"), ("role", "god"), ("language", "xx")],
)
def test_an_invitation_that_cannot_be_is_refused(
    cast: Cast, staff: Staff, field: str, value: str
) -> None:
    assert invite(staff.mona, cast.aurora, **{field: value}).status_code == 200
    assert (mail.outbox, Invitation.objects.count()) == ([], 0)


def test_a_mail_that_does_not_go_out_leaves_no_invitation(
    cast: Cast, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("mail server away")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    response = invite(staff.mona, cast.aurora)
    assert "mail server away" in response.content.decode()
    assert Invitation.objects.count() == 0
    assert not AuditEvent.objects.filter(action="invitation.sent").exists()


def test_only_those_with_the_permission_invite(cast: Cast, staff: Staff) -> None:
    assert invite(staff.dora, cast.aurora).status_code == 403
    data = {"email": "friend@example.com", "language": "en"}
    address = reverse("admin:partners_user_invite")
    assert SignedIn(staff.mona).post(address, data).status_code == 403
    assert mail.outbox == []
    assert SignedIn(staff.root).post(address, data).status_code == 302
    assert Invitation.objects.get().partner is None


def test_suspending_closes_every_exit_and_resuming_opens_them(cast: Cast, staff: Staff) -> None:
    def act(action: str) -> None:
        SignedIn(staff.mona).post(
            reverse("admin:partners_partner_changelist"),
            {"action": action, "_selected_action": [str(cast.aurora.pk)]},
        )

    act("suspend")
    assert scope_for(cast.alice, "web").titles() == frozenset()
    assert scope_for(cast.bob, "web").titles() == {cast.foreign.pk}
    act("resume")
    assert cast.film.pk in scope_for(cast.alice, "web").titles()
    told = AuditEvent.objects.filter(action__startswith="partner.").order_by("id")
    assert [(e.action, e.actor, e.partner) for e in told] == [
        ("partner.suspended", staff.mona, cast.aurora),
        ("partner.resumed", staff.mona, cast.aurora),
    ]


def test_data_operations_suspend_nobody(cast: Cast, staff: Staff) -> None:
    SignedIn(staff.dora).post(
        reverse("admin:partners_partner_changelist"),
        {"action": "suspend", "_selected_action": [str(cast.aurora.pk)]},
    )
    cast.aurora.refresh_from_db()
    assert cast.aurora.suspended_at is None


def member_form(**fields: Any) -> dict[str, Any]:
    return {"role": "analyst", **fields}


def test_a_limit_narrows_a_member_and_is_recorded(cast: Cast, staff: Staff) -> None:
    address = reverse("admin:partners_membership_change", args=[cast.amy.pk])
    client = SignedIn(staff.mona)
    confirmed(
        client,
        address,
        member_form(
            narrow_titles="on",
            only_titles=[cast.shared.pk],
            narrow_families="on",
            only_families=["danmu"],
        ),
    )
    cast.amy.refresh_from_db()
    assert (cast.amy.limit_titles, cast.amy.limit_families) == ([cast.shared.pk], ["danmu"])
    scope = scope_for(cast.amy, "web")
    assert {t: scope.families(t) for t in scope.titles()} == {cast.shared.pk: {"danmu"}}
    confirmed(client, address, member_form(narrow_titles="on"))
    cast.amy.refresh_from_db()
    assert (cast.amy.limit_titles, cast.amy.limit_families) == ([], None)
    confirmed(client, address, member_form())
    cast.amy.refresh_from_db()
    assert cast.amy.limit_titles is None
    told = AuditEvent.objects.filter(action="membership.changed")
    assert [(e.actor, e.partner) for e in told] == [(staff.mona, cast.aurora)] * 3


def test_a_removed_member_is_out(cast: Cast, staff: Staff) -> None:
    confirmed(
        SignedIn(staff.mona),
        reverse("admin:partners_membership_delete", args=[cast.amy.pk]),
        {"post": "yes"},
    )
    assert not Membership.objects.filter(pk=cast.amy.pk).exists()
    assert scope_for(cast.amy, "web").titles() == frozenset()
    assert AuditEvent.objects.get(action="membership.removed").partner == cast.aurora


def test_a_member_is_moved_to_no_other_partner_or_user(cast: Cast, staff: Staff) -> None:
    SignedIn(staff.mona).post(
        reverse("admin:partners_membership_change", args=[cast.amy.pk]),
        member_form(partner=str(cast.borealis.pk), user=str(cast.bob.user.pk)),
    )
    cast.amy.refresh_from_db()
    assert (cast.amy.partner, cast.amy.user.email) == (cast.aurora, "amy@example.com")


def test_no_page_shows_a_password_hash(cast: Cast, staff: Staff) -> None:
    user = cast.alice.user
    user.set_password("correct horse battery")
    user.save()
    page = SignedIn(staff.root).get(reverse("admin:partners_user_change", args=[user.pk]))
    assert "argon2" not in page.content.decode()
    for path in ("password/", "../password/"):
        response = SignedIn(staff.root).get(f"/admin/partners/user/{user.pk}/{path}")
        assert response.status_code in (302, 404)


def test_the_audit_trail_is_filtered_by_partner_action_and_actor(cast: Cast, staff: Staff) -> None:
    SignedIn(staff.mona).post(
        reverse("admin:partners_partner_changelist"),
        {"action": "suspend", "_selected_action": [str(cast.borealis.pk)]},
    )
    for query in (
        f"partner__id__exact={cast.borealis.pk}&action=partner.suspended",
        f"actor__id__exact={staff.mona.pk}",
    ):
        page = SignedIn(staff.max).get(f"/admin/partners/auditevent/?{query}")
        assert [e.action for e in page.context["cl"].result_list] == ["partner.suspended"]
