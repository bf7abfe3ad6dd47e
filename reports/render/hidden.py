"""What is hidden and why, by table and column, for the report's last pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from engagement.families import Resource, Result
from reports.render import figures, names, wording
from reports.render.definitions import meanings


def hidden(results: Mapping[str, Result], language: str) -> list[dict[str, Any]]:
    """A line for each resource, reason and number of rows, with the columns it empties."""
    together: dict[tuple[str, str, int], list[str | None]] = {}
    for entry in figures.hidden(results):
        key = (entry.resource, entry.reason, entry.rows)
        together.setdefault(key, []).append(entry.column)
    return [
        {
            "resource": wording.table(results[resource].resource, language),
            "columns": _columns(results[resource].resource, columns, language),
            "said": names.reason(reason),
            "rows": wording.exact(rows),
        }
        for (resource, reason, rows), columns in together.items()
    ]


def _columns(resource: Resource, named: list[str | None], language: str) -> str:
    """The headings of the columns, `None` being the whole row; alike ones together if all are."""
    key = "zh" if wording.is_chinese(language) else "en"
    left_out = {c.alike.name for c in resource.columns if c.alike and c.name not in named}
    columns = [
        replace(c, alike=None) if c.alike and c.alike.name in left_out else c
        for c in resource.columns
        if c.name in named
    ]
    whole = [_("the whole row")] if None in named else []
    comma = "、" if wording.is_chinese(language) else ", "
    return comma.join([*whole, *(meaning.title for meaning in meanings(columns, key))])
