"""The REST endpoints: what is granted, what is refused, and in which words."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from itertools import product

import pytest
from django.test import Client

from engagement.families.registry import FAMILIES, RESOURCES
from engagement.models import Release, RetentionFact
from engagement.scope import Query
from partners import grants
from partners.models import AuditEvent
from portal.api import parameters
from tests.cast import CANARY, DAY, DAYS, Cast
from tests.conftest import SignedIn
from tests.walls import WHOLE

API = "/api/v1/p/aurora/titles/"
UNTIL = DAY + timedelta(days=DAYS)


@pytest.fixture
def alice(cast: Cast) -> SignedIn:
    return SignedIn(cast.alice.user)


def test_the_titles_are_those_granted(cast: Cast, alice: SignedIn) -> None:
    answer = alice.get(API).json()
    assert [t["slug"] for t in answer["titles"]] == ["film", "shared"]
    film, shared = answer["titles"]
    assert (film["data_from"], film["data_through"]) == ("2026-01-01", "2026-01-10")
    assert sorted(film["families"]) == sorted(FAMILIES)
    assert shared["families"]["viewing"] == [{"territory": "CN", "from": None, "until": None}]


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_a_resource_answers_with_the_columns_of_the_contract(
    cast: Cast, alice: SignedIn, resource: str
) -> None:
    answer = alice.get(f"{API}film/{resource}/").json()
    assert [c["name"] for c in answer["columns"]] == list(RESOURCES[resource].column_names())
    assert list(answer["rows"][0]) == list(RESOURCES[resource].column_names())
    assert answer["asked"]["from"] == "2026-01-01"
    assert answer["asked"]["until"] == UNTIL.isoformat()
    assert answer["answered"] == [
        {"territory": "*", "from": "2026-01-01", "until": UNTIL.isoformat()}
    ]
    assert (answer["data_through"], answer["sample"]) == ("2026-01-10", False)
    assert set(answer) == {
        "partner", "title", "family", "resource", "asked", "answered", "covered", "data_through",
        "sample", "releases", "notes", "columns", "rows",
    }  # fmt: skip


def test_a_curve_by_day_says_period_and_territory(cast: Cast, alice: SignedIn) -> None:
    answer = alice.get(f"{API}film/retention/?grain=day&from=2026-01-02&until=2026-01-04").json()
    assert len(answer["rows"]) == 2 * 120
    first = answer["rows"][0]
    assert (first["from"], first["until"], first["territory"]) == ("2026-01-02", "2026-01-03", "*")
    assert first["sessions"] == 150


def test_a_curve_says_which_days_it_counts(cast: Cast, alice: SignedIn) -> None:
    """A piece that reaches beyond the window is no part of it."""
    RetentionFact.objects.filter(title=cast.film, from_day=DAY + timedelta(days=4)).delete()
    RetentionFact.objects.filter(title=cast.film, from_day=DAY + timedelta(days=3)).update(
        until=DAY + timedelta(days=5)
    )
    answer = alice.get(f"{API}film/retention/?from=2026-01-01&until=2026-01-05").json()
    assert answer["answered"][0]["until"] == "2026-01-05"
    assert answer["covered"] == [{"territory": "*", "from": "2026-01-01", "until": "2026-01-04"}]
    assert answer["rows"][0]["sessions"] == 450
    page = alice.get("/p/aurora/titles/film/?from=2026-01-01&until=2026-01-05").content.decode()
    assert "The curves count 450 of 600 plays" in page


def test_comments_of_a_stretch_of_seconds(cast: Cast, alice: SignedIn) -> None:
    url = f"{API}film/danmu_comments/"
    assert len(alice.get(f"{url}?from_second=30&until_second=31").json()["rows"]) == 20
    assert alice.get(f"{url}?from_second=31&until_second=60").json()["rows"] == []
    refused = alice.get(f"{API}film/danmu/?from_second=30")
    assert refused.status_code == 400


def test_seconds_that_do_not_go_forward_are_refused_by_both_names(
    cast: Cast, alice: SignedIn
) -> None:
    for asked in ("from_second=60&until_second=31", "from_second=60&until_second=60"):
        refused = alice.get(f"{API}film/danmu_comments/?{asked}")
        assert (refused.status_code, refused.json()["error"]) == (
            400,
            {
                "code": "invalid_parameter",
                "message": "until_second must be after from_second"
                " (it is the second after the last)",
                "details": {},
            },
        )
    assert alice.get(f"{API}film/danmu_comments/?from_second=9999999").json()["rows"] == []
    with pytest.raises(ValueError, match="from_second 60 is not before until_second 31"):
        Query(cast.film.pk, "danmu_comments", WHOLE, seconds=(60, 31))


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_a_curve_by_day_that_is_too_long_says_how_to_ask_for_less(
    cast: Cast, alice: SignedIn, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    monkeypatch.setattr(parameters, "MOST_ROWS", 2 * 120)
    url, headers = f"{API}film/retention/?from=2026-01-02&until=", {"accept": accept}
    assert alice.get(f"{url}2026-01-04&grain=day", headers=headers).status_code == 200
    assert alice.get(f"{url}2026-01-11", headers=headers).status_code == 200
    refused = alice.get(f"{url}2026-01-05&grain=day", headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_rows")
    assert refused.json()["error"]["message"] == (
        "The answer has 360 rows; one request answers at most 240. Ask for fewer days"
        " (from, until), one territory, or grain=window."
    )


def test_csv_is_the_same_numbers_as_json(cast: Cast, alice: SignedIn) -> None:
    for resource in ("viewing", "retention", "rewatch", "danmu"):
        url = f"{API}film/{resource}/?from=2026-01-01&until=2026-01-05"
        rows = alice.get(url).json()["rows"]
        response = alice.get(url, headers={"accept": "text/csv"})
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"] == f'attachment; filename="film-{resource}.csv"'
        assert response.content.startswith(b"\xef\xbb\xbf")
        read = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
        assert [list(r) for r in read[:1]] == [list(rows[0])]
        assert [[_text(v) for v in r.values()] for r in rows] == [list(r.values()) for r in read]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def test_a_file_needs_the_export_exit(cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, exits=["web"])
    alice, victor = SignedIn(cast.alice.user), SignedIn(cast.victor.user)
    for client, slug in ((alice, "hidden"), (victor, "film")):
        assert client.get(f"{API}{slug}/viewing/").status_code == 200
        refused = client.get(f"{API}{slug}/viewing/", headers={"accept": "text/csv"})
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "export_not_granted"


def test_foreign_hidden_and_made_up_are_one_answer(cast: Cast, alice: SignedIn) -> None:
    bodies = set()
    for path in (
        f"{API}foreign/viewing/",
        f"{API}hidden/viewing/",
        f"{API}no-such-title/viewing/",
        f"{API}film/no-such-family/",
        f"{API}film/prerelease/",
        f"{API}foreign/",
        "/api/v1/p/borealis/titles/",
        "/api/v1/p/borealis/titles/foreign/viewing/",
        "/api/v1/p/no-such-partner/titles/",
        "/api/v1/no-such-thing/",
    ):
        for accept in ("application/json", "text/csv") if "/film/" in path else ("*/*",):
            response = alice.get(path, headers={"accept": accept})
            headers = {k: v for k, v in response.items() if k != "Content-Length"}
            bodies.add((response.status_code, response.content, str(sorted(headers.items()))))
    assert len(bodies) == 1, bodies
    [(status, body, _)] = bodies
    assert status == 404
    assert b"ZQB" not in body


def test_beyond_the_grant_is_400_and_names_what_is_granted(cast: Cast, alice: SignedIn) -> None:
    cast.grant(
        cast.aurora, cast.hidden, territories=["CN"],
        data_from=DAY, data_until=DAY + timedelta(days=5),
    )  # fmt: skip
    for query in ("?territory=SG", "?territory=*", "?from=2026-01-01&until=2026-01-07"):
        response = alice.get(f"{API}hidden/viewing/{query}")
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "outside_scope"
        assert response.json()["error"]["details"]["granted"] == [
            {"territory": "CN", "from": "2026-01-01", "until": "2026-01-06"}
        ]
    inside = alice.get(f"{API}hidden/viewing/")
    assert inside.json()["answered"] == [
        {"territory": "CN", "from": "2026-01-01", "until": "2026-01-06"}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "?from=yesterday",
        "?from=2026-01-05&until=2026-01-05",
        "?until=2026-13-01",
        "?from=２０２６-01-01",
        "?territory=china",
        "?territory=c1",
        "?grain=hour",
        "?order_by=plays",
        "?title__grants__partner=1",
        "?fields=text",
        "?format=csv",
    ],
)
def test_a_parameter_that_cannot_be_used_is_400(cast: Cast, alice: SignedIn, query: str) -> None:
    response = alice.get(f"{API}film/retention/{query}")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_parameter"


def test_without_sign_in_every_partner_looks_the_same(cast: Cast) -> None:
    answers = set()
    for partner in ("aurora", "borealis", "no-such-partner"):
        for path in ("titles/", "titles/film/viewing/", "releases/"):
            response = Client().get(f"/api/v1/p/{partner}/{path}")
            answers.add((response.status_code, response.content))
    assert len(answers) == 1
    [(status, body)] = answers
    assert status == 401
    assert b'"code": "not_authenticated"' in body


def test_releases_are_those_of_the_titles_in_scope(cast: Cast, alice: SignedIn) -> None:
    cast.grant(cast.aurora, cast.hidden, families=["danmu"])
    releases = alice.get("/api/v1/p/aurora/releases/").json()["releases"]
    assert {(r["title"], r["kind"]) for r in releases} == {
        *product(("film", "shared"), ("segments", "danmu", "discussion", "shares")),
        ("hidden", "danmu"),
    }


def test_nothing_of_another_partner_in_any_answer(cast: Cast, alice: SignedIn) -> None:
    for path in (
        "",
        "film/",
        *(f"film/{r}/" for r in RESOURCES),
        *(f"foreign/{r}/" for r in RESOURCES),
        *(f"shared/{r}/" for r in RESOURCES),
    ):
        body = alice.get(API + path).content.decode()
        assert "ZQB" not in body
        assert str(CANARY) not in body


def test_revoking_bites_on_the_next_request(cast: Cast, alice: SignedIn) -> None:
    assert alice.get(f"{API}film/viewing/").status_code == 200
    grants.revoke(cast.grants["film"], by=cast.stella)
    assert alice.get(f"{API}film/viewing/").status_code == 404
    assert alice.get(f"{API}film/").status_code == 404


def test_each_read_is_recorded_without_its_numbers(cast: Cast, alice: SignedIn) -> None:
    alice.get(f"{API}film/viewing/?from=2026-01-01&until=2026-01-03")
    alice.get(f"{API}film/viewing/", headers={"accept": "text/csv"})
    events = list(AuditEvent.objects.filter(partner=cast.aurora, target="film/viewing"))
    release = Release.objects.get(title=cast.film, kind="segments")
    assert [e.action for e in reversed(events)] == ["numbers.read", "export.csv"]
    assert events[1].detail == {
        "window": "2026-01-01..2026-01-02",
        "territory": None,
        "families": ["viewing"],
        "releases": {"in_all": 1, "ids": [str(release.pk)]},
    }
    assert events[1].actor == cast.alice.user


def test_partner_answers_are_never_kept_by_a_cache(cast: Cast, alice: SignedIn) -> None:
    for path in (f"{API}film/viewing/", f"{API}nothing/", "/p/aurora/"):
        assert alice.get(path)["Cache-Control"] == "private, no-store"


def test_the_schema_is_openapi_3_1_for_members(cast: Cast, alice: SignedIn) -> None:
    assert Client().get("/api/v1/schema/").status_code == 401
    response = alice.get("/api/v1/schema/", headers={"accept": "application/json"})
    assert response.json()["openapi"] == "3.1.1"
    assert set(response.json()["paths"]) == {
        "/api/v1/p/{partner}/titles/",
        "/api/v1/p/{partner}/titles/{slug}/",
        "/api/v1/p/{partner}/titles/{slug}/{resource}/",
        "/api/v1/p/{partner}/releases/",
        "/api/v1/p/{partner}/changes/",
        "/api/v1/p/{partner}/bundles/",
        "/api/v1/p/{partner}/bundles/{id}/",
        "/api/v1/p/{partner}/bundles/{id}/download/",
        "/api/v1/p/{partner}/schedules/",
        "/api/v1/p/{partner}/schedules/{id}/run-now/",
        "/api/v1/p/{partner}/deliveries/",
        "/api/v1/p/{partner}/deliveries/{id}/",
        "/api/v1/p/{partner}/activity/",
    }


def test_a_bundle_is_asked_for_and_found_again(cast: Cast, alice: SignedIn) -> None:
    asked = {"titles": ["film"], "from": "2026-01-01", "until": "2026-01-08", "language": "en"}
    url = "/api/v1/p/aurora/bundles/"
    response = alice.post(url, asked, content_type="application/json")
    assert response.status_code == 202
    bundle = response.json()
    assert (bundle["state"], bundle["file"], bundle["from"]) == ("queued", None, "2026-01-01")
    assert alice.get(f"{url}{bundle['id']}/").json() == bundle
    assert alice.get(url).json()["bundles"] == [bundle]
    assert (bundle["formats"], bundle["paper"]) == ([], "a4")
    more = asked | {"formats": ["parquet", "xlsx", "parquet"], "paper": "letter"}
    more["language"] = "both"
    other = alice.post(url, more, content_type="application/json").json()
    assert (other["formats"], other["paper"]) == (["xlsx", "parquet"], "letter")
    assert other["id"] != bundle["id"]
    assert alice.post(url, more, content_type="application/json").json() == other
    amy, bob = SignedIn(cast.amy.user), SignedIn(cast.bob.user)
    for client, path in (
        (amy, f"{url}{bundle['id']}/"),
        (bob, f"{url}{bundle['id']}/"),
        (bob, f"/api/v1/p/borealis/bundles/{bundle['id']}/"),
        (alice, f"{url}00000000-0000-4000-8000-000000000000/"),
    ):
        assert client.get(path).status_code == 404
    assert bob.get("/api/v1/p/borealis/bundles/").json() == {"bundles": []}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"titles": ["foreign"]}, 404),
        ({"titles": ["no-such-title"]}, 404),
        ({"titles": ["hidden"]}, 404),
        ({"titles": []}, 400),
        ({"until": "2025-01-01"}, 400),
        ({"language": "fr"}, 400),
        ({"formats": ["docx"]}, 400),
        ({"formats": "xlsx"}, 400),
        ({"paper": "a3"}, 400),
    ],
)
def test_a_bundle_that_cannot_be_made_is_refused(
    cast: Cast, alice: SignedIn, fields: dict[str, object], status: int
) -> None:
    asked = {"titles": ["film"], "from": "2026-01-01", "until": "2026-01-08", **fields}
    response = alice.post("/api/v1/p/aurora/bundles/", asked, content_type="application/json")
    assert response.status_code == status
    assert set(response.json()) == {"error"}


def test_a_viewer_may_not_ask_for_files(cast: Cast) -> None:
    victor = SignedIn(cast.victor.user)
    asked = {"titles": ["film"], "from": "2026-01-01", "until": "2026-01-08"}
    response = victor.post("/api/v1/p/aurora/bundles/", asked, content_type="application/json")
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "export_not_granted"


def test_a_release_is_listed_where_its_whole_period_is_granted(cast: Cast) -> None:
    """Case 4: a week of which two days are granted is not."""
    cast.grant(cast.aurora, cast.hidden, data_from=DAY, data_until=DAY + timedelta(days=7))
    for since in (DAY, DAY + timedelta(days=2)):
        Release.objects.create(
            kind="demographics", title=cast.hidden, day=since, until=since + timedelta(days=7),
            metric_version="1", input_digest="", state="done",
        )  # fmt: skip
    listed = SignedIn(cast.alice.user).get("/api/v1/p/aurora/releases/").json()["releases"]
    assert [r["day"] for r in listed if r["kind"] == "demographics"] == ["2026-01-01"]


@pytest.mark.parametrize(
    "path", ["titles/", "titles/film/", "releases/", "changes/", "bundles/", "schedules/"]
)
@pytest.mark.parametrize(
    "asked",
    ["ordering=name", "title__grants__partner__name_en__startswith=Z", "fields=*", "_connector=OR"],
)
def test_what_a_list_does_not_know_is_refused_never_ignored(
    cast: Cast, alice: SignedIn, path: str, asked: str
) -> None:
    """Cases 6, 7 and 31."""
    name = asked.partition("=")[0]
    answer = alice.get(f"/api/v1/p/aurora/{path}?{asked}")
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        {
            "code": "invalid_parameter",
            "message": f"unknown parameter {name!r}; known are none",
            "details": {},
        },
    )
    assert alice.get(f"/api/v1/p/aurora/{path}").status_code == 200
