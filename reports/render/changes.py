"""What changed since the days before, in sentences: none without the numbers it is said of.

Two numbers are compared only where both count the same territories over as many whole days. Those
with bounds are told apart only where their bounds are; a small difference is called one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from engagement.families import NOT_MEASURED, WAITING, Column, Result
from engagement.families.registry import RESOURCES
from engagement.scope import ALL, Window
from reports.moments import strength_of
from reports.render import figures, names, wording
from reports.render.compared import Line, count_line, per_cent, share_line, viewers_line
from reports.render.document import Moment, Report, Restated, TitleReport, days_before
from reports.render.sections import Table

NEAR_S = 15
"""A moment so near to one of the same kind is that one again."""
MOST_RESTATED = 10
MOST_IN_FULL = 2
"""Titles whose sentences stand on the report's page of changes; of more they stand in each
chapter."""
MOST_TITLES = 26
MOST_NAME = 40

_KINDS = ("stop", "danmu_peak", "rewatch", "steady")


@dataclass(frozen=True)
class Changed:
    """What is to be said of one title."""

    name: str
    lines: tuple[Line, ...] = ()
    restated: tuple[Line, ...] = ()
    silent: tuple[str, ...] = ()  # what cannot be compared, and why
    plays: tuple[int, int] | None = None  # now and before, where they can be compared


@dataclass
class _Pairs:
    """The answers of a title now and before, and what cannot be compared for which reason."""

    title: TitleReport
    window: Window
    before: Window
    language: str
    not_granted: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)

    def pair(self, resource: str) -> tuple[Result, Result] | None:
        """Both answers, where they count the same territories over whole windows."""
        now, then = self.title.results.get(resource), self.title.before.get(resource)
        if now is None:
            return None
        called = wording.table(now.resource, self.language)
        if then is None:
            self.not_granted.append(called)
        elif not (_whole(now, self.window) and _whole(then, self.before) and _alike(now, then)):
            self.partly.append(called)
        elif not (_has_numbers(now) and _has_numbers(then)):
            self.without.append(called)
        else:
            return now, then
        return None


def _whole(answer: Result, window: Window) -> bool:
    return bool(answer.answered) and all(part.window == window for part in answer.answered)


def _alike(now: Result, then: Result) -> bool:
    return {p.territory for p in now.answered} == {p.territory for p in then.answered}


def _has_numbers(answer: Result) -> bool:
    return bool(answer.releases) and not {WAITING, NOT_MEASURED} & set(answer.notes)


def changed(title: TitleReport, report: Report, language: str) -> Changed:
    """Called with `language` active."""
    name = title.name(language)
    before = days_before(report.window)
    if before is None:
        return Changed(name)
    pairs = _Pairs(title, report.window, before, language)
    lines, plays = _viewing(pairs)
    lines += _retention(pairs)
    lines += _moment(pairs)
    lines += _written(pairs)
    restated = [c for c in report.changes if c.slug == title.slug]
    return Changed(
        name=name,
        lines=tuple(lines),
        restated=tuple(_restated(c, language) for c in restated[:MOST_RESTATED]),
        silent=tuple(_silent(pairs, more=max(0, len(restated) - MOST_RESTATED))),
        plays=plays,
    )


def _silent(pairs: _Pairs, more: int) -> Iterable[str]:
    comma = "、" if wording.is_chinese(pairs.language) else ", "
    days = wording.days(pairs.before, pairs.language)
    for tables, sentence in (
        (pairs.not_granted, _("%(days)s are not granted, and not compared: %(tables)s.")),
        (
            pairs.partly,
            _("Not all of the two periods is granted alike, so nothing is compared: %(tables)s."),
        ),
        (
            pairs.without,
            _("One of the periods has no numbers, so nothing is compared: %(tables)s."),
        ),
    ):
        if tables:
            yield sentence % {"days": days, "tables": comma.join(tables)}
    if more:
        yield _("%(n)s more restated numbers are listed in the portal.") % {"n": more}


def overview(changes: Sequence[Changed], report: Report, language: str) -> dict[str, Any]:
    """The report's page of changes: every sentence of few titles, else a line a title."""
    before = days_before(report.window)
    if before is None:
        return {"lead": "", "titles": (), "table": None, "more": ""}
    lead = _(
        "%(days)s, compared with the %(n)s days before: %(before)s. Numbers through %(last)s."
    ) % {
        "days": wording.days(report.window, language),
        "n": before.days,
        "before": wording.days(before, language),
        "last": wording.day(report.data_through, language),
    }
    if len(changes) <= MOST_IN_FULL:
        return {"lead": lead, "titles": tuple(changes), "table": None, "more": ""}
    told = sorted(changes, key=lambda c: -abs(c.plays[0] - c.plays[1]) if c.plays else 1)
    rows = tuple(_row(one) for one in told[:MOST_TITLES])
    heads = (_("Title"), _("Plays"), _("Before"), _("Difference"), _("Per cent"))
    more = len(changes) - len(rows)
    return {
        "lead": lead,
        "titles": (),
        "table": Table(heads, rows, names=True),
        "more": _("%(n)s more titles; each chapter tells what changed of its own.") % {"n": more}
        if more
        else _("Each chapter tells what else changed of its title."),
    }


