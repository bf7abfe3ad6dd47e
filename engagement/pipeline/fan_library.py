"""The fan sets of one run: whose rules hold, who is in them, and the platform's own numbers.

Each title of a set is read once a run, and one window's numbers are looked at at a time. What
stands of them in a title's rows is publish_fanbases.py's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow.compute as pc
from django.db.models import Q
from numpy.typing import NDArray

from engagement.models import FanSetVersion, NoisedTable, Title
from engagement.pipeline import people_days
from engagement.pipeline.fansets import Fans, Rule, Viewers
from engagement.pipeline.holders import Holders
from engagement.pipeline.noise import two_sided_geometric
from engagement.scope import Window

FAMILY = "fanbases"
PLATFORM_EPSILON = 0.1
"""Of each platform number, once a period: its viewers, and of a fan set its fans and its size."""

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Joined:
    """Since which day each of a title's viewers (or finishers) is one: sorted by viewer."""

    viewers: Viewers
    since: NDArray[np.int32]  # days since 1970

    def until(self, day: date) -> Viewers:
        return self.viewers[self.since < (day - _EPOCH).days]


@dataclass
class Library:
    """Fan sets of one run, each title of theirs read once, and one window's numbers at a time."""

    holders: Holders
    _joined: dict[tuple[int, date, bool], Joined] = field(default_factory=dict)
    _window: Window | None = None
    _rules: list[Rule] = field(default_factory=list)
    _fans: dict[int, Fans] = field(default_factory=dict)
    _platform: Viewers | None = None
    _kept: dict[tuple[int | None, int | None], list[int]] = field(default_factory=dict)

    def open(self, window: Window) -> None:
        """Turn to a window. The numbers of another are forgotten, who joined when is not."""
        self._window, self._rules, self._platform = window, rules(window), None
        self._fans = {}
        tables = NoisedTable.objects.filter(
            Q(title=None) | Q(fan_set__isnull=False),
            family=FAMILY, from_day=window.since, until=window.until,
        )  # fmt: skip
        self._kept = {(t.title_id, t.fan_set_id): json.loads(bytes(t.noised)) for t in tables}

    @property
    def window(self) -> Window:
        assert self._window is not None
        return self._window

    @property
    def rules(self) -> list[Rule]:
        """Those that hold in the window."""
        return self._rules

    def fans(self, rule: Rule) -> Fans:
        """Who has come to be in the set until the window's end, by title."""
        if rule.version_id not in self._fans:
            titles = Title.objects.filter(pk__in=rule.titles).exclude(kind=Title.Kind.SERIES)
            self._fans[rule.version_id] = Fans(
                {
                    pk: self._of(pk, rule).until(self.window.until)
                    for pk in titles.values_list("pk", flat=True)
                }
            )
        return self._fans[rule.version_id]

    def _of(self, title: int, rule: Rule) -> Joined:
        key = title, rule.since, rule.finished
        if key not in self._joined:
            self._joined[key] = _joined(*key)
        return self._joined[key]

    def platform(self) -> Viewers:
        """The distinct viewers of all titles."""
        if self._platform is None:
            days = people_days.published(since=self.window.since, until=self.window.until)
            parts = [day.rows(("viewer",))["viewer"].to_numpy() for day in days]
            self._platform = np.unique(np.concatenate([np.zeros(0, np.uint64), *parts]))
        return self._platform

    def kept(
        self,
        fan_set: int | None,
        count: Callable[[], list[int]],
        *,
        sensitivity: int,
        title: int | None = None,
    ) -> list[int]:
        """Platform numbers of the window: as they were drawn before, or drawn now."""
        key = title, fan_set
        if key not in self._kept:
            drawn = two_sided_geometric(np.array(count(), np.int64), sensitivity / PLATFORM_EPSILON)
            where: dict[str, Any] = {"title_id": title, "fan_set_id": fan_set, "draw": 1}
            table, _ = NoisedTable.objects.get_or_create(
                **where,
                family=FAMILY,
                from_day=self.window.since,
                until=self.window.until,
                defaults={
                    "plays": 0,
                    "epsilon": PLATFORM_EPSILON,
                    "noised": json.dumps([int(n) for n in drawn]).encode(),
                },
            )
            self._kept[key] = json.loads(bytes(table.noised))
        return self._kept[key]


def _joined(title: int, since: date, finished: bool) -> Joined:
    viewers, days = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
    columns = ("viewer", "completions") if finished else ("viewer",)
    for day in people_days.published(titles=[title], since=since):
        rows = day.rows(columns)
        if finished:
            rows = rows.filter(pc.greater(rows["completions"], 0))
        viewers.append(rows["viewer"].to_numpy())
        days.append(np.full(len(rows), (day.day - _EPOCH).days, np.int32))
    # days are in their order, so the first row of a viewer is of the first day
    known, first = np.unique(np.concatenate(viewers), return_index=True)
    return Joined(known, np.concatenate(days)[first])


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
