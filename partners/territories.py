"""The territories that a grant or a holding may name: ISO 3166-1, with names from CLDR."""

from __future__ import annotations

from functools import cache

from babel import Locale
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from engagement.scope import ALL

# CLDR knows more than ISO 3166-1: groups of countries, and codes reserved for other uses.
_NOT_ISO = frozenset(
    ("AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ")
)


@cache
def _names(language: str) -> dict[str, str]:
    locale = Locale.parse("en" if language.startswith("en") else "zh_Hans")
    return {
        code: name
        for code, name in locale.territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NOT_ISO
    }


CODES: frozenset[str] = frozenset(_names("en"))


def name(code: str) -> str:
    """The territory's name in the reader's language; `*` is all of them."""
    if code == ALL:
        return _("all territories")
    return _names(get_language() or "zh-hans").get(code, code)


def choices() -> list[tuple[str, str]]:
    """(code, "code name") of every territory, `*` first."""
    return [(ALL, f"* {name(ALL)}"), *((c, f"{c} {name(c)}") for c in sorted(CODES))]
