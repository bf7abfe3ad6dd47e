"""The API by token: what it opens, what it never opens, and how it ends."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from engagement.roles import PARTNER, STAFF, WEB, acting_as
from engagement.scope import Refused, Window
from partners import credentials, suspension
from partners.credentials import is_well_formed, new_token
from partners.models import AuditEvent, Credential, Membership
from reports.plan import ask_bundle
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.test_every_route import METHODS, ROUTES, concrete

API = "/api/v1/p/aurora/"
WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
CSV = {"accept": "text/csv"}


def made(
    member: Membership,
    *,
    exits: tuple[str, ...] = ("api", "export"),
    families: list[str] | None = None,
    networks: tuple[str, ...] = (),
) -> tuple[Credential, str]:
    return credentials.make(
        membership=member, name="Nightly", exits=exits, families=families, networks=networks
    )


def by(token: str) -> Client:
    return Client(headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def token(cast: Cast) -> str:
    return made(cast.alice)[1]


# --- what it opens -----------------------------------------------------------------------------


def test_a_token_reads_what_its_maker_reads_by_the_api_exit(cast: Cast, token: str) -> None:
    cast.grant(cast.aurora, cast.hidden, exits=["web", "export"])
    program = by(token)
    listed = program.get(f"{API}titles/").json()["titles"]
    assert [t["slug"] for t in listed] == ["film", "shared"]
    answer = program.get(f"{API}titles/film/viewing/").json()
    page = SignedIn(cast.alice.user).get(f"{API}titles/film/viewing/").json()
    assert answer == page
    assert program.get(f"{API}titles/hidden/viewing/").status_code == 404
    assert SignedIn(cast.alice.user).get(f"{API}titles/hidden/viewing/").status_code == 200
    for path in ("releases/", "changes/", "bundles/", "schedules/"):
        assert program.get(API + path).status_code == 200, path
    assert program.get("/api/v1/schema/").status_code == 200


def test_a_file_by_token_needs_both_exits(cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, exits=["api"])
    _, everything = made(cast.alice)
    _, json_alone = made(cast.alice, exits=("api",))
    file = by(everything).get(f"{API}titles/film/viewing/", headers=CSV)
    assert (file.status_code, file["Content-Type"]) == (200, "text/csv; charset=utf-8")
    for program, title in ((by(everything), "hidden"), (by(json_alone), "film")):
        assert program.get(f"{API}titles/{title}/viewing/").status_code == 200
        refused = program.get(f"{API}titles/{title}/viewing/", headers=CSV)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "export_not_granted")


def test_a_file_by_token_is_of_one_tuple_that_grants_both_exits(cast: Cast) -> None:
    half = DAY + timedelta(days=5)
    cast.grant(cast.aurora, cast.hidden, exits=["api", "export"], data_until=half)
    cast.grant(cast.aurora, cast.hidden, exits=["export"], data_from=half)
    url = f"{API}titles/hidden/viewing/?from=2026-01-06&until=2026-01-08"
    program = by(made(cast.alice)[1])
    assert program.get(url.replace("01-06", "01-01").replace("01-08", "01-06"), headers=CSV)
    refused = program.get(url, headers=CSV)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "outside_scope")


def test_a_token_is_narrowed_to_its_families_and_never_wider_than_its_maker(cast: Cast) -> None:
    """Case 73: it cannot exceed its maker, whose limit and role are read at each use."""
    _, limited = made(cast.alice, exits=("api",), families=["viewing", "danmu"])
    program = by(limited)
    [film, _] = program.get(f"{API}titles/").json()["titles"]
    assert sorted(film["families"]) == ["danmu", "viewing"]
    assert program.get(f"{API}titles/film/viewing/").status_code == 200
    assert program.get(f"{API}titles/film/retention/").status_code == 404
    Membership.objects.filter(pk=cast.alice.pk).update(
        limit_families=["danmu"], limit_titles=[cast.film.pk]
    )
    assert program.get(f"{API}titles/film/danmu/").status_code == 200
    assert program.get(f"{API}titles/film/viewing/").status_code == 404
    assert program.get(f"{API}titles/shared/danmu/").status_code == 404


def test_only_an_owner_makes_one_and_within_their_own_limit(cast: Cast) -> None:
    """Case 73: nobody mints beyond what they may do themselves."""
    for member in (cast.amy, cast.victor):
        with pytest.raises(Refused):
            made(member)
    Membership.objects.filter(pk=cast.alice.pk).update(limit_families=["danmu"])
    cast.alice.refresh_from_db()
    for wrong, field in (
        ({"families": ["viewing"]}, "families"),
        ({"families": []}, "families"),
        ({"exits": ("export",)}, "exits"),
        ({"exits": ("api", "web")}, "exits"),
        ({"networks": ("10.0.0.1/8",)}, "networks"),
        ({"networks": ("somewhere",)}, "networks"),
    ):
        with pytest.raises(credentials.NotValid) as problem:
            made(cast.alice, **wrong)  # type: ignore[arg-type]
        assert problem.value.field == field
    for lasts in (timedelta(hours=1), timedelta(days=366)):
        with pytest.raises(credentials.NotValid):
            credentials.make(
                membership=cast.alice, name="x", exits=["api"], families=None, networks=[],
                lasts=lasts,
            )  # fmt: skip
    assert not Credential.objects.exists()


def test_a_token_for_less_than_everything_orders_no_bundle(cast: Cast) -> None:
    wish = {"from": DAY.isoformat(), "until": "2026-01-05", "titles": ["film"]}
    for less in (
        made(cast.alice, exits=("api",)),
        made(cast.alice, families=["viewing"]),
    ):
        answer = by(less[1]).post(f"{API}bundles/", wish, content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "export_not_granted")
    program = by(made(cast.alice)[1])
    assert program.post(f"{API}bundles/", wish, content_type="application/json").status_code == 202


# --- what it never opens -----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({n for p, n in ROUTES if not p.startswith("api/")}))
def test_a_token_opens_no_page(cast: Cast, token: str, name: str) -> None:
    """Pages and account URLs answer a token as they answer nobody."""
    for path in (concrete(p) for p, n in ROUTES if n == name):
        with_token, without = by(token).get(path), Client().get(path)
        assert with_token.status_code == without.status_code, path
        assert with_token.get("Location") == without.get("Location"), path
        assert b"Alice" not in with_token.content


def test_a_token_of_staff_opens_no_administration(cast: Cast, token: str) -> None:
    cast.alice.user.is_staff = cast.alice.user.is_superuser = True
    cast.alice.user.save()
    for path in ("/admin/", "/admin/partners/user/", f"/admin/partners/user/{cast.bob.user.pk}/"):
        assert by(token).get(path)["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("method", METHODS)
def test_a_token_at_another_partners_url_gets_what_a_made_up_partner_gets(
    cast: Cast, token: str, method: str
) -> None:
    """Case 43: one token, one partner; and the ids of others are as made-up ones."""
    theirs = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    program = by(token)

    def ask(path: str) -> tuple[object, ...]:
        answer = getattr(program, method)(path)
        assert b"ZQB" not in answer.content
        return answer.status_code, answer.content, sorted(answer.items())

    for path in (p for p, _ in ROUTES if p.startswith("api/v1/p/")):
        foreign = ask(concrete(path, partner="borealis", slug="foreign", id=str(theirs.pk)))
        assert foreign == ask(concrete(path, partner="no-such", slug="foreign")), path
        assert foreign[0] == 404
    assert ask(reverse("api:bundle", args=["aurora", theirs.pk])) == ask(
        reverse("api:bundle", args=["aurora", uuid4()])
    )
    for name, rest in (("api:title", []), ("api:resource", ["viewing"])):
        assert ask(reverse(name, args=["aurora", "foreign", *rest])) == ask(
            reverse(name, args=["aurora", "made-up", *rest])
        )


def test_a_member_of_two_partners_has_tokens_of_one_each(cast: Cast) -> None:
    """Case 11: what stands in the URL decides, and the token has one partner."""
    both = Membership.objects.create(user=cast.alice.user, partner=cast.cirrus, role="owner")
    _, ours = made(cast.alice)
    _, theirs = made(both)
    assert by(ours).get("/api/v1/p/cirrus/titles/").status_code == 404
    assert by(theirs).get("/api/v1/p/cirrus/titles/").status_code == 200
    # a cookie beside a token does not count
    browser = SignedIn(cast.alice.user)
    assert browser.get("/api/v1/p/cirrus/titles/").status_code == 200
    header = {"authorization": f"Bearer {ours}"}
    assert browser.get("/api/v1/p/cirrus/titles/", headers=header).status_code == 404


def test_keys_that_a_client_chooses_replay_nothing(cast: Cast) -> None:
    """Case 35: Borealis' key or id in Aurora's request is no way to Borealis' answer."""
    wish = {"from": DAY.isoformat(), "until": "2026-01-05"}
    answers = {}
    for member, slug in ((cast.bob, "borealis"), (cast.alice, "aurora")):
        answers[slug] = by(made(member)[1]).post(
            f"/api/v1/p/{slug}/bundles/",
            wish,
            content_type="application/json",
            headers={"idempotency-key": "one", "x-request-id": "one"},
        )
        assert answers[slug].status_code == 202
    theirs, ours = (answers[slug].json()["id"] for slug in ("borealis", "aurora"))
    assert theirs != ours
    program = by(made(cast.alice)[1])
    assert program.get(f"{API}bundles/{ours}/").status_code == 200
    assert program.get(f"{API}bundles/{theirs}/").status_code == 404


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


