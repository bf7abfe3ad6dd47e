"""The roll-up against slow, obvious counts, published examples, and somebody else's data."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from datasketches import compact_theta_sketch
from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline import sketches
from engagement.pipeline.cells import CellPartial, cells
from engagement.pipeline.partial import SERIES, merge
from engagement.pipeline.rollup import rollup

DAY = date(2026, 9, 1)
NOON = datetime(2026, 9, 1, 4, tzinfo=UTC)
KEY = b"test key"
DATA = next(
    (d for p in Path(__file__).parents[2:] if (d := p / "shared" / "data").is_dir()),
    Path("../shared/data"),
)

Row = tuple[str, str, str, int, int, int, str, str]  # session viewer title second from to device T


def table(rows: Iterable[Row]) -> pa.Table:
    rows = list(rows)
    names = (
        "session_id",
        "viewer_id",
        "title_id",
        "second",
        "from_s",
        "to_s",
        "device",
        "terr",
    )
    columns: dict[str, Any] = dict(
        zip(names, map(list, zip(*rows, strict=True)) if rows else [[]] * 8, strict=True)
    )
    return pa.table(
        {
            "line": pa.array(range(len(rows)), pa.int64()),
            "session_id": pa.array(columns["session_id"], pa.string()),
            "viewer_id": pa.array(columns["viewer_id"], pa.string()),
            "title_id": pa.array(columns["title_id"], pa.string()),
            "started_at": pa.array(
                [NOON + timedelta(seconds=s) for s in columns["second"]],
                pa.timestamp("us", "UTC"),
            ),
            "from_s": pa.array(columns["from_s"], pa.int32()),
            "to_s": pa.array(columns["to_s"], pa.int32()),
            "device": pa.array(columns["device"], pa.string()),
            "territory": pa.array(columns["terr"], pa.string()),
        }
    )


def hashed(rows: Iterable[Row]) -> pa.Table:
    """The rows as they are staged: no viewer ids."""
    found = table(rows)
    viewers = sketches.hash_viewers(found["viewer_id"].to_pylist(), KEY)
    place = found.schema.get_field_index("viewer_id")
    return found.set_column(place, "viewer_id", pa.array(viewers, pa.uint64()))


def count(rows: Iterable[Row], runtimes: dict[str, int]) -> dict[tuple[str, str, str], CellPartial]:
    partials = list(cells(rollup([hashed(rows)], day=DAY, runtimes=runtimes)))
    found = {(p.title_id, p.territory, p.device): p for p in partials}
    assert len(found) == len(partials)
    return found


def curve(partial: CellPartial, name: str) -> list[int]:
    return list(partial.curves[SERIES.index(name)].tolist())


@st.composite
def logs(draw: st.DrawFn) -> list[Row]:
    """Sessions of up to six segments, ties of started_at, seeks and empty segments included."""
    rows: list[Row] = []
    for number in range(draw(st.integers(1, 8))):
        title = draw(st.sampled_from(["film", "trailer"]))
        viewer = draw(st.sampled_from("abc"))
        for _ in range(draw(st.integers(1, 6))):
            start = draw(st.integers(0, 19))
            rows.append(
                (
                    f"s{number // draw(st.integers(1, 2))}",
                    viewer,
                    title,
                    draw(st.integers(0, 9)),
                    start,
                    draw(st.integers(start, 20)),
                    draw(st.sampled_from(["tv", "phone"])),
                    draw(st.sampled_from(["CN", "HK"])),
                )
            )
    return draw(st.permutations(rows))


RUNTIMES = {"film": 20, "trailer": 11}


def slow(rows: list[Row]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The definitions of DESIGN.md, one second at a time."""
    keyed: dict[tuple[str, str], dict[tuple[int, int, int], tuple[int, Row]]] = defaultdict(dict)
    for line, row in enumerate(rows):  # of rows with one key the last counts
        keyed[row[2], row[0]][row[3:6]] = line, row
    sessions: dict[tuple[str, str], list[Row]] = {}
    for key, found in keyed.items():
        played = [row for _, row in sorted(found.values(), key=lambda two: (two[1][3], two[0]))]
        whose = played[0][1]  # a row of a second viewer is rejected
        played = [row for row in played if row[1] == whose and row[4] < row[5]]
        if played:
            sessions[key] = played
    cells: dict[tuple[str, str, str], dict[str, Any]] = {}
    for (title, _), played in sessions.items():
        viewer, device, territory = played[0][1], played[0][6], played[0][7]
        hits = [second for row in played for second in range(row[4], row[5])]
        ended = max(hits) + 1 >= 0.9 * RUNTIMES[title]
        for t in (territory, "*"):
            for d in (device, "*"):
                cell = cells.setdefault(
                    (title, t, d),
                    {"plays": 0, "watch_seconds": 0, "completions": 0, "viewers": set()}
                    | {"finishers": set()}
                    | {name: [0] * 20 for name in SERIES},
                )
                cell["plays"] += 1
                cell["watch_seconds"] += len(hits)
                cell["completions"] += ended
                cell["viewers"].add(viewer)
                if ended:
                    cell["finishers"].add(viewer)
                for second in range(20):
                    cell["times_played"][second] += hits.count(second)
                    cell["sessions"][second] += second in hits
                    cell["starts"][second] += second == played[0][4]
                    cell["stops"][second] += second + 1 == played[-1][5]
                    cell["skips"][second] += min(hits) < second < max(hits) and second not in hits
    return cells


