"""Which days are published together, so that no number is of fewer viewers than the floor.

Pure. A day with fewer viewers waits and joins the days after it: the days published together
are a *piece*. What a reader could subtract is looked for here too:

- `*` less single territories. Taking pieces of `*` that follow each other, and from them any
  published pieces of territories (also ones that reach beyond on either side), what does not
  cancel must be of nobody or of at least the floor. While it is not, the smallest territory
  that would be published waits.
- `*` device less single devices in one piece, and one device of `*` less that device of the
  territories: the same, and the smallest device is withheld.
- a piece replaced less the piece it replaces: it is replaced only if the viewers changed are at
  least the floor, and those of `*` less those of the territories replaced with it are nobody or
  at least the floor. It then publishes no single devices: of the viewers changed, those of one
  device may be few, and its row from before was seen.

Pieces never move: what is published stays as it is cut, and later days make later pieces.
Territories close only where `*` closes. Days that come late into a gap between two pieces of
`*` form a run of their own. Ever smaller remainders by combining three or more published
tables, as a linear program would, are not looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from engagement.pipeline.sketches import Viewers
from engagement.scope import ALL

People = frozenset[int]
Days = Mapping[date, Mapping[tuple[str, str], "Cell"]]
"""By settled day, then (territory, device); `*` among both. A day without rows is absent."""

_ONE = timedelta(days=1)
_NOBODY: People = frozenset()


@dataclass(frozen=True)
class Cell:
    """Who watched on one day: all of them by hash, or at least the floor of them."""

    viewers: int
    people: People


@dataclass(frozen=True, order=True)
class Piece:
    """The days [since, until) of a territory published as one, and its devices that are."""

    territory: str
    since: date
    until: date
    devices: frozenset[str] = field(default=frozenset(), compare=False)

    def overlaps(self, since: date, until: date) -> bool:
        return self.since < until and since < self.until


@dataclass(frozen=True)
class Plan:
    """What to publish: `pieces` is all there is then.

    `fresh` are those to be counted (anew), `withdrawn` kept ones that go, `held` kept ones that
    changed by too few viewers to be replaced, with how many those are at least.
    """

    pieces: tuple[Piece, ...]
    fresh: frozenset[Piece]
    withdrawn: frozenset[Piece]
    held: Mapping[Piece, int]


def protect(
    days: Days,
    kept: Sequence[Piece] = (),
    changed: Mapping[Piece, Viewers] | None = None,
    *,
    floor: int,
) -> Plan:
    """Cut settled days into pieces, keeping those that are published.

    `changed` gives, for each kept piece that is not as it was published, the viewers added,
    removed or changed in it.
    """
    changed = changed or {}
    board = _Board(days, kept, floor)
    replaced = _replaced(kept, changed, floor)
    withdrawn = {p for p in replaced if len(board.people(p.territory, ALL, p)) < floor}
    for piece in sorted(withdrawn):
        board.remove(piece)
    for piece in _unsafe(board, replaced - withdrawn):
        withdrawn.add(piece)
        board.remove(piece)
    fresh = replaced - withdrawn
    board.hide_devices(fresh)
    for whole in _runs(board):
        closed = _close(board, whole)
        board.decide_devices(closed)  # now, as on the evening the day settled
        fresh |= closed
    return Plan(
        pieces=tuple(sorted(board.all())),
        fresh=frozenset(p for p in board.all() if p in fresh),
        withdrawn=frozenset(withdrawn),
        held={p: v.at_least() for p, v in changed.items() if p not in replaced},
    )


def look_since(
    loose: Mapping[str, Mapping[date, Cell]], changed: Mapping[Piece, Viewers], *, floor: int
) -> date | None:
    """The first day that a plan depends on, and None where kept pieces stay all there is.

    `loose` are the cells over all devices, by territory and `*`, of settled days that no kept
    piece of it holds. `protect` makes the same plan of the days from there on, once that day has
    been moved back over every kept piece that lies across it (until none does), and of the kept
    pieces that do not end before it.
    """
    if any(v.at_least() >= floor for v in changed.values()):
        return date.min  # what is replaced may have to take others with it, however far back
    wholes = loose.get(ALL, {})
    if not _reaches(wholes, floor):
        return None
    firsts = [min(days) for days in loose.values() if _reaches(days, floor)]
    return min([*firsts, min(wholes)])


def _reaches(days: Mapping[date, Cell], floor: int) -> bool:
    people = _NOBODY
    for cell in days.values():
        people |= cell.people
        if len(people) >= floor:
            return True
    return False


@dataclass(frozen=True)
class _Tied:
    """A territory's piece that spans more than one place, and who is in which."""

    people: Mapping[int, People]

    @property
    def span(self) -> tuple[int, int]:
        return min(self.people), max(self.people)

    def across(self, first: int, last: int) -> tuple[People, People] | None:
        """Who is inside a span and who is not, of a piece that is partly inside."""
        inside = [p for place, p in self.people.items() if first <= place <= last]
        if not inside:
            return None
        outside = [p for place, p in self.people.items() if not first <= place <= last]
        return _NOBODY.union(*inside), _NOBODY.union(*outside)


