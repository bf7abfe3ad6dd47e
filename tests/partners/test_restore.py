"""Fault 22: yesterday's backup is put back. A real dump, restored into a database of its own; what
was taken away since stays dead, and the trail goes on from the anchor, which lies elsewhere.
"""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from partners import credentials, grants, invitations, members, roles, second_factors
from partners.audit import ACTIONS, TAKES_AWAY, record
from partners.models import (
    AuditEvent,
    ClaimedDomain,
    Credential,
    Entitlement,
    Grant,
    IdentityProvider,
    Invitation,
    Membership,
    Partner,
    RoleChange,
    StaffView,
    User,
)
from partners.single_sign_on import SignOnRefused, secret_of
from partners.suspension import suspend
from partners.taken_again import TAKEN
from partners.verifying import verify
from portal.services.postgres import SUPERUSER, programs
from tests.cast import Cast, make_cast
from tests.conftest import SignedIn
from tests.partners.test_audit_chain import records, sealed

PASSWORD = "correct-horse-battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

TAKES_NOTHING = {
    # reads, and files that are authorised at each use
    "numbers.read", "list.read", "export.csv", "bundle.asked", "bundle.downloaded", "bundle.cut",
    "bundle.mailed", "mail.failed", "bundle.purged", "bundle.restarted", "bundle.cancelled",
    "bundle.resent", "mail.bounced", "report_failure.mailed",
    "grant.reminded",
    "access_request.mailed",
    # each sending is authorised anew
    "schedule.made", "schedule.changed", "schedule.paused", "schedule.resumed", "schedule.deleted",
    "schedule.sent_now",
    "schedule.left",
    # proposals: a second person decides about what they see
    "grant.made", "grant.proposed", "grant.changed", "grant_batch.made", "role.proposed",
    "access_request.made", "access_request.withdrawn", "access_request.declined",
    "access_request.proposed", "access_request.granted", "access_request.waiting",
    "title_change.refused",
    # they give, and what they end is a record of its own
    "grant.approved", "grant_batch.approved", "holding.added", "consent.added",
    "consent.approved", "fan_set.added",
    "membership.added", "credential.made", "partner.added", "partner.resumed", "user.added",
    "group.added", "claimed_domain.added", "claimed_domain.verified", "single_sign_on.bound",
    # what is computed at the next publication
    "fan_set.changed", "fan_set.removed", "fan_set.version_added", "title.added", "title.changed",
    "title.removed",
    # no way in: sessions and looks of staff all end with a restore
    "sign_in", "sign_in.failed", "sign_out", "session.ended", "staff_view.started",
    "staff_view.page", "staff_view.ended", "credential.refused", "single_sign_on.refused",
    # what was sent opens by what it was sent with
    "report_password.shown", "report_password.renewed",
    "partner.removed",  # there is no such step: a partner is suspended
    "audit.restored",
}  # fmt: skip


def test_every_action_says_whether_it_takes_something_away() -> None:
    """A new action is put into TAKES_AWAY, with how it is done again, or here."""
    assert set(ACTIONS) - TAKES_AWAY == TAKES_NOTHING
    assert set(TAKEN) == TAKES_AWAY


