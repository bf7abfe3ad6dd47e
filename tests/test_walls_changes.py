"""What changed after settling, told to who may read the number now and to nobody else.

A restatement and an adjustment of every title of the cast, in CN, SG and over all. Aurora is
granted the film in all territories and the co-production in CN, Cirrus its part in SG, Borealis
its own title; no one has been granted `hidden`.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone as django_timezone

from engagement import query
from engagement.families.registry import FAMILIES
from engagement.models import Adjustment, Release, Restatement
from engagement.roles import READER, acting_as
from engagement.scope import ALL, Entitled, Scope, Window
from partners import grants
from partners.access import scope_for
from partners.models import AuditEvent, Membership
from tests.cast import CANARY, DAY, Cast
from tests.conftest import SignedIn

ONE = timedelta(days=1)
MONTH = Window(date(2026, 1, 1), date(2026, 2, 1))
VIEWS = {
    "wall_restatement": "engagement_restatement",
    "wall_adjustment": "engagement_adjustment",
}
Told = set[tuple[str, str, str, int | None, int | None]]


@pytest.fixture
def changed(cast: Cast) -> Cast:
    """Old and new numbers tell which title, family, territory they are of."""
    for title in (cast.film, cast.hidden, cast.foreign, cast.shared):
        release = Release.objects.get(title=title, kind="segments")
        old = CANARY if title == cast.foreign else 100
        for number, territory in enumerate(("CN", "SG", ALL)):
            cell: dict[str, Any] = {"title": title, "territory": territory, "release": release}
            for family in ("viewing", "retention"):
                Restatement.objects.create(
                    **cell, family=family, metric="plays", from_day=DAY, until=DAY + ONE,
                    old=old, new=old + number,
                )  # fmt: skip
            Adjustment.objects.create(
                **cell, family="viewing", metric="watch_seconds", from_day=MONTH.since,
                until=MONTH.until, old=old, new=old - number, difference=-number,
            )  # fmt: skip
    return cast


def told(scope: Scope, cast: Cast) -> Told:
    slugs = {t.pk: t.slug for t in (cast.film, cast.hidden, cast.foreign, cast.shared)}
    return {
        (f"{slugs[c.title_id]} {c.territory}", c.family, c.metric, c.old, c.new)
        for c in query.changes(scope)
    }


def of(title: str, territory: str, old: int = 100) -> Told:
    number = ("CN", "SG", ALL).index(territory)
    place = f"{title} {territory}"
    return {
        (place, "viewing", "plays", old, old + number),
        (place, "retention", "plays", old, old + number),
        (place, "viewing", "watch_seconds", old, old - number),
    }


def forged(member: Membership, cast: Cast) -> Scope:
    """A scope in which Python would allow everything."""
    return Scope(
        member.partner_id,
        "web",
        tuple(
            Entitled(cast.grants["film"].pk, t.pk, frozenset(FAMILIES), frozenset({ALL}))
            for t in (cast.film, cast.hidden, cast.foreign, cast.shared)
        ),
    )


@pytest.fixture(params=["both", "Python alone", "Postgres alone"])
def scope_of(request: pytest.FixtureRequest, changed: Cast) -> Any:
    if request.param == "Python alone":
        with connection.cursor() as cursor:
            for view, table in VIEWS.items():
                cursor.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {table}")
    if request.param == "Postgres alone":
        return lambda member: forged(member, changed)
    return lambda member: scope_for(member, "web")


def test_each_partner_is_told_what_changed_of_what_it_may_read(
    changed: Cast, scope_of: Any
) -> None:
    assert told(scope_of(changed.alice), changed) == (
        of("film", "CN") | of("film", "SG") | of("film", ALL) | of("shared", "CN")
    )
    assert told(scope_of(changed.cleo), changed) == of("shared", "SG")
    assert told(scope_of(changed.bob), changed) == {
        change for place in ("CN", "SG", ALL) for change in of("foreign", place, CANARY)
    }


def test_a_grant_that_has_ended_or_was_revoked_tells_nothing(changed: Cast, scope_of: Any) -> None:
    grants.revoke(changed.grants["shared"], by=changed.stella)
    now = django_timezone.now()
    grant = changed.grants["film"]
    grants.expire(grant, at=now - timedelta(minutes=1), by=changed.stella)
    assert told(scope_of(changed.alice), changed) == set()
    assert told(scope_of(changed.cleo), changed) == of("shared", "SG")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"families": ["retention"]}, {("hidden CN", "retention", "plays", 100, 100)}),
        ({"data_from": DAY + ONE}, set()),
        ({"data_until": DAY + ONE}, {t for t in of("hidden", "CN") if t[2] == "plays"}),
        ({"exits": ["api", "export"]}, set()),
        ({"valid_from": django_timezone.now() + timedelta(days=400)}, set()),
        ({}, of("hidden", "CN")),
    ],
    ids=["family", "first day", "month", "exit", "not yet", "enough"],
)
def test_a_change_is_told_by_a_grant_of_its_family_period_and_exit(
    changed: Cast, scope_of: Any, fields: dict[str, Any], expected: Told
) -> None:
    changed.grant(changed.aurora, changed.hidden, **{"territories": ["CN"], **fields})
    found = told(scope_of(changed.alice), changed)
    assert {t for t in found if t[0].startswith("hidden")} == expected


def test_a_closed_months_change_needs_the_month_in_one_tuple(changed: Cast, scope_of: Any) -> None:
    changed.grant(changed.aurora, changed.hidden, data_until=DAY + 9 * ONE)
    changed.grant(changed.aurora, changed.hidden, data_from=DAY + 9 * ONE)
    found = {t for t in told(scope_of(changed.alice), changed) if t[0].startswith("hidden")}
    assert {t[2] for t in found} == {"plays"}


def test_without_a_partner_the_reader_is_told_nothing(changed: Cast) -> None:
    with acting_as(READER), connection.cursor() as cursor:
        for view in VIEWS:
            cursor.execute(f"SELECT count(*) FROM {view}")
            assert cursor.fetchone() == (0,)


def test_the_api_tells_old_and_new_and_records_that_it_did(changed: Cast) -> None:
    answer = SignedIn(changed.cleo.user).get("/api/v1/p/cirrus/changes/").json()["changes"]
    for change in answer:
        assert change.pop("at").startswith(str(django_timezone.now().year))
    restated = {
        "kind": "restatement", "title": "shared", "territory": "SG", "from": "2026-01-01",
        "until": "2026-01-02", "metric": "plays", "old": 100, "new": 101,
    }  # fmt: skip
    adjusted = {
        "kind": "adjustment", "title": "shared", "family": "viewing", "territory": "SG",
        "from": "2026-01-01", "until": "2026-02-01", "metric": "watch_seconds", "old": 100,
        "new": 99,
    }  # fmt: skip
    assert sorted(answer, key=lambda c: (c["kind"], c["family"])) == [
        adjusted, {**restated, "family": "retention"}, {**restated, "family": "viewing"},
    ]  # fmt: skip
    event = AuditEvent.objects.get(action="list.read", target="changes")
    assert (event.actor, event.partner, event.detail) == (
        changed.cleo.user, changed.cirrus, {"changes": 3},
    )  # fmt: skip


def test_a_member_with_a_limit_is_told_of_its_titles_and_families(changed: Cast) -> None:
    Membership.objects.filter(pk=changed.amy.pk).update(
        limit_titles=[changed.shared.pk], limit_families=["retention"]
    )
    answer = SignedIn(changed.amy.user).get("/api/v1/p/aurora/changes/").json()["changes"]
    assert [(c["title"], c["family"], c["territory"]) for c in answer] == [
        ("shared", "retention", "CN")
    ]


def test_the_title_page_lists_the_changes_of_its_window_and_territory(changed: Cast) -> None:
    Restatement.objects.filter(new=102).update(new=None)  # over all: taken back
    alice = SignedIn(changed.alice.user)

    def rows(asked: str) -> list[str]:
        page = alice.get(f"/p/aurora/titles/film/{asked}").content.decode()
        _, found, section = page.partition('id="changes-name"')
        cells = section.partition("<tbody>")[2].partition("</tbody>")[0] if found else ""
        return sorted(" ".join(row.split()) for row in _plain(cells).split("\f") if row.strip())

    assert rows("?from=2026-01-02&until=2026-01-05&territory=CN") == [
        "1 Jan – 31 Jan closed month China Viewing · Watch seconds 100 100"
    ]
    assert rows("?from=2026-01-01&until=2026-01-05&territory=*") == [
        "1 Jan All territories Retention · Plays 100 —",
        "1 Jan All territories Viewing · Plays 100 —",
        "1 Jan – 31 Jan closed month All territories Viewing · Watch seconds 100 98",
    ]
    assert len(rows("?from=2026-01-01&until=2026-01-05")) == 9
    assert rows("?from=2026-02-01&until=2026-02-05") == []


def _plain(html: str) -> str:
    """The text of table rows, without the day of the change that ends each, parted by \\f."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    return "\f".join(re.sub(r"<[^>]+>", " ", row.rpartition("<td ")[0]) for row in rows)