def _row(changed: Changed) -> tuple[str, ...]:
    name = changed.name if len(changed.name) <= MOST_NAME else changed.name[:MOST_NAME] + "…"
    if changed.plays is None:
        return (name, *[wording.ABSENT] * 4)
    now, then = changed.plays
    difference = f"{now - then:+,d}".replace("-", "−")
    return (
        name, wording.exact(now), wording.exact(then), difference,
        per_cent(now, then) or wording.ABSENT,
    )  # fmt: skip


# --- by family -----------------------------------------------------------------------------------


def _viewing(pairs: _Pairs) -> tuple[list[Line], tuple[int, int] | None]:
    pair = pairs.pair("viewing")
    if pair is None:
        return [], None
    now, then = (figures.headline(answer) for answer in pair)
    if now.plays is None or then.plays is None:
        return [], None
    lines = [count_line(_("Plays"), now.plays, then.plays)]
    people = viewers_line(now, then)
    lines += [people] if people else []
    if now.watch_seconds is not None and then.watch_seconds is not None:
        lines.append(
            count_line(
                _("Watch hours"),
                round(now.watch_seconds / 3600),
                round(then.watch_seconds / 3600),
            )
        )
    if now.completions is not None and then.completions is not None:
        lines.append(count_line(_("Completions"), now.completions, then.completions))
    lines += _territories(*pair, pairs.language)
    return lines, (now.plays, then.plays)


def _territories(now: Result, then: Result, language: str) -> list[Line]:
    """Which territories have plays now and had none, and the other way round."""
    plays, plays_then = _plays_by_territory(now), _plays_by_territory(then)
    if len({p.territory for p in now.answered} - {ALL}) < 2:
        return []
    comma = "、" if wording.is_chinese(language) else ", "

    def told(found: dict[str, int], beside: dict[str, int]) -> str:
        return comma.join(
            _("%(where)s (%(plays)s plays)")
            % {"where": names.territory(code, language), "plays": wording.exact(count)}
            for code, count in sorted(found.items(), key=lambda one: (-one[1], one[0]))
            if code not in beside
        )

    new, gone = told(plays, plays_then), told(plays_then, plays)
    about = _("Territories")
    lines = []
    if new:
        lines.append(Line(about, _("Plays now and none before: %(told)s.") % {"told": new}))
    if gone:
        lines.append(Line(about, _("Plays before and none now: %(told)s.") % {"told": gone}))
    if not lines:
        said = _("Plays in the same territories as in the days before, %(n)s.")
        lines.append(Line(about, said % {"n": len(plays)}))
    return lines


def _plays_by_territory(answer: Result) -> dict[str, int]:
    return {
        total.territory: total.plays
        for total in figures.by_block(answer)
        if total.territory != ALL and total.plays
    }


def _retention(pairs: _Pairs) -> list[Line]:
    pair = pairs.pair("retention")
    if pair is None:
        return []
    now, then = pair
    plays = tuple(int(answer.extra.get("plays", 0)) for answer in pair)
    end = max((s for s in now.data["content_second"] if isinstance(s, int)), default=0)
    lines = []
    for about, second in ((_("Still there at 30 s"), 30), (_("Still there at the end"), end)):
        share, share_then = figures.share_at(now, second), figures.share_at(then, second)
        if share is not None and share_then is not None and all(plays):
            lines.append(share_line(about, share, share_then, (plays[0], plays[1])))
    return lines


