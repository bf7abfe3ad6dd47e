"""What the admin pages of several packages share: pages that only show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that a program writes and people only read: nobody adds, changes or deletes."""

    list_per_page = 50
    followed: tuple[str, ...] = ()
    """Fields that links of other pages filter by, beside those the list offers."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def listed(values: Iterable[object]) -> str:
    """The values in one line, separated as the reader's language does; a dash for none."""
    comma = ", " if (get_language() or "").startswith("en") else "、"
    return comma.join(str(v) for v in values) or "–"


def lines(values: Iterable[object]) -> SafeString:
    """One paragraph a value, escaped."""
    return format_html_join("", '<p class="line">{}</p>', ((v,) for v in values))


def pairs(values: Mapping[str, object]) -> SafeString:
    """A small table of a JSON object: nested objects are shown as tables in it."""
    if not values:
        return mark_safe("–")
    rows = ((k, pairs(v) if isinstance(v, Mapping) else _plain(v)) for k, v in values.items())
    return format_html(
        '<table class="pairs"><tbody>{}</tbody></table>',
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows),
    )


def _plain(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return listed(_plain(v) for v in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
