"""Fan sets: who is in one, whom its rows are made for, and how sure a lift is."""

from __future__ import annotations

import math
import uuid
from datetime import date, timedelta

import numpy as np
import pytest

from engagement.pipeline.fansets import (
    CONSENTED,
    ERROR_OF_ONE,
    OWN,
    POOLED,
    Between,
    Fans,
    Rule,
    half_width,
    in_common,
    lift,
    made_for,
    noised,
    none_dominant,
)
from engagement.pipeline.holders import Consented, Held, Holders
from engagement.scope import ALL, Window

WEEK = Window(date(2026, 6, 1), date(2026, 6, 8))
A, B, C, D, E, F = (uuid.UUID(int=n) for n in range(1, 7))
ANY = frozenset({ALL})


def people(*ids: int) -> np.ndarray:
    return np.array(sorted(ids), np.uint64)


def holders(*pairs: tuple[int, uuid.UUID], consents: tuple[Consented, ...] = ()) -> Holders:
    return Holders(tuple(Held(title, partner, ANY) for title, partner in pairs), consents)


def test_a_title_makes_no_fans_of_itself() -> None:
    fans = Fans({1: people(1, 2, 3), 2: people(3, 4)})
    assert fans.without([1]).tolist() == [3, 4]
    assert fans.without([]).tolist() == [1, 2, 3, 4]
    assert fans.without([1, 2]).tolist() == []
    assert in_common(fans.without([1]), people(2, 3, 9)) == 1


def test_own_titles_make_a_row_for_their_partner_alone() -> None:
    fans = Fans({1: people(1), 2: people(2)})
    held = holders((1, A), (2, A), (9, A), (9, B))
    assert made_for([9], fans, held, WEEK) == {A: OWN}


def test_a_set_of_the_title_alone_makes_no_row() -> None:
    assert made_for([1], Fans({1: people(1)}), holders((1, A)), WEEK) == {}


def test_one_foreign_title_needs_that_partners_consent() -> None:
    fans = Fans({1: people(1), 2: people(2)})
    pairs = ((1, A), (2, B), (9, A))
    assert made_for([9], fans, holders(*pairs), WEEK) == {}
    given = Consented(2, B, A, WEEK.since)
    assert made_for([9], fans, holders(*pairs, consents=(given,)), WEEK) == {A: CONSENTED}
    for refused in (
        Consented(2, B, C, WEEK.since),  # to somebody else
        Consented(2, B, A, WEEK.since + timedelta(days=1)),  # from the second day on
        Consented(2, B, A, WEEK.since - timedelta(days=9), WEEK.until - timedelta(days=1)),
        Consented(1, B, A, WEEK.since),  # of another title
        Consented(2, D, A, WEEK.since),  # from one who does not hold it
    ):
        assert made_for([9], fans, holders(*pairs, consents=(refused,)), WEEK) == {}


def test_everyone_who_holds_a_title_consents_or_nobody_has() -> None:
    """Also after it went from one to another: the old one's consent is not the new one's."""
    fans = Fans({1: people(1), 2: people(2)})
    mine, of_b, of_c = ((1, A), (9, A)), (2, B), (2, C)
    by_b, by_c = Consented(2, B, A, WEEK.since), Consented(2, C, A, WEEK.since)
    for pairs, consents, made in (
        ((*mine, of_b, of_c), (by_b,), {}),
        ((*mine, of_b, of_c), (by_b, by_c), {A: CONSENTED}),
        ((*mine, of_c), (by_b,), {}),
        (mine, (by_b,), {}),  # nobody's any more
    ):
        assert made_for([9], fans, holders(*pairs, consents=consents), WEEK) == made


