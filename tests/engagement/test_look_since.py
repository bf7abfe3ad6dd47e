"""What a plan depends on: the days that are not read change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.protect import Cell, Days, Piece, look_since, protect
from tests.engagement.test_protect import FLOOR, Log, cells, logs


def loose(days: Days, kept: Sequence[Piece]) -> dict[str, dict[date, Cell]]:
    """The cells over all devices that no piece of their territory holds."""
    found: dict[str, dict[date, Cell]] = {}
    for day, its in days.items():
        for (territory, device), cell in its.items():
            pieces = (p for p in kept if p.territory == territory)
            if device == "*" and not any(p.since <= day < p.until for p in pieces):
                found.setdefault(territory, {})[day] = cell
    return found


def from_there(since: date, days: Days, kept: Sequence[Piece]) -> tuple[Days, list[Piece]]:
    """Days from `since` on, moved back over pieces that lie across it, and pieces from there."""
    while across := [p.since for p in kept if p.since < since < p.until]:
        since = min(across)
    return {d: its for d, its in days.items() if d >= since}, [p for p in kept if p.until > since]


def shown(pieces: Sequence[Piece]) -> set[tuple[Piece, frozenset[str]]]:
    return {(p, p.devices) for p in pieces}


@given(logs(days=9), st.lists(st.integers(0, 8), max_size=2))
def test_a_plan_of_what_is_looked_at_is_the_plan_of_everything(log: Log, late: list[int]) -> None:
    """Day by day; rows of late days come when all others were published."""
    seen: Log = []
    kept: tuple[Piece, ...] = ()
    numbers = sorted({row[0] for row in log} - set(late)) + sorted(set(late))
    for number in numbers:
        seen = [*seen, *(row for row in log if row[0] == number)]
        days = cells(seen)
        everything = protect(days, kept, floor=FLOOR)
        since = look_since(loose(days, kept), {}, floor=FLOOR)
        if since is None:
            assert not everything.fresh
            assert shown(everything.pieces) == shown(kept)
            continue
        some, pieces = from_there(since, days, kept)
        plan = protect(some, pieces, floor=FLOOR)
        left_out = set(kept) - set(pieces)
        assert shown(plan.pieces) == shown([p for p in everything.pieces if p not in left_out])
        assert plan.fresh == everything.fresh
        assert left_out <= set(everything.pieces)
        kept = everything.pieces
