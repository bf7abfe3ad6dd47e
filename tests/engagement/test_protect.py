"""No number of fewer viewers than the floor, and none to be had by subtraction."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.protect import Cell, Piece, Plan, protect
from engagement.pipeline.sketches import Viewers

FLOOR = 5
START = date(2026, 9, 1)
Log = list[tuple[int, str, str, int]]  # day, territory, device, viewer


def cells(log: Log) -> dict[date, dict[tuple[str, str], Cell]]:
    people: dict[tuple[int, str, str], set[int]] = {}
    for day, territory, device, viewer in log:
        for key in itertools.product((territory, "*"), (device, "*")):
            people.setdefault((day, *key), set()).add(viewer)
    days: dict[date, dict[tuple[str, str], Cell]] = {}
    for (number, territory, device), viewers in people.items():
        day = START + timedelta(days=number)
        days.setdefault(day, {})[territory, device] = Cell(len(viewers), frozenset(viewers))
    return days


def watched(log: Log, since: date, until: date, territory: str, device: str = "*") -> set[int]:
    return {
        v
        for d, t, dev, v in log
        if since <= START + timedelta(days=d) < until
        if territory in (t, "*") and device in (dev, "*")
    }


@st.composite
def logs(draw: st.DrawFn, days: int = 7) -> Log:
    return draw(
        st.lists(
            st.tuples(
                st.integers(0, days - 1),
                st.sampled_from(["CN", "CN", "CN", "HK", "HK", "SG"]),
                st.sampled_from(["tv", "tv", "phone", "pad"]),
                st.integers(0, 25),
            ),
            min_size=20,
            max_size=120,
        )
    )


def by_day(log: Log) -> Plan:
    """Published one day after the other."""
    plan = protect({}, floor=FLOOR)
    for day in sorted({row[0] for row in log}):
        seen = [row for row in log if row[0] <= day]
        plan = protect(cells(seen), plan.pieces, floor=FLOOR)
    return plan


def singles(pieces: Iterable[Piece]) -> list[Piece]:
    return [p for p in pieces if p.territory != "*"]


def spans(pieces: Iterable[Piece], device: str = "*") -> list[tuple[Piece, ...]]:
    """Neighbouring pieces of `*`, from any first to any last."""
    whole = sorted(p for p in pieces if p.territory == "*")
    rows = [whole[i:j] for i in range(len(whole)) for j in range(i + 1, len(whole) + 1)]
    return [tuple(r) for r in rows if device == "*" or all(device in p.devices for p in r)]


def remainder(log: Log, span: tuple[Piece, ...], pieces: Iterable[Piece], device: str) -> set[int]:
    """`*` over the span less every territory published in pieces that tile it."""
    since, until = span[0].since, span[-1].until
    left: set[int] = set()
    for territory in {row[1] for row in log}:
        days = {
            START + timedelta(days=d)
            for d, t, dev, _ in log
            if t == territory and device in (dev, "*")
            if any(p.since <= START + timedelta(days=d) < p.until for p in span)
        }
        covered: set[date] = set()
        for piece in pieces:
            if piece.territory != territory or (device != "*" and device not in piece.devices):
                continue
            if since <= piece.since and piece.until <= until:
                covered |= {d for d in days if piece.since <= d < piece.until}
        if days - covered:
            for day in days:
                left |= watched(log, day, day + timedelta(days=1), territory, device)
    return left


def assert_protected(log: Log, pieces: tuple[Piece, ...]) -> None:
    for piece in pieces:
        for device in ("*", *piece.devices):
            people = watched(log, piece.since, piece.until, piece.territory, device)
            assert len(people) >= FLOOR, (piece, device)
        hidden = {
            row[2] for row in log if watched(log, piece.since, piece.until, piece.territory, row[2])
        } - piece.devices
        withheld = set().union(
            *(watched(log, piece.since, piece.until, piece.territory, d) for d in hidden)
        )
        assert not withheld or len(withheld) >= FLOOR, piece
    for first, second in itertools.combinations(pieces, 2):
        if first.territory == second.territory:
            assert not first.overlaps(second.since, second.until)
    for device in ("*", "tv", "phone", "pad"):
        for span in spans(pieces, device):
            left = remainder(log, span, pieces, device)
            assert not left or len(left) >= FLOOR, (device, span)


@given(logs())
def test_every_piece_and_every_remainder_is_at_the_floor(log: Log) -> None:
    """Cases 85 and 86, P7."""
    assert_protected(log, protect(cells(log), floor=FLOOR).pieces)


@given(logs())
def test_day_by_day_is_the_same_as_all_at_once(log: Log) -> None:
    at_once = protect(cells(log), floor=FLOOR)
    assert [(p, p.devices) for p in by_day(log).pieces] == [(p, p.devices) for p in at_once.pieces]


@given(logs(), logs(days=4))
def test_late_rows_leave_everything_protected(log: Log, late: Log) -> None:
    before = protect(cells(log), floor=FLOOR)
    everything = log + late
    changed = {}
    for piece in before.pieces:
        people = watched(late, piece.since, piece.until, piece.territory)
        if people:
            changed[piece] = Viewers(np.array(sorted(people), np.uint64))
    after = protect(cells(everything), before.pieces, changed, floor=FLOOR)
    assert_protected_sizes(everything, after)
    for piece in set(before.pieces) - after.withdrawn:
        assert piece in after.pieces
    for piece in before.pieces:
        if piece in after.fresh:
            assert len(changed[piece].hashes) >= FLOOR
    again = protect(cells(everything), after.pieces, floor=FLOOR)
    assert again.pieces == after.pieces
    assert not again.fresh


def assert_protected_sizes(log: Log, plan: Plan) -> None:
    for piece in plan.fresh:
        for device in ("*", *piece.devices):
            people = watched(log, piece.since, piece.until, piece.territory, device)
            assert len(people) >= FLOOR
    for first, second in itertools.combinations(plan.pieces, 2):
        if first.territory == second.territory:
            assert not first.overlaps(second.since, second.until)


def rows(day: int, territory: str, viewers: range, device: str = "tv") -> Log:
    return [(day, territory, device, v) for v in viewers]


def day(number: int) -> date:
    return START + timedelta(days=number)


def cut(log: Log) -> list[tuple[str, int, int]]:
    return [
        (p.territory, (p.since - START).days, (p.until - START).days)
        for p in protect(cells(log), floor=FLOOR).pieces
    ]


def test_a_day_under_the_floor_joins_the_days_after_it() -> None:
    log = rows(0, "CN", range(3)) + rows(1, "CN", range(2, 5)) + rows(2, "CN", range(9))
    assert cut(log) == [("*", 0, 2), ("*", 2, 3), ("CN", 0, 2), ("CN", 2, 3)]


def test_the_same_viewers_every_day_never_reach_the_floor() -> None:
    """Case 88."""
    assert cut([row for d in range(6) for row in rows(d, "CN", range(4))]) == []


def test_the_next_smallest_territory_waits_with_one_under_the_floor() -> None:
    log = rows(0, "CN", range(30)) + rows(0, "HK", range(30, 38)) + rows(0, "SG", range(40, 42))
    assert cut(log) == [("*", 0, 1), ("CN", 0, 1)]


def test_a_lone_territory_waits_until_the_small_one_reaches_the_floor() -> None:
    log = rows(0, "CN", range(30)) + rows(0, "HK", range(40, 43))
    assert cut(log) == [("*", 0, 1)]
    log += rows(1, "CN", range(30)) + rows(1, "HK", range(43, 46))
    assert cut(log) == [("*", 0, 1), ("*", 1, 2), ("CN", 0, 2), ("HK", 0, 2)]


def test_a_remainder_that_reaches_back_over_several_pieces_is_seen() -> None:
    """HK and CN both tile days 0 to 2 at the end, SG's two viewers of day 0 would be left."""
    log = rows(0, "CN", range(10)) + rows(0, "SG", range(90, 92)) + rows(0, "HK", range(20, 24))
    log += rows(1, "CN", range(10)) + rows(1, "HK", range(24, 30))
    log += rows(2, "CN", range(10)) + rows(2, "HK", range(20, 30))
    assert_protected(log, protect(cells(log), floor=FLOOR).pieces)


