"""The portfolio: every granted title with its headline numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from engagement.families import Result
from engagement.models import Title
from engagement.query import clip, data_through, measured_each, run_each
from engagement.scope import Query, Scope, Window
from partners.access import scope_for
from partners.models import Entitlement, Membership
from portal.reads import numbers_read
from portal.web.doors import partner_page
from portal.web.headline import Headline, headline
from portal.web.windows import recent, territories

TITLES_A_PAGE = 40
_FAMILY = "viewing"


@dataclass
class Row:
    """One title of the list; an episode stands under its series."""

    title: Title
    families: frozenset[str]
    territories: list[str]
    ends: datetime | None
    through: date | None = None
    headline: Headline | None = None
    children: list[Row] = field(default_factory=list)
    heading: bool = False  # a granted series whose own row is on another page

    @property
    def shows_viewing(self) -> bool:
        return _FAMILY in self.families


@partner_page
def portfolio(request: HttpRequest, membership: Membership) -> HttpResponse:
    scope = scope_for(membership, "web")
    window = recent()
    titles = list(Title.objects.filter(pk__in=scope.titles()).select_related("parent"))
    for title in titles:
        if title.parent_id not in scope.titles():
            title.parent = None  # on this page only: what is not granted is not named
    kinds = sorted({t.kind for t in titles}, key=list(Title.Kind.values).index)
    kind, words = request.GET.get("kind", ""), request.GET.get("q", "").strip()
    found = [t for t in titles if _matches(t, kind if kind in kinds else "", words)]
    page = Paginator(_in_order(found), TITLES_A_PAGE).get_page(request.GET.get("page"))
    results = _results(scope, list(page.object_list), window)
    rows = _rows(membership, scope, list(page.object_list), results)
    numbers_read(
        request,
        membership,
        results,
        target="portfolio",
        window=window,
        titles=sorted(title.slug for title in page.object_list),
    )
    return render(
        request,
        "partner/portfolio.html",
        {
            "rows": _grouped(rows),
            "page": page,
            "window": window,
            "kinds": [(k, Title.Kind(k).label) for k in kinds],
            "kind": kind,
            "q": words,
            "granted": len(titles),
            "sample": any(r.title.sample for r in rows),
            "through": max((r.through for r in rows if r.through), default=None),
        },
    )


def ends_of(membership: Membership, exit: str) -> dict[int, datetime | None]:
    """When the last live grant of each title ends; None for no end."""
    ends: dict[int, list[datetime | None]] = {}
    rows = Entitlement.objects.live(membership.partner_id, exit)
    for title_id, until in rows.values_list("title_id", "valid_until"):
        ends.setdefault(title_id, []).append(until)
    return {
        title_id: None if None in untils else max(u for u in untils if u is not None)
        for title_id, untils in ends.items()
    }


def _matches(title: Title, kind: str, words: str) -> bool:
    if kind and title.kind != kind:
        return False
    names = [title.name_zh, title.name_en, title.slug]
    if title.parent is not None:
        names += [title.parent.name_zh, title.parent.name_en]
    return not words or any(words.casefold() in name.casefold() for name in names)


def _in_order(titles: Iterable[Title]) -> list[Title]:
    """Newest first; an episode follows its series, in the order of release."""

    def day(title: Title) -> int:
        return title.released_on.toordinal() if title.released_on else 0

    def key(title: Title) -> tuple[int, int, int, int, str]:
        top = title.parent or title
        below = title.parent is not None
        return (-day(top), top.pk, int(below), day(title), title.slug)

    return sorted(titles, key=key)


def _rows(
    membership: Membership, scope: Scope, titles: list[Title], results: list[Result]
) -> list[Row]:
    ends = ends_of(membership, "web")
    through = {
        pk: data_through(w) for pk, w in measured_each(scope, [t.pk for t in titles]).items()
    }
    numbers = {result.asked.title_id: headline(result) for result in results}
    return [
        Row(
            title=title,
            families=scope.families(title.pk),
            territories=territories(scope, title.pk),
            ends=ends.get(title.pk),
            through=through.get(title.pk),
            headline=numbers.get(title.pk),
        )
        for title in titles
    ]


def _results(scope: Scope, titles: list[Title], window: Window) -> list[Result]:
    asked = [
        clipped
        for title in titles
        if _FAMILY in scope.families(title.pk)
        and (clipped := clip(Query(title.pk, _FAMILY, window), scope)) is not None
    ]
    return list(run_each(asked, scope))


def _grouped(rows: list[Row]) -> list[Row]:
    """Episodes under their series."""
    tops: dict[int, Row] = {}
    for row in rows:
        parent = row.title.parent
        if parent is None:
            tops[row.title.pk] = row
            continue
        if parent.pk not in tops:
            tops[parent.pk] = Row(parent, frozenset(), [], None, heading=True)
        tops[parent.pk].children.append(row)
    return list(tops.values())
