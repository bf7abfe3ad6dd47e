"""Days through the embedded engine: shares, threads, files, and sessions over midnight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from bench import segments
from engagement.pipeline import engine, session_index
from engagement.pipeline.cells import cell_table, cells
from engagement.pipeline.kernel.lines import LINE
from engagement.pipeline.partial import Partial
from engagement.pipeline.rollup import count
from engagement.pipeline.rows import Rows

FIRST = date(2026, 9, 1)
ROWS = 30_000
RUNTIMES = dict(
    zip(
        segments.platform(ROWS).titles(), segments.platform(ROWS).runtimes.tolist(), strict=True
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> dict[date, Path]:
    paths = segments.generate(tmp_path_factory.mktemp("month"), ROWS)
    return {date.fromisoformat(path.stem): path for path in paths}


def asked(files: dict[date, Sequence[Path]] | dict[date, Path]) -> list[engine.Day]:
    def of_day(day: date) -> Sequence[Path]:
        found = files.get(day, [])
        return [found] if isinstance(found, Path) else found

    return [engine.Day(day, of_day) for day in sorted(files)]


def same(one: Partial, other: Partial) -> bool:
    return (
        one.day == other.day
        and one.inputs == other.inputs
        and one.curves.equals(other.curves)
        and one.people.equals(other.people)
        and cell_table(one).equals(cell_table(other))
    )


def test_every_session_of_a_month_counts_once(month: dict[date, Path]) -> None:
    rows = pa.concat_tables(pq.read_table(path) for path in month.values())
    partials = list(engine.roll_up(asked(month), RUNTIMES))
    assert [p.day for p in partials] == sorted(month)
    assert sum(i.rows for p in partials for i in p.inputs.values()) == len(rows)
    plays = sum(sum(p.people["plays"].to_pylist()) for p in partials)
    assert plays == len(np.unique(rows["session_id"].to_numpy()))
    watched = sum(sum(p.people["watch_seconds"].to_pylist()) for p in partials)
    assert watched == int((rows["to_s"].to_numpy() - rows["from_s"].to_numpy()).sum())
    over_midnight = [
        title
        for p in partials
        for title, told in p.inputs.items()
        if told.reaches is not None and told.reaches > (p.day - date(1970, 1, 1)).days
    ]
    assert len(over_midnight) > 100


@pytest.mark.parametrize("rows_at_once", [100, 700])
def test_a_day_larger_than_the_budget_gives_the_same_bytes(
    month: dict[date, Path], rows_at_once: int
) -> None:
    for day in asked(month)[:3]:
        whole = engine.roll_up_day(day, RUNTIMES)
        assert same(engine.roll_up_day(day, RUNTIMES, rows_at_once=rows_at_once), whole)


def test_large_titles_cut_into_shares_of_their_sessions_give_the_same_bytes(
    month: dict[date, Path],
) -> None:
    rows = pa.concat_tables(pq.read_table(path) for path in month.values())
    many = pa.concat_tables(
        rows.set_column(0, "session_id", pa.array(rows["session_id"].to_numpy() + np.uint64(n)))
        for n in range(3)
    )
    day = sorted(month)[0]
    counted, shares = [], []
    for expected in (1, len(many)):
        taken = Rows(day, expected=expected)
        taken.add(many.drop_columns(["day"]))
        shares.append(int(taken._firsts[-1]))
        counted.append(count(taken, RUNTIMES))
    assert shares[0] == len(counted[0].inputs) == 500
    assert shares[1] == 504
    assert same(*counted)


def test_one_thread_and_four_give_the_same_bytes(month: dict[date, Path]) -> None:
    one, four = (
        list(engine.roll_up(asked(month)[:8], RUNTIMES, threads=threads)) for threads in (1, 4)
    )
    assert all(same(a, b) for a, b in zip(one, four, strict=True))


def test_a_day_in_several_files_is_the_day_in_one(month: dict[date, Path], tmp_path: Path) -> None:
    day = sorted(month)[4]
    table = pq.read_table(month[day])
    table = table.append_column("line", pa.array(range(len(table)), pa.int64()))
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.parquet")
        session_index.write(table.take(list(range(number, len(table), 3))), files[-1])
    around = {d: [p] for d, p in month.items()}
    whole, parts = (
        engine.roll_up_day(engine.Day(day, lambda d, f=found: f.get(d, [])), RUNTIMES)
        for found in (around, {**around, day: files})
    )
    assert same(whole, parts)


def test_csv_gives_what_parquet_gives(month: dict[date, Path], tmp_path: Path) -> None:
    day = sorted(month)[0]
    table = pq.read_table(month[day]).drop_columns(["day"])
    numbers = table.set_column(
        table.schema.get_field_index("started_at"),
        "started_at",
        table["started_at"].cast(pa.int64()),
    )
    path = tmp_path / "day.csv"
    plain = pa.table({n: numbers[n].cast(pa.string()) if pa.types.is_dictionary(numbers[n].type)
                      else numbers[n] for n in numbers.schema.names})  # fmt: skip
    signed = [plain.schema.get_field_index(n) for n in ("session_id", "viewer_id")]
    for place in signed:  # CSV's numbers are signed
        name = plain.schema.names[place]
        small = plain[name].to_numpy() >> np.uint64(2)
        plain = plain.set_column(place, name, pa.array(small.astype(np.int64)))
    pa_csv.write_csv(plain, path)
    pq.write_table(plain, tmp_path / "day.parquet")
    read = [
        engine.roll_up_day(engine.Day(day, lambda d, f=file: [f] if d == day else []), RUNTIMES)
        for file in (path, tmp_path / "day.parquet")
    ]
    assert same(*read)


def test_only_rows_that_go_on_are_read_of_the_day_after_and_none_of_the_day_before(
    month: dict[date, Path],
) -> None:
    day = asked(month)[5]
    read: list[tuple[Path, list[int] | None]] = []
    real = engine.batches

    def watched(path: Path, groups: Iterable[int] | None = None, *more: object, **named: object):
        read.append((path, None if groups is None else list(groups)))
        return real(path, groups, *more, **named)

    with patch.object(engine, "batches", watched):
        engine.roll_up_day(day, RUNTIMES)
    whole = {path for path, groups in read if groups is None}
    assert whole == {month[day.day]}
    others = {path for path, groups in read if groups is not None}
    assert others == {month[day.day + timedelta(days=1)]}


def test_a_title_alone_is_what_it_is_among_all(month: dict[date, Path]) -> None:
    day = asked(month)[2]
    everything = engine.roll_up_day(day, RUNTIMES)
    alone = engine.roll_up_day(engine.Day(day.day, day.files, frozenset({"t003"})), RUNTIMES)
    assert list(alone.inputs) == ["t003"]
    assert alone.inputs["t003"] == everything.inputs["t003"]
    assert list(cells(alone)) == list(cells(everything, {"t003"}))


def test_lines_are_held_of_one_share_alone(month: dict[date, Path]) -> None:
    day = asked(month)[1]
    held: list[int] = []

    def watched(rows: Rows, *more: Any, **named: Any) -> Partial:
        held.append(len(rows.lines) // LINE)
        return count(rows, *more, **named)

    with patch.object(engine, "count", watched):
        engine.roll_up_day(day, RUNTIMES, rows_at_once=250)
    assert len(held) > 3
    assert max(held) < 250 * 9 // 8 + 2000
