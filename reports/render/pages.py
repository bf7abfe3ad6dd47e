"""What the templates of a report are given: every number and name already in words.

A report is a cover and its contents, and for each language a part: what changed, a chapter a
title, what the columns mean, what is hidden. Nothing here knows how the pages are set.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from engagement.families import Resource
from reports.render import wording
from reports.render.changes import MOST_IN_FULL, changed, overview
from reports.render.chapter import chapter
from reports.render.definitions import definitions
from reports.render.document import Report
from reports.render.hidden import hidden
from reports.render.sections import Show

MOST_ENTRIES = 36
"""Lines of the contents: where there were more, only the titles are named. Two languages stand
side by side."""
MOST_ON_COVER = 9
"""Lines of titles on the cover."""
_COVER_LINE = 68
"""Latin letters in a line of it; a Chinese character takes two."""
_MOST_RELEASES = 60

LANGUAGE_NAMES = {"zh-hans": "简体中文", "en": "English"}


def languages(report: Report) -> tuple[str, ...]:
    """Those that the report is written in, in their order."""
    return ("zh-hans", "en") if report.language == "both" else (report.language,)


def context(report: Report, show: Show) -> dict[str, Any]:
    """What stands on the cover and in the contents, and the part of each language."""
    written = languages(report)
    marks, contents = [], []
    for language in written:
        with override(language):
            marks.append(_("Sample data"))
            contents.append(_("Contents"))
    return {
        "report": report,
        "as_of": report.as_of.isoformat(timespec="seconds"),
        "sample_mark": " · ".join(marks),
        "contents_name": " · ".join(contents),
        "cover_titles": _on_cover(
            [" · ".join(dict.fromkeys(t.name(one) for one in written)) for t in report.titles]
        ),
        "parts": parts(report, show),
    }


def parts(report: Report, show: Show) -> list[dict[str, Any]]:
    """The part of each language."""
    found = []
    for language in languages(report):
        with override(language):
            found.append(part(report, language, show))
    return found


def part(report: Report, language: str, show: Show) -> dict[str, Any]:
    """One language's part. Called with it active."""
    prefix = "zh" if wording.is_chinese(language) else "en"
    changes = [changed(title, report, language) for title in report.titles]
    in_chapters = len(changes) > MOST_IN_FULL
    titles = [
        {
            **chapter(title, f"{prefix}-title-{number}", report, language, show),
            "hidden": hidden(title.results, language),
            "changed": changes[number - 1] if in_chapters else None,
        }
        for number, title in enumerate(report.titles, 1)
    ]
    entries = sum(1 + len(title["entries"]) for title in titles)
    return {
        "report": report,
        "language": language,
        "language_name": LANGUAGE_NAMES[language],
        "html_language": html_language(language),
        "prefix": prefix,
        "is_one_of_two": len(languages(report)) > 1,
        "window": wording.days(report.window, language),
        "data_through": wording.day(report.data_through, language),
        "changes": overview(changes, report, language),
        "titles": titles,
        "short": entries <= MOST_ENTRIES,
        "definitions": definitions(_resources(report), language),
        "releases": report.releases[:_MOST_RELEASES],
        "more_releases": max(0, len(report.releases) - _MOST_RELEASES),
    }


def html_language(language: str) -> str:
    return "zh-CN" if wording.is_chinese(language) else "en"


def _on_cover(titles: list[str]) -> dict[str, Any]:
    """As many titles as find room, each in at most three lines."""
    left, shown = MOST_ON_COVER, []
    for title in titles:
        cut, lines = _cut(title, 3 if len(titles) == 1 else 2)
        if lines > left:
            break
        left -= lines
        shown.append(cut)
    return {"shown": shown, "all": len(titles) if len(shown) < len(titles) else 0}


def _cut(text: str, most: int) -> tuple[str, int]:
    """The text in at most so many lines, and how many it takes."""
    width, kept = 0, ""
    for character in text:
        width += 2 if ord(character) > 0x2E7F else 1
        if width > most * _COVER_LINE - 2:
            return kept + "…", most
        kept += character
    return kept, max(1, -(-width // _COVER_LINE))


def _resources(report: Report) -> list[Resource]:
    """Each resource that the report shows, once."""
    named = {r.resource.name: r.resource for t in report.titles for r in t.results.values()}
    return list(named.values())
