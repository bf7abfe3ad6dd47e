"""What the templates of a report are given: every number and name already in words.

Called with the recipient's language active. Nothing here knows how the pages are set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from engagement.families import Resource, Result
from reports.charts import engine
from reports.moments import name_of, strength_of
from reports.render import figures, wording
from reports.render.definitions import definitions, meanings
from reports.render.document import Report, TitleReport

CHART_WIDTH = 658  # px: the 174 mm between the margins
DAYS_HEIGHT = 150
TIMELINE_MOST = 570
"""px: so that the title's head, the timeline and what is said under it stand on one page."""
_MOST_RELEASES = 60

Show = Callable[[str], str]
"""Takes a chart as SVG, gives the address under which the page may show it."""


def context(report: Report, show: Show) -> dict[str, Any]:
    language = report.language
    titles = [_title(title, number, report, show) for number, title in enumerate(report.titles, 1)]
    return {
        "report": report,
        "language": language,
        "html_language": "zh-CN" if wording.is_chinese(language) else "en",
        "window": wording.days(report.window, language),
        "data_through": wording.day(report.data_through, language),
        "created": wording.moment_of(report.created_at, language),
        "as_of": report.as_of.isoformat(timespec="seconds"),
        "titles": titles,
        "short": len(titles) <= 6,
        "definitions": definitions(_resources(report), language),
        "releases": report.releases[:_MOST_RELEASES],
        "more_releases": max(0, len(report.releases) - _MOST_RELEASES),
    }


def _title(title: TitleReport, number: int, report: Report, show: Show) -> dict[str, Any]:
    language, results = report.language, title.results
    name = title.name(language)
    other = title.name("zh-hans" if language == "en" else "en")
    viewing, retention = results.get("viewing"), results.get("retention")
    curves = figures.chart_data(results)
    context: dict[str, Any] = {
        "anchor": f"title-{number}",
        "name": name,
        "other_name": other if other != name else "",
        "kind": _kind(title.kind),
        "runtime": wording.clock(title.runtime_s) if title.runtime_s else "",
        "territories": _territories(title.territories, language),
        "headline": _headline(viewing, retention, language),
        "viewing": _viewing(viewing, title, report, show) if viewing is not None else None,
        "curves_count": _curves_count(title.results),
        "timeline": _timeline(curves, title, report, show) if curves else None,
        "has_moments": "moments" in results or bool(title.moments),
        "quotes": "danmu_comments" in results,
        "moments": _moments(title),
        "hidden": _hidden(results, language),
        "clipped": _clipped(results, language),
        "provisional": any("provisional" in r.notes for r in results.values()),
    }
    return context


def _kind(kind: str) -> str:
    return {
        "film": _("Film"),
        "series": _("Series"),
        "episode": _("Episode"),
        "trailer": _("Trailer"),
    }.get(kind, kind)


def _reason(code: str) -> str:
    return {
        "below_floor": _("fewer viewers than the floor of the platform"),
        "waiting": _("waits until enough viewers are together"),
        "not_measured": _("not measured yet"),
        "too_uncertain": _("too uncertain to be shown"),
        "too_few_partners": _("too few partners to compare with"),
        "reaches_outside": _("counts days outside of the period"),
    }.get(code, code)


def _territories(codes: tuple[str, ...], language: str) -> str:
    names = [
        _("all territories") if code == "*" else wording.territory(code, language) for code in codes
    ]
    return ("、" if wording.is_chinese(language) else ", ").join(names)


def _headline(
    viewing: Result | None, retention: Result | None, language: str
) -> list[dict[str, str]]:
    """Label, number and small print of each headline number that is granted."""
    cells: list[dict[str, str]] = []
    if viewing is not None:
        total = figures.headline(viewing)
        cells = [
            {
                "label": _("Plays"),
                "value": wording.count(total.plays, language),
                "note": _exactly(total.plays, language),
            },
            _viewers(total, language),
            {
                "label": _("Watch hours"),
                "value": wording.hours(total.watch_seconds, language),
                "note": "",
            },
            {
                "label": _("Completion rate"),
                "value": wording.percent(total.completion_rate),
                "note": _("reached nine tenths of the runtime"),
            },
        ]
    if retention is not None:
        cells.append(
            {
                "label": _("Retention at 30 s"),
                "value": wording.percent(figures.share_at(retention, 30)),
                "note": _("of all plays"),
            }
        )
    return cells


def _exactly(number: int | None, language: str) -> str:
    """All digits, where the number above them is rounded to 万 or 亿."""
    short = number is not None and wording.count(number, language) != wording.exact(number)
    return wording.exact(number) if short else ""


def _viewers(total: figures.Total, language: str) -> dict[str, str]:
    value, note = wording.count(total.viewers, language), ""
    if total.estimated:
        low, high = (wording.count(n, language) for n in (total.viewers_low, total.viewers_high))
        value = f"≈ {value}" if total.viewers is not None else f"{low}–{high}"
        note = _("95%% between %(low)s and %(high)s") % {"low": low, "high": high}
    elif total.viewers is None and total.plays is not None:
        note = _("by territory below; not a sum")
    return {"label": _("Viewers"), "value": value, "note": note}


def _viewing(viewing: Result, title: TitleReport, report: Report, show: Show) -> dict[str, Any]:
    language = report.language
    lines = figures.daily(viewing)
    places = figures.by_block(viewing)
    weekly = any(line.window.days > 1 for line in lines)
    data = {"viewing": {"data": {name: list(v) for name, v in viewing.data.items()}}}
    view = {"language": language}
    chart = engine.svg("days", data, view, CHART_WIDTH, DAYS_HEIGHT) if lines else ""
    return {
        "chart": show(chart) if chart else "",
        "alt": _("Plays of each day of %(title)s; the numbers are in the table below.")
        % {"title": title.name(language)},
        "weekly": weekly,
        "lines": [_line(line, language, weekly=weekly) for line in lines],
        "several": len({p.territory for p in places}) > 1,
        "places": [
            {
                **_line(place, language, weekly=True),
                "territory": _territories((place.territory,), language),
                "window": place.window,
            }
            for place in places
        ]
        if len(places) > 1
        else [],
    }


