"""Two to four titles, cuts or windows beside each other, on one axis of content time.

`?title=&from=&until=`, each as often as there are titles, in one order; what is left out is the
title's own default. Each is asked for and clipped by itself, as on its own page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engagement import query
from engagement.families import Result
from engagement.families.registry import RESOURCES
from engagement.models import Title
from engagement.scope import Query, Scope, Window, is_territory
from partners.access import scope_for, title_for
from partners.models import Membership
from portal.reads import numbers_read
from portal.web.doors import partner_page
from portal.web.headline import Headline, headline
from portal.web.tables import Beside, beside
from portal.web.windows import Picked, days_of, default_window, picked
from reports.charts.scripts import SCRIPTS

MOST = 4
CURVES = ("retention", "rewatch", "danmu")
AXES = ("seconds", "percent")
_OPENING_S = 30


@dataclass(frozen=True)
class Item:
    """One of those that are compared."""

    n: int  # from 1; its colour and dash in the chart
    title: Title
    asked: Picked
    results: Mapping[str, Result]

    @property
    def headline(self) -> Headline | None:
        return headline(self.results.get("viewing"))

    @property
    def answered(self) -> Window | None:
        """The days that the numbers are of: less than asked where less is granted."""
        return days_of(tuple(p for r in self.results.values() for p in r.answered))

    @property
    def clipped(self) -> bool:
        return any("clipped" in r.notes for r in self.results.values())

    @property
    def watch_per_play(self) -> float | None:
        """Seconds of content for each play."""
        numbers = self.headline
        return numbers.watch_seconds / numbers.plays if numbers and numbers.plays else None

    @property
    def opening(self) -> float | None:
        """The retention at second 30."""
        curve = self.results.get("retention")
        if curve is None:
            return None
        seconds = dict(zip(curve.data["content_second"], curve.data["retention"], strict=True))
        share = seconds.get(_OPENING_S)
        return float(share) if isinstance(share, int | float) else None


@partner_page
def compare(request: HttpRequest, membership: Membership) -> HttpResponse:
    scope = scope_for(membership, "web")
    code = request.GET.get("territory", "")
    territory = code if is_territory(code) else None
    axis = request.GET.get("axis", "")
    axis = axis if axis in AXES else AXES[0]
    asked = _asked(request, scope, territory)
    items = _answer(scope, asked, territory)
    if items:
        numbers_read(
            request,
            membership,
            (result for item in items for result in item.results.values()),
            target="compare",
            window=None,
            territory=territory,
            titles=[item.title.slug for item in items],
            windows=[str(item.asked.window) for item in items],
        )
    curves = [
        {name: item.results[name] for name in CURVES if name in item.results} for item in items
    ]
    return render(
        request,
        "partner/compare.html",
        {
            "items": items,
            "choices": _choices(scope),
            "rows": _rows(asked),
            "axis": axis,
            "axes": {name: _query_string(asked, territory, name) for name in AXES},
            "territory": territory,
            "territories": sorted({t for e in scope.entitled for t in e.territories}),
            "table": _table(items, curves, axis),
            "chart": [_chart(membership, item, territory) for item in items],
            "has_curves": any(curves),
            "headline_columns": {c.name: c for c in RESOURCES["viewing"].columns},
            "columns": [
                c
                for name, column in (
                    ("retention", "retention"),
                    ("rewatch", "audience_watch_ratio"),
                )
                for c in RESOURCES[name].columns
                if c.name == column
            ],
            "builders": SCRIPTS,
            "sample": any(item.title.sample for item in items),
        },
    )


def _asked(request: HttpRequest, scope: Scope, territory: str | None) -> list[tuple[Title, Picked]]:
    """The titles of the URL with the days asked of each. Raises Refused for one not granted."""
    named = zip_longest(*(request.GET.getlist(name) for name in ("title", "from", "until")))
    found: list[tuple[Title, Picked]] = []
    for slug, since, until in list(named)[: 4 * MOST]:
        if not slug or len(found) == MOST:
            continue
        title = title_for(scope, slug)
        measured = query.measured_each(scope, [title.pk]).get(title.pk)
        days = {"from": since or "", "until": until or "", "territory": territory or ""}
        found.append((title, picked(days, default_window(scope, title, measured))))
    return found


def _answer(
    scope: Scope, asked: Sequence[tuple[Title, Picked]], territory: str | None
) -> list[Item]:
    items = []
    for n, (title, days) in enumerate(asked, 1):
        families = scope.families(title.pk)
        queries = [
            clipped
            for name in ("viewing", *CURVES)
            if RESOURCES[name].opened_by(families)
            and (clipped := query.clip(Query(title.pk, name, days.window, territory), scope))
        ]
        results = {r.resource.name: r for r in query.run_each(queries, scope)}
        items.append(Item(n, title, days, results))
    return items


def _choices(scope: Scope) -> list[Title]:
    """What has a timeline of its own: all granted titles but series."""
    titles = Title.objects.filter(pk__in=scope.titles()).exclude(kind=Title.Kind.SERIES)
    return sorted(titles, key=lambda title: (title.name, title.slug))


def _rows(
    asked: Sequence[tuple[Title, Picked]],
) -> Iterator[tuple[int, Title | None, Window | None]]:
    """The lines of the form: those that are filled, and at least two."""
    for n in range(1, MOST + 1):
        if n <= len(asked):
            title, days = asked[n - 1]
            yield n, title, days.window
        else:
            yield n, None, None


def _query_string(asked: Sequence[tuple[Title, Picked]], territory: str | None, axis: str) -> str:
    pairs = [("axis", axis)] + ([("territory", territory)] if territory else [])
    for title, days in asked:
        pairs += [
            ("title", title.slug),
            ("from", days.window.since.isoformat()),
            ("until", days.window.until.isoformat()),
        ]
    return urlencode(pairs)


def _table(items: Sequence[Item], curves: Sequence[Mapping[str, Result]], axis: str) -> Beside:
    lengths = [item.title.runtime_s or 0 for item in items]
    return beside(curves, lengths, by_share=axis == "percent")


def _chart(membership: Membership, item: Item, territory: str | None) -> dict[str, Any]:
    """What the page's script draws one of them from."""
    path = f"/api/v1/p/{membership.partner.slug}/titles/{item.title.slug}/"
    days = urlencode({**item.asked.parameters(), "clip": "1"})
    return {
        "name": item.title.name,
        "runtime_s": item.title.runtime_s,
        "urls": {name: f"{path}{name}/?{days}" for name in CURVES if name in item.results},
    }