@dataclass(frozen=True)
class _Parts:
    """One territory's viewers by the place of a `*` piece: of days that are in no piece of the
    territory, and of each piece that spans more than one place (others cancel wholly)."""

    loose: Mapping[int, People]
    tied: Sequence[_Tied]


class _Board:
    """The pieces so far, and who is in them."""

    def __init__(self, days: Days, kept: Iterable[Piece], floor: int) -> None:
        self.days, self.floor = days, floor
        self.cells: dict[tuple[str, str], dict[date, Cell]] = {}
        for day in sorted(days):
            for key, cell in days[day].items():
                if cell.viewers:
                    self.cells.setdefault(key, {})[day] = cell
        self.territories = sorted({t for t, _ in self.cells} - {ALL})
        self.pieces: dict[str, list[Piece]] = {}
        for piece in kept:
            self.add(piece)

    def add(self, piece: Piece) -> None:
        self.pieces.setdefault(piece.territory, []).append(piece)
        self.pieces[piece.territory].sort()

    def remove(self, piece: Piece) -> None:
        self.pieces[piece.territory].remove(piece)

    def all(self) -> list[Piece]:
        return [p for pieces in self.pieces.values() for p in pieces]

    def of(self, territory: str) -> list[Piece]:
        return self.pieces.get(territory, [])

    def size(self, piece: Piece, device: str = ALL) -> int:
        """Viewers a day, added up: which of two is the smaller."""
        cells = self.cells.get((piece.territory, device), {})
        return sum(c.viewers for d, c in cells.items() if piece.since <= d < piece.until)

    def people(self, territory: str, device: str, piece: Piece) -> People:
        days = self.cells.get((territory, device), {})
        return self.union(territory, device, (d for d in days if piece.since <= d < piece.until))

    def union(self, territory: str, device: str, days: Iterable[date]) -> People:
        """The distinct viewers over `days`, or at least the floor of them."""
        cells = self.cells.get((territory, device), {})
        people = _NOBODY
        for day in days:
            people |= cells[day].people
            if len(people) >= self.floor:
                break
        return people

    def neighbourhood(self, pieces: Iterable[Piece]) -> tuple[date, date]:
        """The days around `pieces` that pieces of any territory tie together.

        Where no piece reaches across a day's edge, what could be subtracted on one side and on
        the other has been looked at by itself, and both together are more viewers, not fewer.
        """
        pieces = list(pieces)
        since = min(p.since for p in pieces)
        until = max(p.until for p in pieces)
        grown = True
        while grown:
            grown = False
            for piece in self.all():
                if piece.overlaps(since, until) and not (
                    since <= piece.since and piece.until <= until
                ):
                    since, until = min(since, piece.since), max(until, piece.until)
                    grown = True
        return since, until

    def leaks(self, pieces: Iterable[Piece], device: str = ALL) -> bool:
        """True where some remainder around `pieces` is of somebody, but fewer than the floor.

        The spans looked at are rows of neighbouring `*` pieces that publish `device` and touch
        one of `pieces`; the others are as they were.
        """
        pieces = list(pieces)
        if not pieces:
            return False
        since, until = self.neighbourhood(pieces)
        wholes = [p for p in self.of(ALL) if p.overlaps(since, until)]
        touched = [any(w.overlaps(p.since, p.until) for p in pieces) for w in wholes]
        shown = [device == ALL or device in w.devices for w in wholes]
        parts = [self._parts(territory, device, wholes) for territory in self.territories]
        tied = [(*piece.span, piece) for part in parts for piece in part.tied]
        for last in range(touched.index(True) if True in touched else 0, len(wholes)):
            loose, touches = _NOBODY, False
            for first in range(last, -1, -1):
                loose = loose.union(*(part.loose.get(first, _NOBODY) for part in parts))
                if not shown[first] or len(loose) >= self.floor:
                    break  # further back it is no row, or only ever more viewers
                touches = touches or touched[first]
                if touches and 0 < self._remainder(loose, tied, first, last) < self.floor:
                    return True
        return False

    def _parts(self, territory: str, device: str, wholes: Sequence[Piece]) -> _Parts:
        """A territory's days by the place of the `*` piece they lie in (-1: in none)."""
        cells = self.cells.get((territory, device), {})
        published = [p for p in self.of(territory) if device == ALL or device in p.devices]
        loose: dict[int, People] = {}
        tied: list[dict[int, People]] = [{} for _ in published]
        at = piece = 0
        for day, cell in cells.items():  # in order, like the pieces
            while at < len(wholes) and wholes[at].until <= day:
                at += 1
            place = at if at < len(wholes) and wholes[at].since <= day else -1
            while piece < len(published) and published[piece].until <= day:
                piece += 1
            inside = piece < len(published) and published[piece].since <= day
            by_place = tied[piece] if inside else loose
            by_place[place] = by_place.get(place, _NOBODY) | cell.people
        loose.pop(-1, None)
        return _Parts(loose, [_Tied(t) for t in tied if len(t) > 1])

    def _remainder(
        self, loose: People, pieces: Iterable[tuple[int, int, _Tied]], first: int, last: int
    ) -> int:
        """The fewest viewers left when territories are subtracted from `*` pieces first..last,
        counted no further than the floor.

        `loose` stay in any case. Of a territory's piece that lies across an end of the span,
        what is inside stays if the piece is not subtracted, and what is outside appears if it is.
        """
        either = [
            two
            for begins, ends, tied in pieces
            # by far the most lie wholly inside or outside: their places need no look
            if begins <= last and first <= ends and (begins < first or last < ends)
            if (two := tied.across(first, last)) is not None
        ]
        either.sort(key=lambda two: -min(map(len, two)))
        return _fewest(loose, either, self.floor)

    def decide_devices(self, fresh: set[Piece]) -> None:
        """Set the devices that each of `fresh` publishes."""
        fresh = {p for p in self.all() if p in fresh}
        for piece in fresh:
            shown = frozenset(
                device
                for territory, device in self.cells
                if territory == piece.territory and device != ALL
                if len(self.people(territory, device, piece)) >= self.floor
            )
            self._show(piece, shown)
        while (piece_and_device := self._too_much(fresh)) is not None:
            piece, device = piece_and_device
            self._show(piece, piece.devices - {device})

    def hide_devices(self, pieces: Iterable[Piece]) -> None:
        """Publish no single devices of these: what changed of one may be of too few viewers."""
        for piece in pieces:
            self._show(piece, frozenset())

    def _show(self, piece: Piece, devices: frozenset[str]) -> None:
        self.remove(piece)
        self.add(replace(piece, devices=devices))

    def _too_much(self, fresh: set[Piece]) -> tuple[Piece, str] | None:
        """A device of a piece to withhold next, or None where all is well."""
        current = sorted(p for p in self.all() if p in fresh)
        for piece in current:
            withheld = _NOBODY
            for territory, device in self.cells:
                if territory == piece.territory and device not in piece.devices | {ALL}:
                    withheld |= self.people(territory, device, piece)
            if 0 < len(withheld) < self.floor and piece.devices:
                return piece, min(piece.devices, key=lambda d: (self.size(piece, d), d))
        for device in sorted({d for p in current for d in p.devices}):
            around = [p for p in current if device in p.devices]
            if self.leaks(around, device):
                smallest = min(
                    around,
                    key=lambda p: (
                        p.territory == ALL,
                        self.size(p, device),
                        p.territory,
                    ),
                )
                return smallest, device
        return None


