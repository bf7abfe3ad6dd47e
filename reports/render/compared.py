"""Two numbers beside one another, in a sentence that holds both.

Those with bounds are told apart only where their bounds are; a small difference is called one.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from reports.render import figures, wording

SMALL = 0.02
"""A count that differs by less is about the same,"""
SMALL_POINTS = 0.01
"""and so is a share."""


@dataclass(frozen=True)
class Line:
    """One sentence, what it is about, and the difference it comes down to."""

    about: str
    said: str
    difference: str = ""


def count_line(about: str, now: int, then: int) -> Line:
    """Of two exact counts."""
    values = {"now": wording.exact(now), "then": wording.exact(then)}
    values["by"] = wording.exact(abs(now - then))
    if now == then:
        said = _("%(now)s, as many as in the days before.")
    elif then and abs(now - then) < SMALL * then:
        said = (
            _("%(now)s, against %(then)s in the days before: about the same, %(by)s more.")
            if now > then
            else _("%(now)s, against %(then)s in the days before: about the same, %(by)s fewer.")
        )
    elif now > then:
        said = _("%(now)s, against %(then)s in the days before: %(by)s more.")
    else:
        said = _("%(now)s, against %(then)s in the days before: %(by)s fewer.")
    return Line(about, said % values, per_cent(now, then))


def per_cent(now: float, then: float) -> str:
    """The change with its sign; empty where there was nothing before."""
    if now == then:
        return "0%"
    return f"{(now - then) / then:+.1%}".replace("-", "−") if then else ""


def share_line(about: str, now: float, then: float, plays: tuple[int, int]) -> Line:
    """Of two shares of known numbers of plays; their difference in percentage points."""
    points = (now - then) * 100
    said = (
        _("%(now)s of %(plays)s plays, against %(then)s of %(plays_then)s: about the same.")
        if abs(now - then) < SMALL_POINTS
        else _("%(now)s of %(plays)s plays, against %(then)s of %(plays_then)s in the days before.")
    )
    values = {
        "now": wording.percent(now),
        "then": wording.percent(then),
        "plays": wording.exact(plays[0]),
        "plays_then": wording.exact(plays[1]),
    }
    difference = _("%(points)s points") % {"points": f"{points:+.1f}".replace("-", "−")}
    return Line(about, said % values, difference)


def viewers_line(now: figures.Total, then: figures.Total) -> Line | None:
    """Of two numbers of people: exact, or told apart only where their bounds are."""
    about = _("Viewers")
    if not (now.estimated or then.estimated):
        if now.viewers is None or then.viewers is None:
            return None
        return count_line(about, now.viewers, then.viewers)
    low, high = _bounds(now)
    low_then, high_then = _bounds(then)
    values = {"now": _people(now), "then": _people(then)}
    if low <= high_then and low_then <= high:
        said = _("%(now)s, against %(then)s in the days before: no difference beyond the bounds.")
        return Line(about, said % values)
    least, most = sorted((abs(low - high_then), abs(high - low_then)))
    values |= {"least": wording.exact(least), "most": wording.exact(most)}
    said = (
        _("%(now)s, against %(then)s in the days before: %(least)s to %(most)s more.")
        if low > high_then
        else _("%(now)s, against %(then)s in the days before: %(least)s to %(most)s fewer.")
    )
    known = now.viewers is not None and then.viewers is not None
    difference = f"≈ {per_cent(now.viewers or 0, then.viewers or 0)}" if known else ""
    return Line(about, said % values, difference)


def _bounds(total: figures.Total) -> tuple[int, int]:
    low = total.viewers_low if total.viewers_low is not None else total.viewers or 0
    high = total.viewers_high if total.viewers_high is not None else total.viewers or 0
    return low, high


def _people(total: figures.Total) -> str:
    low, high = _bounds(total)
    if low == high:
        return wording.exact(total.viewers)
    span = f"{wording.exact(low)}–{wording.exact(high)}"
    return span if total.viewers is None else f"≈ {wording.exact(total.viewers)} ({span})"