def _moment(pairs: _Pairs) -> list[Line]:
    """The strongest moment that was none before, against the strongest of its kind in either."""
    pair = pairs.pair("moments")
    if pair is None:
        return []
    now, then = (_moments(answer) for answer in pair)
    new = [m for m in now if not any(_same(m, other) for other in then)]
    about = _("Moments")
    if not new:
        said = _("None that was not there before: %(now)s now, %(then)s before.")
        return [Line(about, said % {"now": len(now), "then": len(then)})]
    strongest = {kind: max(m.score for m in (*now, *then) if m.kind == kind) for kind in _KINDS
                 if any(m.kind == kind for m in (*now, *then))}  # fmt: skip
    biggest = max(new, key=lambda m: (m.score / (strongest[m.kind] or 1), -_KINDS.index(m.kind)))
    said = _("Biggest new one: %(from)s – %(to)s, %(strength)s (%(new)s of %(now)s are new).")
    values = {
        "from": wording.clock(biggest.from_second),
        "to": wording.clock(biggest.to_second),
        "strength": strength_of(biggest),
        "new": len(new),
        "now": len(now),
    }
    return [Line(about, said % values)]


def _moments(answer: Result) -> list[Moment]:
    return [
        Moment(
            str(row["kind"]),
            int(row["from_second"]),  # type: ignore[arg-type]
            int(row["to_second"]),  # type: ignore[arg-type]
            float(row["score"]),  # type: ignore[arg-type]
        )
        for row in answer.rows()
        if row["kind"] in _KINDS
    ]


def _same(one: Moment, other: Moment) -> bool:
    return (
        one.kind == other.kind
        and one.from_second < other.to_second + NEAR_S
        and other.from_second < one.to_second + NEAR_S
    )


def _written(pairs: _Pairs) -> list[Line]:
    """How much was written and passed on."""
    lines = []
    for resource, columns, about in (
        ("danmu", ("comments",), _("Danmu")),
        ("discussion", ("posts", "replies"), _("Posts and replies")),
        ("sharing", ("shares",), _("Shares")),
    ):
        pair = pairs.pair(resource)
        if pair is not None:
            now, then = (_sum(answer, columns) for answer in pair)
            lines.append(count_line(about, now, then))
    return lines


def _sum(answer: Result, columns: Iterable[str]) -> int:
    return sum(int(v) for c in columns for v in answer.data[c] if isinstance(v, int | float))


# --- restated ------------------------------------------------------------------------------------


def _restated(change: Restated, language: str) -> Line:
    values = {
        "days": wording.days(change.window, language),
        "where": names.territory(change.territory, language),
        "old": wording.exact(change.old),
        "new": wording.exact(change.new),
        "day": wording.day(change.day, language),
    }
    noised = change.family in ("demographics", "geography")
    if change.adjusts:
        said = _(
            "%(days)s, %(where)s: %(old)s, by later files %(new)s (on %(day)s); the month is closed"
            " and keeps its number."
        )
    elif noised and change.metric == "plays":
        said = _(
            "%(days)s, %(where)s: counted from %(old)s plays, there are %(new)s since %(day)s: too"
            " small a change to count anew."
        )
    elif noised:
        said = _(
            "%(days)s, %(where)s: counted anew on %(day)s, %(old)s then and %(new)s now, noise"
            " included."
        )
    else:
        said = _("%(days)s, %(where)s: was %(old)s, is %(new)s since %(day)s.")
    key = "zh" if wording.is_chinese(language) else "en"
    metric = column_of(change.family, change.metric).title[key]
    family = wording.table(RESOURCES[change.family], language)
    difference = (
        f"{change.new - change.old:+,d}".replace("-", "−")
        if change.old is not None and change.new is not None and not noised
        else ""
    )
    return Line(f"{family} · {metric}", said % values, difference)


def column_of(family: str, metric: str) -> Column:
    """The column that a restated number stands in; plays of a curve are those of `viewing`."""
    for resource in (RESOURCES[family], RESOURCES["viewing"]):
        for column in resource.columns:
            if column.name == metric:
                return column
    return Column(metric, "integer", "", {"zh": metric, "en": metric}, {"zh": "", "en": ""})
