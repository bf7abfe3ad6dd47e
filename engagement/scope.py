"""What is asked and what may be answered, as plain frozen values.

A Query is a question, a Scope is what one partner may see through one exit. Only
partners/access.py makes a Scope; this module knows how the two fit together and nothing of
people, grants or the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID

ALL = "*"
"""The territory key that stands for all territories, and the device key for all devices."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TERRITORY = re.compile(r"[A-Z]{2}|\*")

EXITS = ("web", "export", "email", "api", "delta")


class Refused(Exception):
    """Title or family outside the scope: answered exactly as one that does not exist."""


class OutsideScope(Exception):
    """Window or territory beyond the scope of a title and family that are in it.

    `granted` names what would be answered, as (territory, window) blocks.
    """

    def __init__(self, granted: tuple[Part, ...]) -> None:
        super().__init__("the window or territory reaches beyond what is granted")
        self.granted = granted


class TooManyRows(Exception):
    """An answer of `rows` rows, where `Query.most_rows` bounds it to `most`."""

    def __init__(self, rows: int, most: int) -> None:
        super().__init__(f"{rows} rows, more than {most}")
        self.rows, self.most = rows, most


def day_of(text: str) -> date:
    """A day as URLs write it, YYYY-MM-DD. Raises ValueError for anything else."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"not a day: {text!r}")
    return date.fromisoformat(text)


def is_territory(text: str) -> bool:
    """Whether it is written as a territory in URLs is: an ISO 3166-1 code, or `*`."""
    return _TERRITORY.fullmatch(text) is not None


@dataclass(frozen=True, order=True)
class Window:
    """The days [since, until), in the platform's zone."""

    since: date
    until: date

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise ValueError(f"an empty window: {self.since} to {self.until}")

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    def holds(self, other: Window) -> bool:
        return self.since <= other.since and other.until <= self.until

    def common(self, other: Window) -> Window | None:
        since, until = max(self.since, other.since), min(self.until, other.until)
        return Window(since, until) if since < until else None

    def __str__(self) -> str:
        return f"{self.since}..{self.until - timedelta(days=1)}"


EVER = Window(date.min, date.max)


@dataclass(frozen=True, order=True)
class Part:
    """One block of an answer: a territory (or `*`) over a window."""

    territory: str
    window: Window


@dataclass(frozen=True)
class Query:
    """One question: a resource of a family, of one title.

    `territory` None means all that is granted. `parts` is set by `Scope.clip` alone and says
    which blocks to answer; `run` checks each of them against the scope again. `most_rows` bounds
    a curve by day, which has a row a content second and day. Raises ValueError for seconds that
    do not go forward.
    """

    title_id: int
    resource: str
    window: Window
    territory: str | None = None
    grain: str = "window"
    seconds: tuple[int, int] | None = None  # content seconds [from, until), comments only
    parts: tuple[Part, ...] | None = None
    most_rows: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 <= self.seconds[0] < self.seconds[1]:
            first, until = self.seconds
            raise ValueError(
                f"from_second {first} is not before until_second {until}, the second after the last"
            )


@dataclass(frozen=True)
class Entitled:
    """One granted tuple for one title. Tuples are unioned whole, never mixed."""

    grant_id: UUID
    title_id: int
    families: frozenset[str]
    territories: frozenset[str]
    window: Window = EVER

    def reaches(self, territory: str) -> bool:
        return ALL in self.territories or territory in self.territories


