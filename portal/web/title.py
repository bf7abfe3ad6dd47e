"""The title page: headline numbers, one timeline by content second, and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from engagement import query
from engagement.families import WAITING, Column, Result
from engagement.families.registry import RESOURCES
from engagement.models import Title
from engagement.scope import Query, Refused, Scope, Window
from partners.access import scope_for, title_for
from partners.models import Membership
from portal.files import csv_response
from portal.reads import numbers_read
from portal.web.changes import changed
from portal.web.doors import may_order, partner_page
from portal.web.headline import headline
from portal.web.panels import panels
from portal.web.portfolio import ends_of
from portal.web.tables import by_minute
from portal.web.windows import (
    Picked,
    data_window,
    days_of,
    default_window,
    picked,
    presets,
    recent,
    territories,
)
from reports.charts.scripts import SCRIPTS
from reports.moments import moments_of, said_until
from reports.render.document import Moment

CURVES = ("retention", "rewatch", "danmu")
READ_S = 60
"""So many seconds of comments stand around a second that was typed."""


@dataclass(frozen=True)
class Answers:
    """The results of one page, by resource, for the window picked.

    The moments stand apart: they are computed from the curves beside them.
    """

    asked: Picked
    results: Mapping[str, Result]
    moments: Result | None

    @property
    def window(self) -> Window | None:
        """The days answered, over all families."""
        return days_of(tuple(p for r in self.results.values() for p in r.answered))

    @property
    def territories(self) -> list[str]:
        return sorted({p.territory for r in self.results.values() for p in r.answered})

    @property
    def clipped(self) -> bool:
        return any("clipped" in r.notes for r in self.results.values())

    @property
    def plays_in_curves(self) -> tuple[int, int] | None:
        """Plays that the curves count, of those of the window; None where all are counted.

        Curves are published in pieces, and a piece that waits or that reaches beyond the window
        is no part of them. The plays themselves are exact, and `viewing`'s to tell.
        """
        viewing = self.results.get("viewing")
        curve = self.results.get("retention") or self.results.get("rewatch")
        total = viewing.extra.get("total") if viewing else None
        if curve is None or total is None or curve.extra["plays"] == total.plays:
            return None
        return curve.extra["plays"], total.plays

    @property
    def notes(self) -> frozenset[str]:
        return frozenset(note for r in self.results.values() for note in r.notes)


@partner_page
def title(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    scope = scope_for(membership, "web")
    found = title_for(scope, slug)
    families = scope.families(found.pk)
    measured = query.measured_each(scope, [found.pk]).get(found.pk)
    asked = picked(request.GET.dict(), default_window(scope, found, measured))
    answers = _answer(scope, found, asked)
    moments = [
        Entry(n, m)
        for n, m in enumerate(moments_of(answers.moments, answers.results.get("danmu")), 1)
    ]
    spot = _spot(request, moments)
    comments = _comments(scope, found, asked, spot)
    numbers_read(
        request,
        membership,
        (r for r in (*answers.results.values(), answers.moments, comments) if r is not None),
        target=found.slug,
        window=asked.window,
        territory=asked.territory,
    )
    table = request.GET.get("view") == "table"
    curves = {name: answers.results[name] for name in CURVES if name in answers.results}
    return render(
        request,
        "partner/title.html",
        {
            "title": found,
            "families": families,
            "asked": asked,
            "answers": answers,
            "presets": presets(asked, measured),
            "territories": territories(scope, found.pk),
            "through": query.data_through(measured),
            "ends": ends_of(membership, "web").get(found.pk),
            "data_window": data_window(scope, found.pk),
            "headline": headline(answers.results.get("viewing")),
            "hidden": _hidden(answers),
            "moments": moments,
            "moments_wait": answers.moments is not None and WAITING in answers.moments.notes,
            "has_panel": answers.moments is not None or "danmu" in families,
            "spot": spot,
            "comments": list(comments.rows()) if comments else [],
            "table": by_minute(curves) if table else None,
            "columns": _columns(curves),
            "headline_columns": {c.name: c for c in RESOURCES["viewing"].columns},
            "files": _files(membership, found, asked),
            "chart": _chart(request, membership, found, answers),
            "panels": panels(families, lambda name: _rest(membership, found, name, answers)),
            "builders": SCRIPTS,
            "may_order": may_order(membership),
            "sample": found.sample,
            "episodes": _children(scope, found),
            "changes": changed(scope, found, asked),
        },
    )


@partner_page
def csv(request: HttpRequest, membership: Membership, slug: str, resource: str) -> HttpResponse:
    """A resource as a file, by the `export` exit; the window is clipped as on the page."""
    found = title_for(scope_for(membership, "web"), slug)
    scope = scope_for(membership, "export")
    families = query.families_of(query.resource_for(resource), scope, found.pk)
    measured = query.measured(scope, found.pk, families)
    asked = picked(request.GET.dict(), measured or recent())
    clipped = query.clip(Query(found.pk, resource, asked.window, asked.territory), scope)
    if clipped is None:
        raise Refused
    result = query.run(clipped, scope)
    numbers_read(
        request,
        membership,
        [result],
        target=f"{found.slug}/{resource}",
        window=asked.window,
        territory=asked.territory,
        action="export.csv",
    )
    return csv_response(result, found.slug)


def _children(scope: Scope, title: Title) -> list[Title]:
    """The granted episodes and trailers of a series, in the order of release."""
    if title.kind != Title.Kind.SERIES:
        return []
    return list(
        title.children.filter(pk__in=scope.titles()).order_by("kind", "released_on", "slug")
    )


def _answer(scope: Scope, title: Title, asked: Picked) -> Answers:
    """Every granted resource of the page, clipped to what is granted."""
    families = scope.families(title.pk)
    queries = [
        clipped
        for name in ("viewing", *CURVES, "moments")
        if RESOURCES[name].opened_by(families)
        and (clipped := query.clip(Query(title.pk, name, asked.window, asked.territory), scope))
    ]
    results = {r.resource.name: r for r in query.run_each(queries, scope)}
    moments = results.pop("moments", None)
    return Answers(asked, results, moments)


@dataclass(frozen=True)
class Entry:
    """One numbered line of the moments panel."""

    n: int
    moment: Moment

    @property
    def until(self) -> int:
        """Where the comments that belong to it end."""
        return said_until(self.moment)


@dataclass(frozen=True)
class Spot:
    """The stretch of content whose comments stand in the panel; `n` where it is a moment."""

    from_second: int
    until_second: int
    n: int | None = None


def _spot(request: HttpRequest, moments: Sequence[Entry]) -> Spot | None:
    """`?at=` a second or h:mm:ss, or `?moment=` the number of one; else the strongest danmu peak,
    or the first of the moments.
    """
    at = _seconds(request.GET.get("at", ""))
    if at is not None:
        since = max(0, at - READ_S // 2)
        return Spot(since, since + READ_S)
    number = request.GET.get("moment", "")
    peaks = [entry for entry in moments if entry.moment.kind in ("danmu_peak", "danmu_minute")]
    chosen = [entry for entry in moments if str(entry.n) == number] or peaks or moments
    return next((Spot(e.moment.from_second, e.until, e.n) for e in chosen), None)


def _seconds(text: str) -> int | None:
    """7.5 minutes in: "450", "7:30" or "0:07:30"; None for anything else."""
    pieces = text.strip().replace("：", ":").split(":")
    if not 1 <= len(pieces) <= 3 or not all(p.isascii() and p.isdigit() for p in pieces):
        return None
    seconds = 0
    for piece in pieces:
        seconds = seconds * 60 + int(piece[:6])
    return seconds


def _comments(scope: Scope, title: Title, asked: Picked, spot: Spot | None) -> Result | None:
    if spot is None or "danmu" not in scope.families(title.pk):
        return None
    clipped = query.clip(
        Query(
            title.pk,
            "danmu_comments",
            asked.window,
            asked.territory,
            seconds=(spot.from_second, spot.until_second),
        ),
        scope,
    )
    return query.run(clipped, scope) if clipped else None


def _columns(curves: Mapping[str, Result]) -> list[Column]:
    """The columns behind the timeline that have numbers."""
    return [
        column
        for result in curves.values()
        for column in result.resource.columns
        if column.name not in ("content_second", "hidden_reason") and _is_measured(result, column)
    ]


def _is_measured(result: Result, column: Column) -> bool:
    return any(value is not None for value in result.data[column.name])


@dataclass(frozen=True)
class Hidden:
    """A family of which something is not shown, and the reason's code."""

    family: str
    reason: str


