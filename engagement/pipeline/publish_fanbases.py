"""A title's fan sets of one published period, as rows of facts.

The period, its territories and its viewers are those of the title's demographics: noised once,
for the same week. What is drawn here besides: how many of a title's viewers are in each set, and
of the whole platform once a period, how many viewers there are and how many of them are fans.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models import Max

from engagement.models import FanbaseFact, Ingest, NoisedTable, Release, Title
from engagement.pipeline import weeks
from engagement.pipeline.copying import copy_objects
from engagement.pipeline.fan_library import FAMILY, PLATFORM_EPSILON, Library
from engagement.pipeline.fansets import (
    CONSENTED,
    ERROR_OF_ONE,
    MOST_SETS,
    OWN,
    Between,
    Rule,
    Viewers,
    in_common,
    lift,
    made_for,
    noised,
)
from engagement.pipeline.holders import Holders
from engagement.pipeline.noise import two_sided_geometric
from engagement.pipeline.people_tables import SCALE as PEOPLE_SCALE
from engagement.pipeline.people_tables import kept
from engagement.pipeline.publish import swap
from engagement.pipeline.publish_people import Subject
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL, Window

EPSILON = 0.5
SCALE = MOST_SETS / EPSILON
"""A viewer is in at most 20 sets: together a title's sets cost epsilon 0.5 a period."""

TOO_FEW_PARTNERS = "too_few_partners"
BELOW_FLOOR = "below_floor"

_TITLES_A_SWAP = 200
_BATCH = 2000


@dataclass(frozen=True)
class Period:
    """A title's published period: what its demographics say, and who it was.

    `viewers` and `by_territory` are by territory, single ones and `other`, not `*`: the noised
    totals that are published (each the sum of `cells` draws of scale `scale`), and the viewers
    themselves. `counted` are a series' children.
    """

    title: Title
    window: Window
    draw: int
    viewers: Mapping[str, int]
    cells: int
    scale: float
    by_territory: Mapping[str, Viewers]
    counted: tuple[int, ...] | None = None

    def own(self) -> tuple[int, ...]:
        return (self.title.pk, *(self.counted or ()))


@dataclass(frozen=True)
class Counted:
    """One fan set beside one title: for whom, and how many in common by territory, noised."""

    rule: Rule
    made_for: Mapping[UUID | None, str]
    common: Mapping[str, int]


def publish_fanbases(
    subjects: Iterable[Subject],
    holders: Holders,
    *,
    ingest: Ingest | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Release]:
    """Every period of the titles' demographics that has no fan sets of the same draw yet.

    One window after another, each with all its titles: what is known of the whole platform is
    read once for them. `progress` is told how many windows are done.
    """
    library = Library(holders)
    with acting_as(PUBLISH):
        wanted = _due(subjects)
    done: list[Release] = []
    for number, window in enumerate(sorted(wanted, key=lambda w: (w.until, w.since))):
        progress(number, len(wanted))
        with acting_as(PUBLISH):
            library.open(window)
        if not library.rules:
            continue
        here = wanted[window]
        for first in range(0, len(here), _TITLES_A_SWAP):
            with acting_as(PUBLISH):
                prepared = [
                    prepared
                    for subject, draw in here[first : first + _TITLES_A_SWAP]
                    if (prepared := _prepared(_period(subject, window, draw), library))
                ]
            done += _publish(prepared, window, ingest)
    progress(len(wanted), len(wanted))
    return done


_DUE = """
    SELECT people.title_id, people."from", people.until, max(people.draw)
    FROM engagement_noisedtable AS people
    WHERE people.family = 'demographics'
      AND people.title_id = ANY(%s)
      AND NOT EXISTS (
          SELECT FROM engagement_noisedtable AS fans
          WHERE fans.family = 'fanbases'
            AND fans.fan_set_id IS NULL
            AND fans.title_id = people.title_id
            AND fans."from" = people."from"
            AND fans.until = people.until
            AND fans.draw >= people.draw
      )
    GROUP BY people.title_id, people."from", people.until
"""


def _due(subjects: Iterable[Subject]) -> dict[Window, list[tuple[Subject, int]]]:
    """By period the titles whose last draw of demographics has no fan sets beside it."""
    by_title = {subject.title.pk: subject for subject in subjects}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [list(by_title)])
        found = {(title, Window(since, until)): draw for title, since, until, draw in cursor}
    wanted: dict[Window, list[tuple[Subject, int]]] = defaultdict(list)
    for (title, window), draw in sorted(found.items(), key=lambda one: one[0][0]):
        wanted[window].append((by_title[title], draw))
    return wanted