def test_the_next_smallest_device_is_withheld_with_one_under_the_floor() -> None:
    log = rows(0, "CN", range(20)) + rows(0, "CN", range(6), "phone")
    log += rows(0, "CN", range(2), "pad")
    pieces = protect(cells(log), floor=FLOOR).pieces
    assert [p.devices for p in pieces] == [{"tv"}, {"tv"}]


def changes(numbers: range) -> Viewers:
    return Viewers(np.array(numbers, np.uint64))


def test_a_piece_is_replaced_only_when_enough_viewers_changed() -> None:
    log = rows(0, "CN", range(1, 20))
    kept = protect(cells(log), floor=FLOOR).pieces
    few = protect(
        cells(log + rows(0, "CN", range(20, 24))),
        kept,
        dict.fromkeys(kept, changes(range(20, 24))),
        floor=FLOOR,
    )
    assert (few.pieces, few.fresh) == (kept, frozenset())
    assert set(few.held.values()) == {4}
    enough = protect(
        cells(log + rows(0, "CN", range(20, 25))),
        kept,
        dict.fromkeys(kept, changes(range(20, 25))),
        floor=FLOOR,
    )
    assert (enough.pieces, enough.fresh) == (kept, frozenset(kept))


def test_what_changed_in_a_small_territory_is_not_left_over_by_replacing_the_rest() -> None:
    log = rows(0, "CN", range(1, 20)) + rows(0, "HK", range(30, 40))
    kept = protect(cells(log), floor=FLOOR).pieces
    whole, cn, hk = kept
    changed = {whole: changes(range(40, 49)), cn: changes(range(40, 46))}
    changed[hk] = changes(range(46, 49))
    late = rows(0, "CN", range(40, 46)) + rows(0, "HK", range(46, 49))
    plan = protect(cells(log + late), kept, changed, floor=FLOOR)
    assert plan.fresh == {whole}
    assert plan.held == {cn: 6, hk: 3}


