"""The only way to a number: `run(query, scope)`.

Scope is applied here, and again by Postgres: the rows are read as a role that may read the
views of the second wall and nothing else. A title or family outside the scope is Refused
exactly as one that does not exist; a window or territory beyond it is OutsideScope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from engagement.families import Resource, Result
from engagement.families.read import (
    COUNTING_VIEWS,
    Read,
    block_arrays,
    child_arrays,
    children_of,
    fetch,
)
from engagement.families.registry import READERS, RESOURCES, VIEW_OF_FAMILY
from engagement.models import Title
from engagement.roles import READER, acting_as
from engagement.scope import ALL, EVER, OutsideScope, Part, Query, Refused, Scope, Window
from engagement.settling import settled_until

_FAMILIES_OF_KIND = {
    "segments": frozenset({"viewing", "retention", "rewatch"}),
    "danmu": frozenset({"danmu"}),
    "discussion": frozenset({"discussion"}),
    "shares": frozenset({"sharing"}),
    "demographics": frozenset({"demographics"}),
    "geography": frozenset({"geography"}),
    "fanbases": frozenset({"fanbases"}),
    "typical": frozenset({"retention", "rewatch"}),
}


def resource_for(name: str) -> Resource:
    """The resource of that name. Raises Refused, as for one that is not granted."""
    try:
        return RESOURCES[name]
    except KeyError:
        raise Refused from None


def clip(query: Query, scope: Scope) -> Query | None:
    """The query narrowed to what the scope grants; None where nothing of it is granted.

    A derived resource is clipped to what the first of its sources reaches that is granted any
    of it. Raises Refused where the title or family is not in scope.
    """
    in_scope = False
    for families in resource_for(query.resource).sources:
        try:
            clipped = scope.clip(query, families)
        except Refused:
            continue
        in_scope = True
        if clipped is not None:
            return clipped
    if not in_scope:
        raise Refused
    return None


def families_of(resource: Resource, scope: Scope, title_id: int) -> tuple[str, ...]:
    """The families by which the scope reads a resource of the title. Raises Refused."""
    for families in resource.sources:
        if scope.tuples(title_id, families):
            return families
    raise Refused


def run(query: Query, scope: Scope) -> Result:
    """Answer one query within the scope.

    Raises Refused (title or family), OutsideScope (window or territory), ValueError (a grain
    the resource does not have), TooManyRows (more than the query's `most_rows`).
    """
    return run_each([query], scope)[0]


def measured(scope: Scope, title_id: int, families: Iterable[str] | None = None) -> Window | None:
    """The days, from the first to the last settled one, on which the scope has numbers.

    Over all families of the title in scope, or those named. None where there are none.
    """
    windows = [
        window
        for family in families or sorted(scope.families(title_id))
        if (window := _measured_of_family(scope, title_id, family)) is not None
    ]
    if not windows:
        return None
    return Window(min(w.since for w in windows), max(w.until for w in windows))


def titles_in(scope: Scope) -> list[Title]:
    """The titles of a scope, in the order of their slugs."""
    return list(Title.objects.filter(pk__in=scope.titles()).select_related("parent"))


def releases(scope: Scope) -> list[dict[str, object]]:
    """The releases behind the numbers in scope, newest first."""
    slugs = dict(Title.objects.filter(pk__in=scope.titles()).values_list("pk", "slug"))
    with acting_as(READER, partner_id=scope.partner_id, exit=scope.exit):
        rows = fetch(
            "SELECT id::text, kind, title_id, day, until, done_at, engine, metric_version,"
            " waiting_viewers FROM wall_release WHERE title_id = ANY(%s)"
            " ORDER BY done_at DESC, title_id, day DESC",
            [list(slugs)],
        )
    return [
        {
            "id": id_,
            "kind": kind,
            "title": slugs[title_id],
            "day": day,
            "done_at": done_at,
            "engine": engine,
            "metric_version": metric_version,
            "waiting_viewers": waiting if _sees_all(scope, title_id, day) else None,
        }
        for id_, kind, title_id, day, until, done_at, engine, metric_version, waiting in rows
        if _sees_release(scope, title_id, kind, day, until)
    ]


@dataclass(frozen=True)
class Change:
    """A settled number that has changed. `adjusts` a closed month, or restates what was shown."""

    title_id: int
    family: str
    territory: str
    window: Window
    metric: str
    old: int | None
    new: int | None
    at: datetime
    adjusts: bool


_CHANGES = """
SELECT fact.title_id, fact.family, fact.territory, fact."from", fact.until, fact.metric,
       fact.old, fact.new, fact.at, false
FROM wall_restatement AS fact
WHERE fact.title_id = ANY(%s)
UNION ALL
SELECT fact.title_id, fact.family, fact.territory, fact."from", fact.until, fact.metric,
       fact.old, fact.new, fact.at, true
FROM wall_adjustment AS fact
WHERE fact.title_id = ANY(%s)
"""


def changes(scope: Scope, title_ids: Iterable[int] | None = None) -> list[Change]:
    """Restatements and adjustments of numbers that the scope could read, newest first.

    Of all titles in scope, or of those named that are in it.
    """
    titles = scope.titles() if title_ids is None else scope.titles() & frozenset(title_ids)
    with acting_as(READER, partner_id=scope.partner_id, exit=scope.exit):
        rows = fetch(_CHANGES, [sorted(titles), sorted(titles)])
    found = [
        Change(title, family, where, Window(since, until), metric, old, new, at, adjusts)
        for title, family, where, since, until, metric, old, new, at, adjusts in rows
    ]
    return sorted(
        (c for c in found if _could_read(scope, c)),
        key=lambda c: (-c.at.timestamp(), c.title_id, c.window, c.family, c.territory, c.metric),
    )


def _could_read(scope: Scope, change: Change) -> bool:
    return any(
        e.reaches(change.territory) and e.window.holds(change.window)
        for e in scope.tuples(change.title_id, [change.family])
    )


def _sees_release(
    scope: Scope, title_id: int, kind: str, day: date | None, until: date | None
) -> bool:
    """Of its day, or of a period that lies wholly in one tuple; one of no day is of the title."""
    families = _FAMILIES_OF_KIND[kind]
    period = Window(day, until or day + timedelta(days=1)) if day else None
    return any(
        e.title_id == title_id
        and e.families & families
        and (period is None or e.window.holds(period))
        for e in scope.entitled
    )


def _sees_all(scope: Scope, title_id: int, day: date | None) -> bool:
    """How many viewers wait is counted over all territories, from `viewing`."""
    return any(
        ALL in e.territories and (day is None or e.window.since <= day < e.window.until)
        for e in scope.tuples(title_id, ["viewing"])
    )


def data_through(window: Window | None) -> date | None:
    """The last day of a measured window."""
    return window.until - timedelta(days=1) if window else None


def _measured_of_family(scope: Scope, title_id: int, family: str) -> Window | None:
    blocks = scope.reach(title_id, [family], scope.granted(title_id, [family]))
    if not blocks or family not in VIEW_OF_FAMILY:
        return None
    view = VIEW_OF_FAMILY[family]
    counted = child_arrays(view, _countable(scope, family))
    with acting_as(READER, partner_id=scope.partner_id, exit=scope.exit):
        [(since, until)] = fetch(
            # the view's name is this module's own, never a caller's
            f'SELECT min(fact."from"), max(fact.until) FROM {view} AS fact'  # noqa: S608
            " WHERE fact.title_id = %s AND fact.until <= %s AND EXISTS ("
            "   SELECT FROM unnest(%s::text[], %s::date[], %s::date[])"
            "       AS reach(territory, since, until)"
            "   WHERE reach.territory IN (fact.territory, '*')"
            '     AND fact."from" >= reach.since AND fact.until <= reach.until)'
            + children_of(view),
            [title_id, settled_until(), *block_arrays(blocks), *counted],
        )
    return Window(since, until) if since else None


def sources_of(query: Query, scope: Scope) -> tuple[tuple[str, ...], ...]:
    """The sets of families that an answer to the query is computed from. Raises as `run` does."""
    _, granted = _granted(resource_for(query.resource), query, scope)
    return tuple(granted)


def _granted(
    resource: Resource, query: Query, scope: Scope
) -> tuple[tuple[Part, ...], dict[tuple[str, ...], tuple[Part, ...]]]:
    """The blocks of the answer, and for each source that grants all of them its reach.

    The first source that is granted what was asked says which blocks; another one that does
    not hold them all has no part in the answer. Raises as `run` does.
    """
    outside: OutsideScope | None = None
    parts: tuple[Part, ...] = ()
    granted: dict[tuple[str, ...], tuple[Part, ...]] = {}
    for families in resource.sources:
        asked = replace(query, parts=parts) if parts else query
        try:
            parts = scope.check(asked, families)
        except Refused:
            continue
        except OutsideScope as error:
            outside = outside or error
            continue
        granted[families] = scope.reach(query.title_id, families, parts)
    if not granted:
        raise outside or Refused
    return parts, granted


def _with_notes(result: Result, read: Read, title: Title, scope: Scope) -> Result:
    """The result as it is answered: whether it was clipped, is provisional, is sample data."""
    query, notes = result.asked, list(result.notes)
    if query.parts is not None and _is_narrower(read, scope):
        notes.append("clipped")
    if query.window.until > settled_until():
        notes.append("provisional")
    return replace(result, notes=tuple(notes), sample=title.sample)


def _is_narrower(read: Read, scope: Scope) -> bool:
    """True where days that were asked for, or a whole territory that is granted, are missing."""
    query = read.query
    if query.window == EVER:
        return False
    granted = scope.granted(query.title_id, next(iter(read.granted)))
    wanted = {query.territory} if query.territory else {p.territory for p in granted}
    return any(p.window != query.window for p in read.parts) or not wanted <= {
        p.territory for p in read.parts
    }


def run_each(queries: Iterable[Query], scope: Scope) -> list[Result]:
    """`run` for many queries, in one transaction as the reader: a list of titles costs the
    reads of its titles and little else. Raises as `run` does.
    """
    asked = list(queries)
    titles = Title.objects.only("runtime_s", "sample", "kind").in_bulk({q.title_id for q in asked})
    reads = [_read(query, titles, scope) for query in asked]
    with acting_as(READER, partner_id=scope.partner_id, exit=scope.exit):
        results = [READERS[read.resource.name](read) for read in reads]
    return [
        _with_notes(result, read, titles[result.asked.title_id], scope)
        for result, read in zip(results, reads, strict=True)
    ]


def _read(query: Query, titles: Mapping[int, Title], scope: Scope) -> Read:
    """What the reader of the resource is given. Raises as `run` does."""
    resource = resource_for(query.resource)
    parts, granted = _granted(resource, query, scope)
    if query.grain not in ("window", "day") or (query.grain == "day" and not resource.curve):
        raise ValueError(f"{resource.name} has no grain {query.grain!r}")
    title = titles[query.title_id]
    families, reach = next(iter(granted.items()))
    read = _of_family(resource, query, parts, reach, title, scope)
    viewing = scope.reach(title.pk, ["viewing"], parts)
    return replace(
        read,
        granted=granted,
        granted_ever=scope.readable(title.pk, families),
        viewing=_of_family(RESOURCES["viewing"], query, parts, viewing, title, scope)
        if viewing
        else None,
        curves=tuple(b for f in _CURVES for b in scope.reach(title.pk, [f], parts)),
    )


_CURVES = ("retention", "rewatch")
"""The families whose releases tell on which days a title was watched."""


def _of_family(
    resource: Resource,
    query: Query,
    parts: tuple[Part, ...],
    reach: tuple[Part, ...],
    title: Title,
    scope: Scope,
) -> Read:
    is_series = title.kind == Title.Kind.SERIES
    return Read(
        resource=resource,
        query=query,
        parts=parts,
        reach=reach,
        exit=scope.exit,
        runtime_s=title.runtime_s,
        partner_id=scope.partner_id,
        children=_children(title, resource, scope) if is_series else {},
        is_series=is_series,
    )


def _children(series: Title, resource: Resource, scope: Scope) -> dict[int, tuple[Part, ...]]:
    """What is granted of each of a series' children for the resource's family."""
    families, counting = [resource.family], scope.counting()
    children = Title.objects.filter(parent_id=series.pk, pk__in=counting.titles())
    return {
        child: counting.readable(child, families) for child in children.values_list("pk", flat=True)
    }


def children_behind(query: Query, scope: Scope) -> dict[int, tuple[Part, ...]]:
    """The granted blocks of the children that a series' own rows in the answer may count.

    Of each child that is granted any of the query's blocks. None for a title that is no series,
    and for a resource in which series have no rows of their own.
    """
    resource = resource_for(query.resource)
    if VIEW_OF_FAMILY[resource.family] not in COUNTING_VIEWS or resource.computed_from:
        return {}
    series = Title.objects.filter(pk=query.title_id, kind=Title.Kind.SERIES).first()
    if series is None:
        return {}
    found = {}
    for child, blocks in _children(series, resource, scope).items():
        parts = {
            Part(part.territory, window)
            for part in query.parts or ()
            for block in blocks
            if block.territory in (ALL, part.territory)
            if (window := block.window.common(part.window)) is not None
        }
        if parts:
            found[child] = tuple(sorted(parts))
    return found


def measured_each(
    scope: Scope, title_ids: Iterable[int], families: Iterable[str] | None = None
) -> dict[int, Window]:
    """`measured` of many titles, in one read a family. A title without numbers is left out."""
    reaches = {
        family: _reaches(scope, tuple(title_ids), family)
        for family in (VIEW_OF_FAMILY if families is None else families)
    }
    counted = {
        family: child_arrays(VIEW_OF_FAMILY[family], _countable(scope, family))
        for family, blocks in reaches.items()
        if blocks
    }
    windows: dict[int, Window] = {}
    with acting_as(READER, partner_id=scope.partner_id, exit=scope.exit):
        for family, blocks in reaches.items():
            if not blocks:
                continue
            rows = fetch(
                # the view's name is this module's own, never a caller's
                'SELECT fact.title_id, min(fact."from"), max(fact.until)'  # noqa: S608
                f" FROM {VIEW_OF_FAMILY[family]} AS fact"
                " WHERE fact.title_id = ANY(%s) AND fact.until <= %s AND EXISTS ("
                "   SELECT FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::date[])"
                "       AS reach(title_id, territory, since, until)"
                "   WHERE reach.title_id = fact.title_id"
                "     AND reach.territory IN (fact.territory, '*')"
                '     AND fact."from" >= reach.since AND fact.until <= reach.until)'
                + children_of(VIEW_OF_FAMILY[family])
                + " GROUP BY fact.title_id",
                [
                    sorted({title_id for title_id, _ in blocks}),
                    settled_until(),
                    [title_id for title_id, _ in blocks],
                    *block_arrays([block for _, block in blocks]),
                    *counted[family],
                ],
            )
            for title_id, since, until in rows:
                known = windows.get(title_id, Window(since, until))
                windows[title_id] = Window(min(known.since, since), max(known.until, until))
    return windows


def _countable(scope: Scope, family: str) -> list[tuple[int, Part]]:
    """What is granted of every title that a series' own row may count."""
    counting = scope.counting()
    return [
        (title_id, block)
        for title_id in sorted(counting.titles())
        for block in counting.readable(title_id, [family])
    ]


def _reaches(scope: Scope, title_ids: Iterable[int], family: str) -> list[tuple[int, Part]]:
    """Each title's blocks of a family, as `Scope.reach` has them."""
    return [
        (title_id, block)
        for title_id in title_ids
        if family in scope.families(title_id)
        for block in scope.reach(title_id, [family], scope.granted(title_id, [family]))
    ]
