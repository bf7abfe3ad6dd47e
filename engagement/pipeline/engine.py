"""Days of staged segments through the roll-up, on this machine: the embedded engine.

Files come in by pyarrow, threads work on several days at once, and a day with more rows than
fit the budget is taken in shares of its sessions. Rows of the days around are read only for
sessions that are met on the day itself.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from engagement.pipeline.rollup import Partial, Rows, count, merge

ROWS_AT_ONCE = 2_000_000
"""Lines of 64 bytes that one thread holds: a day with more is taken in shares."""

_ONE_DAY = timedelta(days=1)
_WORDS = ("title_id", "device", "territory", "region", "age_band", "gender")
_COLUMNS = (
    "session_id", "viewer_id", "title_id", "started_at", "from_s", "to_s", "device", "territory",
    "region", "age_band", "gender", "line", "source", "day",
)  # fmt: skip


@dataclass(frozen=True)
class Day:
    """What is to be counted of one day.

    `files` gives the files that may hold rows of a day; `titles` None means all of them.
    """

    day: date
    files: Callable[[date], Sequence[Path]]
    titles: Collection[str] | None = None


def roll_up(
    days: Iterable[Day], runtimes: Mapping[str, int], *, threads: int | None = None
) -> Iterator[Partial]:
    """The Partials of `days`, in their order. No more days are begun than threads wait for."""
    workers = threads or os.cpu_count() or 1
    waiting: deque[Future[Partial]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for day in days:
            waiting.append(pool.submit(roll_up_day, day, runtimes))
            if len(waiting) >= workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def roll_up_day(
    day: Day, runtimes: Mapping[str, int], *, rows_at_once: int = ROWS_AT_ONCE
) -> Partial:
    """One day's sessions, counted, whatever share of memory they need."""
    files = day.files(day.day)
    rows = sum(rows_in(path) for path in files)
    parts = max(1, -(-rows // rows_at_once))
    return merge([_share(day, files, rows, part, parts, runtimes) for part in range(parts)])


def _share(
    day: Day,
    files: Sequence[Path],
    rows: int,
    part: int,
    parts: int,
    runtimes: Mapping[str, int],
) -> Partial:
    taken = Rows(day.day, part, parts, expected=rows // parts + rows // (8 * parts) + 1024)
    sessions: list[np.ndarray] = []
    around = any(day.files(day.day + n * _ONE_DAY) for n in (-1, 1))
    for path in files:
        for batch in batches(path):
            ours = _of_titles(batch, day.titles)
            taken.add(ours)
            if around:
                sessions.append(ours["session_id"].to_numpy(zero_copy_only=False))
    if around and sessions:
        known = pa.array(np.unique(np.concatenate(sessions)))
        for other in _days_around(day):
            met = 0
            for path in day.files(other):
                for batch in batches(path):
                    ours = _of_titles(batch, day.titles)
                    ours = ours.filter(pc.is_in(ours["session_id"], known))
                    taken.add(ours)
                    met += ours.num_rows
            if other > day.day and not met:
                break  # no session goes on any longer
    return count(taken, runtimes)


def _days_around(day: Day) -> Iterator[date]:
    """The day before, then the days after for as long as the caller asks."""
    yield day.day - _ONE_DAY
    after = day.day + _ONE_DAY
    while True:
        yield after
        after += _ONE_DAY


def _of_titles(batch: pa.RecordBatch, titles: Collection[str] | None) -> pa.RecordBatch:
    if titles is None:
        return batch
    column = batch["title_id"]
    wanted = pa.array(list(titles), pa.string())
    if pa.types.is_dictionary(column.type):
        inside = pc.is_in(column.dictionary, wanted)
        if pc.all(inside).as_py():
            return batch
        return batch.filter(pc.take(inside, column.indices))
    return batch.filter(pc.is_in(column, wanted))


# --- files -----------------------------------------------------------------------------------


def rows_in(path: Path) -> int:
    """How many rows a file holds, or about."""
    if path.suffix == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    return path.stat().st_size // 64


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """A file's rows, a batch at a time: Parquet, CSV or JSON lines."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path, read_dictionary=_dictionaries(path)) as file:
            names = [n for n in _COLUMNS if n in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, names, use_threads=False).to_batches()
    elif path.suffix == ".csv":
        with pa_csv.open_csv(path) as reader:
            yield from reader
    else:
        yield from pa_json.read_json(path).to_batches()


def _dictionaries(path: Path) -> list[str]:
    return [n for n in _WORDS if n in pq.read_schema(path).names]