@dataclass(frozen=True)
class Scope:
    """What one partner may see through one exit, as of the moment it was made.

    `counted` are the partner's tuples for children of series in scope that are not themselves in
    it (a scope narrowed to the series). Nothing may be asked of them: a series' own row, which
    counts its children, is read by who is granted each of them.
    """

    partner_id: UUID
    exit: str
    entitled: tuple[Entitled, ...] = field(default=())
    counted: tuple[Entitled, ...] = field(default=())

    def counting(self) -> Scope:
        """By which the children that a series' own rows count are looked up, never asked."""
        return replace(self, entitled=(*self.entitled, *self.counted), counted=())

    def families(self, title_id: int) -> frozenset[str]:
        return frozenset().union(*(e.families for e in self.entitled if e.title_id == title_id))

    def titles(self) -> frozenset[int]:
        return frozenset(e.title_id for e in self.entitled)

    def tuples(self, title_id: int, families: Iterable[str]) -> tuple[Entitled, ...]:
        """The tuples that grant every one of `families` for the title.

        A number derived from two families needs both in one tuple: tuples are never mixed.
        """
        needed = frozenset(families)
        return tuple(e for e in self.entitled if e.title_id == title_id and needed <= e.families)

    def granted(self, title_id: int, families: Iterable[str]) -> tuple[Part, ...]:
        """Everything granted of a title's families, as blocks that do not overlap."""
        return self._blocks(title_id, families, EVER, None)

    def readable(self, title_id: int, families: Iterable[str]) -> tuple[Part, ...]:
        """What each tuple grants of a title's families, as blocks that may overlap.

        A row may be read at all where it lies wholly inside one of them, whatever else is
        granted: a grant over all territories takes no days away from one of a territory.
        """
        tuples = self.tuples(title_id, families)
        return tuple(sorted({Part(t, e.window) for e in tuples for t in e.territories}))

    def granted_by_family(self, title_id: int) -> dict[str, tuple[Part, ...]]:
        """What is granted of each family of the title."""
        return {f: self.granted(title_id, [f]) for f in sorted(self.families(title_id))}

    def clip(self, query: Query, families: Iterable[str]) -> Query | None:
        """The query narrowed to what is granted; None where nothing of it is.

        Raises Refused where the title or family is not in scope at all.
        """
        families = tuple(families)
        if not self.tuples(query.title_id, families):
            raise Refused
        parts = self._blocks(query.title_id, families, query.window, query.territory)
        return replace(query, parts=parts) if parts else None

    def check(self, query: Query, families: Iterable[str]) -> tuple[Part, ...]:
        """The blocks that answer `query`, all of them inside the scope.

        Raises Refused for a title or family outside scope, OutsideScope for a window or
        territory that reaches beyond it.
        """
        families = tuple(families)
        if not self.tuples(query.title_id, families):
            raise Refused
        if query.parts is not None:
            parts = query.parts
            if not parts or not all(self._within(query.title_id, families, p) for p in parts):
                raise OutsideScope(self.granted(query.title_id, families))
            return parts
        parts = self._blocks(query.title_id, families, query.window, query.territory)
        whole = {p.territory for p in parts if p.window == query.window}
        if not parts or any(p.territory not in whole for p in parts):
            raise OutsideScope(self.granted(query.title_id, families))
        return parts

    def reach(
        self, title_id: int, families: Iterable[str], parts: Iterable[Part]
    ) -> tuple[Part, ...]:
        """Where a row must lie wholly inside one block to be part of the answer.

        Unlike `parts`, blocks of touching tuples are not joined: a row that straddles two
        tuples is inside neither.
        """
        tuples = self.tuples(title_id, families)
        blocks = {
            Part(part.territory, window)
            for part in parts
            for e in tuples
            if e.reaches(part.territory)
            if (window := e.window.common(part.window)) is not None
        }
        return tuple(sorted(blocks))

    def _within(self, title_id: int, families: tuple[str, ...], part: Part) -> bool:
        return any(
            block.window.holds(part.window)
            for block in self._blocks(title_id, families, part.window, part.territory)
        )

    def _blocks(
        self, title_id: int, families: Iterable[str], window: Window, territory: str | None
    ) -> tuple[Part, ...]:
        tuples = self.tuples(title_id, families)
        everywhere = merge(e.window.common(window) for e in tuples if ALL in e.territories)
        if territory is not None:
            windows = merge(e.window.common(window) for e in tuples if e.reaches(territory))
            return tuple(Part(territory, w) for w in windows)
        blocks = [Part(ALL, w) for w in everywhere]
        for code in sorted({t for e in tuples for t in e.territories} - {ALL}):
            windows = merge(e.window.common(window) for e in tuples if code in e.territories)
            blocks += [Part(code, w) for w in _without(windows, everywhere)]
        return tuple(blocks)


def merge(windows: Iterable[Window | None]) -> list[Window]:
    """Touching and overlapping windows joined, in order."""
    merged: list[Window] = []
    for window in sorted(w for w in windows if w is not None):
        if merged and window.since <= merged[-1].until:
            merged[-1] = Window(merged[-1].since, max(merged[-1].until, window.until))
        else:
            merged.append(window)
    return merged


def _without(windows: list[Window], holes: list[Window]) -> list[Window]:
    """The parts of `windows` that no hole covers."""
    rest = windows
    for hole in holes:
        pieces: list[Window] = []
        for window in rest:
            if window.common(hole) is None:
                pieces.append(window)
                continue
            if window.since < hole.since:
                pieces.append(Window(window.since, hole.since))
            if hole.until < window.until:
                pieces.append(Window(hole.until, window.until))
        rest = pieces
    return rest
