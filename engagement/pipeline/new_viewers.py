"""Which days' new viewers of one channel are published together.

Pure. Like protect.py, for numbers instead of people: every new viewer came through one share, so
those of channels, days and territories add up. Days are joined until `*` holds at least the
floor; the days of such a piece are the same for all territories, and pieces never move. Inside a
piece a territory is shown with none or at least the floor, and what is left of `*` less the
territories shown is none or at least the floor: else the smallest shown is withheld as well.
Channels have no row over all of them, so there is nothing to subtract between channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engagement.scope import ALL

_ONE_DAY = timedelta(days=1)

Days = Mapping[date, Mapping[str, int]]
"""New viewers by settled day and single territory. A day without shares is absent."""


@dataclass(frozen=True)
class Piece:
    """The days [since, until), and the new viewers shown: of `*` and of territories."""

    since: date
    until: date
    shown: Mapping[str, int]

    def __contains__(self, day: date) -> bool:
        return self.since <= day < self.until


def pieces(days: Days, kept: Sequence[Piece], *, floor: int) -> list[Piece]:
    """The kept pieces, counted anew where enough changed, and those of the days in none."""
    stay = [_again(piece, _sums(days, piece.since, piece.until), floor) for piece in kept]
    fresh = [
        Piece(since, until, _shown(_sums(days, since, until), floor))
        for since, until in _runs(days, kept, floor)
    ]
    return sorted([*stay, *fresh], key=lambda piece: piece.since)


def _sums(days: Days, since: date, until: date) -> dict[str, int]:
    sums: dict[str, int] = {}
    for day, of_day in days.items():
        if since <= day < until:
            for territory, count in of_day.items():
                sums[territory] = sums.get(territory, 0) + count
    return sums


def _shown(sums: Mapping[str, int], floor: int) -> dict[str, int]:
    """`*` and the territories that may stand beside it; nothing where `*` is under the floor."""
    total = sum(sums.values())
    if total < floor:
        return {}
    shown = {t: n for t, n in sums.items() if n == 0 or n >= floor}
    by_size = sorted((t for t, n in shown.items() if n), key=lambda t: (shown[t], t))
    for territory in by_size:
        if not 0 < total - sum(shown.values()) < floor:
            break
        del shown[territory]
    return {ALL: total, **shown}


def _again(piece: Piece, sums: Mapping[str, int], floor: int) -> Piece:
    """The piece as it now counts, or as it was where a reader of both could tell too few apart.

    What changed must be none or at least the floor: in `*` and in every territory shown before
    and after, and in the rest of them together. No territory is shown that was not before. A
    piece that falls below the floor stays in its place with nothing shown.
    """
    if not piece.shown:
        return piece
    now = _shown(sums, floor)
    now = {t: n for t, n in now.items() if t in piece.shown}
    if now and _rest(now, floor):  # by leaving out those that were not shown before
        now = {ALL: now[ALL]}
    total = sum(sums.values()) - piece.shown[ALL]
    both = (piece.shown.keys() & now.keys()) - {ALL}
    changes = [now[t] - piece.shown[t] for t in both]
    changes += [total, total - sum(changes)]
    if not any(changes) or any(0 < abs(change) < floor for change in changes):
        return piece
    return Piece(piece.since, piece.until, now)


def _rest(shown: Mapping[str, int], floor: int) -> bool:
    """Whether `*` less the territories shown is somebody, but fewer than the floor."""
    return 0 < shown[ALL] - sum(n for t, n in shown.items() if t != ALL) < floor


def _runs(days: Days, kept: Sequence[Piece], floor: int) -> Iterator[tuple[date, date]]:
    """Days in no piece, joined until they hold the floor; never across a kept piece."""
    since, total = None, 0
    for day in sorted(days):
        if any(day in piece for piece in kept):
            continue
        if since is not None and any(since < piece.since < day for piece in kept):
            since, total = None, 0
        since = since or day
        total += sum(days[day].values())
        if total >= floor:
            yield since, day + _ONE_DAY
            since, total = None, 0
