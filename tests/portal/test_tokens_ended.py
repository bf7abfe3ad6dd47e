"""P10: how a token ends, and how one takes the place of another."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from engagement.roles import acting_as
from engagement.scope import Refused, Window
from partners import credentials, suspension
from partners.credentials import is_well_formed, new_token
from partners.models import AuditEvent, Credential, Membership
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.portal.tokens import API, by, made

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
CSV = {"accept": "text/csv"}


@pytest.fixture
def token(cast: Cast) -> str:
    return made(cast.alice)[1]


# --- how it ends -------------------------------------------------------------------------------


def revoke(cast: Cast, credential: Credential) -> None:
    assert credentials.revoke(credential, by=cast.alice.user)


def expire(cast: Cast, credential: Credential) -> None:
    Credential.objects.filter(pk=credential.pk).update(expires_at=F("made_at"))


def suspend(cast: Cast, credential: Credential) -> None:
    suspension.suspend(cast.aurora, by=cast.stella)


def disable(cast: Cast, credential: Credential) -> None:
    cast.alice.user.is_active = False
    cast.alice.user.save()


def demote(cast: Cast, credential: Credential) -> None:
    Membership.objects.filter(pk=cast.alice.pk).update(role="analyst")


def leave(cast: Cast, credential: Credential) -> None:
    Membership.objects.get(pk=cast.alice.pk).delete()


ENDS = {
    revoke: "revoked",
    expire: "expired",
    suspend: "partner suspended",
    disable: "maker disabled",
    demote: "maker is no owner",
    leave: "maker left",
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_token_ends_on_the_next_request(
    cast: Cast, end: Callable[[Cast, Credential], None]
) -> None:
    """Cases 43 and 71: with the maker's login, place and role, and with the partner."""
    credential, token = made(cast.alice)
    assert by(token).get(f"{API}titles/").status_code == 200
    end(cast, credential)
    nobody = Client().get(f"{API}titles/")
    ended = by(token).get(f"{API}titles/")
    assert (ended.status_code, ended.content) == (401, nobody.content)
    assert sorted(ended.items()) == sorted(nobody.items())
    refused = AuditEvent.objects.get(action="credential.refused")
    assert refused.detail == {"reason": ENDS[end]}
    assert refused.partner == cast.aurora


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "Token {}", "Bearer {}x", "Bearer x{}",
        "Bearer {} {}", "Bearer null", "Bearer %00", "Bearer " + "9" * 100_000, "Bearer ｄly",
    ],
)  # fmt: skip
def test_no_token_and_a_malformed_one_are_answered_before_anything_is_looked_up(
    cast: Cast, token: str, header: str | None
) -> None:
    """Case 43: one body for all, and no table of anybody's was read."""
    plain = Client().get(f"{API}titles/")
    assert plain.json()["error"]["code"] == "not_authenticated"
    headers = {} if header is None else {"authorization": header.replace("{}", token)}
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = Client().get(f"{API}titles/", headers=headers)
    assert (answer.status_code, answer.content) == (401, plain.content)
    assert sorted(answer.items()) == sorted(plain.items())
    read = " ".join(q["sql"] for q in queries if q["sql"].startswith("SELECT"))
    assert "FROM" not in read


def test_a_slip_of_the_hand_is_found_by_the_checksum(cast: Cast, token: str) -> None:
    """Case 73: each single wrong character is known before the database is asked."""
    assert is_well_formed(token)
    assert re.fullmatch(r"dly_\w{8}_\w{32}_\w{6}", token)
    for at in range(4, len(token)):
        other = "b" if token[at] == "a" else "a"
        assert not is_well_formed(token[:at] + other + token[at + 1 :]), at
    assert len({new_token() for _ in range(1000)}) == 1000


