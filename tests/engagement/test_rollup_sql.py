"""The roll-up against its readable definition in SQL, whole tables at a time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.partial import SERIES
from engagement.pipeline.rollup import rollup
from tests.engagement.test_rollup import DAY, RUNTIMES, Row, hashed, logs, random_rows

DEFINITION = (Path(__file__).parent / "rollup.sql").read_text()
PEOPLE = (
    "title_id", "viewer", "territory", "device", "first_at", "region", "age_band", "gender",
    "plays", "watch_seconds", "completions", "furthest_s",
)  # fmt: skip


def with_people(rows: list[Row], seed: int = 1) -> pa.Table:
    """The rows as staged, each with a region, an age and a gender of its own."""
    random = np.random.default_rng(seed)
    table = hashed(rows)
    for name, words in (
        ("region", ["CN-BJ", "CN-SH", "HK"]),
        ("age_band", ["<18", "18-24", "unknown"]),
        ("gender", ["female", "male", "unknown"]),
    ):
        table = table.append_column(name, pa.array(random.choice(words, len(rows)), pa.string()))
    return table


def defined(table: pa.Table, runtimes: dict[str, int]) -> tuple[list[tuple], list[tuple]]:
    """What the SQL makes of the rows: curve rows and people rows, sorted."""
    microseconds = pc.cast(table["started_at"], pa.int64())
    place = table.schema.get_field_index("started_at")
    with duckdb.connect() as db:
        db.register("segments", table.set_column(place, "started_at", microseconds))
        db.register(
            "runtimes",
            pa.table(
                {
                    "title_id": pa.array(list(runtimes), pa.string()),
                    "runtime_s": pa.array(list(runtimes.values()), pa.int32()),
                }
            ),
        )
        db.execute(DEFINITION)
        curves = db.execute("SELECT * FROM curves ORDER BY ALL").fetchall()
        people = db.execute(f"SELECT {', '.join(PEOPLE)} FROM people ORDER BY ALL").fetchall()
    return curves, people


def counted(table: pa.Table, runtimes: dict[str, int]) -> tuple[list[tuple], list[tuple]]:
    partial = rollup([table], day=DAY, runtimes=runtimes)
    return rows_of(partial.curves, "title_id", "territory", "second", *SERIES), rows_of(
        partial.people, *PEOPLE
    )


def rows_of(table: pa.Table, *names: str) -> list[tuple]:
    return sorted(zip(*(table[name].to_pylist() for name in names), strict=True))


@given(logs(), st.integers(0, 9))
def test_small_days_are_what_the_definition_says(rows: list[Row], seed: int) -> None:
    table = with_people(rows, seed)
    assert counted(table, RUNTIMES) == defined(table, RUNTIMES)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_large_day_is_what_the_definition_says(seed: int) -> None:
    rows = random_rows(4000, seed)
    rows += rows[::7]  # duplicates
    rows += [("s1", "v1", "t1", n % 90, n % 50, n % 50 + 9, "tv", "CN") for n in range(2000)]
    table = with_people(rows, seed)
    runtimes = {"t0": 5000, "t1": 3000, "t2": 100}
    curves, people = counted(table, runtimes)
    assert (curves, people) == defined(table, runtimes)
    assert (len(curves) > 20_000, len(people) > 2_000) == (True, True)
