"""The kernel's own functions against short slow ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.kernel.order import in_both
from engagement.pipeline.kernel.viewers import each_viewer

spread = st.integers(0, 2**63 - 1)
close = st.integers(0, 40)  # not hashes: their highest bits are the same
hashes = st.lists(spread) | st.lists(close) | st.lists(spread | close)


def as_sorted(values: list[int]) -> np.ndarray:
    return np.sort(np.array(values, np.uint64))


@given(known=hashes, asked=hashes, common=hashes)
def test_what_two_sorted_runs_share_is_found(
    known: list[int], asked: list[int], common: list[int]
) -> None:
    one, other = as_sorted(known + common), as_sorted(common + asked)
    assert in_both(one, other).tolist() == np.flatnonzero(np.isin(other, one)).tolist()


row = st.tuples(st.sampled_from([1, 2, 2**62, 2**62 + 1, 2**63 - 1]) | spread, close, close, close)


@given(st.lists(row))
def test_each_viewer_is_met_once_with_the_first_words_and_the_furthest_point(
    rows: list[tuple[int, int, int, int]],
) -> None:
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    viewers, words, furthest = each_viewer(columns[0].astype(np.uint64), *columns[1:])
    expected = []
    for viewer in sorted({r[0] for r in rows}):
        own = [r for r in rows if r[0] == viewer]
        expected.append(
            (viewer, min((first, words) for _, words, first, _ in own)[1], max(r[3] for r in own))
        )
    assert list(zip(viewers.tolist(), words.tolist(), furthest.tolist(), strict=True)) == expected
