"""A title's fan sets of one published period, as rows of facts.

The period, its territories and its viewers are those of the title's demographics: noised once,
for the same week. What is drawn here besides: how many of a title's viewers are in each set, and
of the whole platform once a period, how many viewers there are and how many of them are fans.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import Max, Q, QuerySet

from engagement.models import FanbaseFact, FanSetVersion, Ingest, NoisedTable, Release, Title
from engagement.pipeline import people, weeks
from engagement.pipeline.fansets import (
    CONSENTED,
    ERROR_OF_ONE,
    MOST_SETS,
    OWN,
    Between,
    Fans,
    Rule,
    Viewers,
    in_common,
    lift,
    made_for,
    noised,
)
from engagement.pipeline.holders import Holders
from engagement.pipeline.noise import two_sided_geometric
from engagement.pipeline.publish import begin, finish, locked
from engagement.pipeline.publish_people import SCALE as PEOPLE_SCALE
from engagement.pipeline.publish_people import Subject, kept
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL, Window

FAMILY = "fanbases"
EPSILON = 0.5
SCALE = MOST_SETS / EPSILON
"""A viewer is in at most 20 sets: together a title's sets cost epsilon 0.5 a period."""

PLATFORM_EPSILON = 0.1
"""Of each platform number, once a period: its viewers, and of a fan set its fans and its size."""

TOO_FEW_PARTNERS = "too_few_partners"
BELOW_FLOOR = "below_floor"


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


@dataclass
class Library:
    """Fan sets and platform numbers of one run, each read once."""

    holders: Holders
    _fans: dict[tuple[int, Window], Fans] = field(default_factory=dict)
    _platform: dict[Window, Viewers] = field(default_factory=dict)

    def fans(self, rule: Rule, window: Window) -> Fans:
        """Who has come to be in the set until the window's end, by title."""
        since = Window(rule.since, window.until)
        key = rule.version_id, since
        if key not in self._fans:
            titles = Title.objects.filter(pk__in=rule.titles).exclude(kind=Title.Kind.SERIES)
            self._fans[key] = Fans(
                {t.pk: people.viewers(t, since, finished=rule.finished) for t in titles}
            )
        return self._fans[key]

    def platform(self, window: Window) -> Viewers:
        """The distinct viewers of all titles."""
        if window not in self._platform:
            parts = [people.viewers(t, window) for t in Title.objects.all()]
            self._platform = {window: np.unique(np.concatenate(parts))}  # of one window at a time
        return self._platform[window]


def rules(window: Window) -> list[Rule]:
    """The rules that hold in the window, in the order of their slugs."""
    versions = (
        FanSetVersion.objects.filter(from_day__lt=window.until)
        .filter(Q(until=None) | Q(until__gte=window.until))
        .select_related("fan_set", "tag")
        .prefetch_related("titles")
        .order_by("fan_set__slug")
    )
    return [
        Rule(
            version_id=v.pk,
            slug=v.fan_set.slug,
            finished=v.rule == FanSetVersion.Rule.FINISHED,
            titles=frozenset(
                v.tag.titles.values_list("pk", flat=True)
                if v.tag
                else (t.pk for t in v.titles.all())
            ),
            since=v.from_day,
            until=v.until,
        )
        for v in versions
    ]


@dataclass(frozen=True)
class Counted:
    """One fan set beside one title: for whom, and how many in common by territory, noised."""

    rule: Rule
    made_for: Mapping[UUID | None, str]
    common: Mapping[str, int]


def publish_due(
    subject: Subject, library: Library, *, ingest: Ingest | None = None
) -> list[Release]:
    """Every period of the title's demographics that has no fan sets of the same draw yet."""
    with acting_as(PUBLISH):
        drawn = {(since, until): draw for since, until, draw in _draws(subject.title, FAMILY)}
        wanted = [
            (Window(since, until), draw)
            for since, until, draw in _draws(subject.title, "demographics")
            if drawn.get((since, until), 0) < draw
        ]
    found = []
    for window, draw in wanted:
        with acting_as(PUBLISH):
            period = _period(subject, window, draw) if rules(window) else None
        if period and (release := publish_fanbases(period, library, ingest=ingest)):
            found.append(release)
    return found


def _draws(title: Title, family: str) -> list[tuple[date, date, int]]:
    """(from, until, number of the last draw) of each period."""
    return list(
        NoisedTable.objects.filter(title=title, fan_set=None, family=family)
        .values_list("from_day", "until")
        .annotate(last=Max("draw"))
        .order_by("from_day")
    )


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
    where = np.array(weeks.place(who, noised_people.territories), dtype=object)
    return Period(
        title=subject.title,
        window=window,
        draw=draw,
        viewers={t: sum(noised_people.viewers[t].values()) for t in noised_people.territories},
        cells=max(len(cells) for cells in noised_people.cells.values()),
        scale=PEOPLE_SCALE,
        by_territory={t: who.viewers[where == t] for t in noised_people.territories},
        counted=tuple(t.pk for t in subject.counted) if subject.is_series else None,
    )


