"""Counting anew what stands published, and telling what is not as it should be.

A unit is redone through the same steps as after an ingest; nothing that was noised is drawn
again. What is published afterwards is the same wherever its Sources are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from engagement.models import DemographicsFact, Ingest, Release, Source, Title
from engagement.pipeline import publish, staging, units
from engagement.pipeline.holders import Held, Holders
from engagement.pipeline.ingest import EMBEDDED, Progress, publish_all
from engagement.pipeline.landing import Refused, Summary, stage_again
from engagement.pipeline.weeks import OTHER
from engagement.roles import PUBLISH, acting_as
from engagement.scope import ALL, Window
from engagement.settling import settled_until

_FROM_SOURCES = (
    Release.Kind.SEGMENTS,
    Release.Kind.DANMU,
    Release.Kind.DISCUSSION,
    Release.Kind.SHARES,
)
_LATE = timedelta(hours=6)
"""A Release that is STARTED for longer was not finished."""


def rebuild(
    holders: Holders,
    *,
    title: str | None = None,
    since: date | None = None,
    until: date | None = None,
    by: str = EMBEDDED,
    progress: Progress = lambda stage, done, total: None,
) -> Summary:
    """Redo the units of a title (by title_id) and the days [since, until); all without either.

    Rows whose staging was lost are staged again from their kept bytes. Raises Refused.
    """
    summary = Summary(engine=by)
    with acting_as(PUBLISH):
        live = list(Source.objects.filter(state=Source.State.LIVE).exclude(kind="titles"))
    for number, source in enumerate(live):
        progress("sources", number, len(live))
        if not staging.is_staged(source.pk):
            stage_again(source)
    with acting_as(PUBLISH):
        chosen = Release.objects.filter(kind__in=_FROM_SOURCES, state=Release.State.DONE)
        if title is not None:
            chosen = chosen.filter(title__key=title)
            if not chosen.exists():
                raise Refused(f"nothing is published of a title {title!r}")
        if since is not None:
            chosen = chosen.exclude(day__lt=since)
        if until is not None:
            chosen = chosen.exclude(day__gte=until)
        chosen.update(input_digest="")  # as no rows have: publishing finds them stale
        run = Ingest.objects.create()
    publish_all(run, summary, holders, progress)
    return summary


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be, and what to do about it."""

    what: str
    todo: str


def freshness() -> list[Finding]:
    """What stands published but not as its Sources are, or was not finished. In the publisher's
    role."""
    found = [
        Finding(f"{source.name}: its bytes are gone", "ingest the file again")
        for source in Source.objects.filter(state=Source.State.LIVE).order_by("name")
        if not (Path(settings.SOURCES) / source.sha256).exists()
    ]
    unstaged = [
        source
        for source in Source.objects.filter(state=Source.State.LIVE)
        .exclude(kind="titles")
        .order_by("name")
        if not staging.is_staged(source.pk)
    ]
    found += [
        Finding(f"{source.name}: its staged rows are gone", "manage.py rebuild")
        for source in unstaged
    ]
    if not unstaged:
        found += _stale()
    for release in Release.objects.filter(
        state=Release.State.STARTED, started_at__lt=timezone.now() - _LATE
    ).select_related("title"):
        unit = Release.objects.filter(
            kind=release.kind, title=release.title, day=release.day, state=Release.State.DONE,
            done_at__gt=release.started_at,
        )  # fmt: skip
        if not unit.exists():
            found.append(Finding(f"{release} was started and never done", "manage.py ingest"))
    return found


@dataclass(frozen=True)
class DrawnOtherwise:
    """A published period of who watched, and the territories that holdings now name for it."""

    title: str
    window: Window
    drawn: frozenset[str]
    named: frozenset[str]

    def __str__(self) -> str:
        drawn, named = (", ".join(sorted(t)) or "no territory" for t in (self.drawn, self.named))
        return (
            f"{self.title} {self.window}: who watched was counted by {drawn}, its holdings name"
            f" {named} by now; what is drawn stays, later weeks are counted by them"
        )


def drawn_otherwise(holders: Holders) -> list[DrawnOtherwise]:
    """The periods whose holdings changed after they were drawn. Nothing is wrong with them, and no
    command draws them again: that would be paid for in privacy. In the publisher's role.
    """
    held: dict[int, list[Held]] = defaultdict(list)
    for one in holders.held:
        held[one.title_id].append(one)
    keys = dict(Title.objects.values_list("pk", "key"))
    periods: dict[tuple[int, Window], set[str]] = defaultdict(set)
    for title, since, until, territory in (
        DemographicsFact.objects.order_by("title_id", "from_day")
        .values_list("title_id", "from_day", "until", "territory")
        .distinct()
    ):
        periods[title, Window(since, until)].add(territory)
    found = []
    for (title, window), territories in periods.items():
        drawn = frozenset(territories - {ALL, OTHER})
        named = Holders(tuple(held[title])).territories(title, window)
        if drawn != named:
            found.append(DrawnOtherwise(keys[title], window, drawn, named))
    return found


def _stale() -> list[Finding]:
    """Units to publish, and settled days that no piece holds though their viewers are enough."""
    segments = units.stale_segments(units.live(Source.Kind.SEGMENTS))
    found = [
        Finding(f"segments {title} {day} is not as its sources are", "manage.py ingest")
        for day, titles in sorted(segments.items())
        for title in sorted(titles)
    ]
    for kind in (Source.Kind.DANMU, Source.Kind.DISCUSSION, Source.Kind.SHARES):
        found += [
            Finding(f"{kind} {title} is not as its sources are", "manage.py ingest")
            for title in sorted(units.stale_titles(units.live(kind), kind))
        ]
    return found + [
        Finding(f"{title.key} has settled days that were not cut", "manage.py ingest")
        for title in publish.titles_with_loose_days(settled_until(), at_least=settings.FLOOR)
    ]