def _fewest(people: People, either: Sequence[tuple[People, People]], enough: int) -> int:
    """How small a union of `people` with one of each pair can be; `enough` if no smaller.

    Viewers stand in several territories, so the smaller of each pair is not always the choice.
    """
    if len(people) >= enough or not either:
        return min(len(people), enough)
    for choice in sorted(either[0], key=len):
        enough = _fewest(people | choice, either[1:], enough)
    return enough


def _runs(board: _Board) -> Iterator[Piece]:
    """Pieces of `*` that have reached the floor, in the order of their days.

    The caller adds the piece, or leaves it: then its days wait for the next.
    """
    waiting: list[date] = []
    for day in list(board.cells.get((ALL, ALL), {})):
        after = [p for p in board.of(ALL) if p.since <= day]
        if after and day < after[-1].until:
            continue
        waiting = [d for d in waiting if not after or d >= after[-1].until]
        waiting.append(day)
        if len(board.union(ALL, ALL, waiting)) >= board.floor:
            yield Piece(ALL, waiting[0], day + _ONE)


def _close(board: _Board, whole: Piece) -> set[Piece]:
    """Publish a piece of `*`, and the waiting territories that may be published with it."""
    candidates: list[Piece] = []
    for territory in board.territories:
        done = max(
            (p.until for p in board.of(territory) if p.since < whole.until),
            default=date.min,
        )
        days = [d for d in board.cells[territory, ALL] if done <= d < whole.until]
        if days and len(board.union(territory, ALL, days)) >= board.floor:
            candidates.append(Piece(territory, days[0], whole.until))
    candidates.sort(key=lambda p: (-board.size(p), p.territory))
    added = [whole, *candidates]
    for piece in added:
        board.add(piece)
    while added and board.leaks(added):
        board.remove(added.pop())
    return set(added)


