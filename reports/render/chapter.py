"""One title's chapter: its headline, timeline and moments, then a section for each family granted.

A family that is not granted is absent; one that is granted and empty says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from engagement.families import Result
from reports.moments import name_of, strength_of
from reports.render import audience, figures, names, said, watched, wording
from reports.render.document import Report, TitleReport
from reports.render.layout import SIZES
from reports.render.sections import Page, Section, Show

TIMELINE_MOST = 570
"""px on A4: so that the title's head, the timeline and what is said under it stand on one page."""
_PX_PER_MM = 658 / 174

SECTIONS = (
    watched.viewing,
    watched.stops,
    watched.rewatches,
    audience.ages,
    audience.regions,
    said.danmu,
    said.discussion,
    said.sharing,
    audience.fan_sets,
)
"""In the order of the chapter, after the timeline and the moments."""


def chapter(
    title: TitleReport, anchor: str, report: Report, language: str, show: Show
) -> dict[str, Any]:
    """What the template of a title is given. Called with `language` active."""
    page = Page(report, title, language, show)
    results = title.results
    name = page.name
    other = title.name("zh-hans" if language == "en" else "en")
    curves = figures.chart_data(results)
    sections = [section for make in SECTIONS if (section := make(page)) is not None]
    return {
        "anchor": anchor,
        "name": name,
        "other_name": other if other != name else "",
        "kind": _kind(title.kind),
        "runtime": wording.clock(title.runtime_s) if title.runtime_s else "",
        "territories": names.territories(title.territories, language),
        "headline": watched.headline(page),
        "curves_count": watched.curves_count(page),
        "timeline": _timeline(curves, page) if curves else None,
        "has_moments": "moments" in results or bool(title.moments),
        "quotes": "danmu_comments" in results,
        "moments": _moments(title),
        "sections": sections,
        "entries": _entries(anchor, sections, title, has_timeline=bool(curves)),
        "clipped": _clipped(results, language),
        "provisional": any("provisional" in r.notes for r in results.values()),
    }


def _entries(
    anchor: str, sections: list[Section], title: TitleReport, *, has_timeline: bool
) -> list[dict[str, str]]:
    """The lines of the contents: each section's name and where it is."""
    found = [("timeline", _("Timeline"))] if has_timeline else []
    if "moments" in title.results or title.moments:
        found.append(("moments", _("Top moments")))
    found += [(section.key, section.name) for section in sections]
    return [{"anchor": f"{anchor}-{key}", "name": name} for key, name in found]


def _kind(kind: str) -> str:
    return {
        "film": _("Film"),
        "series": _("Series"),
        "episode": _("Episode"),
        "trailer": _("Trailer"),
    }.get(kind, kind)


def _timeline(curves: dict[str, Any], page: Page) -> dict[str, str]:
    title = page.title
    shorter = SIZES["a4"][1] - SIZES[page.report.paper][1]
    moments = [
        {"n": n, "kind": m.kind, "from_second": m.from_second, "to_second": m.to_second}
        for n, m in enumerate(title.moments, 1)
    ]
    said_of = [_("Timeline of %(title)s by content second.") % {"title": page.name}]
    said_of += [
        _("Moment %(n)s, %(from)s to %(to)s: %(strength)s.")
        % {
            "n": n,
            "from": wording.clock(m.from_second),
            "to": wording.clock(m.to_second),
            "strength": strength_of(m),
        }
        for n, m in enumerate(title.moments, 1)
    ]
    figure = page.figure(
        "timeline",
        {name: curve["data"] for name, curve in curves.items()},
        " ".join(said_of),
        width=658,
        most=TIMELINE_MOST - round(shorter * _PX_PER_MM),
        moments=moments,
    )
    return {"chart": figure.url, "alt": figure.alt}


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


def _clipped(results: Mapping[str, Result], language: str) -> list[dict[str, str]]:
    """Where less was answered than asked: what was asked and answered, and of which tables.

    Tables that were answered alike stand in one line.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for result in results.values():
        if "clipped" in result.notes:
            parts = [
                f"{names.territory(p.territory, language)} {wording.days(p.window, language)}"
                for p in result.answered
            ]
            key = wording.days(result.asked.window, language), "; ".join(parts)
            alike.setdefault(key, []).append(wording.table(result.resource, language))
    comma = "、" if wording.is_chinese(language) else ", "
    return [
        {"resource": comma.join(tables), "asked": asked, "answered": answered}
        for (asked, answered), tables in alike.items()
    ]
