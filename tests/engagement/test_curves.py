"""Curves as they are stored: the same numbers come back, in the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from engagement import curves
from engagement.curves import Curves

SMALL = st.integers(-300, 300)  # beyond a byte in either direction
LARGE = st.integers(-(2**40), 2**40)


@st.composite
def some_curves(draw: st.DrawFn, series: int | None = None) -> Curves:
    """Mostly flat, with some jumps, as curves are."""
    rows = draw(st.integers(1, 5)) if series is None else series
    seconds = draw(st.integers(0, 900))
    made = np.zeros((rows, seconds), np.int64)
    jumps = st.tuples(
        st.integers(0, rows - 1), st.integers(0, 899), draw(st.sampled_from([SMALL, LARGE]))
    )
    for row, second, value in draw(st.lists(jumps, max_size=20)):
        made[row, second:] += value
    return made


@given(some_curves())
def test_what_is_packed_comes_back(made: Curves) -> None:
    assert np.array_equal(curves.unpack(curves.pack(made)), made)


@given(st.lists(some_curves(series=3), min_size=1, max_size=4))
def test_a_total_is_the_sum_and_shorter_curves_end_at_zero(made: list[Curves]) -> None:
    longest = max(one.shape[1] for one in made)
    expected = np.zeros((3, longest), np.int64)
    for one in made:
        expected[:, : one.shape[1]] += one
    assert np.array_equal(curves.total(map(curves.pack, made)), expected)


def test_a_total_holds_the_series_that_all_have() -> None:
    two, three = np.ones((2, 4), np.int64), np.full((3, 4), 5, np.int64)
    assert curves.total([curves.pack(three), curves.pack(two)]).tolist() == [[6] * 4] * 2


def test_curves_full_of_changes_are_kept_whole_and_flat_ones_by_their_changes() -> None:
    full = np.arange(4000).reshape(2, 2000) % 7
    flat = np.repeat([[3, 900_000]], 1000, axis=1).reshape(1, -1)
    whole, kept = (zstandard.decompress(curves.pack(one)) for one in (full, flat))
    assert (whole[0], len(whole)) == (curves.SHORT, 6 + 2 * 4000)
    # 6 of the header, 4 how many, 2 a change, 4 what is no byte: 1000 seconds on, 899,997 more
    assert (kept[0], len(kept)) == (curves.SPARSE, 6 + 4 + 2 * 2 + 2 * 4)


def test_differences_stored_whole_before_are_read() -> None:
    stored = zstandard.compress(
        curves.header(curves.SHORT, 1, 5) + np.array([2, 0, 0, -1, 0], "<i2").tobytes()
    )
    assert curves.unpack(stored).tolist() == [[2, 2, 2, 1, 1]]


@pytest.mark.parametrize("broken", [b"", b"nothing", zstandard.compress(b"\x01")])
def test_anything_else_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="not a packed curve"):
        curves.unpack(broken)


@pytest.mark.parametrize("how", [curves.SPARSE, curves.SHORT, 77])
def test_curves_that_were_cut_off_are_refused(how: int) -> None:
    with pytest.raises(ValueError, match="not a packed curve"):
        curves.unpack(zstandard.compress(curves.header(how, 2, 100) + b"\x05\x00\x00\x00\x01"))