def test_a_piece_that_falls_under_the_floor_is_withdrawn_and_its_days_wait_again() -> None:
    log = rows(0, "CN", range(1, 20)) + rows(1, "CN", range(3))
    kept = protect(cells(log), floor=FLOOR).pieces
    left = rows(0, "CN", range(1, 3)) + rows(1, "CN", range(3))
    plan = protect(cells(left), kept, dict.fromkeys(kept, changes(range(3, 20))), floor=FLOOR)
    assert plan.pieces == ()
    assert plan.withdrawn == set(kept)
    plan = protect(cells(left + rows(2, "CN", range(5, 9))), plan.pieces, floor=FLOOR)
    assert [(p.territory, p.since, p.until) for p in plan.pieces] == [
        ("*", day(0), day(3)),
        ("CN", day(0), day(3)),
    ]


def test_late_days_in_a_gap_are_a_run_of_their_own() -> None:
    log = rows(0, "CN", range(9)) + rows(3, "CN", range(9)) + rows(4, "CN", range(3))
    kept = protect(cells(log), floor=FLOOR).pieces
    late = log + rows(1, "CN", range(3)) + rows(2, "CN", range(5, 9))
    added = set(protect(cells(late), kept, floor=FLOOR).pieces) - set(kept)
    assert added == {Piece("*", day(1), day(3)), Piece("CN", day(1), day(3))}