def _replaced(kept: Iterable[Piece], changed: Mapping[Piece, Viewers], floor: int) -> set[Piece]:
    """The kept pieces that changed by enough viewers, counted by lower bounds."""
    chosen = {p for p in kept if p in changed and changed[p].at_least() >= floor}
    wholes = sorted(p for p in chosen if p.territory == ALL)
    for whole in wholes:
        while True:
            parts = [
                p for p in chosen if p.territory != ALL and p.overlaps(whole.since, whole.until)
            ]
            if not parts or _is_safe(changed[whole], [changed[p] for p in parts], floor):
                break
            chosen.remove(min(parts, key=lambda p: (changed[p].count(), p)))
    return chosen


def _is_safe(whole: Viewers, parts: Sequence[Viewers], floor: int) -> bool:
    """True where the changes of `whole` less those of `parts` are of nobody or of enough."""
    theta = min([whole.theta, *(p.theta for p in parts)])
    in_parts = {int(h) for p in parts for h in p.hashes if h < theta}
    left = {int(h) for h in whole.hashes if h < theta} ^ in_parts
    return not left or len(left) >= floor


def _unsafe(board: _Board, replaced: set[Piece]) -> Iterator[Piece]:
    """Pieces of territories to withdraw because replacing leaves too small a remainder.

    The caller removes each before asking for the next.
    """
    while replaced and board.leaks(replaced):
        since, until = board.neighbourhood(replaced)
        singles = [p for p in board.all() if p.territory != ALL and p.overlaps(since, until)]
        if not singles:
            return
        yield min(singles, key=lambda p: (board.size(p), p))