def publish_fanbases(
    period: Period, library: Library, *, ingest: Ingest | None = None
) -> Release | None:
    """Draw and publish a period's fan sets. None where no fan set can be beside the title."""
    with acting_as(PUBLISH):
        chosen = _chosen(period, library)
        if not chosen:
            return None
        counted = _draw(period, chosen, library)
        numbers = {c.rule.version_id: _platform(c.rule, period, library) for c in counted}
        platform = _platform_viewers(period.window, library)
    digest = f"{period.window} draw {period.draw}"
    (release,) = begin(period.title, Release.Kind.FANBASES, [(period.window.since, digest)], ingest)
    facts = [
        fact
        for c in counted
        for fact in _facts(period, c, numbers[c.rule.version_id], platform, release)
    ]
    with locked(period.title):
        if _tables(period).filter(draw__gte=period.draw).exists():
            Release.objects.filter(pk=release.pk).delete()
            return None  # another run drew meanwhile
        FanbaseFact.objects.filter(title=period.title, from_day=period.window.since).delete()
        FanbaseFact.objects.bulk_create(facts)
        drawn = {str(c.rule.version_id): dict(c.common) for c in counted if c.made_for}
        NoisedTable.objects.create(
            title=period.title,
            family=FAMILY,
            from_day=period.window.since,
            until=period.window.until,
            draw=period.draw,
            plays=0,
            epsilon=EPSILON,
            noised=json.dumps(drawn, sort_keys=True).encode(),
        )
        release.rows = len(facts)
        finish([release], [[]])
        Release.objects.filter(pk=release.pk).update(until=period.window.until, epsilon=EPSILON)
    return release


def _tables(period: Period) -> QuerySet[NoisedTable]:
    return NoisedTable.objects.filter(
        title=period.title,
        fan_set=None,
        family=FAMILY,
        from_day=period.window.since,
        until=period.window.until,
    )


def _chosen(period: Period, library: Library) -> list[tuple[Rule, dict[UUID | None, str]]]:
    """At most 20 sets: those of own titles first, then by consent, then pooled ones.

    A set by tag that cannot be pooled is told with its reason. One of named titles is not: that
    it exists would tell whose titles are in it.
    """
    found = []
    for rule in rules(period.window):
        fans = library.fans(rule, period.window)
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
        fans = library.fans(rule, period.window).without(period.own())
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


def _platform_viewers(window: Window, library: Library) -> Between:
    (count,) = _kept(None, window, lambda: [len(library.platform(window))], sensitivity=1)
    return noised(count, 1 / PLATFORM_EPSILON, 1, ERROR_OF_ONE)


def _platform(rule: Rule, period: Period, library: Library) -> OnPlatform:
    """Drawn once a fan set and period, whichever title asks first.

    A title that is in the set itself asks for the set without it, which is drawn apart.
    """
    window, own = period.window, set(period.own())
    fans = library.fans(rule, window)
    apart = period.title.pk if own & set(fans.by_title) else None

    def count() -> list[int]:
        members = fans.without(own)
        return [in_common(members, library.platform(window)), len(members)]

    met, members = _kept(rule.version_id, window, count, sensitivity=2, title=apart)
    scale = 2 / PLATFORM_EPSILON
    return OnPlatform(noised(met, scale, 1, ERROR_OF_ONE), noised(members, scale, 1, ERROR_OF_ONE))


def _kept(
    fan_set: int | None,
    window: Window,
    count: Callable[[], list[int]],
    *,
    sensitivity: int,
    title: int | None = None,
) -> list[int]:
    where = {
        "title_id": title,
        "fan_set_id": fan_set,
        "family": FAMILY,
        "from_day": window.since,
        "until": window.until,
    }
    known = NoisedTable.objects.filter(**where).first()
    if known is None:
        drawn = two_sided_geometric(np.array(count(), np.int64), sensitivity / PLATFORM_EPSILON)
        known, _ = NoisedTable.objects.get_or_create(
            **where,
            draw=1,
            defaults={
                "plays": 0,
                "epsilon": PLATFORM_EPSILON,
                "noised": json.dumps([int(n) for n in drawn]).encode(),
            },
        )
    kept: list[int] = json.loads(bytes(known.noised))
    return kept


def _facts(
    period: Period, counted: Counted, fans: OnPlatform, platform: Between, release: Release
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
                release=release,
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
