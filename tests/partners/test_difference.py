"""partners/difference.py: what a change opens and closes, and that it is what then happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from engagement.scope import ALL, EVER, Window
from partners import grants, narrowing
from partners.blocks import Box, Difference, Key, Reach, between, held_within
from partners.difference import (
    member_reach,
    of_trial,
    on_approval,
    on_narrowing,
    on_revoking,
    standing,
)
from partners.models import Grant, Membership
from tests.cast import Cast

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def told(pieces: Any) -> list[tuple[int, tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    return [(p.title_id, p.families, p.territories, p.exits) for p in pieces]


def proposed(cast: Cast, **fields: Any) -> Grant:
    grant = Grant.objects.create(
        **{
            "partner": cast.aurora,
            "families": ["danmu", "viewing"],
            "territories": ["CN", "SG"],
            "exits": ["web", "delta"],
            "valid_from": NOW,
            "contract_reference": "C-9",
            "made_by": cast.stella,
            **fields,
        }
    )
    grant.titles.set([cast.shared])
    return grant


def everything(cast: Cast) -> Reach:
    return standing(Q(partner=cast.aurora))


def test_what_other_grants_open_already_is_no_difference(cast: Cast) -> None:
    """Aurora has the shared title in CN through all exits but delta."""
    found = on_approval(proposed(cast))
    assert told(found.opens) == [
        (cast.shared.pk, ("danmu", "viewing"), ("CN",), ("delta",)),
        (cast.shared.pk, ("danmu", "viewing"), ("SG",), ("delta", "web")),
    ]
    assert found.closes == ()


def test_the_difference_of_a_replacement_tells_both_sides(cast: Cast) -> None:
    old = cast.grants["shared"]
    found = on_approval(proposed(cast, replaces=old, families=old.families, exits=["web"]))
    assert told(found.opens) == [(cast.shared.pk, tuple(sorted(old.families)), ("SG",), ("web",))]
    assert told(found.closes) == [
        (cast.shared.pk, tuple(sorted(old.families)), ("CN",), ("api", "email", "export"))
    ]


def test_a_replacement_for_later_closes_nothing_until_then(cast: Cast) -> None:
    begins = timezone.now() + timedelta(days=9)
    old = cast.grants["shared"]
    [closed] = on_approval(
        proposed(cast, replaces=old, families=old.families, exits=["web", "export", "email"],
                 valid_from=begins)
    ).closes  # fmt: skip
    assert (closed.exits, closed.box.valid_from) == (("api",), begins)


def test_revoking_closes_what_no_other_grant_opens(cast: Cast) -> None:
    grants.approve(proposed(cast), by=cast.sam)
    found = on_revoking(cast.grants["shared"])
    assert found.opens == ()
    assert ("web",) not in [p.exits for p in found.closes if p.families == ("danmu", "viewing")]
    kept = {"danmu", "viewing"}
    assert {f for p in found.closes if p.exits == ("web",) for f in p.families}.isdisjoint(kept)


def test_what_is_shown_of_each_step_is_what_it_does(cast: Cast) -> None:
    """P4's other side: the page before and the walls after say the same."""
    grant = proposed(cast, data_from=date(2026, 1, 3))

    def narrow() -> None:
        narrowing.narrow(grant, to, by=cast.stella)

    steps = [(lambda: on_approval(grant), lambda: grants.approve(grant, by=cast.sam))]
    to = replace(grants.Terms.of(grant), exits=frozenset({"delta"}), data_until=date(2026, 1, 8))
    steps.append((lambda: on_narrowing(grant, to), narrow))
    steps.append((lambda: on_revoking(grant), lambda: grants.revoke(grant, by=cast.stella)))
    for show, act in steps:
        grant.refresh_from_db()
        before, shown = everything(cast), show()
        act()
        assert shown == between(before, everything(cast))
        assert shown


def test_a_trial_leaves_nothing_behind(cast: Cast) -> None:
    def limit() -> None:
        Membership.objects.filter(pk=cast.amy.pk).update(limit_titles=[cast.film.pk])

    before = member_reach(cast.amy)
    found = of_trial(limit, lambda: member_reach(cast.amy))
    assert {p.title_id for p in found.closes} == {cast.shared.pk}
    assert found.opens == ()
    assert member_reach(cast.amy) == before
    cast.amy.refresh_from_db()
    assert cast.amy.limit_titles is None


# -- the arithmetic against a slow count ----------------------------------------------------------

DAY = date(2026, 1, 1)
PARTNER = UUID(int=1)


def _day(n: int) -> date:
    return DAY + timedelta(days=n)


spans = st.tuples(st.integers(0, 4), st.integers(1, 3)).map(lambda s: (s[0], s[0] + s[1]))
boxes = st.tuples(spans, spans).map(
    lambda s: Box(
        Window(_day(s[0][0]), _day(s[0][1])),
        NOW + timedelta(days=s[1][0]),
        NOW + timedelta(days=s[1][1]),
    )
)
reaches = st.dictionaries(
    st.sampled_from(["CN", "SG", ALL]).map(lambda t: Key(PARTNER, 1, "danmu", "web", t)),
    st.lists(boxes, min_size=1, max_size=3).map(tuple),
)


def cells(reach: Reach) -> set[tuple[str, int, int]]:
    """(territory, day, moment of validity), one by one; `*` is every territory and itself."""
    return {
        (territory, d, v)
        for key, found in reach.items()
        for box in found
        for territory in (["CN", "SG", ALL] if key.territory == ALL else [key.territory])
        for d in range(10)
        for v in range(10)
        if box.window.since <= _day(d) < box.window.until
        and box.valid_from <= NOW + timedelta(days=v) < box.valid_until
    }


def pieces_as_reach(difference: Difference, side: str) -> Reach:
    reach: dict[Key, tuple[Box, ...]] = {}
    for p in getattr(difference, side):
        for territory in p.territories:
            key = Key(p.partner_id, p.title_id, *p.families, *p.exits, territory)
            reach[key] = (*reach.get(key, ()), p.box)
    return reach


@given(reaches, reaches)
def test_a_difference_is_what_a_cell_by_cell_count_finds(before: Reach, after: Reach) -> None:
    """What `*` opens beside a territory that was open is told as `*`: it opens the others."""
    found = between(before, after)
    for side, one, other in (("opens", after, before), ("closes", before, after)):
        exact = cells(one) - cells(other)
        assert exact <= cells(pieces_as_reach(found, side)) <= cells(one)
        if exact == set():
            assert getattr(found, side) == ()


@given(
    st.lists(st.tuples(st.sampled_from([["CN"], ["SG"], ["CN", "SG"], [ALL]]), spans), max_size=4),
    st.sampled_from([["CN"], ["SG", "MY"], ["CN", "SG", "MY"], [ALL]]),
    spans,
)
def test_what_holdings_cover_is_what_a_count_by_day_finds(
    held: list[tuple[list[str], tuple[int, int]]], asked: list[str], days: tuple[int, int]
) -> None:
    found = held_within(
        [(codes, _day(a), _day(b)) for codes, (a, b) in held],
        asked,
        Window(_day(days[0]), _day(days[1])),
    )
    codes = ["CN", "SG", "MY", ALL]
    expected = {
        (code, d)
        for code in codes
        for d in range(*days)
        if (code in asked or ALL in asked)
        and any(a <= d < b and (code in of or ALL in of) for of, (a, b) in held)
    }
    assert {
        (code, d)
        for of, window in found
        for code in codes
        if code in of or ALL in of
        for d in range(10)
        if window.since <= _day(d) < window.until
    } == expected
    assert all(window != EVER for _, window in found)