def test_a_token_in_the_url_is_refused_although_it_is_right(cast: Cast, token: str) -> None:
    """Case 43: URLs end up in logs."""
    for client in (Client(), by(token), SignedIn(cast.alice.user)):
        for query in (f"access_token={token}", f"x={token}", f"token={token[:20]}"):
            answer = client.get(f"{API}titles/?{query}")
            assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    reasons = AuditEvent.objects.filter(action="credential.refused").values_list("detail__reason")
    assert {reason for (reason,) in reasons} == {"in the URL"}


def test_a_token_works_from_its_networks_alone(cast: Cast) -> None:
    _, token = made(cast.alice, networks=("192.0.2.0/24", "2001:db8::/32"))
    for address, status in (
        ("192.0.2.77", 200), ("::ffff:192.0.2.77", 200), ("2001:db8::1", 200),
        ("192.0.3.1", 401), ("2001:db9::1", 401), ("", 401),
    ):  # fmt: skip
        answer = by(token).get(f"{API}titles/", REMOTE_ADDR=address)
        assert answer.status_code == status, address


# --- rotation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grace", "left"),
    [
        (timedelta(hours=24), timedelta(hours=24)),
        (timedelta(0), timedelta(0)),
        (timedelta(days=1000), timedelta(days=10)),
    ],
)
def test_an_old_token_only_ever_ends_earlier(cast: Cast, grace: timedelta, left: timedelta) -> None:
    """Case 49."""
    old, token = credentials.make(
        membership=cast.alice, name="Nightly", exits=["api"], families=["viewing"],
        networks=["127.0.0.0/8"], lasts=timedelta(days=10),
    )  # fmt: skip
    new, fresh = credentials.rotate(membership=cast.alice, credential_id=old.pk, grace=grace)
    before = old.expires_at
    old.refresh_from_db()
    assert old.expires_at <= before
    assert abs(old.expires_at - timezone.now() - left) < timedelta(minutes=1)
    assert (new.exits, new.families, new.networks) == (["api"], ["viewing"], ["127.0.0.0/8"])
    assert by(fresh).get(f"{API}titles/").status_code == 200
    assert by(token).get(f"{API}titles/").status_code == (200 if left else 401)


def test_a_grace_is_not_negative_and_a_token_is_replaced_once_by_its_maker(cast: Cast) -> None:
    """Case 49."""
    olga = Membership.objects.create(user=cast.cleo.user, partner=cast.aurora, role="owner")
    old, _ = made(cast.alice)
    with pytest.raises(credentials.NotValid):
        credentials.rotate(membership=cast.alice, credential_id=old.pk, grace=timedelta(seconds=-1))
    for stranger in (cast.bob, cast.amy, olga):
        with pytest.raises(Refused):
            credentials.rotate(membership=stranger, credential_id=old.pk)
    credentials.rotate(membership=cast.alice, credential_id=old.pk)
    with pytest.raises(credentials.NotValid):
        credentials.rotate(membership=cast.alice, credential_id=old.pk)
    credentials.revoke(old, by=cast.alice.user)
    with pytest.raises(Refused):
        credentials.rotate(membership=cast.alice, credential_id=old.pk)


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": F("expires_at") + timedelta(days=1)},
        {"expires_at": F("made_at") + timedelta(days=366)},
        {"families": None},
        {"exits": ["api", "export"]},
        {"networks": []},
        {"token_sha256": "0" * 64},
        {"made_at": Now() - timedelta(days=900)},
        {"revoked_at": None},
        {"maker": "amy"},
        {"partner": "borealis"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_postgres_lets_no_credential_be_widened(cast: Cast, change: dict[str, object]) -> None:
    from django.db import IntegrityError

    credential, _ = made(cast.alice, exits=("api",), families=["viewing"], networks=("10.0.0.0/8",))
    if "revoked_at" in change:
        credentials.revoke(credential, by=cast.alice.user)
    fields = {k: getattr(cast, v) if isinstance(v, str) and hasattr(cast, v) else v
              for k, v in change.items()}  # fmt: skip
    with pytest.raises(IntegrityError), acting_as("dailies_owner"):
        Credential.objects.filter(pk=credential.pk).update(**fields)
