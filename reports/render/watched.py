"""How many watched and how: the headline, plays by day and territory, stops and rewatches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from engagement.families import Cell, Result
from engagement.scope import ALL
from reports.render import figures, names, wording
from reports.render.sections import (
    Block,
    Page,
    Section,
    Table,
    nothing,
    numbers,
    step_for,
)

DAYS_HEIGHT = 150


def headline(page: Page) -> list[dict[str, str]]:
    """Label, number and small print of each headline number that is granted."""
    language = page.language
    viewing, retention = (page.title.results.get(name) for name in ("viewing", "retention"))
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


def viewing(page: Page) -> Section | None:
    """Plays by day or week, and by territory over the period."""
    answer = page.title.results.get("viewing")
    if answer is None:
        return None
    lines = figures.daily(answer)
    weekly = any(line.window.days > 1 for line in lines)
    name = _("Plays by week") if weekly else _("Plays by day")
    if not lines:
        return Section("days", name, nothing=nothing(answer))
    notes = []
    places = figures.by_block(answer)
    if weekly:
        notes.append(
            _("The window is long: weeks are shown, Monday to Sunday; every day is in the CSV.")
        )
    if len({p.territory for p in places}) > 1:
        notes.append(
            _(
                "Plays, hours and completions are sums over the territories. Viewers are not added"
                " up over territories or days."
            )
        )
    figure = page.figure(
        "days", {"viewing": answer}, _alt_of_days(lines, page, weekly=weekly), DAYS_HEIGHT
    )
    heads = (_("Week") if weekly else _("Day"), *_heads())
    table = Table(heads, tuple(line_of(one, page.language, weekly=weekly) for one in lines))
    blocks = [Block(figure=figure, notes=tuple(notes), table=table)]
    if len(places) > 1:
        blocks.append(_by_territory(places, page))
    devices = _by_device(answer, page)
    return Section("days", name, blocks=(*blocks, *([devices] if devices else [])))


def _heads() -> tuple[str, ...]:
    return (
        _("Plays"), _("Viewers"), _("Watch hours"), _("Completions"), _("Completion rate"),
    )  # fmt: skip


def _alt_of_days(lines: Sequence[figures.Total], page: Page, *, weekly: bool) -> str:
    """What the bars say: how many there are, the highest and the lowest."""
    counted = [line for line in lines if line.plays is not None]
    if not counted:
        return _("Plays of each day of %(title)s; the numbers are in the table below.") % {
            "title": page.name
        }
    most = max(counted, key=lambda line: line.plays or 0)
    least = min(counted, key=lambda line: line.plays or 0)

    def day(line: figures.Total) -> str:
        return wording.days(line.window, page.language)

    return _(
        "Plays of %(title)s by day, %(n)s bars in the table below: most on %(most_day)s with"
        " %(most)s, fewest on %(least_day)s with %(least)s."
    ) % {
        "title": page.name,
        "n": len(lines),
        "most_day": day(most),
        "most": wording.exact(most.plays),
        "least_day": day(least),
        "least": wording.exact(least.plays),
    }


def _by_territory(places: Sequence[figures.Total], page: Page) -> Block:
    rows = []
    for place in places:
        _when, *cells = line_of(place, page.language, weekly=True)
        name = names.territory(place.territory, page.language)
        if place.window != page.report.window:
            name += f" · {wording.days(place.window, page.language)}"
        rows.append((name, *cells))
    return Block(
        name=_("By territory, over the period"),
        table=Table((_("Territory"), *_heads()), tuple(rows)),
    )


def _by_device(answer: Result, page: Page) -> Block | None:
    """Plays of single devices, summed over the published pieces that the answer holds."""
    sums: dict[str, list[int]] = {}
    for row in answer.rows():
        device, plays, done = row["device"], row["plays"], row["completions"]
        if device in (None, ALL) or not isinstance(plays, int) or not isinstance(done, int):
            continue
        sums.setdefault(str(device), [0, 0])
        sums[str(device)][0] += plays
        sums[str(device)][1] += done
    if not sums:
        return None
    rows = [
        (device, wording.exact(plays), wording.exact(done))
        for device, (plays, done) in sorted(sums.items(), key=lambda one: (-one[1][0], one[0]))
    ]
    return Block(
        name=_("By device"),
        notes=(_("Only of days and devices that are together at the floor; not the total."),),
        table=Table((_("Device"), _("Plays"), _("Completions")), tuple(rows)),
    )


def line_of(total: figures.Total, language: str, *, weekly: bool) -> tuple[str, ...]:
    """Its days, plays, viewers, hours, completions and their rate."""
    when = (
        wording.days(total.window, language)
        if weekly
        else wording.short_day(total.window.since, language)
    )
    viewers = wording.exact(total.viewers)
    if total.estimated:
        low, high = wording.exact(total.viewers_low), wording.exact(total.viewers_high)
        viewers = f"≈ {viewers}" if total.viewers is not None else f"{low}–{high}"
    return (
        when,
        wording.exact(total.plays),
        viewers,
        hours(total.watch_seconds),
        wording.exact(total.completions),
        wording.percent(total.completion_rate),
    )


def hours(seconds: int | None) -> str:
    return wording.ABSENT if seconds is None else f"{seconds / 3600:,.1f}"


def curves_count(page: Page) -> str:
    """How many of the plays the curves count, where not all: as on the title page."""
    results = page.title.results
    answer = results.get("viewing")
    curve = results.get("retention") or results.get("rewatch")
    total = answer.extra.get("total") if answer else None
    if curve is None or total is None or curve.extra.get("plays") == total.plays:
        return ""
    return _(
        "The curves count %(n)s of %(of)s plays: the other days wait for more viewers, or were "
        "published together with days outside this window."
    ) % {"n": wording.exact(curve.extra.get("plays", 0)), "of": wording.exact(total.plays)}


# --- by content time -----------------------------------------------------------------------------


def stops(page: Page) -> Section | None:
    """Who is still there, and where they start, stop and skip."""
    answer = page.title.results.get("retention")
    if answer is None:
        return None
    name = _("Where they stop")
    if not numbers(answer, "sessions"):
        return Section("stops", name, nothing=nothing(answer))
    columns: list[tuple[str, str, Callable[[Sequence[Any]], str]]] = [
        (_("Still there at its start"), "retention", _first_share),
        (_("Typical"), "typical_retention", _first_share),
        (_("Starts"), "starts", _sum),
        (_("Stops"), "stops", _sum),
        (_("Skips, mean"), "skips", _mean_count),
    ]
    return Section(
        "stops",
        name,
        _("The first two lanes of the timeline as numbers. All seconds are in retention.csv."),
        blocks=(Block(table=by_stretch(answer, columns)),),
    )


def rewatches(page: Page) -> Section | None:
    """Which bits they go back to."""
    answer = page.title.results.get("rewatch")
    if answer is None:
        return None
    name = _("What they watch again")
    if not numbers(answer, "times_played"):
        return Section("rewatches", name, nothing=nothing(answer))
    columns: list[tuple[str, str, Callable[[Sequence[Any]], str]]] = [
        (_("Times played, mean"), "times_played", _mean_count),
        (_("Rewatches"), "rewatches", _sum),
        (_("Watch ratio, mean"), "audience_watch_ratio", _mean_ratio),
        (_("Typical"), "typical_audience_watch_ratio", _mean_ratio),
    ]
    return Section(
        "rewatches",
        name,
        _("Rewatches are added up over each stretch. All seconds are in rewatch.csv."),
        blocks=(Block(table=by_stretch(answer, columns)),),
    )


def by_stretch(
    answer: Result,
    columns: Sequence[tuple[str, str, Callable[[Sequence[Any]], str]]],
    most: int | None = None,
) -> Table:
    """A row a stretch of content time; columns without any value are left out."""
    shown = [one for one in columns if numbers(answer, one[1])]
    seconds = answer.data["content_second"]
    last = max((s for s in seconds if isinstance(s, int)), default=0)
    step = step_for(last + 1, most) if most else step_for(last + 1)
    stretches: dict[int, list[int]] = {}
    for place, second in enumerate(seconds):
        if isinstance(second, int):
            stretches.setdefault(second // step, []).append(place)
    rows = [
        (
            stretch(n * step, min((n + 1) * step, last + 1)),
            *(told([answer.data[column][p] for p in places]) for _head, column, told in shown),
        )
        for n, places in sorted(stretches.items())
    ]
    return Table((_("Content time"), *(head for head, _column, _told in shown)), tuple(rows))


def stretch(since: int, until: int) -> str:
    return f"{wording.clock(since)} – {wording.clock(until)}"


def _known(values: Sequence[Cell]) -> list[float]:
    return [v for v in values if isinstance(v, int | float)]


def _first_share(values: Sequence[Cell]) -> str:
    first = values[0]
    return wording.percent(float(first) if isinstance(first, int | float) else None)


def _sum(values: Sequence[Cell]) -> str:
    known = _known(values)
    return wording.exact(sum(known)) if known else wording.ABSENT


def _mean_count(values: Sequence[Cell]) -> str:
    known = _known(values)
    return wording.exact(sum(known) / len(known)) if known else wording.ABSENT


def _mean_ratio(values: Sequence[Cell]) -> str:
    known = _known(values)
    return f"{sum(known) / len(known):.2f}" if known else wording.ABSENT


added = _sum
