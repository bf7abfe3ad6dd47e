"""The owner's page of credentials, the mails about them, and what staff see."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from pytest_django.fixtures import Settings

from partners import credential_mails, credentials
from partners.models import AuditEvent, Credential, Membership
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff, staff

__all__ = ["staff"]

PAGE = "/p/aurora/credentials/"
API = "/api/v1/p/aurora/"
WISH = {"name": "Nightly", "days": "30", "reads": "1", "families": ["viewing"],
        "networks": "127.0.0.0/8\n192.0.2.1"}  # fmt: skip


@pytest.fixture(autouse=True)
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def token_in(page: str) -> str:
    [token] = re.findall(r'value="(dly_\w+)"', page)
    return str(token)


def make(member: Membership) -> Credential:
    credential, _ = credentials.make(
        membership=member, name="Nightly", exits=["api"], families=None, networks=[]
    )
    return credential


def test_a_token_is_shown_once_and_works(cast: Cast) -> None:
    """Case 73."""
    owner = SignedIn(cast.alice.user)
    answer = owner.post(f"{PAGE}new/", WISH)
    token = token_in(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    read = Client(headers={"authorization": f"Bearer {token}"}).get(f"{API}titles/film/viewing/")
    assert read.status_code == 200
    made = Credential.objects.get()
    assert (made.exits, made.families, made.networks) == (
        ["api", "export"], ["viewing"], ["127.0.0.0/8", "192.0.2.1/32"],
    )  # fmt: skip
    assert made.expires_at - made.made_at == timedelta(days=30)
    for page in (PAGE, f"{PAGE}{made.pk}/replace/", "/p/aurora/"):
        assert token[13:] not in owner.get(page).content.decode()
    listed = owner.get(PAGE).content.decode()
    assert made.prefix in listed
    assert "last used" in listed
    assert "never used" not in listed


def test_a_token_is_made_and_replaced_after_a_second_factor_shown_just_now(cast: Cast) -> None:
    """Case 73: a session that somebody took over does not mint a token."""
    made = make(cast.alice)
    for path in (f"{PAGE}new/", f"{PAGE}{made.pk}/replace/"):
        for shown_ago in (None, 3600):
            stale = SignedIn(cast.alice.user, shown_ago=shown_ago)
            for answer in (stale.get(path), stale.post(path, WISH | {"grace": "0"})):
                assert answer["Location"].startswith("/account/second-factor/")
        assert SignedIn(cast.alice.user).get(path).status_code == 200
    assert Credential.objects.get() == made
    # what ends a token does not wait
    SignedIn(cast.alice.user, shown_ago=None).post(f"{PAGE}{made.pk}/revoke/")
    made.refresh_from_db()
    assert (made.revoked_at is None, made.revoked_by) == (False, cast.alice.user)


def test_replacing_ends_the_old_token_as_chosen(cast: Cast) -> None:
    """Case 49."""
    owner = SignedIn(cast.alice.user)
    old = token_in(owner.post(f"{PAGE}new/", WISH).content.decode())
    first = Credential.objects.get()
    for grace in ("-1", "48", "x"):
        refused = owner.post(f"{PAGE}{first.pk}/replace/", {"grace": grace, "days": "90"})
        assert "Select a valid choice" in refused.content.decode()
    answer = owner.post(f"{PAGE}{first.pk}/replace/", {"grace": "0", "days": "90"})
    new = token_in(answer.content.decode())
    for token, status in ((old, 401), (new, 200)):
        client = Client(headers={"authorization": f"Bearer {token}"})
        assert client.get(f"{API}titles/").status_code == status


@pytest.mark.parametrize("method", ["get", "post"])
def test_credentials_are_an_owners_of_their_own_partner(cast: Cast, method: str) -> None:
    """Case 13: by role and by id, what is not one's own does not exist."""
    theirs = make(cast.bob)
    ours = make(cast.alice)

    def ask(client: Client, path: str) -> tuple[int, bytes]:
        answer = getattr(client, method)(path, WISH | {"grace": "0"})
        return answer.status_code, re.sub(rb'(action|href|value)="[^"]*"', b"", answer.content)

    alice = SignedIn(cast.alice.user)
    for step in ("replace", "revoke"):
        foreign = ask(alice, f"{PAGE}{theirs.pk}/{step}/")
        assert foreign == ask(alice, f"{PAGE}{uuid4()}/{step}/")
        assert foreign[0] == (405 if (step, method) == ("revoke", "get") else 404)
    for member in (cast.amy, cast.victor):
        client = SignedIn(member.user)
        for path in ("", "new/", f"{ours.pk}/replace/", f"{ours.pk}/revoke/"):
            assert ask(client, PAGE + path)[0] == 404, path
        assert b"/credentials/" not in client.get("/p/aurora/").content
    assert set(Credential.objects.filter(revoked_at__isnull=True)) == {ours, theirs}


