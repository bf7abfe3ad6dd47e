"""The reference oracle: what a partner may read, written from the design and from nothing else.

It knows no scope, no block and no SQL, and shares no code with partners/access.py,
engagement/scope.py, query.py or the views: grants are plain tuples, time is counted day by day,
and every fact is asked by itself whether one tuple holds it whole. tests/oracle_world.py writes
the facts, tests/oracle_answers.py adds up those that are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

ALL = "*"
EXITS_OF_ROLE = {
    "owner": {"web", "export", "email", "api", "delta"},
    "analyst": {"web", "export", "email", "api", "delta"},
    "viewer": {"web"},
}


@dataclass(frozen=True)
class Fact:
    """One published row: of a table, a title, a territory and the days [since, until)."""

    table: str
    family: str
    title: str
    territory: str
    since: int
    until: int
    values: dict[str, Any] = field(compare=False)
    counted: tuple[str, ...] = ()  # of a series' own row: the children in it
    made_for: str | None = None  # of a fan set of one partner's own titles
    leaves: bool = True  # text: from three senders, liked by ten, or picked
    reaches_back: int | None = None  # of one number in it: the first day that it counts
    whole: bool = True  # whether that number may be read as well


@dataclass(frozen=True)
class Granted:
    """A grant as it was written down. Only one in state `live` opens anything."""

    partner: str
    titles: frozenset[str]
    families: frozenset[str]
    territories: frozenset[str]
    exits: frozenset[str]
    since: int
    until: int
    state: str = "live"


@dataclass(frozen=True)
class Member:
    partner: str
    role: str = "owner"
    titles: frozenset[str] | None = None  # the limits; None for no limit
    families: frozenset[str] | None = None
    shut: str = ""  # "suspended" (the partner), "disabled" (the user), "removed" ...
    token: tuple[frozenset[str], frozenset[str]] | None = None  # its exits and families


@dataclass(frozen=True)
class Asked:
    title: str
    resource: str
    sources: tuple[tuple[str, ...], ...]  # sets of families, each opens (a part of) the resource
    exit: str
    since: int
    until: int
    territory: str | None
    clip: bool


@dataclass(frozen=True)
class Platform:
    """What is so whoever asks: the facts, which children a series has, who holds them."""

    facts: tuple[Fact, ...]
    parent: dict[str, str]
    held: dict[tuple[str, str], tuple[frozenset[str], int, int]]  # (partner, title): where, when


# --- the rule ------------------------------------------------------------------------------------


def tuples(p: Platform, grants: list[Granted], m: Member, exit: str) -> Iterator[tuple]:
    """(title, families, territories, since, until) of all that is granted to the member now."""
    if m.shut or exit not in EXITS_OF_ROLE[m.role] or (m.token and exit not in m.token[0]):
        return
    for g in grants:
        if g.partner != m.partner or g.state != "live" or exit not in g.exits:
            continue
        if m.token and "api" not in g.exits:  # what leaves by a token leaves by the API as well
            continue
        families = g.families if m.families is None else g.families & m.families
        families = families & m.token[1] if m.token else families
        opened = dict.fromkeys(g.titles, (g.territories, g.since, g.until))
        for child in [t for t, series in p.parent.items() if series in g.titles]:
            where, since, until = p.held.get((m.partner, child), (frozenset(), 0, 0))
            both = where if ALL in g.territories else g.territories
            both = both if ALL in where else both & where
            opened.setdefault(child, (both, max(since, g.since), min(until, g.until)))
        for title, (where, since, until) in opened.items():
            named = m.titles is None or bool({title, p.parent.get(title)} & m.titles)
            if named and where and since < until:
                yield title, families, where, since, until


def reaches(t: tuple, territory: str, since: int, until: int) -> bool:
    return bool({ALL, territory} & t[2]) and t[3] <= since and until <= t[4]


def territories_of_a_day(mine: list[tuple], territory: str | None, day: int) -> set[str]:
    """Under which territories a day is answered: the one asked for, else all, else each."""
    today = [t for t in mine if t[3] <= day < t[4]]
    if territory is not None:
        return {territory} if any(reaches(t, territory, day, day + 1) for t in today) else set()
    return {ALL} if any(ALL in t[2] for t in today) else set().union(*(t[2] for t in today))


def answered(mine: list[tuple], q: Asked) -> set[tuple[str, int]] | None:
    """(territory, day) of the answer; None where the question reaches beyond and is not clipped."""
    days = range(q.since, q.until)
    found = {(t, d) for d in days for t in territories_of_a_day(mine, q.territory, d)}
    whole = bool(found) and all((t, d) in found for t, _ in found for d in days)
    return found if q.clip or whole else None


def readable(
    fact: Fact, mine: list[tuple], every: list[tuple], cells: set, m: Member, exit: str
) -> bool:
    """Whether a fact is part of an answer of these (territory, day) cells."""
    blocks = {fact.territory} if fact.table not in TEXTS else {fact.territory, ALL}
    return (
        any(
            all((b, d) in cells for d in range(fact.since, fact.until))
            and any(reaches(t, b, fact.since, fact.until) for t in mine)
            for b in blocks
        )
        and all(
            any(t[0] == child and fact.family in t[1]
                and reaches(t, fact.territory, fact.since, fact.until) for t in every)
            for child in fact.counted
        )
        and fact.made_for in (None, m.partner)
        and (exit == "web" or fact.leaves)
    )  # fmt: skip


TEXTS = {"danmu_comments", "discussion_posts"}
"""Tables without a row over all territories: who has all reads each."""


def decide(p: Platform, grants: list[Granted], m: Member, q: Asked) -> Any:
    """`refused`, `outside`, or (cells, {families: facts}) for each source that has a part."""
    every = list(tuples(p, grants, m, q.exit))
    own = [t for t in every if m.titles is None or t[0] in m.titles]
    cells, told, outside = None, {}, False
    for families in q.sources:
        mine = [t for t in own if t[0] == q.title and set(families) <= t[1]]
        if not mine:
            continue
        outside = True
        if cells is None:
            cells = answered(mine, q) or None
        elif not all(any(reaches(t, b, d, d + 1) for t in mine) for b, d in cells):
            continue
        if cells is not None:

            def may(f: Fact, mine: list[tuple] = mine, cells: set = cells) -> bool:
                return readable(f, mine, every, cells, m, q.exit)

            told[families] = [
                replace(f, whole=f.reaches_back is None or may(replace(f, since=f.reaches_back)))
                for f in p.facts
                if f.title == q.title and f.family in families and may(f)
            ]
    return (cells, told) if cells else "outside" if outside else "refused"


def stored(p: Platform, grants: list[Granted], m: Member, exit: str) -> Iterator[Fact]:
    """The facts that a partner may read at all, each asked by itself: what Postgres must show."""
    every = list(tuples(p, grants, m, exit))
    for f in p.facts:
        mine = [t for t in every if t[0] == f.title and f.family in t[1]]
        cells = {(f.territory, d) for d in range(f.since, f.until)}
        if readable(f, mine, every, cells, m, exit):
            back = f.reaches_back
            whole = back is None or any(reaches(t, f.territory, back, f.until) for t in mine)
            yield replace(f, whole=whole)


FAMILIES_OF_KIND = {
    "segments": {"viewing", "retention", "rewatch"},
    "typical": {"retention", "rewatch"},
    "shares": {"sharing"},
}


def listed(
    every: list[tuple], title: str, kind: str, since: int | None, until: int | None
) -> tuple[bool, bool]:
    """Whether a release is told, and whether it is told how many viewers wait in it.

    It is, where a grant of a family that it made holds its whole period; how many wait is counted
    over all territories, from viewing. A release of no day is of the title.
    """
    mine = [
        t
        for t in every
        if t[0] == title
        and (since is None or t[3] <= since < t[4])
        and (until is None or until <= t[4])
    ]
    return (
        any(FAMILIES_OF_KIND.get(kind, {kind}) & t[1] for t in mine),
        any("viewing" in t[1] and ALL in t[2] for t in mine),
    )