def _hidden(answers: Answers) -> list[Hidden]:
    """What a reader would look for and not find. Columns that come later are no news, nor is it
    that there is nothing typical to lay beside a curve.
    """
    found = []
    for name, result in answers.results.items():
        reasons = {
            piece.rpartition(":")[2]
            for text in set(result.data["hidden_reason"])
            for piece in str(text or "").split(";")
            if piece and (":" not in piece or not piece.endswith(":not_measured"))
            if not piece.startswith("typical_")
        }
        found += [Hidden(name, reason) for reason in sorted(reasons)]
    return found


@dataclass(frozen=True)
class File:
    resource: str
    url: str


def _files(membership: Membership, title: Title, asked: Picked) -> list[File]:
    """Only what may leave as a file."""
    families = scope_for(membership, "export", [title.pk]).families(title.pk)
    return [
        File(
            name,
            reverse("csv", args=[membership.partner.slug, title.slug, name])
            + "?"
            + asked.query_string,
        )
        for name, resource in RESOURCES.items()
        if resource.opened_by(families)
    ]


def _chart(
    request: HttpRequest, membership: Membership, title: Title, answers: Answers
) -> dict[str, Any]:
    """Where the page's script reads each family, and what it draws them with.

    REST refuses what reaches beyond the grant, so it is asked for what the page answers.
    """
    urls = {
        name: _rest(membership, title, name, answers)
        for name in ("viewing", *CURVES)
        if name in answers.results
    }
    return {
        "urls": urls,
        "comments": _rest(membership, title, "danmu_comments", answers) if "danmu" in urls else "",
    }


def _rest(membership: Membership, title: Title, resource: str, answers: Answers) -> str:
    path = f"/api/v1/p/{membership.partner.slug}/titles/{title.slug}/{resource}/"
    return f"{path}?{urlencode({**answers.asked.parameters(), 'clip': '1'})}"