def _period(subject: Subject, window: Window, draw: int) -> Period:
    table = NoisedTable.objects.get(
        title=subject.title,
        family="demographics",
        from_day=window.since,
        until=window.until,
        draw=draw,
    )
    noised_people = kept(table)
    who = subject.watchers(window)
    where = weeks.places(who, [t for t in noised_people.territories if t != weeks.OTHER])
    at = {t: n for n, t in enumerate(noised_people.territories)}
    return Period(
        title=subject.title,
        window=window,
        draw=draw,
        viewers={t: sum(noised_people.viewers[t].values()) for t in noised_people.territories},
        cells=max(len(cells) for cells in noised_people.cells.values()),
        scale=PEOPLE_SCALE,
        by_territory={t: who.viewers[where == n] for t, n in at.items()},
        counted=tuple(t.pk for t in subject.counted) if subject.is_series else None,
    )


@dataclass(frozen=True)
class Prepared:
    """A period's fan sets, counted and noised, not stored yet. `facts` have no Release."""

    period: Period
    drawn: dict[str, dict[str, int]]
    facts: list[FanbaseFact]


def _prepared(period: Period, library: Library) -> Prepared | None:
    """None where no fan set can be beside the title."""
    chosen = _chosen(period, library)
    if not chosen:
        return None
    counted = _draw(period, chosen, library)
    numbers = {c.rule.version_id: _platform(c.rule, period, library) for c in counted}
    platform = _platform_viewers(library)
    return Prepared(
        period,
        {str(c.rule.version_id): dict(c.common) for c in counted if c.made_for},
        [fact for c in counted for fact in _facts(period, c, numbers[c.rule.version_id], platform)],
    )


def _publish(prepared: Sequence[Prepared], window: Window, ingest: Ingest | None) -> list[Release]:
    """Store a window's fan sets of many titles, all in one transaction."""
    if not prepared:
        return []
    units = {p.period.title: [(window.since, f"{window} draw {p.period.draw}")] for p in prepared}
    with swap(Release.Kind.FANBASES, units, ingest=ingest) as releases:
        stood = dict(
            NoisedTable.objects.filter(
                title__in=[p.period.title for p in prepared], fan_set=None, family=FAMILY,
                from_day=window.since, until=window.until,
            ).values_list("title_id").annotate(last=Max("draw"))
        )  # fmt: skip
        done = [
            (each, release)
            for each, release in zip(prepared, releases, strict=True)
            if stood.get(each.period.title.pk, 0) < each.period.draw
        ]
        releases[:] = [release for _, release in done]
        FanbaseFact.objects.filter(
            title__in=[p.period.title for p, _ in done], from_day=window.since
        ).delete()
        for each, release in done:
            for fact in each.facts:
                fact.release = release
            release.rows, release.until = len(each.facts), window.until
            release.epsilon = EPSILON
        # not by COPY, which the row-level security of this table rules out
        FanbaseFact.objects.bulk_create([fact for p, _ in done for fact in p.facts], _BATCH)
        copy_objects([_table(p) for p, _ in done])
    return releases


def _table(prepared: Prepared) -> NoisedTable:
    period = prepared.period
    return NoisedTable(
        title=period.title,
        family=FAMILY,
        from_day=period.window.since,
        until=period.window.until,
        draw=period.draw,
        plays=0,
        epsilon=EPSILON,
        noised=json.dumps(prepared.drawn, sort_keys=True).encode(),
    )


def _chosen(period: Period, library: Library) -> list[tuple[Rule, dict[UUID | None, str]]]:
    """At most 20 sets: those of own titles first, then by consent, then pooled ones.

    A set by tag that cannot be pooled is told with its reason. One of named titles is not: that
    it exists would tell whose titles are in it.
    """
    found = []
    for rule in library.rules:
        fans = library.fans(rule)
        made = made_for(period.own(), fans, library.holders, period.window)
        if made or (not rule.finished and set(fans.by_title) - set(period.own())):
            found.append((rule, made))
    grounds = [OWN, CONSENTED]
    found.sort(
        key=lambda one: (
            not one[1],
            min(
                (grounds.index(g) if g in grounds else len(grounds) for g in one[1].values()),
                default=0,
            ),
            one[0].slug,
        )
    )
    return found[:MOST_SETS]