class Backup:
    """A dump by `pg_dump`, as docs/operations.md has it; `put_back` restores it elsewhere."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.host = connection.get_connection_params()["host"]
        self._run("pg_dump", "--format=custom", f"--file={file}", connection.settings_dict["NAME"])

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """The test's connection is to the restored database for the length of the block."""
        today = connection.settings_dict["NAME"]
        restored = f"restored_{uuid.uuid4().hex[:12]}"
        self._sql(f"CREATE DATABASE {restored} OWNER dailies_owner")
        try:
            self._run("pg_restore", "--exit-on-error", f"--dbname={restored}", str(self.file))
            connection.close()
            connection.settings_dict["NAME"] = restored
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = today
            self._sql(f"DROP DATABASE {restored} WITH (FORCE)")

    def _run(self, program: str, *options: str) -> None:
        login = ["--host", str(self.host), "--username", SUPERUSER]
        subprocess.run([str(programs() / program), *login, *options], check=True)

    def _sql(self, sql: str) -> None:
        with psycopg.connect(
            host=self.host, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as admin:
            admin.execute(sql)


@pytest.fixture
def people(cast: Cast, settings: Settings) -> Cast:
    return with_ways_in(cast, settings)


@pytest.fixture
def committed(transactional_db: None, anchor_file: Path, settings: Settings) -> Cast:
    """The same for every connection to see, with an anchor of the test's own."""
    return with_ways_in(make_cast(), settings)


def with_ways_in(cast: Cast, settings: Settings) -> Cast:
    """Each with a password, and Amy with an app and recovery codes."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    for member in (cast.alice, cast.amy, cast.victor, cast.bob):
        user = member.user
        user.set_password(PASSWORD)
        user.save()
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    TOTP.activate(cast.amy.user, SECRET)
    RecoveryCodes.activate(cast.amy.user)
    return cast


def opens(user: User, path: str = "/p/aurora/") -> bool:
    """Whether the password signs in and opens a page."""
    browser = Client()
    browser.post("/account/login/", {"login": user.email, "password": PASSWORD})
    return browser.get(path).status_code == 200


def api(token: str) -> int:
    return (
        Client()
        .get("/api/v1/p/aurora/titles/", headers={"authorization": f"Bearer {token}"})
        .status_code
    )


def test_what_was_revoked_since_a_backup_stays_dead_and_the_trail_goes_on(
    committed: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cast, by = committed, committed.sam
    everything: Any = {"exits": ["api"], "families": None, "networks": []}
    _, kept = credentials.make(membership=cast.alice, name="kept", **everything)
    revoked, gone = credentials.make(membership=cast.alice, name="gone", **everything)
    cookie = SignedIn(cast.alice.user).cookies["sessionid"].value
    staff = User.objects.create_user("mona@platform.example.com", PASSWORD, is_staff=True)
    staff.groups.add(Group.objects.get_or_create(name=roles.Role.PARTNER_MANAGER)[0])
    StaffView.objects.create(partner=cast.aurora, staff=by, reason="a call")
    asked = invitations.invite(
        email="nora@example.com", partner=cast.aurora, role="owner", language="en", by=by
    )
    sealed()
    backup = Backup(tmp_path / "yesterday.dump")

    grants.revoke(cast.grants["film"], by=by)
    suspend(cast.borealis, by=by)
    members.remove(owner=cast.alice, member_id=cast.victor.pk, request=None)
    credentials.revoke(revoked, by=by)
    roles.give(staff, None, partners=None, by=by)
    second_factors.reset(cast.amy.user, by=by, reason="stolen")
    members.withdraw(owner=cast.alice, email=asked.email, request=None)
    record(
        "user.changed", actor=by, target=cast.amy.user.email,
        before={"is_active": True}, after={"is_active": False},
    )  # fmt: skip
    record("holding.removed", actor=by, partner=cast.aurora, target="aurora: hidden")
    sealed()

    with backup.put_back():
        # as it was yesterday: all of it opens again
        assert Entitlement.objects.filter(grant=cast.grants["film"]).exists()
        assert (api(kept), api(gone)) == (200, 200)
        assert opens(cast.victor.user)
        browser = Client()
        browser.cookies["sessionid"] = cookie
        assert browser.get("/p/aurora/").status_code == 200
        records(1, cast.aurora)  # the site was started too early
        assert verify().exit_code == 2

        with pytest.raises(CommandError, match="no member of staff"):
            call_command("replay_revocations", by="alice@example.com")
        call_command("replay_revocations", "--dry-run", by=by.email)
        assert "nothing was changed" in capsys.readouterr().out
        assert (verify().exit_code, api(gone)) == (2, 200)
        call_command("replay_revocations", by=by.email)
        said = capsys.readouterr().out
        # how many seals the backup had, and lost, is up to what else was sealed in this database
        assert re.search(r"\d+ seals lost after seal \d+; 8 taken again, 1 to look at", said)
        assert "look at it yourself" in said

        grant = Grant.objects.get(pk=cast.grants["film"].pk)
        assert grant.state == "revoked"
        assert not Entitlement.objects.filter(grant=grant).exists()
        assert Partner.objects.get(slug="borealis").suspended_at is not None
        assert not Membership.objects.filter(pk=cast.victor.pk).exists()
        assert not opens(cast.victor.user)
        assert (api(kept), api(gone)) == (200, 401)
        assert browser.get("/p/aurora/").status_code == 302
        staff.refresh_from_db()
        assert (staff.is_staff, roles.role_of(staff)) == (False, None)
        assert not Authenticator.objects.filter(user=cast.amy.user).exists()
        assert not Invitation.objects.filter(email=asked.email).exists()
        assert not User.objects.get(pk=cast.amy.user_id).is_active
        assert not StaffView.objects.filter(ended_at__isnull=True).exists()

        told = AuditEvent.objects.get(action="audit.restored")
        assert told.actor == by
        assert re.fullmatch(r"seal \d+", told.target)
        assert told.detail["lost_seals"] >= 1
        verdict = verify()
        assert verdict.exit_code == 0
        [restored] = verdict.restores
        assert re.fullmatch(
            r"seal \d+: a backup that ended with seal \d+ was put back"
            r" \(\d+ seals were lost with it\)",
            restored,
        )
        records(2, cast.aurora)
        assert sealed() >= 2
        assert verify().exit_code == 0
        call_command("replay_revocations", by=by.email)
        assert "lost nothing" in capsys.readouterr().out


# --- each taking, done again ---------------------------------------------------------------------
def again(
    action: str, target: object, by: User, partner: Partner | None = None, **detail: Any
) -> bool:
    """What the replay does with one event of the anchor, on a database that knows nothing of it."""
    assert action in TAKES_AWAY
    taken = {
        "action": action, "target": str(target), "at": "",
        "partner": str(partner.pk) if partner else None, "detail": detail,
    }  # fmt: skip
    return TAKEN[action](taken, by)


def test_a_password_that_was_changed_since_signs_nobody_in(people: Cast) -> None:
    assert opens(people.alice.user)
    assert again("password.changed", "alice@example.com", people.sam)
    assert not opens(people.alice.user)
    assert opens(people.victor.user)


def test_factors_that_were_removed_since_are_gone_and_nobody_sets_up_others(people: Cast) -> None:
    amy = people.amy.user
    assert again(
        "second_factor.changed", amy.email, people.sam, removed=["totp"], added=["webauthn"]
    )
    assert list(Authenticator.objects.values_list("type", flat=True)) == ["recovery_codes"]
    amy.refresh_from_db()
    assert not amy.has_usable_password()


def test_recovery_codes_that_were_used_up_since_are_gone(people: Cast) -> None:
    assert again("recovery_code.used", people.amy.user.email, people.sam)
    assert list(Authenticator.objects.values_list("type", flat=True)) == ["totp"]


def test_an_access_that_was_ended_since_has_no_credential(people: Cast) -> None:
    credentials.make(membership=people.alice, name="x", exits=["api"], families=None, networks=[])
    assert again("access.ended", people.alice.user.email, people.sam)
    assert Credential.objects.filter(revoked_at__isnull=True).count() == 0


def test_a_role_that_was_changed_since_opens_nothing(people: Cast) -> None:
    mona = User.objects.create_user("mona@platform.example.com", is_staff=True)
    roles.give(mona, roles.Role.AUDITOR, partners=None, by=people.sam)
    same = {"role": "Auditors", "partners": None}
    assert not again("role.changed", mona.email, people.sam, after=same)
    assert roles.role_of(mona) is roles.Role.AUDITOR  # it is the one of the backup
    other = {"role": "Data operations", "partners": None}
    assert not again("role.changed", mona.email, people.sam, after=other)
    mona.refresh_from_db()
    assert (mona.is_staff, roles.role_of(mona), mona.limit_partners) == (True, None, [])


def test_a_refused_administrator_stays_refused(people: Cast) -> None:
    mona = User.objects.create_user("mona@platform.example.com", is_staff=True)
    RoleChange.objects.create(user=mona, made_by=people.sam)
    assert again("role.refused", mona.email, people.sam)
    assert not RoleChange.objects.get().accepted
    assert RoleChange.objects.get().decided_at is not None


@pytest.mark.parametrize("target", ["alice@example.com", "alice@example.com (aurora)"])
def test_a_member_is_closed_however_the_page_named_them(people: Cast, target: str) -> None:
    """The team's page writes the address alone, staff's the member."""
    place = Membership.objects.filter(pk=people.alice.pk)
    after = {"role": "viewer"}
    assert not again("membership.changed", target, people.sam, people.aurora, after=after)
    assert (place.get().role, place.get().limit_titles) == ("viewer", [])
    again("membership.changed", target, people.sam, people.aurora, after={"role": "owner"})
    assert place.get().role == "viewer"
    assert again("membership.removed", target, people.sam, people.aurora)
    assert not place.exists()


@pytest.mark.parametrize("action", ["invitation.sent", "invitation.accepted", "invitation.removed"])
def test_a_link_that_was_used_or_withdrawn_since_is_none(people: Cast, action: str) -> None:
    for partner in (people.aurora, people.borealis):
        invitations.invite(
            email="nora@example.com", partner=partner, role="viewer", language="en", by=people.sam
        )
    assert again(action, "nora@example.com", people.sam, people.aurora)
    assert [i.partner for i in Invitation.objects.all()] == [people.borealis]


def test_a_second_factor_that_a_partner_asks_for_since_is_asked_for(people: Cast) -> None:
    again("partner.changed", "x", people.sam, people.aurora, after={"name_en": "Dawn"})
    assert not Partner.objects.get(slug="aurora").requires_mfa
    again("partner.changed", "x", people.sam, people.aurora, after={"requires_mfa": True})
    assert Partner.objects.get(slug="aurora").requires_mfa
    assert not opens(people.alice.user)


# --- single sign-on ------------------------------------------------------------------------------
ISSUER = "https://id.aurora.example"


def provider(cast: Cast, **fields: Any) -> Callable[[], IdentityProvider]:
    from partners.single_sign_on import keep_secret

    made = IdentityProvider(
        partner=cast.aurora, issuer=ISSUER, client_id="x", enabled=True,
        vouches_second_factor=True, **fields,
    )  # fmt: skip
    keep_secret(made, "yesterday's")
    made.save()
    return lambda: IdentityProvider.objects.get(partner=cast.aurora)


def test_a_provider_that_was_changed_since_signs_nobody_in(people: Cast) -> None:
    now = provider(people)
    args: Any = ("identity_provider.changed", ISSUER, people.sam, people.aurora)
    assert again(*args, after={"vouches_second_factor": False})
    assert not now().vouches_second_factor
    assert secret_of(now()) == "yesterday's"
    assert opens(people.alice.user)
    assert again(*args, after={"enforced": True})
    assert now().enforced
    assert not opens(people.alice.user)
    assert not again(*args, after={"client_secret": None})
    with pytest.raises(SignOnRefused):
        secret_of(now())
    assert not opens(people.alice.user)  # nor does the passwords' door open
    assert again(*args, after={"enabled": False, "enforced": False})
    assert not now().enabled


def test_a_provider_that_was_removed_or_enforced_since_is_so(people: Cast) -> None:
    provider(people)
    assert again("identity_provider.removed", ISSUER, people.sam, people.aurora)
    assert not IdentityProvider.objects.exists()
    after = {"client_id": "y", "enabled": True, "enforced": True}
    new = "https://new.aurora.example"
    assert not again("identity_provider.added", new, people.sam, people.aurora, after=after)
    assert not opens(people.alice.user)
    with pytest.raises(SignOnRefused):
        secret_of(IdentityProvider.objects.get(issuer=new))


def test_a_domain_that_was_removed_since_is_nobodys(people: Cast) -> None:
    ClaimedDomain.objects.create(
        partner=people.aurora, domain="aurora.example", claimed_by=people.stella
    )
    assert again("claimed_domain.removed", "aurora.example", people.sam, people.aurora)
    assert not ClaimedDomain.objects.exists()