# --- what is kept of it ------------------------------------------------------------------------


def test_the_last_use_is_kept_once_a_minute(cast: Cast) -> None:
    """Case 73."""
    credential, token = made(cast.alice)
    program = by(token)
    program.get(f"{API}titles/")
    credential.refresh_from_db()
    first = credential.last_used_at
    assert first is not None
    with CaptureQueriesContext(connection) as queries:
        program.get(f"{API}titles/")
    assert not [q for q in queries if q["sql"].startswith("UPDATE")]
    Credential.objects.filter(pk=credential.pk).update(last_used_at=first - timedelta(minutes=2))
    program.get(f"{API}titles/film/no-such/")
    credential.refresh_from_db()
    assert credential.last_used_at is not None
    assert credential.last_used_at >= first


def test_neither_database_nor_log_holds_the_token(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    """Case 73: the hash and the first twelve characters are all there is."""
    with caplog.at_level(logging.DEBUG):
        credential, token = made(cast.alice)
        by(token).get(f"{API}titles/film/viewing/")
        by(token).get(f"{API}titles/no-such/")
        by(token + "x").get(f"{API}titles/")
        Client().get(f"{API}titles/?access_token={token}")
        credentials.revoke(credential, by=cast.alice.user)
        by(token).get(f"{API}titles/")
    secret = token[13:45]
    logged = " ".join(r.getMessage() for r in caplog.records if "django.db" not in r.name)
    assert "token refused: revoked" in logged
    assert secret not in logged
    with connection.cursor() as cursor:
        for table in ("partners_credential", "partners_auditevent", "django_session"):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t")
            [text] = cursor.fetchone()
            assert secret not in text, table
            if table != "django_session":
                assert token[:12] in text, table


def test_what_a_program_reads_is_recorded_with_the_credential(cast: Cast) -> None:
    credential, token = made(cast.alice)
    by(token).get(f"{API}titles/film/viewing/")
    read = AuditEvent.objects.get(action="numbers.read")
    assert (read.actor, read.partner) == (cast.alice.user, cast.aurora)
    assert read.detail["credential"] == credential.prefix


# --- its wall ----------------------------------------------------------------------------------


def test_the_web_sees_the_one_credential_whose_hash_it_names(cast: Cast) -> None:
    ours, _ = made(cast.alice)
    theirs, _ = made(cast.bob)
    with acting_as(WEB), connection.cursor() as cursor:
        assert list(Credential.objects.all()) == []
        cursor.execute(
            "SELECT set_config('dailies.credential_sha256', %s, true)", [ours.token_sha256]
        )
        assert list(Credential.objects.all()) == [ours]
    with acting_as(PARTNER, partner_id=cast.aurora.pk):
        assert list(Credential.objects.all()) == [ours]
    with acting_as(PARTNER):
        assert list(Credential.objects.all()) == []
    with acting_as(STAFF):
        assert set(Credential.objects.all()) == {ours, theirs}


# --- what is told to whom ----------------------------------------------------------------------


def test_the_schema_is_closed_to_strangers_and_names_no_partner(cast: Cast, token: str) -> None:
    """Case 83."""
    assert Client().get("/api/v1/schema/").status_code == 401
    for client in (by(token), SignedIn(cast.alice.user)):
        text = client.get("/api/v1/schema/").content.decode()
        assert "scheme: bearer" in text
        for word in ("aurora", "borealis", "ZQB", "极光", "长夜"):
            assert word not in text.lower(), word
    for path in ("/api/v1/", "/api/v1/docs/", "/api/v1/schema/swagger-ui/", "/api/v1/redoc/"):
        for client in (Client(), by(token), SignedIn(cast.alice.user)):
            assert client.get(path).status_code == 404, path


@pytest.mark.parametrize("path", ["titles/", "titles/film/viewing/", "bundles/"])
def test_options_tells_nothing(cast: Cast, token: str, path: str) -> None:
    """Case 83."""
    assert Client().options(API + path).status_code == 401
    for client in (by(token), SignedIn(cast.alice.user)):
        answer = client.options(API + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
