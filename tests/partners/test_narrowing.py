"""A grant after its approval: narrowed by one person, replaced by two."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from engagement.models import Title
from partners import grants, narrowing
from partners.models import AuditEvent, Grant
from partners.refreshing import refresh
from tests.cast import Cast
from tests.partners.proposals import open_now, proposed

pytestmark = pytest.mark.usefixtures("in_english")


def test_one_person_narrows_an_approved_grant_and_it_bites_at_once(
    cast: Cast, series: dict[str, Title]
) -> None:
    grant = proposed(
        cast, series["s"], cast.film, families=["viewing", "danmu"], territories=["*"],
        exits=["web", "api"],
    )  # fmt: skip
    grants.approve(grant, by=cast.sam)
    to = replace(
        grants.Terms.of(grant),
        titles=frozenset({series["s"].pk}),
        families=frozenset({"danmu"}),
        territories=frozenset({"SG", "CN"}),
        exits=frozenset({"web"}),
        data_until=date(2026, 5, 1),
    )
    narrowing.narrow(grant, to, by=cast.stella)
    assert [
        (e.title.slug, e.families, e.territories, e.exits, e.data_until)
        for e in grant.entitlements.order_by("title__slug")
    ] == [(slug, ["danmu"], ["CN", "SG"], ["web"], date(2026, 5, 1)) for slug in ("s", "s-1")]
    told = AuditEvent.objects.get(action="grant.narrowed")
    assert (told.actor, told.partner, told.target) == (cast.stella, cast.aurora, str(grant.pk))
    assert told.detail["before"]["families"] == ["danmu", "viewing"]
    assert told.detail["after"]["titles"] == ["s"]


@pytest.mark.parametrize(
    ("part", "wider"),
    [
        ("titles", lambda cast: {"titles": frozenset({cast.film.pk, cast.hidden.pk})}),
        ("families", lambda cast: {"families": frozenset({"retention", "danmu"})}),
        ("territories", lambda cast: {"territories": frozenset({"CN", "SG"})}),
        ("territories", lambda cast: {"territories": frozenset({"*"})}),
        ("exits", lambda cast: {"exits": frozenset({"web", "api"})}),
        ("data_from", lambda cast: {"data_from": None}),
        ("data_until", lambda cast: {"data_until": date(2026, 2, 2)}),
    ],
)
def test_nothing_is_widened_by_narrowing(cast: Cast, part: str, wider: Any) -> None:
    """Case 78: a widening after approval is a new grant."""
    grant = proposed(cast, cast.film, data_from=date(2026, 1, 1), data_until=date(2026, 2, 1))
    grants.approve(grant, by=cast.sam)
    before = list(grant.entitlements.values())
    with pytest.raises(grants.GrantError, match=rf"more than was approved \({part}\)"):
        narrowing.narrow(grant, replace(grants.Terms.of(grant), **wider(cast)), by=cast.sam)
    assert list(grant.entitlements.values()) == before


def test_what_leaves_nothing_is_revoking_and_a_proposal_is_not_narrowed(cast: Cast) -> None:
    grant = proposed(cast, cast.film)
    terms = grants.Terms.of(grant)
    with pytest.raises(grants.GrantError, match="Only an approved"):
        narrowing.narrow(grant, terms, by=cast.stella)
    grants.approve(grant, by=cast.sam)
    for empty in (
        {"families": frozenset()},
        {"titles": frozenset()},
        {"data_from": date(2026, 1, 1), "data_until": date(2026, 1, 1)},
    ):
        with pytest.raises(grants.GrantError, match="Nothing would be left"):
            narrowing.narrow(grant, replace(terms, **empty), by=cast.stella)
    assert open_now(grant) == ["film"]


def test_what_the_shell_narrows_is_closed_until_it_is_written_anew(cast: Cast) -> None:
    """Case 78: the database does not leave open what the grant no longer says."""
    grant = proposed(cast, cast.film, cast.hidden, families=["retention", "danmu"])
    grants.approve(grant, by=cast.sam)
    Grant.objects.filter(pk=grant.pk).update(families=["danmu"])
    assert open_now(grant) == []
    assert refresh([cast.film.pk])[0].waits
    assert open_now(grant) == []
    refresh([cast.film.pk, cast.hidden.pk], widens=True)
    assert open_now(grant) == ["film", "hidden"]
    grant.titles.remove(cast.hidden)
    assert open_now(grant) == []


def test_a_widening_replaces_the_old_grant_on_approval_without_a_gap(cast: Cast) -> None:
    old = cast.grants["shared"]
    wider = proposed(cast, cast.shared, territories=["CN", "HK"], replaces=old)
    assert open_now(old) == ["shared"]
    grants.approve(wider, by=cast.sam)
    old.refresh_from_db()
    assert (old.state, open_now(old), open_now(wider)) == ("revoked", [], ["shared"])
    told = AuditEvent.objects.get(action="grant.approved", target=str(wider.pk))
    assert told.detail["replaces"] == str(old.pk)


def test_a_replacement_that_begins_later_lets_the_old_grant_run_until_then(cast: Cast) -> None:
    old, begins = cast.grants["shared"], timezone.now() + timedelta(days=3)
    grants.approve(
        proposed(cast, cast.shared, territories=["CN", "HK"], replaces=old, valid_from=begins),
        by=cast.sam,
    )
    old.refresh_from_db()
    assert (old.state, old.valid_until) == ("approved", begins)
    assert list(old.entitlements.values_list("valid_until", flat=True)) == [begins]


def test_what_has_ended_is_not_replaced(cast: Cast) -> None:
    old = cast.grants["shared"]
    wider = proposed(cast, cast.shared, replaces=old)
    grants.revoke(old, by=cast.stella)
    with pytest.raises(grants.GrantError, match="not approved any more"):
        grants.approve(wider, by=cast.sam)
    assert open_now(wider) == []


def test_the_database_refuses_to_replace_another_partners_grant(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="same partner"), transaction.atomic():
        proposed(cast, cast.film, replaces=cast.grants["foreign"])