def _line(total: figures.Total, language: str, *, weekly: bool) -> dict[str, str]:
    when = (
        wording.days(total.window, language)
        if weekly
        else wording.short_day(total.window.since, language)
    )
    viewers = wording.exact(total.viewers)
    if total.estimated:
        low, high = wording.exact(total.viewers_low), wording.exact(total.viewers_high)
        viewers = f"≈ {viewers}" if total.viewers is not None else f"{low}–{high}"
    return {
        "when": when,
        "plays": wording.exact(total.plays),
        "viewers": viewers,
        "hours": _hours(total.watch_seconds),
        "completions": wording.exact(total.completions),
        "rate": wording.percent(total.completion_rate),
    }


def _hours(seconds: int | None) -> str:
    return wording.ABSENT if seconds is None else f"{seconds / 3600:,.1f}"


def _curves_count(results: Mapping[str, Result]) -> str:
    """How many of the plays the curves count, where not all: as on the title page."""
    viewing = results.get("viewing")
    curve = results.get("retention") or results.get("rewatch")
    total = viewing.extra.get("total") if viewing else None
    if curve is None or total is None or curve.extra.get("plays") == total.plays:
        return ""
    return _(
        "The curves count %(n)s of %(of)s plays: the other days wait for more viewers, or were "
        "published together with days outside this window."
    ) % {"n": wording.exact(curve.extra.get("plays", 0)), "of": wording.exact(total.plays)}


def _timeline(
    curves: dict[str, Any], title: TitleReport, report: Report, show: Show
) -> dict[str, str]:
    view = {
        "language": report.language,
        "runtime_s": title.runtime_s,
        "width": CHART_WIDTH,
        "most": TIMELINE_MOST,
        "moments": [
            {
                "n": n,
                "kind": m.kind,
                "from_second": m.from_second,
                "to_second": m.to_second,
            }
            for n, m in enumerate(title.moments, 1)
        ],
    }
    svg = engine.svg("timeline", curves, view, CHART_WIDTH, None)
    said = [_("Timeline of %(title)s by content second.") % {"title": title.name(report.language)}]
    said += [
        _("Moment %(n)s, %(from)s to %(to)s: %(strength)s.")
        % {
            "n": n,
            "from": wording.clock(m.from_second),
            "to": wording.clock(m.to_second),
            "strength": strength_of(m),
        }
        for n, m in enumerate(title.moments, 1)
    ]
    return {"chart": show(svg), "alt": " ".join(said)}


def _moments(title: TitleReport) -> list[dict[str, Any]]:
    """The moments of each kind that has some, numbered over all kinds as the pins are."""
    of_kind: dict[str, list[dict[str, Any]]] = {}
    for n, m in enumerate(title.moments, 1):
        of_kind.setdefault(m.kind, []).append(
            {
                "n": n,
                "kind": m.kind,
                "from": wording.clock(m.from_second),
                "to": wording.clock(m.to_second),
                "strength": strength_of(m),
                "texts": m.texts,
            }
        )
    return [{"name": name_of(kind), "moments": moments} for kind, moments in of_kind.items()]


def _hidden(results: Mapping[str, Result], language: str) -> list[dict[str, Any]]:
    """A line for each resource, reason and number of rows, with the columns it empties."""
    together: dict[tuple[str, str, int], list[str | None]] = {}
    for entry in figures.hidden(results):
        key = (entry.resource, entry.reason, entry.rows)
        together.setdefault(key, []).append(entry.column)
    return [
        {
            "resource": _name(results[resource], language),
            "columns": _columns(results[resource].resource, columns, language),
            "said": _reason(reason),
            "rows": wording.exact(rows),
        }
        for (resource, reason, rows), columns in together.items()
    ]


def _name(result: Result, language: str) -> str:
    key = "zh" if wording.is_chinese(language) else "en"
    return result.resource.title.get(key, result.resource.name)


def _columns(resource: Resource, names: list[str | None], language: str) -> str:
    """The headings of the columns, `None` being the whole row; alike ones together if all are."""
    key = "zh" if wording.is_chinese(language) else "en"
    left_out = {c.alike.name for c in resource.columns if c.alike and c.name not in names}
    columns = [
        replace(c, alike=None) if c.alike and c.alike.name in left_out else c
        for c in resource.columns
        if c.name in names
    ]
    whole = [_("the whole row")] if None in names else []
    comma = "、" if wording.is_chinese(language) else ", "
    return comma.join([*whole, *(meaning.title for meaning in meanings(columns, key))])


def _clipped(results: Mapping[str, Result], language: str) -> list[dict[str, str]]:
    """Where less was answered than asked: the resource, the window asked and what was answered."""
    said = []
    for result in results.values():
        if "clipped" in result.notes:
            parts = [
                f"{_territories((p.territory,), language)} {wording.days(p.window, language)}"
                for p in result.answered
            ]
            said.append(
                {
                    "resource": _name(result, language),
                    "asked": wording.days(result.asked.window, language),
                    "answered": "; ".join(parts),
                }
            )
    return said


def _resources(report: Report) -> list[Resource]:
    """Each resource that the report shows, once."""
    named = {r.resource.name: r.resource for t in report.titles for r in t.results.values()}
    return list(named.values())
