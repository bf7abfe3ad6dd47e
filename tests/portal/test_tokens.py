"""The API by token: what it opens, what it never opens, and what is kept of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from engagement.roles import PARTNER, STAFF, WEB, acting_as
from engagement.scope import Refused, Window
from partners import credentials
from partners.models import AuditEvent, Credential, Membership
from reports.plan import ask_bundle
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.portal.tokens import API, by, made
from tests.test_every_route import METHODS, ROUTES, concrete

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
CSV = {"accept": "text/csv"}


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