def test_five_partners_none_dominant_make_a_row_for_everyone() -> None:
    pairs = [(n, partner) for n, partner in enumerate((A, B, C, D, E), start=1)]
    even = Fans({n: people(*range(100 * n, 100 * n + 20)) for n, _ in pairs})
    assert made_for([9], even, holders(*pairs, (9, F)), WEEK) == {None: POOLED}
    assert made_for([9], Fans(dict(list(even.by_title.items())[:4])), holders(*pairs), WEEK) == {}
    empty = Fans({**even.by_title, 5: people()})
    assert made_for([9], empty, holders(*pairs, (9, F)), WEEK) == {}, "a fifth who brings nobody"


@pytest.mark.parametrize(
    ("viewers", "allowed"),
    [
        ([20, 20, 20, 20, 20], True),
        ([25, 25, 25, 25], False),
        ([50, 20, 10, 10, 10], True),  # half is allowed, more is not
        ([51, 19, 10, 10, 10], False),
        ([40, 40, 7, 7, 6], True),
        ([41, 40, 7, 6, 6], False),
        ([], False),
    ],
)
def test_dominance(viewers: list[int], allowed: bool) -> None:
    assert none_dominant({uuid.UUID(int=n): v for n, v in enumerate(viewers)}) is allowed


def test_a_holding_that_ended_before_the_week_makes_nothing() -> None:
    held = Holders(
        (
            Held(1, A, ANY, until=WEEK.since),
            Held(9, A, ANY),
        )
    )
    assert made_for([9], Fans({1: people(1)}), held, WEEK) == {}


def test_a_rule_holds_from_its_day_until_the_next_version() -> None:
    rule = Rule(1, "s", True, frozenset({1}), WEEK.since, WEEK.until)
    assert rule.holds(WEEK)
    assert not rule.holds(Window(WEEK.since, WEEK.until + timedelta(days=7)))
    assert not rule.holds(Window(WEEK.since - timedelta(days=7), WEEK.since))


def test_the_width_of_one_draw_is_the_distributions_own() -> None:
    scale, error = 40.0, 0.05
    a = math.exp(-1 / scale)
    q = half_width(scale, 1, error)
    beyond = lambda k: 2 * a ** (k + 1) / (1 + a)  # noqa: E731
    assert beyond(q) <= error < beyond(q - 1)


@pytest.mark.parametrize("draws", [1, 2, 6])
def test_the_width_holds_drawn_sums(draws: int) -> None:
    generator = np.random.default_rng(20261124)
    p = 1 - math.exp(-1 / 40)
    sums = (
        generator.geometric(p, (100_000, draws)) - generator.geometric(p, (100_000, draws))
    ).sum(axis=1)
    outside = (np.abs(sums) > half_width(40.0, draws, 0.05)).mean()
    assert 0.045 < outside < 0.052


def test_a_count_is_never_published_below_nobody() -> None:
    assert noised(-30, 40.0, 1, 0.05) == Between(0, 0, half_width(40.0, 1, 0.05) - 30)


def test_a_lift_is_how_much_likelier_than_on_the_platform() -> None:
    exact = [Between(v, v, v) for v in (300, 1000, 10_000, 100_000)]
    found = lift(*exact)
    assert found is not None
    assert (round(found.value, 6), round(found.low, 6), round(found.high, 6)) == (3, 3, 3)
    assert lift(*exact[:2], Between(5, 0, 10), exact[3]) is None


def test_the_interval_of_a_lift_holds_the_truth() -> None:
    """1,000 noised tables: the true lift is inside at least 950 intervals."""
    generator = np.random.default_rng(7)
    inside = 0
    for _ in range(1000):
        draw = lambda scale: int(  # noqa: E731
            np.subtract(*generator.geometric(1 - math.exp(-1 / scale), 2))
        )
        found = lift(
            noised(300 + draw(40), 40.0, 1, ERROR_OF_ONE),
            Between(1000, 1000, 1000),
            noised(10_000 + draw(20), 20.0, 1, ERROR_OF_ONE),
            noised(100_000 + draw(10), 10.0, 1, ERROR_OF_ONE),
        )
        assert found is not None
        inside += found.low <= 3.0 <= found.high
    assert inside >= 950