@given(logs())
def test_every_number_is_what_a_slow_count_gives(rows: list[Row]) -> None:
    counted = count(rows, RUNTIMES)
    expected = slow(rows)
    assert set(counted) == set(expected)
    for cell, partial in counted.items():
        want = expected[cell]
        for name in ("plays", "watch_seconds", "completions"):
            assert getattr(partial, name) == want[name], (cell, name)
        for name, sketch in (
            ("viewers", partial.viewer_sketch),
            ("finishers", partial.finisher_sketch),
        ):
            ids = sorted(want[name])
            assert getattr(partial, name) == len(ids)
            assert sketch.hashes.tolist() == sorted(sketches.hash_viewers(ids, KEY).tolist())
        if cell[2] == "*":
            for name in SERIES:
                got = curve(partial, name)
                assert got + [0] * (20 - len(got)) == want[name], (cell, name)
            assert len(partial.content.hashes) == partial.viewers
        else:
            assert partial.curves.shape == (len(SERIES), 0)


@given(logs(), st.integers(2, 5))
def test_a_day_taken_in_shares_gives_the_same_bytes(rows: list[Row], parts: int) -> None:
    whole = rollup([hashed(rows)], day=DAY, runtimes=RUNTIMES)
    shares = [
        rollup([hashed(rows)], day=DAY, runtimes=RUNTIMES, part=part, parts=parts)
        for part in range(parts)
    ]
    together = merge(shares)
    assert together.curves.equals(whole.curves)
    assert together.people.equals(whole.people)
    assert together.inputs == whole.inputs


@given(logs(), st.randoms())
def test_the_order_in_which_rows_come_changes_nothing(rows: list[Row], random: Any) -> None:
    landed = hashed(rows)  # the line stays with its row
    order = list(range(len(rows)))
    random.shuffle(order)
    once = rollup([landed], day=DAY, runtimes=RUNTIMES)
    again = rollup(landed.take(order).to_batches(3), day=DAY, runtimes=RUNTIMES)
    assert again.curves.equals(once.curves)
    assert again.people.equals(once.people)
    assert again.inputs == once.inputs


READABLE = """
with ordered as (
    select *,
        max(to_s) over (
            partition by title_id, session_id order by from_s, to_s
            rows between unbounded preceding and 1 preceding
        ) as reached
    from segments
    where from_s < to_s
),
events as (
    select title_id, from_s as t, 1 as played, 0 as sessions from ordered
    union all select title_id, to_s, -1, 0 from ordered
    union all select title_id, greatest(from_s, coalesce(reached, 0)), 0, 1
        from ordered where coalesce(reached, 0) < to_s
    union all select title_id, to_s, 0, -1 from ordered where coalesce(reached, 0) < to_s
)
select title_id, t,
    sum(sum(played)) over (partition by title_id order by t) as times_played,
    sum(sum(sessions)) over (partition by title_id order by t) as sessions
from events
group by title_id, t
"""


def random_rows(sessions: int, seed: int = 20260831) -> list[Row]:
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(sessions):
        title = f"t{random.integers(4)}"
        viewer = f"v{random.integers(sessions // 2 + 1)}"
        for step in range(int(random.integers(1, 8))):
            start = int(random.integers(0, 5000))
            end = start + int(random.integers(1, 900))
            territory = ("CN", "HK", "TW")[int(random.integers(3))]
            rows.append((f"s{number}", viewer, title, step, start, end, "tv", territory))
    return rows


def test_the_readable_sql_gives_the_same_curves() -> None:
    rows = random_rows(3000)
    counted = count(rows, {})
    with duckdb.connect() as db:
        db.register("segments", table(rows))
        answer = db.execute(READABLE).fetchall()
    assert len(answer) > 10_000
    for title, second, times_played, sessions in answer:
        partial = counted[title, "*", "*"]
        if second < partial.curves.shape[1]:
            assert partial.curves[SERIES.index("times_played"), second] == times_played
            assert partial.curves[SERIES.index("sessions"), second] == sessions
        else:
            assert (times_played, sessions) == (0, 0)


def ratio(partial: CellPartial, second: int) -> float:
    return curve(partial, "times_played")[second] / partial.plays


def test_half_leaving_at_15_s_gives_googles_1_and_050() -> None:
    rows = [(f"s{n}", f"v{n}", "ad", 0, 0, 60 if n < 50 else 15, "tv", "CN") for n in range(100)]
    partial = count(rows, {"ad": 60})["ad", "*", "*"]
    assert [ratio(partial, second) for second in (0, 14, 15, 59)] == [
        1.0,
        1.0,
        0.5,
        0.5,
    ]
    assert curve(partial, "stops")[14] == 50


