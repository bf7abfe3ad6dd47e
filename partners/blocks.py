"""What is open as blocks that can be subtracted: title x family x exit x territory, each over
boxes of data days x time of validity.

The arithmetic alone: `between` says what one state of affairs opens and closes against another,
`held_within` cuts a grant to what holdings cover. What is compared stands in difference.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID

from engagement.scope import ALL, EVER, Window, merge

BEGINNING = datetime.min.replace(tzinfo=UTC)
NO_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Key:
    """What is open, but for when."""

    partner_id: UUID
    title_id: int
    family: str
    exit: str
    territory: str


@dataclass(frozen=True, order=True)
class Box:
    """Data of these days, to be read during [valid_from, valid_until)."""

    window: Window
    valid_from: datetime = BEGINNING
    valid_until: datetime = NO_END


Reach = Mapping[Key, tuple[Box, ...]]


@dataclass(frozen=True)
class Piece:
    """Blocks that differ in nothing but family, exit or territory, joined to be read."""

    partner_id: UUID
    title_id: int
    families: tuple[str, ...]
    exits: tuple[str, ...]
    territories: tuple[str, ...]
    box: Box


@dataclass(frozen=True)
class Difference:
    opens: tuple[Piece, ...]
    closes: tuple[Piece, ...]

    def __bool__(self) -> bool:
        return bool(self.opens or self.closes)


def reach_of(tuples: Iterable[Piece]) -> Reach:
    """Whole tuples laid out as blocks."""
    reach: dict[Key, set[Box]] = defaultdict(set)
    for piece in tuples:
        for family in piece.families:
            for exit in piece.exits:
                for territory in piece.territories:
                    key = Key(piece.partner_id, piece.title_id, family, exit, territory)
                    reach[key].add(piece.box)
    return {key: tuple(sorted(boxes)) for key, boxes in reach.items()}


def between(before: Reach, after: Reach) -> Difference:
    """What `after` opens that `before` did not, and closes that it did."""
    return Difference(joined(_beyond(after, before)), joined(_beyond(before, after)))


def joined(reach: Reach) -> tuple[Piece, ...]:
    """Blocks as few pieces, in the order of partner, title and days."""
    pieces = [
        Piece(k.partner_id, k.title_id, (k.family,), (k.exit,), (k.territory,), box)
        for k, boxes in reach.items()
        for box in boxes
    ]
    for field in ("families", "exits", "territories"):
        alike: dict[Piece, set[str]] = defaultdict(set)
        for piece in pieces:
            alike[_with(piece, field, ())].update(getattr(piece, field))
        pieces = [_with(p, field, tuple(sorted(codes))) for p, codes in alike.items()]
    return tuple(sorted(pieces, key=_place))


def _place(piece: Piece) -> tuple[object, ...]:
    """Every part of it, so that one state is told in one order."""
    what = (piece.territories, piece.exits, piece.families)
    return (str(piece.partner_id), piece.title_id, piece.box, *what)


def _with(piece: Piece, field: str, codes: tuple[str, ...]) -> Piece:
    return replace(piece, **{field: codes})  # type: ignore[arg-type]


def held_within(
    held: Iterable[tuple[list[str], date | None, date | None]],
    territories: Iterable[str],
    window: Window,
) -> list[tuple[tuple[str, ...], Window]]:
    """What holdings, as (territories, from, until), cover of a grant's territories and days.

    Days of holdings that touch are one window: a row over both belongs to the partner. Of a
    grant for all territories (`*`) a holding of some leaves those.
    """
    held, territories = list(held), set(territories)
    named = {code for codes, _, _ in held for code in codes}
    blocks: dict[Window, set[str]] = defaultdict(set)
    for code in named | {ALL} if ALL in territories else territories:
        windows = [
            Window(since or EVER.since, until or EVER.until)
            for codes, since, until in held
            if code in codes or ALL in codes
        ]
        for part in merge(windows):
            if (common := part.common(window)) is not None:
                blocks[common].add(code)
    return [
        ((ALL,) if ALL in codes else tuple(sorted(codes)), part)
        for part, codes in sorted(blocks.items())
    ]


def _beyond(reach: Reach, other: Reach) -> Reach:
    """The part of `reach` that `other` does not cover. Only `*` covers `*`."""
    rest = {}
    for key, boxes in reach.items():
        covers = {*other.get(key, ()), *other.get(replace(key, territory=ALL), ())}
        left = set(boxes)
        for cover in covers:
            left = {part for box in left for part in _cut(box, cover)}
        if left:
            rest[key] = tuple(sorted(left))
    return rest


def _cut(box: Box, cover: Box) -> list[Box]:
    """`box` without `cover`: up to four boxes, by time of validity first."""
    days = box.window.common(cover.window)
    since = max(box.valid_from, cover.valid_from)
    until = min(box.valid_until, cover.valid_until)
    if days is None or since >= until:
        return [box]
    parts = []
    if box.valid_from < since:
        parts.append(replace(box, valid_until=since))
    if until < box.valid_until:
        parts.append(replace(box, valid_from=until))
    if box.window.since < days.since:
        parts.append(Box(Window(box.window.since, days.since), since, until))
    if days.until < box.window.until:
        parts.append(Box(Window(days.until, box.window.until), since, until))
    return parts