def _draw(
    period: Period, chosen: Sequence[tuple[Rule, dict[UUID | None, str]]], library: Library
) -> list[Counted]:
    territories = sorted(period.by_territory)
    counts = np.zeros((len(chosen), len(territories)), np.int64)
    for row, (rule, made) in enumerate(chosen):
        if not made:
            continue
        fans = library.fans(rule).without(period.own())
        for column, territory in enumerate(territories):
            counts[row, column] = in_common(fans, period.by_territory[territory])
    drawn = two_sided_geometric(counts.ravel(), SCALE).reshape(counts.shape)
    return [
        Counted(
            rule,
            made,
            {t: int(drawn[row, column]) for column, t in enumerate(territories)} if made else {},
        )
        for row, (rule, made) in enumerate(chosen)
    ]


@dataclass(frozen=True)
class OnPlatform:
    """Of one fan set: those of them among the platform's viewers of a period, and all of them."""

    fans: Between
    members: Between


def _platform_viewers(library: Library) -> Between:
    (count,) = library.kept(None, lambda: [len(library.platform())], sensitivity=1)
    return noised(count, 1 / PLATFORM_EPSILON, 1, ERROR_OF_ONE)


def _platform(rule: Rule, period: Period, library: Library) -> OnPlatform:
    """Drawn once a fan set and period, whichever title asks first.

    A title that is in the set itself asks for the set without it, which is drawn apart.
    """
    own = set(period.own())
    fans = library.fans(rule)
    apart = period.title.pk if own & set(fans.by_title) else None

    def count() -> list[int]:
        members = fans.without(own)
        return [in_common(members, library.platform()), len(members)]

    met, members = library.kept(rule.version_id, count, sensitivity=2, title=apart)
    scale = 2 / PLATFORM_EPSILON
    return OnPlatform(noised(met, scale, 1, ERROR_OF_ONE), noised(members, scale, 1, ERROR_OF_ONE))


def _facts(
    period: Period, counted: Counted, fans: OnPlatform, platform: Between
) -> Iterable[FanbaseFact]:
    """A row a territory and `*`, for everyone it is made for."""
    territories = sorted(period.by_territory)
    for territory, parts in [(ALL, territories), *((t, [t]) for t in territories)]:
        for partner, ground in (counted.made_for or {None: TOO_FEW_PARTNERS}).items():
            yield FanbaseFact(
                title=period.title,
                territory=territory,
                from_day=period.window.since,
                until=period.window.until,
                fan_set_id=counted.rule.version_id,
                partner_id=partner,
                counted=list(period.counted) if period.counted else None,
                **_numbers(period, counted, parts, ground, fans, platform),
            )


def _numbers(
    period: Period,
    counted: Counted,
    parts: Sequence[str],
    ground: str,
    fans: OnPlatform,
    platform: Between,
) -> dict[str, Any]:
    if ground == TOO_FEW_PARTNERS:
        return {"hidden_reason": TOO_FEW_PARTNERS}
    total = sum(counted.common[t] for t in parts)
    if total < settings.FLOOR:
        return {"hidden_reason": BELOW_FLOOR}
    common = noised(total, SCALE, len(parts), ERROR_OF_ONE)
    viewers = noised(
        sum(period.viewers[t] for t in parts),
        period.scale,
        period.cells * len(parts),
        ERROR_OF_ONE,
    )
    times = lift(common, viewers, fans.fans, platform)
    hidden = [
        *(["share_of_title:too_uncertain"] if viewers.value <= 0 else []),
        *(["share_of_fan_set:not_measured"] if ground != OWN else []),
        *(f"{name}:too_uncertain" for name in ("lift", "lift_low", "lift_high") if times is None),
    ]
    return {
        "viewers_in_common": total,
        "share_of_title": round(min(common.value / viewers.value, 1), 4)
        if viewers.value > 0
        else None,
        "share_of_fan_set": round(min(common.value / fans.members.value, 1), 4)
        if ground == OWN and fans.members.value > 0
        else None,
        "lift": round(times.value, 2) if times else None,
        "lift_low": math.floor(times.low * 100) / 100 if times else None,
        "lift_high": math.ceil(times.high * 100) / 100 if times else None,
        "hidden_reason": ";".join(hidden),
    }
