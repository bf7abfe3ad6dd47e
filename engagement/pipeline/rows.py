"""One share of a day's rows, as the kernel's lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engagement.pipeline.kernel import lines as line_kernel
from engagement.pipeline.kernel.hashing import hash_texts
from engagement.pipeline.partial import WORDS, Hashes
from engagement.pipeline.words import Ints, Words

_EPOCH = date(1970, 1, 1)
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class Taken:
    """Lines by title and share of its sessions. `runs` (blocks, shares + 1) tells where each
    share's rows begin; a title's code has the shares `firsts[code]` to `firsts[code + 1]` and was
    played to `furthest[code]`."""

    lines: Ints
    runs: Ints
    firsts: Ints
    furthest: Ints


class Rows:
    """One share of a day's rows as the kernel's lines. `parts` > 1 takes sessions by their hash.

    `expected` rows are made room for; more are taken as well. A row's time and day lie within
    five years of the day.
    """

    def __init__(self, day: date, part: int = 0, parts: int = 1, expected: int = 4096) -> None:
        self.day, self.part, self.parts = day, part, parts
        self.titles = Words(1 << 31)
        self.words = [Words(most) for most in line_kernel.MOST_WORDS]
        self.lines = np.empty(max(expected, 1) * line_kernel.LINE, np.int64)
        self.sources: set[int] = set()
        self.count = 0  # lines taken and written out by title
        self.met = 0  # rows that came by
        self._block = np.empty(line_kernel.BLOCK * line_kernel.LINE, np.int64)
        self._block_share = np.empty(line_kernel.BLOCK, np.int32)
        self._filled = 0
        self._runs: list[Ints] = []
        self._expected = expected
        # by title's code: its shares as a power of two, the first of them, how far it was played
        self._cuts, self._furthest = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._firsts = _firsts(self._cuts)

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Take in rows of a landed or staged segments table, ids hashed or not."""
        for piece in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
            if piece.num_rows:
                self._add(piece)

    def _add(self, batch: pa.RecordBatch) -> None:
        rows, names = batch.num_rows, set(batch.schema.names)
        title, of_titles = self.titles.places(batch["title_id"])
        places, tables = [], [of_titles]
        for name, words in zip(WORDS, self.words, strict=True):
            none = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [""])
            where, table = words.places(batch[name] if name in names else none)
            places.append(where)
            tables.append(table)
        place = _ints(batch["line"]) if "line" in names else np.array([self.met])
        if "source" in names:
            if "line" not in names:
                place = place + np.arange(rows)
            place = place + (_ints(batch["source"]) << line_kernel.SOURCE_SHIFT)
            self.sources.update(pc.unique(batch["source"]).to_pylist())
        else:
            self.sources.add(0)
        viewer = np.zeros(rows, np.uint64)
        if "viewer_id" in names:
            viewer = viewers_of(batch["viewer_id"])
        columns = (
            title,
            ids_of(batch["session_id"]),
            viewer,
            self._since(batch["started_at"]),
            batch["from_s"].to_numpy(zero_copy_only=False),
            batch["to_s"].to_numpy(zero_copy_only=False),
            place,
            self._days(batch),
        )
        self._pack(rows, columns, tuple(places), tuple(tables))
        self.met += rows

    def add_day_before(
        self, session: Hashes, title: NDArray[np.int32], titles: Sequence[str]
    ) -> None:
        """Take note that sessions played a title on the day before: they did not begin today.

        `title` holds places in `titles`. Rows of the day itself come first.
        """
        codes = np.array([self.titles.codes.get(name, -1) for name in titles], np.int32)
        known = codes[title] >= 0 if len(title) else np.zeros(0, bool)
        session, title = session[known], title[known]
        nothing = np.zeros(len(session), np.int32)
        columns = (
            title,
            session,
            np.zeros(len(session), np.uint64),
            np.full(len(session), -3 * _MICROSECONDS_A_DAY),  # before any row of the day
            nothing,
            nothing,
            np.zeros(1, np.int64),
            np.array([-1], np.int32),
        )
        of_words = (np.zeros(1, np.int32),) * len(WORDS)
        self._pack(len(session), columns, (nothing,) * len(WORDS), (codes, *of_words))

    def _pack(self, rows: int, columns: tuple, places: tuple, tables: tuple) -> None:
        self._furthest = _longer(self._furthest, len(self.titles.codes))
        self._cuts = _longer(self._cuts, len(self.titles.codes))
        self._firsts = _firsts(self._cuts)
        at = 0
        while at < rows:
            at, self._filled = line_kernel.pack(
                self._block,
                self._block_share,
                self._filled,
                at,
                *columns,
                places,
                tables,
                self.part,
                self.parts,
                (self._cuts, self._firsts, self._furthest),
            )
            if self._filled == line_kernel.BLOCK:
                self._write_out()

    def _since(self, started: pa.Array) -> Ints:
        """Microseconds since the day began."""
        since = _instants(started) - (self.day - _EPOCH).days * _MICROSECONDS_A_DAY
        if max(since.max(), -since.min()) >= line_kernel.MOST_MICROSECONDS:
            raise ValueError(f"{self.day}: a row's started_at lies decades away")
        return since

    def _days(self, batch: pa.RecordBatch) -> NDArray[np.int32]:
        """How many days after the day each row was played; one number for all of them."""
        if "day" not in batch.schema.names:
            return np.zeros(1, np.int32)
        days: NDArray[np.int32] = batch["day"].cast(pa.int32()).to_numpy(zero_copy_only=False)
        days = days - np.int32((self.day - _EPOCH).days)
        if max(days.max(), -days.min()) >= line_kernel.MOST_DAYS:
            raise ValueError(f"{self.day}: a row's day lies years away")
        return days[:1] if days[0] == days[-1] and (days == days[0]).all() else days

    def _write_out(self) -> None:
        """The block's rows to the lines, those of a title, or of a share of it, together."""
        needed = (self.count + self._filled) * line_kernel.LINE
        if needed > len(self.lines):
            longer = np.empty(max(needed, len(self.lines) * 3 // 2), np.int64)
            longer[: self.count * line_kernel.LINE] = self.lines[: self.count * line_kernel.LINE]
            self.lines = longer
        if not self._runs:
            self._cuts = line_kernel.cut(
                self._block, self._block_share, self._filled, len(self._cuts), self._expected
            )
            self._firsts = _firsts(self._cuts)
        self._runs.append(
            line_kernel.by_share(
                self._block,
                self._block_share,
                self._filled,
                int(self._firsts[-1]),
                self.lines,
                self.count,
            )
        )
        self.count += self._filled
        self._filled = 0

    def take(self) -> Taken:
        """The lines and where they are, once: they are not held any longer."""
        if self._filled:
            self._write_out()
        taken = Taken(self.lines, self._all_runs(), self._firsts, self._furthest)
        self.lines, self._runs, self.count = np.empty(0, np.int64), [], 0
        return taken

    def _all_runs(self) -> Ints:
        """(blocks, shares + 1): where each share's rows begin, and the last one's end."""
        runs = np.empty((len(self._runs), int(self._firsts[-1]) + 1), np.int64)
        for run, starts in zip(runs, self._runs, strict=True):
            run[: len(starts)] = starts
            run[len(starts) :] = starts[-1]
        return runs


def _firsts(cuts: Ints) -> Ints:
    """The first share of each title of 2**cuts shares; and how many shares there are."""
    firsts: Ints = np.concatenate([[0], np.cumsum(1 << cuts)])
    return firsts


def _longer(numbers: Ints, length: int) -> Ints:
    """With zeros up to a length."""
    return np.concatenate([numbers, np.zeros(length - len(numbers), np.int64)])


def viewers_of(column: pa.Array) -> Hashes:
    """Viewers as 63 bits, as sketches have them: numbers as they are, texts hashed."""
    viewers = ids_of(column)
    return viewers if pa.types.is_integer(column.type) else viewers >> np.uint64(1)


def ids_of(column: pa.Array) -> Hashes:
    """Ids as 64 bits: numbers as they are, texts hashed."""
    if pa.types.is_integer(column.type):
        numbers: Hashes = column.to_numpy(zero_copy_only=False).astype(np.uint64, copy=False)
        return numbers
    if pa.types.is_dictionary(column.type):
        texts: Hashes = ids_of(column.dictionary)
        each: Hashes = texts[column.indices.to_numpy(zero_copy_only=False)]
        return each
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    letters = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    hashed: Hashes = hash_texts(bounds, letters, np.uint64(0))
    return hashed


def _ints(column: pa.Array) -> Ints:
    numbers: Ints = column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return numbers


def _instants(column: pa.Array) -> Ints:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    return _ints(column)