def test_20_of_100_jumping_back_from_45_to_30_gives_googles_1_and_12() -> None:
    rows = [(f"s{n}", f"v{n}", "ad", 0, 0, 60, "tv", "CN") for n in range(80)]
    for n in range(80, 100):
        rows.append((f"s{n}", f"v{n}", "ad", 0, 0, 45, "tv", "CN"))
        rows.append((f"s{n}", f"v{n}", "ad", 45, 30, 60, "tv", "CN"))
    partial = count(rows, {"ad": 60})["ad", "*", "*"]
    quarters = [{ratio(partial, s) for s in range(q, q + 15)} for q in (0, 15, 30, 45)]
    assert quarters == [{1.0}, {1.0}, {1.2}, {1.0}]
    assert partial.completions == 100


def stretches(played: np.ndarray) -> list[tuple[int, int]]:
    """The [from, to) in which `played` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], played.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


@pytest.mark.parametrize("lecture", [1, 3, 4])
def test_lecture_curves_come_back_at_every_second(lecture: int) -> None:
    path = DATA / "watchcurves-lectures-vi2" / f"lecture-{lecture}_per_second.csv"
    if not path.exists():
        assert not os.environ.get("CI"), f"{path} is missing"
        pytest.skip(f"{path} is missing: real viewing is not checked")
    with path.open() as file:
        seconds = [
            (int(r["time"]), int(r["hits"]), int(r["userHits"])) for r in csv.DictReader(file)
        ]
    # One session per viewer: viewer v plays second t once where v < userHits, and the first
    # viewer plays it the remaining times.
    hits, users = np.zeros((2, seconds[-1][0] + 1), int)
    for t, hits[t], users[t] in seconds:
        assert (hits[t] == 0) == (users[t] == 0)
    layers = [(v, users > v) for v in range(users.max())]
    layers += [(0, hits - users > n) for n in range((hits - users).max())]
    rows = [
        (f"s{v}", f"v{v}", "lecture", number, start, end, "pc", "CN")
        for number, (v, played) in enumerate(layers)
        for start, end in stretches(played)
    ]
    partial = count(rows, {"lecture": seconds[-1][0] + 1})["lecture", "*", "*"]
    played, sessions = curve(partial, "times_played"), curve(partial, "sessions")
    assert [(t, played[t], sessions[t]) for t, _, _ in seconds] == seconds
    assert partial.viewers == max(users for _, _, users in seconds)


def test_datasketches_reads_our_sketches() -> None:
    many = np.unique(sketches.hash_viewers([f"v{n}" for n in range(20_000)], KEY))
    for viewers in (
        sketches.NOBODY,
        sketches.smallest(many[:1]),
        sketches.smallest(many),
    ):
        packed = sketches.to_bytes(viewers)
        theirs = compact_theta_sketch.deserialize(packed)
        assert round(theirs.get_estimate()) == viewers.count()
        assert sketches.from_bytes(packed).hashes.tolist() == viewers.hashes.tolist()
    assert abs(viewers.count() / 20_000 - 1) < 0.05
    assert viewers.at_least() < 20_000


def test_a_union_counts_a_viewer_once() -> None:
    ids = np.unique(sketches.hash_viewers([f"v{n}" for n in range(9_000)], KEY))
    parts = [sketches.smallest(ids[::2]), sketches.smallest(ids[::3]), sketches.NOBODY]
    assert abs(sketches.union(parts).count() / 6_000 - 1) < 0.05
    assert sketches.union([sketches.smallest(ids[:9]), sketches.smallest(ids[4:12])]).count() == 12


def test_content_tells_which_viewers_changed() -> None:
    before = [(f"s{n}", f"v{n}", "film", 0, 0, 15, "tv", "CN") for n in range(10)]
    after = [*before[1:-1], ("s9", "v9", "film", 0, 0, 14, "tv", "CN")]
    after += [("s10", "v10", "film", 0, 0, 15, "tv", "CN")]
    old, new = (count(rows, RUNTIMES)["film", "*", "*"].content for rows in (before, after))
    ids = sketches.hash_viewers(["v0", "v9", "v10"], KEY)
    assert sketches.changed(old, new).hashes.tolist() == sorted(ids.tolist())
    packed = sketches.content_to_bytes(old)
    assert sketches.changed(sketches.content_from_bytes(packed), old).count() == 0


def test_two_sessions_of_the_same_rows_are_not_one() -> None:
    once = [("s0", "v0", "film", 0, 0, 15, "tv", "CN")]
    twice = [*once, ("s1", "v0", "film", 0, 0, 15, "tv", "CN")]
    old, new = (count(rows, RUNTIMES)["film", "*", "*"].content for rows in (once, twice))
    assert sketches.changed(old, new).count() == 1
