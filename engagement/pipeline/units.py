"""Which units stand published as their live Sources and titles are now, and which do not.

A unit is (segments or shares, title, day) or (danmu or discussion, title). It is told to be stale
from what is stored, not from what a run did: an ingest that was killed is finished by the next.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q

from engagement.families import METRIC_VERSION
from engagement.models import Release, Source, Title
from engagement.pipeline import staging

_CONTEXT_LENGTH = 16


@dataclass(frozen=True)
class Live:
    """The live Sources of one kind: by title_id and day, those that hold rows."""

    ids: frozenset[int]
    holders: Mapping[str, Mapping[str, frozenset[int]]]

    def around(self, title: str, day: date, reaches: date | None) -> frozenset[int]:
        """Sources with rows that decide what a day's sessions are.

        Those of the day before, by which a session began earlier, up to those of the day after
        the last one on which a session of this day played: it might go on there.
        """
        days = self.holders.get(title, {})
        length = ((reaches or day) - day).days + 1
        near = [
            days.get((day + timedelta(days=n)).isoformat(), frozenset())
            for n in range(-1, length + 1)
        ]
        return frozenset().union(*near)

    def of(self, title: str) -> frozenset[int]:
        return frozenset().union(*self.holders.get(title, {}).values())


def live(kind: str) -> Live:
    """Raises staging.Missing."""
    ids = Source.objects.filter(kind=kind, state=Source.State.LIVE).values_list("id", flat=True)
    holders: dict[str, dict[str, frozenset[int]]] = defaultdict(dict)
    for source in ids:
        for title, days in staging.units(source).items():
            for day in days:
                holders[title][day] = holders[title].get(day, frozenset()) | {source}
    return Live(frozenset(ids), holders)


def input_digest(title: Title, rows: str) -> str:
    """64 hexadecimal digits of a unit's rows and of what else its numbers depend on."""
    return context_digest(title) + rows[_CONTEXT_LENGTH:]


def context_digest(title: Title) -> str:
    context = f"{METRIC_VERSION}|{title.key}|{title.runtime_s}|{settings.TIME_ZONE}"
    return hashlib.sha256(context.encode()).hexdigest()[:_CONTEXT_LENGTH]


def stale_segments(live: Live) -> dict[date, set[str]]:
    """The (day, title_ids) whose Release is missing or made of other Sources.

    A unit that is looked at again because a Source of a day beside it came is often the same:
    publishing compares its rows.
    """
    titles = {t.key: t for t in Title.objects.exclude(kind=Title.Kind.SERIES)}
    wanted = {
        (title, date.fromisoformat(day))
        for title, days in live.holders.items()
        for day in days
        if title in titles
    }
    stale: dict[date, set[str]] = defaultdict(set)
    for key, day, reaches, digest, sources in _done(Release.Kind.SEGMENTS):
        if day is None or key not in titles:  # a series' days are made of its episodes'
            continue
        wanted.discard((key, day))
        if (
            sources - live.ids
            or live.around(key, day, reaches) - sources
            or not digest.startswith(context_digest(titles[key]))
        ):
            stale[day].add(key)
    for title, day in wanted:
        stale[day].add(title)
    return stale


def stale_titles(live: Live, kind: str) -> set[str]:
    """The title_ids whose Release of `kind` is missing or made of other Sources.

    For kinds whose rows count once over the whole title: danmu, discussion and shares, of which
    every day's Release is made of all Sources that hold the title.
    """
    titles = {t.key: t for t in Title.objects.all()}
    wanted = set(live.holders) & set(titles)
    stale = set()
    for key, _, _, digest, sources in _done(kind):
        wanted.discard(key)
        if sources != live.of(key) or not digest.startswith(context_digest(titles[key])):
            stale.add(key)
    return stale | wanted


def _done(
    kind: str,
) -> list[tuple[str, date | None, date | None, str, frozenset[int]]]:
    """Of each unit that stands published: title_id, day, reaches, input digest, Sources."""
    rows = (
        Release.objects.filter(kind=kind, state=Release.State.DONE)
        .annotate(made_of=ArrayAgg("sources", filter=Q(sources__isnull=False), default=[]))
        .values_list("title__key", "day", "reaches", "input_digest", "made_of")
        .order_by()
    )
    return [
        (key, day, reaches, digest, frozenset(made_of))
        for key, day, reaches, digest, made_of in rows
    ]
