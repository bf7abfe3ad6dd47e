"""Fan sets and consents in the admin: rules by date, never changed, and who recorded them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from engagement.models import FanSet, FanSetVersion, Tag
from partners.models import AuditEvent, Consent
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.partners.conftest import Staff

FIRST, SECOND = date(2026, 1, 5), date(2026, 2, 2)


def version(**fields: Any) -> dict[str, Any]:
    row = {"from_day": FIRST.isoformat(), "rule": "finished", "titles": [], "tag": "", **fields}
    return {f"versions-0-{name}": value for name, value in row.items()}


def form(**fields: Any) -> dict[str, Any]:
    return {
        "slug": "admirers",
        "name_zh": "书迷",
        "name_en": "Readers",
        "versions-TOTAL_FORMS": "1",
        "versions-INITIAL_FORMS": "0",
        **fields,
    }


@pytest.fixture
def made(cast: Cast, staff: Staff) -> FanSet:
    """Dora has defined one by the form: who finished Aurora's film."""
    response = SignedIn(staff.dora).post(
        reverse("admin:engagement_fanset_add"), form(**version(titles=[cast.film.pk]))
    )
    assert response.status_code == 302, response.context["errors"]
    return FanSet.objects.get(slug="admirers")


def test_a_rule_is_kept_with_its_day_and_its_maker(cast: Cast, staff: Staff, made: FanSet) -> None:
    rule = made.versions.get()
    assert (rule.version, rule.from_day, rule.until, rule.rule) == (1, FIRST, None, "finished")
    assert list(rule.titles.all()) == [cast.film]
    assert rule.defined_by == "dora@platform.example.com"
    added = AuditEvent.objects.get(action="fan_set.version_added")
    assert (added.actor, added.detail["titles"]) == (staff.dora, ["film"])


def test_a_new_version_ends_the_one_before(cast: Cast, staff: Staff, made: FanSet) -> None:
    tag = Tag.objects.create(kind="source_work", name="三体")
    page = reverse("admin:engagement_fanset_change", args=[made.pk])
    answer = SignedIn(staff.dora).post(
        page, form(**version(from_day=SECOND.isoformat(), rule="tagged", tag=tag.pk))
    )
    assert answer.status_code == 302, answer.context["errors"]
    assert list(
        made.versions.order_by("version").values_list("version", "from_day", "until", "rule")
    ) == [(1, FIRST, SECOND, "finished"), (2, SECOND, None, "tagged")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Name the titles whose finishers are the fans."),
        ({"rule": "tagged"}, "Name the actor, source work or genre."),
        ({"from_day": FIRST.isoformat(), "titles": ["film"]}, "begins after the one before"),
        ({"titles": ["film"], "tag": "tag"}, "A tag belongs to the other rule."),
        ({"rule": "tagged", "titles": ["film"], "tag": "tag"}, "Titles belong to the other rule"),
    ],
)
def test_half_a_rule_is_refused_in_words(
    cast: Cast, staff: Staff, made: FanSet, fields: dict[str, Any], said: str
) -> None:
    tag = Tag.objects.create(kind="genre", name="喜剧")
    filled = {"from_day": SECOND.isoformat(), **fields}
    filled["titles"] = [cast.film.pk for _ in filled.get("titles", [])]
    filled["tag"] = tag.pk if filled.get("tag") else ""
    answer = SignedIn(staff.dora).post(
        reverse("admin:engagement_fanset_change", args=[made.pk]),
        form(**version(**filled)),
        headers={"accept-language": "en"},
    )
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert made.versions.count() == 1


def test_a_rule_is_not_changed_and_a_set_not_deleted(staff: Staff, made: FanSet) -> None:
    rule = made.versions.get()
    client = SignedIn(staff.dora)
    client.post(
        reverse("admin:engagement_fanset_change", args=[made.pk]),
        {
            **form(**version(id=rule.pk, fan_set=made.pk, from_day=SECOND.isoformat())),
            "versions-INITIAL_FORMS": "1",
        },
    )
    assert made.versions.get().from_day == FIRST
    assert (
        client.post(
            reverse("admin:engagement_fanset_delete", args=[made.pk]), {"post": "yes"}
        ).status_code
        == 403
    )


def test_partner_managers_define_no_fan_sets(staff: Staff, made: FanSet) -> None:
    client = SignedIn(staff.mona)
    assert client.get(reverse("admin:engagement_fanset_change", args=[made.pk])).status_code == 200
    assert client.post(reverse("admin:engagement_fanset_add"), form()).status_code == 403
    assert FanSetVersion.objects.filter(fan_set=made).count() == 1


def consent(cast: Cast, **fields: Any) -> dict[str, Any]:
    return {
        "partner": cast.borealis.pk,
        "given_to": cast.aurora.pk,
        "title": cast.foreign.pk,
        "contract_reference": "C-9",
        "from_day": FIRST.isoformat(),
        "until": "",
        **fields,
    }


def test_a_consent_is_recorded_with_who_and_only_its_end_changes(cast: Cast, staff: Staff) -> None:
    client = SignedIn(staff.mona)
    assert client.post(reverse("admin:partners_consent_add"), consent(cast)).status_code == 302
    given = Consent.objects.get()
    assert (given.recorded_by, given.given_to) == (staff.mona, cast.aurora)
    page = reverse("admin:partners_consent_change", args=[given.pk])
    client.post(page, consent(cast, until=SECOND.isoformat(), given_to=cast.cirrus.pk))
    given.refresh_from_db()
    assert (given.until, given.given_to) == (SECOND, cast.aurora)
    assert set(
        AuditEvent.objects.filter(action__startswith="consent.").values_list("action", flat=True)
    ) == {"consent.added", "consent.changed"}


@pytest.mark.parametrize("what", ["own", "not held"])
def test_a_consent_that_means_nothing_is_refused(cast: Cast, staff: Staff, what: str) -> None:
    wrong = {"own": {"given_to": cast.borealis.pk}, "not held": {"title": cast.film.pk}}[what]
    answer = SignedIn(staff.mona).post(
        reverse("admin:partners_consent_add"), consent(cast, **wrong)
    )
    assert answer.status_code == 200
    assert not Consent.objects.exists()
