"""Numbers, dates and places in the reader's language and units.

`language` is "zh-hans" or "en" throughout: a report in both says everything in each. An absent
number is a dash, never 0.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from babel import Locale
from babel.dates import format_date

from engagement.families import Resource
from engagement.scope import ALL, Window

ABSENT = "—"
_LOCALES = {"zh-hans": Locale.parse("zh_Hans_CN"), "en": Locale.parse("en_GB")}


def locale_of(language: str) -> Locale:
    return _LOCALES["en" if language.startswith("en") else "zh-hans"]


def is_chinese(language: str) -> bool:
    return not language.startswith("en")


def count(number: float | None, language: str) -> str:
    """12846000 -> "1,284.6 万" or "12,846,000"; exact below ten thousand."""
    if number is None:
        return ABSENT
    if is_chinese(language):
        if abs(number) >= 1e8:
            return f"{number / 1e8:,.2f} 亿"
        if abs(number) >= 1e4:
            return f"{number / 1e4:,.1f} 万"
    return f"{number:,.0f}"


def exact(number: float | None) -> str:
    """Every digit, with thousands apart: for tables that are paid by."""
    return ABSENT if number is None else f"{number:,.0f}"


def percent(share: float | None) -> str:
    return ABSENT if share is None else f"{share * 100:.1f}%"


def hours(seconds: float | None, language: str) -> str:
    """Watch seconds as hours, without the unit."""
    if seconds is None:
        return ABSENT
    number = seconds / 3600
    return f"{number:,.1f}" if number < 100 else count(number, language)


def clock(seconds: int) -> str:
    """Content seconds as h:mm:ss."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def day(value: date | None, language: str) -> str:
    if value is None:
        return ABSENT
    pattern = "y年M月d日" if is_chinese(language) else "d MMMM y"
    return format_date(value, format=pattern, locale=locale_of(language))


def short_day(value: date, language: str) -> str:
    """A day in a table, with its weekday."""
    pattern = "y-MM-dd EEE" if is_chinese(language) else "EEE d MMM y"
    return format_date(value, format=pattern, locale=locale_of(language))


def days(window: Window, language: str) -> str:
    """A window with both its ends inside, as people read it."""
    last = window.until - timedelta(days=1)
    if window.days == 1:
        return day(window.since, language)
    return f"{day(window.since, language)} – {day(last, language)}"


def moment_of(value: datetime, language: str) -> str:
    """A time of day with its offset."""
    offset = value.strftime("%z")
    zone = f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC"
    return f"{day(value.date(), language)} {value:%H:%M} {zone}"


def territory(code: str, language: str) -> str:
    """The name of a territory; the code itself where it has none, `*` is said by the template."""
    if code == ALL:
        return code
    return str(locale_of(language).territories.get(code, code))


def table(resource: Resource, language: str) -> str:
    """What a resource's table is called."""
    return resource.title.get("zh" if is_chinese(language) else "en", resource.name)