def test_what_a_form_does_not_offer_is_not_taken(cast: Cast) -> None:
    """Case 18: neither another maker, partner nor end comes in by the form."""
    Membership.objects.filter(pk=cast.alice.pk).update(limit_families=["danmu"])
    owner = SignedIn(cast.alice.user)
    assert "Select a valid choice" in owner.post(f"{PAGE}new/", WISH).content.decode()
    assert "Not an address" in owner.post(
        f"{PAGE}new/", WISH | {"families": [], "networks": "everywhere"}
    ).content.decode()  # fmt: skip
    owner.post(f"{PAGE}new/", WISH | {
        "families": ["danmu"], "partner": str(cast.borealis.pk), "maker": str(cast.bob.pk),
        "expires_at": "2099-01-01", "exits": "web", "token_sha256": "0" * 64,
    })  # fmt: skip
    made = Credential.objects.get()
    assert (made.partner, made.maker, made.exits) == (cast.aurora, cast.alice, ["api", "export"])
    assert made.expires_at - made.made_at == timedelta(days=30)


def test_all_owners_are_told_of_a_new_one_and_no_mail_holds_the_token(cast: Cast) -> None:
    """Case 73."""
    Membership.objects.create(user=cast.cleo.user, partner=cast.aurora, role="owner")
    cast.cleo.user.language = "en"
    cast.cleo.user.save()
    answer = SignedIn(cast.alice.user).post(f"{PAGE}new/", WISH)
    token = token_in(answer.content.decode())
    assert sorted(m.to for m in mail.outbox) == [["alice@example.com"], ["cleo@example.com"]]
    [told] = [m for m in mail.outbox if m.to == ["cleo@example.com"]]
    assert told.subject == "A new credential of Aurora on Dailies"
    assert "alice@example.com made the credential" in told.body
    assert all(token[13:] not in m.body + m.subject for m in mail.outbox)


def test_its_maker_is_told_once_that_it_ends_within_a_week(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock stands still: a month counts as the week."""
    monkeypatch.setattr(credential_mails, "TOLD_BEFORE", timedelta(days=30))
    soon, later, short, over, left = (make(cast.alice) for _ in range(5))
    lasts = {soon: timedelta(days=30, minutes=1), later: timedelta(days=31), short: timedelta(5)}
    for credential, end in lasts.items():
        Credential.objects.filter(pk=credential.pk).update(expires_at=F("made_at") + end)
    credentials.revoke(over, by=cast.alice.user)
    Credential.objects.filter(pk=left.pk).update(maker=None)
    cast.alice.user.language = "en"
    cast.alice.user.save()
    assert credential_mails.remind() == 0
    monkeypatch.setattr(credential_mails, "Now", lambda: Now() + timedelta(minutes=2))
    assert [credential_mails.remind() for _ in range(2)] == [1, 0]
    [told] = mail.outbox
    assert (told.to, told.subject) == (
        ["alice@example.com"], "A credential of Aurora on Dailies ends soon",
    )  # fmt: skip
    soon.refresh_from_db()
    assert soon.reminded_at is not None
    assert soon.prefix in told.body


def test_staff_see_credentials_and_end_them(cast: Cast, staff: Staff) -> None:
    made = make(cast.alice)
    manager = SignedIn(staff.mona)
    page = manager.get("/admin/partners/credential/").content.decode()
    assert made.prefix in page
    one = manager.get(f"/admin/partners/credential/{made.pk}/change/").content.decode()
    assert made.token_sha256 not in page + one
    form = {"action": "end", "_selected_action": [str(made.pk)]}
    dora = SignedIn(staff.dora)
    assert dora.post("/admin/partners/credential/", form).status_code == 403
    manager.post("/admin/partners/credential/", form)
    made.refresh_from_db()
    assert made.revoked_by == staff.mona
    assert AuditEvent.objects.filter(action="credential.revoked", actor=staff.mona).count() == 1
