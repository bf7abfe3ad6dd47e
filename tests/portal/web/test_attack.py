"""A member of one partner tries for more than is granted, by the pages and REST."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from engagement.families.read import fetch
from engagement.models import Release
from engagement.roles import READER, acting_as
from engagement.scope import Window
from partners.access import scope_for
from partners.models import Membership, User
from reports import schedules
from reports.models import Bundle
from reports.plan import EXIT, ask_bundle
from tests.cast import DAY, DAYS, Cast
from tests.conftest import SignedIn

WHOLE = Window(DAY, DAY + timedelta(days=DAYS))
API = "/api/v1/p/aurora/"


def test_the_words_of_a_failure_are_for_staff_alone(cast: Cast) -> None:
    bundle = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    Bundle.objects.filter(pk=bundle.pk).update(
        state="failed", failure="broken", problem="ProgrammingError: engagement_viewingfact"
    )
    client = SignedIn(cast.alice.user)
    for path in (f"{API}bundles/", f"{API}bundles/{bundle.pk}/"):
        body = client.get(path).content.decode()
        assert "engagement_viewingfact" not in body
        assert "It could not be made. Please ask the platform." in body


def test_a_recipient_reads_no_name_of_a_title_beyond_their_limit(cast: Cast) -> None:
    schedule = schedules.create(
        membership=cast.alice,
        name="Weekly",
        titles=[cast.film.pk, cast.shared.pk],
        weekday=2,
        hour=9,
        zone="Asia/Shanghai",
        language="en",
        recipients=[cast.victor.pk],
    )
    Membership.objects.filter(pk=cast.victor.pk).update(limit_titles=[cast.film.pk])
    bundle = Bundle.objects.create(
        partner=cast.aurora, recipient=cast.victor, titles=schedule.titles,
        from_day=WHOLE.since, until=WHOLE.until, language="en",
    )  # fmt: skip
    client = SignedIn(cast.victor.user)
    for path in ("", f"{bundle.pk}/", f"{bundle.pk}/progress/"):
        body = client.get(f"/p/aurora/reports/{path}").content.decode()
        assert "Shared" not in body
        assert "The Long Night" in body
    Membership.objects.filter(pk=cast.victor.pk).update(limit_titles=[])
    body = client.get("/p/aurora/reports/").content.decode()
    assert "The Long Night" not in body
    assert "All titles" not in body


def test_a_limit_set_since_the_member_was_loaded_binds(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.amy.pk).update(limit_titles=[cast.film.pk])
    assert scope_for(cast.amy, EXIT).titles() == {cast.film.pk}
    Membership.objects.filter(pk=cast.amy.pk).update(limit_families=["danmu"])
    assert scope_for(cast.amy, EXIT).families(cast.film.pk) == {"danmu"}
    Membership.objects.filter(pk=cast.amy.pk).update(role="viewer")
    assert not scope_for(cast.amy, EXIT).entitled


def test_how_many_wait_in_all_territories_is_for_a_grant_of_all(cast: Cast) -> None:
    Release.objects.filter(kind="segments").update(waiting_viewers=47)
    listed = SignedIn(cast.alice.user).get(f"{API}releases/").json()["releases"]
    waiting = {r["title"]: r["waiting_viewers"] for r in listed if r["kind"] == "segments"}
    assert waiting == {"film": 47, "shared": None}
    with acting_as(READER, partner_id=cast.aurora.pk, exit="web"):
        rows = fetch(
            "SELECT title_id, waiting_viewers FROM wall_release WHERE kind=%s", ["segments"]
        )
    assert dict(rows) == {cast.film.pk: 47, cast.shared.pk: None}


def test_the_link_that_confirms_an_address_is_not_built_from_the_host(
    cast: Cast, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    user = User.objects.create_user("new@example.com", "correct horse battery 9")
    answer = Client().post(
        "/account/login/",
        {"login": user.email, "password": "correct horse battery 9"},
        headers={"host": "localhost:6666"},
    )
    assert answer.status_code == 302
    [message] = mail.outbox
    links = re.findall(r"https?://\S+", str(message.body))
    assert links
    assert all(link.startswith(f"{settings.BASE_URL}/account/") for link in links), links


@pytest.mark.parametrize("day", ["2026-W01-6", "20260103T1"])
def test_only_a_day_written_as_promised_is_a_day(cast: Cast, day: str) -> None:
    client = SignedIn(cast.alice.user)
    assert client.get(f"{API}titles/film/viewing/?from={day}").status_code == 400
    page = client.get(f"/p/aurora/titles/film/?from={day}&until=2026-01-05")
    assert page.context["asked"].window.since == DAY


@pytest.mark.parametrize("territory", ["cn", "中国"])
def test_a_page_takes_no_territory_that_rest_would_refuse(cast: Cast, territory: str) -> None:
    client = SignedIn(cast.alice.user)
    page = client.get(f"/p/aurora/titles/film/?territory={territory}")
    assert page.context["asked"].territory is None
    for url in page.context["chart"]["urls"].values():
        assert client.get(url).status_code == 200


def test_a_territory_without_a_window_is_answered_where_it_is_granted(cast: Cast) -> None:
    cast.grant(cast.aurora, cast.hidden, territories=["CN"])
    cast.grant(
        cast.aurora, cast.hidden, territories=["SG"],
        data_from=DAY, data_until=DAY + timedelta(days=3),
    )  # fmt: skip
    client = SignedIn(cast.alice.user)
    answer = client.get(f"{API}titles/hidden/viewing/?territory=SG")
    assert answer.status_code == 200, answer.json()
    assert [p["territory"] for p in answer.json()["answered"]] == ["SG"]
    assert client.get(f"{API}titles/hidden/viewing/?territory=TW").status_code == 400


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
def test_ids_of_others_are_as_made_up_ones_by_every_verb(cast: Cast, method: str) -> None:
    theirs = ask_bundle(membership=cast.bob, titles=None, window=WHOLE, language="en")
    schedule = schedules.create(
        membership=cast.bob, name="ZQB", titles=None, weekday=2, hour=9, zone="Asia/Shanghai",
        language="en", recipients=[cast.bob.pk],
    )  # fmt: skip
    client = SignedIn(cast.alice.user)

    def ask(path: str) -> tuple[object, ...]:
        answer = getattr(client, method)(path)
        body = b"" if answer.streaming else answer.content
        headers = sorted((k, v) for k, v in answer.items() if k != "Content-Length")
        assert b"ZQB" not in body
        return answer.status_code, re.sub(rb'(action|href|value)="[^"]*"', b"", body), headers

    for name, id_ in [
        *((n, theirs.pk) for n in ("report", "report-progress", "download", "api:bundle",
                                        "api:bundle-file")),
        *((n, schedule.pk) for n in (
            "schedule", "schedule-pause", "schedule-resume", "schedule-delete")),
    ]:  # fmt: skip
        assert ask(reverse(name, args=["aurora", id_])) == ask(
            reverse(name, args=["aurora", uuid4()])
        ), name
    for name, rest in (
        ("title", []), ("csv", ["viewing"]), ("api:title", []), ("api:resource", ["viewing"]),
    ):  # fmt: skip
        assert ask(reverse(name, args=["aurora", "foreign", *rest])) == ask(
            reverse(name, args=["aurora", "made-up", *rest])
        ), name
    for name, rest in (
        ("portfolio", []), ("reports", []), ("schedule-new", []), ("api:bundles", []),
        ("api:releases", []), ("api:schedules", []), ("api:titles", []),
        ("report", [theirs.pk]), ("schedule", [schedule.pk]), ("title", ["film"]),
    ):  # fmt: skip
        foreign, made_up = (
            ask(reverse(name, args=[partner, *rest])) for partner in ("borealis", "no-such")
        )
        assert foreign == made_up, name
        assert foreign[0] == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("recipients", "bob"), ("recipients", "cleo"), ("titles", "foreign"), ("titles", "hidden")],
)
def test_a_schedule_takes_no_child_of_others(cast: Cast, field: str, value: str) -> None:
    form = {
        "name": "x", "weekday": "2", "hour": "9", "zone": "Asia/Shanghai", "language": "en",
        "recipients": [str(cast.alice.pk)], "titles": [str(cast.film.pk)],
        "partner": str(cast.borealis.pk), "owner": str(cast.bob.pk),
    }  # fmt: skip
    form[field] = [str(getattr(cast, value).pk)]
    answer = SignedIn(cast.alice.user).post("/p/aurora/reports/schedule/new/", form)
    assert answer.status_code == 200
    assert "ZQB" not in answer.content.decode()
    assert not schedules.Schedule.objects.exists()


def test_sign_in_and_reset_do_not_tell_who_is_here(cast: Cast, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    User.objects.filter(pk=cast.amy.user_id).update(is_active=False)
    for path, field, more in (
        ("/account/login/", "login", {"password": "wrong password 123"}),
        ("/account/password/reset/", "email", {}),
    ):
        answers = set()
        for email in ("alice@example.com", "amy@example.com", "nobody@example.com"):
            before = len(mail.outbox)
            answer = Client().post(path, {field: email, **more})
            body = re.sub(r'value="[^"]*"', "", answer.content.decode())
            answers.add((answer.status_code, body, answer.get("Location"),
                         len(mail.outbox) - before))  # fmt: skip
        assert len(answers) == 1, answers


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_sent_on_to_another_site(cast: Cast, to: str) -> None:
    cast.alice.user.set_password("correct horse battery 9")
    cast.alice.user.save()
    for client, path, form in (
        (Client(), "/account/login/",
         {"login": "alice@example.com", "password": "correct horse battery 9"}),
        (SignedIn(cast.alice.user), "/language/", {"language": "en"}),
        (SignedIn(cast.alice.user), "/account/logout/", {}),
    ):  # fmt: skip
        answer = client.post(path, {**form, "next": to}, headers={"referer": to})
        assert "evil" not in answer.get("Location", ""), path
