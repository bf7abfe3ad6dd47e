"""New viewers of one channel: no number, and no difference of two, tells of fewer than fifty."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.new_viewers import Piece, pieces

FIRST = date(2026, 1, 1)
FLOOR = 50
counts = st.sampled_from([0, 1, 20, 49, 50, 51, 80, 200])
platforms = st.dictionaries(
    st.integers(0, 12).map(lambda n: FIRST + timedelta(days=n)),
    st.dictionaries(st.sampled_from(["CN", "SG", "MY", "TH"]), counts, min_size=1),
)


def few(number: int) -> bool:
    return 0 < abs(number) < FLOOR


def rest(piece: Piece) -> int:
    return piece.shown["*"] - sum(n for t, n in piece.shown.items() if t != "*")


@given(platforms)
def test_what_is_left_of_all_territories_is_nobody_or_enough(
    days: dict[date, dict[str, int]],
) -> None:
    found = pieces(days, [], floor=FLOOR)
    for piece in found:
        inside = sum(sum(d.values()) for day, d in days.items() if day in piece)
        assert piece.shown["*"] == inside >= FLOOR
        assert not any(few(n) for n in piece.shown.values())
        assert not few(rest(piece))
    assert all(a.until <= b.since for a, b in pairwise(found))


@given(platforms, platforms)
def test_a_piece_counted_again_tells_of_nobody_or_enough(
    before: dict[date, dict[str, int]], after: dict[date, dict[str, int]]
) -> None:
    old = pieces(before, [], floor=FLOOR)
    new = {(p.since, p.until): p for p in pieces(after, old, floor=FLOOR)}
    for piece in old:
        again = new[piece.since, piece.until]  # pieces never move
        if not again.shown:
            continue
        assert again.shown.keys() <= piece.shown.keys()
        assert not any(few(n) for n in again.shown.values())
        assert not few(rest(again))
        both = again.shown.keys() - {"*"}
        changes = [again.shown[t] - piece.shown[t] for t in both]
        total = again.shown["*"] - piece.shown["*"]
        assert not any(few(change) for change in [*changes, total, total - sum(changes)])
