"""Days of staged segments through the roll-up, on this machine: the embedded engine.

Files come in by pyarrow, threads work on several days at once, and a day with more rows than
fit the budget is taken in shares of its sessions. Of the days around only what concerns sessions
that are met on the day itself is read: of the day before whose they are, of those after their rows.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engagement.pipeline import session_index
from engagement.pipeline.partial import Partial, merge
from engagement.pipeline.rollup import count
from engagement.pipeline.rows import Rows

ROWS_AT_ONCE = 4_000_000
"""Lines of 48 bytes that one thread holds: a day with more is taken in shares."""

_ONE_DAY = timedelta(days=1)
_M_MMAP_THRESHOLD = -3  # of malloc.h
_LARGE_BLOCK = 4 << 20
_NOBODY = np.zeros(0, np.uint64)
_WORDS = ("title_id", "device", "territory", "region", "age_band", "gender")
_COLUMNS = (
    "session_id", "viewer_id", "title_id", "started_at", "from_s", "to_s", "device", "territory",
    "region", "age_band", "gender", "line", "source", "day",
)  # fmt: skip


_FOR_CURVES = tuple(n for n in _COLUMNS if n not in (*_WORDS[1:], "viewer_id"))
Result = TypeVar("Result")


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
    """The Partials of `days`, in their order."""
    return in_threads(days, lambda day: roll_up_day(day, runtimes), threads=threads)


def in_threads(
    days: Iterable[Day], work: Callable[[Day], Result], *, threads: int | None = None
) -> Iterator[Result]:
    """What `work` makes of each day, in their order. No more are begun than threads wait for."""
    _give_memory_back()
    workers = threads or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for day in days:
            waiting.append(pool.submit(work, day))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _give_memory_back() -> None:
    """Have large blocks returned to the system as soon as they are freed.

    After it has freed the first, glibc keeps blocks of up to 32 MB for the next: one day's in
    each thread, where the other thread's day has none. Measured at 3.2 million rows a day: 1.26
    GB at most, 1.02 GB with this. Elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def roll_up_day(
    day: Day,
    runtimes: Mapping[str, int],
    *,
    rows_at_once: int = ROWS_AT_ONCE,
    only_curves: bool = False,
) -> Partial:
    """One day's sessions, counted, whatever share of memory they need.

    With `only_curves` nothing but the curves of all territories together.
    """
    files = day.files(day.day)
    rows = sum(rows_in(path) for path in files)
    parts = max(1, -(-rows // rows_at_once))
    return merge(
        [_share(day, files, rows, part, parts, runtimes, only_curves) for part in range(parts)]
    )


def _share(
    day: Day,
    files: Sequence[Path],
    rows: int,
    part: int,
    parts: int,
    runtimes: Mapping[str, int],
    only_curves: bool,
) -> Partial:
    columns = _FOR_CURVES if only_curves else _COLUMNS
    taken = Rows(day.day, part, parts, expected=rows // parts + rows // (8 * parts) + 1024)
    for path in files:
        for batch in batches(path, columns=columns):
            taken.add(_of_titles(batch, day.titles))
    before, after = day.files(day.day - _ONE_DAY), day.files(day.day + _ONE_DAY)
    ours = _sessions(files) if before or after else _NOBODY
    for path in before:
        met = session_index.read(path).meeting(ours)
        taken.add_day_before(met.session, met.title, met.titles)
    for batch in _after(day, ours, columns):
        taken.add(_of_titles(batch, day.titles))
    return count(taken, runtimes, with_people=not only_curves)


def _after(day: Day, ours: NDArray[np.uint64], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows of the days after of sessions that are met on the day too."""
    other = day.day + _ONE_DAY
    while len(ours) and (later := day.files(other)):
        met = [_NOBODY]
        for path in later:
            sessions, found = _rows_of(path, ours, columns)
            met.append(sessions)
            yield from found
        ours = np.unique(np.concatenate(met))  # a session that is silent for a day ends
        other += _ONE_DAY


def _sessions(files: Sequence[Path]) -> NDArray[np.uint64]:
    """All sessions of the files, sorted."""
    found = [session_index.read(path).session for path in files]
    return found[0] if len(found) == 1 else np.unique(np.concatenate([*found, _NOBODY]))


def _rows_of(
    path: Path, ours: NDArray[np.uint64], columns: Sequence[str]
) -> tuple[NDArray[np.uint64], list[pa.RecordBatch]]:
    """The sessions of a file that are among `ours`, and their rows."""
    met = session_index.read(path).meeting(ours)
    sessions = np.unique(met.session)
    if not len(sessions):
        return sessions, []
    wanted = pa.array(sessions)
    return sessions, [
        batch.filter(pc.is_in(batch["session_id"], wanted))
        for batch in batches(path, np.unique(met.group).tolist(), columns)
    ]


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


def batches(
    path: Path, groups: Iterable[int] | None = None, columns: Sequence[str] = _COLUMNS
) -> Iterator[pa.RecordBatch]:
    """A file's rows, a batch at a time: Parquet (all row groups, or some), CSV, JSON lines."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path, read_dictionary=_dictionaries(path)) as file:
            names = [n for n in columns if n in file.schema_arrow.names]
            for group in range(file.num_row_groups) if groups is None else groups:
                yield from file.read_row_group(group, names, use_threads=False).to_batches()
    elif path.suffix == ".csv":
        with pa_csv.open_csv(path) as reader:
            yield from reader
    else:
        yield from pa_json.read_json(path).to_batches()


def _dictionaries(path: Path) -> list[str]:
    return [n for n in _WORDS if n in pq.read_schema(path).names]
