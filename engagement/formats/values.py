"""What goes into a reader and what comes out of it, as plain values.

Readers know nothing of Django, the database or partners: titles, home territory, zone and the
clock arrive here as values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EXAMPLES = 20
"""How many rejected rows of one reason are kept as examples."""

BAD_SHARE = 0.05
"""A file with a greater share of bad rows than this is quarantined whole."""

NOT_A_COMMENT = "not_a_comment"
"""Danmaku scripts and empty drawings: left out and counted, but no sign of a damaged file."""

REASONS = (
    "bad_value",
    "unknown_title",
    "unknown_territory",
    "out_of_range",
    "future",
    "no_time",
    "two_viewers",
    NOT_A_COMMENT,
)


@dataclass(frozen=True)
class Options:
    """What the person who runs `ingest` said about these files."""

    title: str | None = None
    territory: str | None = None
    day: date | None = None
    format: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """The platform's titles: title_id -> runtime in seconds (0: unknown, no upper bound).

    `series` are those that are not played themselves: rows name their episodes.
    """

    runtimes: Mapping[str, int]
    series: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reading:
    """The house: home territory, reporting zone, the clock, titles.map.csv, other files.

    `title_map` maps (file name or path, part) to a title_id; the part is "" where a file holds
    one video. `beside` are the files of its folder that a log of several tables is read with.
    """

    home: str
    zone: tzinfo
    now: datetime
    title_map: Mapping[tuple[str, str], str] = field(default_factory=dict)
    beside: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejects:
    """The rows rejected for one reason: how many, and examples as {"line", "why"}."""

    rows: int
    examples: list[dict[str, int | str]]


@dataclass
class Landed:
    """One file as read: good rows in `table` (schemas in schema.py), in the file's order.

    rows_read = table rows + rejected rows + notes["zero_length"]; of a player's log it counts
    events, which are not the table's segments. `notes` counts what was put right or left out
    without being wrong.
    """

    kind: str
    format: str
    table: pa.Table
    rows_read: int
    rejected: dict[str, Rejects]
    notes: dict[str, int] = field(default_factory=dict)


class Quarantined(Exception):
    """The whole file stays out. `problem` says why, with line numbers.

    `format` and `kind` are what it was read as, "" where nobody knew it.
    """

    format = ""
    kind = ""

    def __init__(
        self, problem: str, *, rows_read: int = 0, rejected: dict[str, Rejects] | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.rows_read = rows_read
        self.rejected = rejected or {}


class Unrecognised(Quarantined):
    """No reader knows the file: in a folder, perhaps a README and no log at all."""


class Verdicts:
    """Which rows are rejected and why; the first reason given to a row stands.

    `lines` is the line (Parquet: row) number of each row, counted from 1.
    """

    def __init__(self, lines: Ints) -> None:
        self.lines = lines
        self._why = np.zeros(len(lines), np.uint8)
        self._examples: dict[str, list[dict[str, int | str]]] = {}
        self._outside: dict[str, int] = {}

    @property
    def good(self) -> Mask:
        return np.asarray(self._why == 0, bool)

    def refuse(self, mask: Mask, reason: str, why: Callable[[int], str]) -> None:
        """Reject the rows of `mask` that still stand; `why(row index)` words an example."""
        new = mask & (self._why == 0)
        if not new.any():
            return
        self._why[new] = 1 + REASONS.index(reason)
        kept = self._examples.setdefault(reason, [])
        for row in np.flatnonzero(new)[: EXAMPLES - len(kept)]:
            kept.append({"line": int(self.lines[row]), "why": why(int(row))})

    def refuse_outside(self, lines: list[tuple[int, str]], reason: str) -> None:
        """Reject rows that never became part of the table, as (line, why)."""
        self._outside[reason] = self._outside.get(reason, 0) + len(lines)
        kept = self._examples.setdefault(reason, [])
        kept.extend({"line": line, "why": why} for line, why in lines[: EXAMPLES - len(kept)])

    @property
    def rows_read(self) -> int:
        return len(self.lines) + sum(self._outside.values())

    def rejected(self) -> dict[str, Rejects]:
        found: dict[str, Rejects] = {}
        for code, reason in enumerate(REASONS, start=1):
            rows = int((self._why == code).sum()) + self._outside.get(reason, 0)
            if rows:
                examples = sorted(self._examples[reason], key=lambda e: int(e["line"]))
                found[reason] = Rejects(rows, examples)
        return found

    def landed(self, kind: str, format: str, table: pa.Table, notes: Mapping[str, int]) -> Landed:
        """The good rows of `table`, or Quarantined where too many rows are bad.

        `table` has one row for each of `lines`.
        """
        rejected = self.rejected()
        bad = sum(r.rows for reason, r in rejected.items() if reason != NOT_A_COMMENT)
        if bad > BAD_SHARE * self.rows_read:
            raise Quarantined(
                too_many_bad(bad, self.rows_read, rejected),
                rows_read=self.rows_read,
                rejected=rejected,
            )
        good = self.good
        kept = table if good.all() else table.filter(pa.array(good))
        return Landed(
            kind, format, kept, self.rows_read, rejected, {k: v for k, v in notes.items() if v}
        )


def too_many_bad(bad: int, rows: int, rejected: Mapping[str, Rejects]) -> str:
    """The quarantine text: how many rows are bad, and the first lines of each reason."""
    parts = [f"{bad} of {rows} rows are bad, more than {BAD_SHARE:.0%}"]
    for reason, rejects in rejected.items():
        if reason == NOT_A_COMMENT:
            continue
        lines = "; ".join(f"line {e['line']}: {e['why']}" for e in rejects.examples[:3])
        parts.append(f"{reason} {rejects.rows} ({lines})")
    return ". ".join(parts) + "."
