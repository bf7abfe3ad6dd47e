"""What a bundle is compared with: the days before, under grants of their own."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engagement.models import Release, Restatement
from engagement.scope import Part, Window
from partners import grants
from partners.access import scope_for
from reports.build import build
from reports.models import Bundle
from reports.plan import COMPARED, Covered, ask_bundle, content, content_before, covered
from reports.plan import restated_before as restated
from reports.render.document import days_before
from tests.cast import DAY, DAYS, Cast

HALF = DAY + timedelta(days=5)
SECOND = Window(HALF, DAY + timedelta(days=DAYS))
FIRST = Window(DAY, HALF)
pytestmark = pytest.mark.usefixtures("storage")


def made(cast: Cast) -> Bundle:
    bundle = ask_bundle(membership=cast.alice, titles=[cast.film.pk], window=SECOND, language="en")
    assert build(bundle.pk)
    return Bundle.objects.get(pk=bundle.pk)


def windows(bundle: Bundle) -> set[tuple[str, str]]:
    return {(entry["from"], entry["until"]) for entry in bundle.scope}


def test_the_days_before_are_as_many_and_end_where_the_window_begins() -> None:
    assert days_before(SECOND) == FIRST
    assert days_before(Window(date.min, date(2026, 1, 1))) is None


def test_a_file_that_tells_of_the_days_before_is_withdrawn_with_the_grant_of_them(
    cast: Cast,
) -> None:
    bundle = made(cast)
    assert windows(bundle) == {("2026-01-01", "2026-01-06"), ("2026-01-06", "2026-01-11")}
    grants.revoke(cast.grants["film"], by=cast.sam)
    late = cast.grant(cast.aurora, cast.film, data_from=HALF)
    assert not covered(bundle, scope_for(cast.alice, "export"))
    grants.revoke(late, by=cast.sam)
    cast.grant(cast.aurora, cast.film)
    assert covered(bundle, scope_for(cast.alice, "export"))


def test_case_4_days_before_that_are_not_granted_are_not_asked_for(cast: Cast) -> None:
    grants.revoke(cast.grants["film"], by=cast.sam)
    begins = DAY + timedelta(days=3)
    partly = cast.grant(cast.aurora, cast.film, data_from=begins)
    scope = scope_for(cast.alice, "export", [cast.film.pk])
    [before] = content_before(scope, content(scope, SECOND), SECOND)
    assert {q.resource for q in before.queries} == set(COMPARED)
    assert {part for q in before.queries for part in q.parts or ()} == {
        Part("*", Window(begins, HALF))
    }
    assert windows(made(cast)) == {("2026-01-04", "2026-01-06"), ("2026-01-06", "2026-01-11")}
    grants.revoke(partly, by=cast.sam)
    cast.grant(cast.aurora, cast.film, data_from=HALF)
    scope = scope_for(cast.alice, "export", [cast.film.pk])
    assert content_before(scope, content(scope, SECOND), SECOND) == []


def test_a_restated_number_of_the_days_before_is_told_under_its_own_days(cast: Cast) -> None:
    release = Release.objects.filter(title=cast.film, kind="segments").first()
    days = [
        (DAY, HALF),  # a piece
        (HALF, HALF + timedelta(days=1)),  # of this report's days: they were never reported before
    ]
    for since, until in days:
        Restatement.objects.create(
            title=cast.film, release=release, territory="*", from_day=since, until=until,
            family="viewing", metric="plays", old=200, new=210,
        )  # fmt: skip
    scope = scope_for(cast.alice, "export", [cast.film.pk])
    [(change, told)] = restated(scope, content(scope, SECOND), SECOND)
    assert (change.old, change.new) == (200, 210)
    assert told == Covered(cast.film.pk, "viewing", Part("*", FIRST))
    only_danmu = scope_for(cast.alice, "export", [cast.film.pk])
    chapters = [
        type(c)(c.title, tuple(q for q in c.queries if q.resource == "danmu"))
        for c in content(only_danmu, SECOND)
    ]
    assert restated(only_danmu, chapters, SECOND) == []
