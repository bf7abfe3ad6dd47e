"""Numbers, days and places in templates, in the reader's language and units."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django import template
from django.utils import timezone
from django.utils.translation import get_language, gettext, gettext_lazy, pgettext

from engagement.families import Column
from engagement.families.registry import RESOURCES
from engagement.scope import ALL, EVER, Window
from partners.credentials import STATES as CREDENTIAL_STATES
from partners.credentials import state_of
from partners.models import Credential
from reports.models import Run, Schedule
from reports.moments import name_of, strength_of
from reports.render import wording
from reports.render.document import Moment
from reports.schedules import often

register = template.Library()


def _language() -> str:
    return get_language() or "zh-hans"


@register.filter
def count(number: float | None) -> str:
    """12846000 -> 1,284.6 万, or 12,846,000."""
    return wording.count(number, _language())


@register.filter
def step_said(step: str) -> str:
    """What is being done to a bundle now."""
    said = {
        "reading": gettext("reading the numbers"),
        "rendering": gettext("setting the pages"),
        "stamping": gettext("making your copy"),
        "storing": gettext("storing the file"),
    }
    return said.get(step, "")


@register.filter
def exact(number: float | None) -> str:
    return wording.exact(number)


@register.filter
def percent(share: float | None) -> str:
    return wording.percent(share)


@register.filter
def hours(seconds: float | None) -> str:
    """Watch seconds as hours, without the unit."""
    return wording.hours(seconds, _language())


@register.filter
def clock(seconds: int) -> str:
    return wording.clock(int(seconds))


@register.filter
def day(value: date | datetime | None) -> str:
    if isinstance(value, datetime):
        value = timezone.localdate(value)
    return wording.day(value, _language())


@register.filter
def short_day(value: date | None, with_year: bool = False) -> str:
    """A day without its year where that is this year's."""
    if value is None:
        return wording.ABSENT
    chinese = wording.is_chinese(_language())
    if value.year == timezone.localdate().year and not with_year:
        pattern = "M月d日" if chinese else "d MMM"
    else:
        pattern = "y年M月d日" if chinese else "d MMM y"
    return format_date(value, pattern, locale=wording.locale_of(_language()))


@register.filter
def days(window: Window | None) -> str:
    """A window, with both its ends inside, as people read it."""
    if window is None:
        return wording.ABSENT
    if window.days == 1:
        return short_day(window.since)
    last = window.until - timedelta(days=1)
    if window.until == EVER.until:
        return gettext("from %(day)s") % {"day": short_day(window.since)}
    if window.since == EVER.since:
        return gettext("up to %(day)s") % {"day": short_day(last)}
    apart = window.since.year != last.year
    return f"{short_day(window.since, apart)} – {short_day(last, apart)}"


@register.filter
def territory(code: str) -> str:
    return gettext("All territories") if code == ALL else wording.territory(code, _language())


@register.filter
def territory_list(codes: list[str]) -> str:
    if ALL in codes:
        return gettext("All territories")
    return pgettext("between names", ", ").join(territory(c) for c in codes)


@register.filter
def heading(column: Column) -> str:
    return column.title["zh" if wording.is_chinese(_language()) else "en"]


@register.filter
def definition(column: Column) -> str:
    return column.definition["zh" if wording.is_chinese(_language()) else "en"]


@register.filter
def minutes(seconds: int) -> int:
    return round(seconds / 60)


@register.filter
def minutes_of(seconds: float | None) -> str:
    """Seconds as minutes with a tenth, without the unit."""
    return wording.ABSENT if seconds is None else f"{seconds / 60:,.1f}"


@register.filter
def other_name(title: Any) -> str:
    """The title's name in the language that is not the reader's."""
    other = title.name_en if wording.is_chinese(_language()) else title.name_zh
    return other if other != title.name else ""


_FAMILIES = {
    "viewing": gettext_lazy("Viewing"),
    "retention": gettext_lazy("Retention"),
    "rewatch": gettext_lazy("Rewatch"),
    "danmu": gettext_lazy("Danmu"),
    "discussion": gettext_lazy("Discussion"),
    "sharing": gettext_lazy("Sharing"),
    "demographics": gettext_lazy("Demographics"),
    "geography": gettext_lazy("Geography"),
    "fanbases": gettext_lazy("Fanbases"),
}
_REASONS = {
    "below_floor": gettext_lazy("is not shown: fewer than 50 viewers."),
    "waiting": gettext_lazy(
        "waits in part: fewer than 50 viewers have watched so far, and these days join later ones."
    ),
    "not_measured": gettext_lazy("has not been measured in this window."),
    "reaches_outside": gettext_lazy("counts days outside of this window."),
    "too_uncertain": gettext_lazy("is not shown: too uncertain."),
    "too_few_partners": gettext_lazy("is not shown: it needs the titles of five partners."),
}


@register.filter
def family(name: str) -> str:
    return str(_FAMILIES.get(name, name))


@register.filter
def resource_list(names: list[str]) -> str:
    """The tables of these names, as headings call them."""
    language = "zh" if (get_language() or "zh").startswith("zh") else "en"
    return name_list([RESOURCES[n].title[language] if n in RESOURCES else n for n in names])


@register.filter
def moment_kind(kind: str) -> str:
    return name_of(kind)


@register.filter
def strength(moment: Moment) -> str:
    return strength_of(moment)


@register.filter
def reason(code: str) -> str:
    return str(_REASONS.get(code, code))


@register.filter
def cell(value: float | None) -> str:
    """A number of a table: a share with its fraction, a count whole."""
    if value is None:
        return wording.ABSENT
    return f"{value:,.0f}" if isinstance(value, int) else f"{value:.3f}"


@register.filter
def name_list(names: list[str]) -> str:
    """The first three names, and how many more."""
    shown = pgettext("between names", ", ").join(names[:3])
    if len(names) <= 3:
        return shown
    return gettext("%(names)s and %(n)s more") % {"names": shown, "n": len(names) - 3}


@register.filter
def minute(value: datetime | None) -> str:
    """A time of day in the platform's zone."""
    if value is None:
        return wording.ABSENT
    local = timezone.localtime(value)
    return f"{short_day(local.date())} {local:%H:%M}"


@register.filter
def minute_in(value: datetime, zone: str) -> str:
    local = value.astimezone(ZoneInfo(zone))
    return f"{short_day(local.date())} {local:%H:%M}"


@register.filter
def comes(schedule: Schedule) -> str:
    """How often a schedule's reports come, but for the hour."""
    return often(schedule, _language())


@register.filter
def run_window(run: Run) -> str:
    return wording.days(Window(run.from_day, run.until), _language())


@register.filter
def run_state(run: Run) -> str:
    """What became of a run as a whole; its recipients' bundles have states of their own."""
    if run.skipped:
        return gettext("skipped: nothing changed")
    if run.held_until is not None:
        return gettext("waits for late numbers")
    said = [gettext("queued")]
    if run.late:
        said.append(gettext("late"))
    if run.delayed:
        said.append(gettext("delayed"))
    if run.asked_by_id is not None:
        said.append(gettext("sent at once"))
    return "、".join(said) if wording.is_chinese(_language()) else ", ".join(said)


@register.filter
def weekday(number: int) -> str:
    names = wording.locale_of(_language()).days["format"]["wide"]
    return str(names[number])


@register.filter
def credential_state(credential: Credential) -> str:
    """Why a credential opens nothing; empty where it is open."""
    reason = state_of(credential)
    return str(CREDENTIAL_STATES[reason]) if reason else ""
