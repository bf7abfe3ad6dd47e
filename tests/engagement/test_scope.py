"""Scope against a slow, obvious count: day by day, territory by territory."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.scope import (
    ALL,
    EVER,
    Entitled,
    OutsideScope,
    Part,
    Query,
    Refused,
    Scope,
    Window,
)

FIRST = date(2026, 3, 1)
DAYS = 12
TERRITORIES = ("CN", "SG", "MY")
GRANT = UUID(int=1)


def window(a: int, b: int) -> Window:
    return Window(FIRST + timedelta(days=a), FIRST + timedelta(days=b))


windows = (
    st.tuples(st.integers(0, DAYS), st.integers(0, DAYS))
    .filter(lambda ab: ab[0] != ab[1])
    .map(lambda ab: window(min(ab), max(ab)))
)
tuples = st.builds(
    Entitled,
    grant_id=st.just(GRANT),
    title_id=st.sampled_from([1, 2]),
    families=st.sets(st.sampled_from(["viewing", "danmu"]), min_size=1).map(frozenset),
    territories=st.sets(st.sampled_from([*TERRITORIES, ALL]), min_size=1).map(frozenset),
    window=windows,
)
scopes = st.lists(tuples, max_size=5).map(lambda t: Scope(UUID(int=2), "web", tuple(t)))
queries = st.builds(
    Query,
    title_id=st.sampled_from([1, 2]),
    resource=st.just("viewing"),
    window=windows,
    territory=st.sampled_from([None, *TERRITORIES, ALL]),
)


def granted_cells(scope: Scope, title_id: int, family: str) -> set[tuple[str, int]]:
    """Every (territory, day) that some tuple grants; `*` is a territory of its own."""
    return {
        (territory, day)
        for e in scope.entitled
        if e.title_id == title_id and family in e.families
        for territory in (*TERRITORIES, ALL)
        if territory in e.territories or ALL in e.territories
        for day in range(DAYS)
        if e.window.since <= FIRST + timedelta(days=day) < e.window.until
    }


def cells_of(parts: tuple[Part, ...]) -> set[tuple[str, int]]:
    return {
        (p.territory, day)
        for p in parts
        for day in range(DAYS)
        if p.window.since <= FIRST + timedelta(days=day) < p.window.until
    }


def days_asked(query: Query) -> set[int]:
    return {
        day
        for day in range(DAYS)
        if query.window.since <= FIRST + timedelta(days=day) < query.window.until
    }


@given(scopes, queries)
def test_clip_answers_what_is_granted_and_nothing_else(scope: Scope, query: Query) -> None:
    granted = granted_cells(scope, query.title_id, "viewing")
    if not granted:
        with pytest.raises(Refused):
            scope.clip(query, ["viewing"])
        return
    clipped = scope.clip(query, ["viewing"])
    answered = cells_of(clipped.parts or ()) if clipped else set()
    assert answered <= granted
    asked = days_asked(query)
    if query.territory is not None:
        assert answered == {(t, d) for t, d in granted if t == query.territory and d in asked}
    else:
        # a day granted over all territories is answered by `*` alone, so that nothing is
        # counted twice
        for day in asked:
            whole = (ALL, day) in granted
            expected = {ALL} if whole else {t for t, d in granted if d == day}
            assert {t for t, d in answered if d == day} == expected


@given(scopes, queries)
def test_a_query_is_answered_whole_or_refused(scope: Scope, query: Query) -> None:
    granted = granted_cells(scope, query.title_id, "viewing")
    if not granted:
        with pytest.raises(Refused):
            scope.check(query, ["viewing"])
        return
    asked = {(query.territory or t, d) for t in (*TERRITORIES, ALL) for d in days_asked(query)}
    refused: OutsideScope | None = None
    try:
        parts = scope.check(query, ["viewing"])
    except OutsideScope as error:
        refused = error
    if refused:
        assert asked - granted
        assert cells_of(refused.granted) <= granted
        return
    assert cells_of(parts) <= granted
    assert {p.window for p in parts} == {query.window}


@given(scopes, queries)
def test_reach_never_crosses_the_edge_of_a_tuple(scope: Scope, query: Query) -> None:
    parts = tuple(Part(t, query.window) for t in TERRITORIES)
    for block in scope.reach(query.title_id, ["viewing"], parts):
        assert any(
            e.title_id == query.title_id
            and "viewing" in e.families
            and e.reaches(block.territory)
            and e.window.holds(block.window)
            for e in scope.entitled
        )


def test_parts_that_are_not_in_scope_are_refused_whoever_made_them() -> None:
    scope = Scope(
        UUID(int=2),
        "web",
        (Entitled(GRANT, 1, frozenset({"viewing"}), frozenset({"CN"}), window(0, 5)),),
    )
    for part in (Part("SG", window(0, 1)), Part(ALL, window(0, 1)), Part("CN", window(4, 6))):
        with pytest.raises(OutsideScope):
            scope.check(Query(1, "viewing", window(0, 5), parts=(part,)), ["viewing"])
    ok = Part("CN", window(1, 5))
    assert scope.check(Query(1, "viewing", EVER, parts=(ok,)), ["viewing"]) == (ok,)


def test_two_families_need_one_tuple_that_grants_both() -> None:
    scope = Scope(
        UUID(int=2),
        "web",
        (
            Entitled(GRANT, 1, frozenset({"viewing"}), frozenset({ALL}), window(0, 5)),
            Entitled(GRANT, 1, frozenset({"danmu"}), frozenset({ALL}), window(0, 5)),
        ),
    )
    with pytest.raises(Refused):
        scope.check(Query(1, "viewing", window(0, 5)), ["viewing", "danmu"])


def test_an_empty_window_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="empty window"):
        window(3, 3)
