"""A title's shares as facts: by day and channel, and by content second.

Shares and visits are exact; new viewers are people and are published in pieces of at least the
floor (new_viewers.py), on the row of the piece's last day. Who shared ended at staging.

A share that came without a number makes the sum it belongs to unknown, not smaller: the visits of
its row, and the new viewers of its channel on its day in every territory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from django.conf import settings
from django.db import connection

from engagement import curves
from engagement.models import Ingest, Release, SharingFact, SharingOffset, Title
from engagement.pipeline import staging
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.new_viewers import Piece, pieces
from engagement.pipeline.publish import made_of_others, swap
from engagement.pipeline.restate import Key, Totals, day_totals, restate
from engagement.pipeline.staging import Rows
from engagement.pipeline.units import input_digest
from engagement.scope import ALL

FAMILY = "sharing"

_ONE_DAY = timedelta(days=1)

Place = tuple[date, str, str]
"""day, channel, territory"""

Shown = tuple[int, int | None, int | None, date | None, bool]
"""What a row says: shares, visits, new viewers, since when, and whether they were measured."""


@dataclass
class Cell:
    """One row of the fact table, before it has a Release."""

    shares: int = 0
    visits: int | None = 0  # None: not measured
    brought: int | None = 0  # new viewers, unprotected; None: not measured
    new_viewers: int | None = None
    new_since: date | None = None
    new_viewers_measured: bool = True

    def shown(self) -> Shown:
        return (
            self.shares,
            self.visits,
            self.new_viewers,
            self.new_since,
            self.new_viewers_measured,
        )


@dataclass(frozen=True)
class _Unit:
    digest: str
    rows: int


def publish_shares(
    title: Title,
    rows: Rows,
    *,
    made_of: frozenset[int],
    seen: frozenset[int],
    settled_until: date,
    ingest: Ingest | None = None,
) -> list[Release]:
    """Swap the days of a title's shares that changed, and cut settled days into pieces.

    `made_of` are the live Sources that hold the title, `seen` all live ones as `rows` were read.
    Raises Stale.
    """
    cells, offsets = _cells(rows.table), _offsets(title, rows.table)
    counted = {
        day: _Unit(input_digest(title, digest), count)
        for day, (digest, count) in staging.shares_by_day(rows).items()
    }
    changed = _changed(title, counted)
    units = {title: [(day, unit.digest) for day, unit in changed.items()]}
    with swap(Release.Kind.SHARES, units, seen=seen, made_of=made_of, ingest=ingest) as releases:
        before, pieces_before = _totals(title, settled_until), _piece_totals(title)
        for release, unit in zip(releases, changed.values(), strict=True):
            release.rows = unit.rows
        _protect(title, cells, settled_until)
        of_day = {r.day: r for r in (*_done(title), *releases) if r.day is not None}
        _say_made_of(of_day, rows, made_of, frozenset(changed))
        _swap(title, cells, offsets, of_day, frozenset(changed))
        restate(title, FAMILY, before, _totals(title, settled_until), of_day)
        restate(title, FAMILY, pieces_before, _piece_totals(title), of_day)
    return releases


def _totals(title: Title, settled_until: date) -> Totals:
    """Shares and visits of settled days, which are exact, over all channels."""
    return day_totals(SharingFact, title, ("shares", "visits"), settled_until)


def _piece_totals(title: Title) -> Totals:
    """The new viewers that stand published, by the days of their pieces, over all channels.

    Of what is withheld nothing is told: not of the old number, nor of the new one.
    """
    totals: dict[Key, Counter[str]] = defaultdict(Counter)
    for of_channel in _kept(title).values():
        for piece in of_channel:
            for territory, brought in piece.shown.items():
                totals[piece.since, piece.until, territory]["new_viewers"] += brought
    return totals


def loose_titles(settled_until: date) -> list[str]:
    """The title_ids with settled days whose new viewers are in no piece yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT title.key
            FROM engagement_sharingfact AS fact
            JOIN engagement_title AS title ON title.id = fact.title_id
            WHERE fact.territory = '*' AND fact."from" < %s AND fact.new_viewers_measured
              AND NOT EXISTS (
                  SELECT FROM engagement_sharingfact AS piece
                  WHERE piece.title_id = fact.title_id AND piece.territory = '*'
                    AND piece.channel = fact.channel
                    AND piece.new_since <= fact."from" AND fact."from" < piece.until
              )
            ORDER BY title.key
            """,
            [settled_until],
        )
        return [row[0] for row in cursor.fetchall()]


def _done(title: Title) -> list[Release]:
    return list(
        Release.objects.filter(
            kind=Release.Kind.SHARES, title=title, state=Release.State.DONE
        ).order_by("day")
    )


def _say_made_of(
    of_day: Mapping[date, Release], rows: Rows, made_of: frozenset[int], changed: frozenset[date]
) -> None:
    """Every day is made of all Sources of the title. The first says how many copies there are.

    The Releases of changed days are written when they are DONE.
    """
    made_of_others({of_day[day].pk: made_of for day in of_day if day not in changed})
    for number, day in enumerate(sorted(of_day)):
        release = of_day[day]
        rejected = {} if number else rows.rejected()
        if release.rejected == rejected:
            continue
        release.rejected = rejected
        if day not in changed:
            release.save(update_fields=["rejected"])


def _changed(title: Title, counted: Mapping[date, _Unit]) -> dict[date, _Unit]:
    """The days whose rows are not those that were published, also those that have none now."""
    nothing = _Unit(input_digest(title, staging.NO_ROWS.digest), 0)
    before = {r.day: r.input_digest for r in _done(title) if r.day is not None}
    return {
        day: counted.get(day, nothing)
        for day in sorted(counted.keys() | before.keys())
        if before.get(day) != counted.get(day, nothing).digest
    }


def _cells(table: pa.Table) -> dict[Place, Cell]:
    """Shares, visits and new viewers of each day, channel and territory, `*` among these."""
    cells: dict[Place, Cell] = defaultdict(Cell)
    if not len(table):
        return cells
    names = ("day", "channel", "territory", "visits", "new_viewers")
    for day, channel, territory, visits, brought in zip(
        *(table[name].to_pylist() for name in names), strict=True
    ):
        for place in (territory, ALL):
            cell = cells[day, channel, place]
            cell.shares += 1
            cell.visits = _sum(cell.visits, visits)
            cell.brought = _sum(cell.brought, brought)
    return cells


def _sum(total: int | None, number: int | None) -> int | None:
    return None if total is None or number is None else total + number


def _protect(title: Title, cells: dict[Place, Cell], settled_until: date) -> None:
    """Write the new viewers that may be shown into the cells of their pieces' last days.

    A territory that passed nothing on that day gets a row of none for it. A day that was not
    measured is in no sum; a piece that ends with one shows nothing.
    """
    kept = _kept(title)
    unmeasured = {
        (day, channel) for (day, channel, _), cell in cells.items() if cell.brought is None
    }
    days: dict[str, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for (day, channel, territory), cell in cells.items():
        cell.new_viewers_measured = (day, channel) not in unmeasured
        if territory != ALL and day < settled_until and cell.new_viewers_measured:
            assert cell.brought is not None
            days[channel][day][territory] = cell.brought
    for channel in sorted(days.keys() | kept.keys()):
        of_channel = days.get(channel, {})
        for piece in pieces(of_channel, kept.get(channel, []), floor=settings.FLOOR):
            inside = {t for day, of_day in of_channel.items() if day in piece for t in of_day}
            last = piece.until - _ONE_DAY
            is_measured = (last, channel) not in unmeasured
            for territory in {ALL, *inside, *piece.shown}:
                cell = cells.setdefault((last, channel, territory), Cell())
                cell.new_viewers = piece.shown.get(territory) if is_measured else None
                cell.new_since = piece.since
                cell.new_viewers_measured = is_measured


def _kept(title: Title) -> dict[str, list[Piece]]:
    """The pieces as they stand published, by channel."""
    shown: dict[tuple[str, date, date], dict[str, int]] = defaultdict(dict)
    for fact in SharingFact.objects.filter(title=title, new_since__isnull=False):
        assert fact.new_since is not None
        piece = shown[fact.channel, fact.new_since, fact.until]
        if fact.new_viewers is not None:
            piece[fact.territory] = fact.new_viewers
    kept: dict[str, list[Piece]] = defaultdict(list)
    for (channel, since, until), numbers in shown.items():
        kept[channel].append(Piece(since, until, numbers))
    return kept


@dataclass
class _Offset:
    shares: int = 0
    seconds: list[int] = field(default_factory=list)


def _offsets(title: Title, table: pa.Table) -> dict[tuple[date, str], _Offset]:
    found: dict[tuple[date, str], _Offset] = defaultdict(_Offset)
    if not len(table):
        return found
    names = ("day", "territory", "offset_s")
    for day, territory, second in zip(*(table[n].to_pylist() for n in names), strict=True):
        for place in (territory, ALL):
            found[day, place].shares += 1
            if second is not None:
                found[day, place].seconds.append(second)
    return found


def _swap(
    title: Title,
    cells: Mapping[Place, Cell],
    offsets: Mapping[tuple[date, str], _Offset],
    releases: Mapping[date, Release],
    changed: frozenset[date],
) -> None:
    """Make the rows of changed days anew; of the others those alone that are not as stored."""
    stored = {
        (fact.from_day, fact.channel, fact.territory): fact
        for fact in SharingFact.objects.filter(title=title)
    }
    stale = {
        place
        for place, fact in stored.items()
        if place[0] in changed or place not in cells or _shown(fact) != cells[place].shown()
    }
    SharingFact.objects.filter(pk__in=[stored[place].pk for place in stale]).delete()
    copy_objects(
        [
            _fact(title, place, cell, releases[place[0]])
            for place, cell in sorted(cells.items())
            if place in stale or place not in stored
        ]
    )
    SharingOffset.objects.filter(title=title, from_day__in=changed).delete()
    copy_objects(list(_offset_facts(title, offsets, releases, changed)))


def _shown(fact: SharingFact) -> Shown:
    return (
        fact.shares,
        fact.visits,
        fact.new_viewers,
        fact.new_since,
        fact.new_viewers_measured,
    )


def _fact(title: Title, place: Place, cell: Cell, release: Release) -> SharingFact:
    day, channel, territory = place
    return SharingFact(
        title=title,
        territory=territory,
        channel=channel,
        from_day=day,
        until=day + _ONE_DAY,
        release=release,
        shares=cell.shares,
        visits=cell.visits,
        new_viewers=cell.new_viewers,
        new_since=cell.new_since,
        new_viewers_measured=cell.new_viewers_measured,
    )


def _offset_facts(
    title: Title,
    offsets: Mapping[tuple[date, str], _Offset],
    releases: Mapping[date, Release],
    changed: frozenset[date],
) -> Iterable[SharingOffset]:
    for (day, territory), offset in sorted(offsets.items()):
        if day in changed:
            seconds = max([title.runtime_s, *(second + 1 for second in offset.seconds), 1])
            counts = np.bincount(np.array(offset.seconds, np.int64), minlength=seconds)
            yield SharingOffset(
                title=title,
                territory=territory,
                from_day=day,
                until=day + _ONE_DAY,
                release=releases[day],
                shares=offset.shares,
                unplaced=offset.shares - len(offset.seconds),
                curves=curves.pack(counts.astype(np.int64)[np.newaxis]),
            )
