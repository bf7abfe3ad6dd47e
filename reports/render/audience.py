"""Who watched and where: age and gender, regions, fan sets.

Their numbers are noised once and published; nothing is added up here that was published apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from engagement.families import Cell, Result
from engagement.scope import Window
from reports.render import names, wording
from reports.render.sections import Block, Page, Section, Table, nothing, numbers, picked

MOST_TERRITORIES = 3
"""With a chart and a table of their own; the others are in the CSV."""
SURVIVAL = (25, 50, 75, 100)
MOST_SETS = 20

Row = Mapping[str, Cell]


@dataclass(frozen=True)
class _Kind:
    """What tells demographics and geography apart."""

    resource: str
    chart: str
    name: str
    heads: tuple[str, ...]
    named: Callable[[Row], tuple[str, ...]]


def ages(page: Page) -> Section | None:
    """The last published period, a block for each territory."""
    return _people(
        page,
        _Kind(
            "demographics",
            "ages",
            _("Age and gender"),
            (_("Age"), _("Gender")),
            lambda row: (names.age(str(row["age_band"])), names.gender(str(row["gender"]))),
        ),
    )


def regions(page: Page) -> Section | None:
    """The last published period, a block for each territory."""
    return _people(
        page,
        _Kind(
            "geography",
            "regions",
            _("Regions"),
            (_("Region"),),
            lambda row: (names.region(str(row["region"]), page.language),),
        ),
    )


def _people(page: Page, kind: _Kind) -> Section | None:
    answer = page.title.results.get(kind.resource)
    if answer is None:
        return None
    if not numbers(answer, "viewers"):
        return Section(kind.chart, kind.name, nothing=nothing(answer))
    window, groups, earlier = latest(answer, "viewers")
    blocks = [
        block
        for territory, places in groups[:MOST_TERRITORIES]
        for block in _blocks(page, answer, kind, territory, places)
    ]
    return Section(
        kind.chart,
        kind.name,
        _(
            "Viewers of %(days)s, each counted once. The numbers carry noise and small groups are"
            " merged, so that nobody can be told from them."
        )
        % {"days": wording.days(window, page.language)},
        (*blocks, *_in_the_file(kind.resource, len(groups) - MOST_TERRITORIES, earlier=earlier)),
    )


def _in_the_file(resource: str, territories: int, *, earlier: bool) -> list[Block]:
    notes = []
    if territories > 0:
        notes.append(
            _("%(n)s more territories are in %(file)s.csv.") % {"n": territories, "file": resource}
        )
    if earlier:
        notes.append(_("Earlier weeks of the period are in %(file)s.csv.") % {"file": resource})
    return [Block(notes=tuple(notes))] if notes else []


def latest(answer: Result, column: str) -> tuple[Window, list[tuple[str, list[int]]], bool]:
    """The last published period that has numbers; the places of its rows by territory, the one
    with the most first; and whether there are earlier periods.
    """
    data = answer.data
    periods: dict[Window, dict[str, list[int]]] = {}
    for place, (since, until, territory, value) in enumerate(
        zip(data["from"], data["until"], data["territory"], data[column], strict=True)
    ):
        if isinstance(since, date) and isinstance(until, date) and value is not None:
            of_period = periods.setdefault(Window(since, until), {})
            of_period.setdefault(str(territory), []).append(place)
    window = max(periods, key=lambda w: (w.until, w.since))

    def size(entry: tuple[str, list[int]]) -> tuple[bool, float, str]:
        territory, places = entry
        return territory != "*", -sum(_number(data[column][p]) for p in places), territory

    return window, sorted(periods[window].items(), key=size), len(periods) > 1


def _number(value: Cell) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _blocks(
    page: Page, answer: Result, kind: _Kind, territory: str, places: Sequence[int]
) -> list[Block]:
    rows = [dict(zip(answer.data, row, strict=True)) for row in _rows(answer, places)]
    where = names.territory(territory, page.language)
    columns = picked(answer, places)
    reached = [share for share in SURVIVAL if _any(rows, f"survival_{share:02d}")]
    heads = (
        *kind.heads,
        _("Viewers"),
        _("Finishers"),
        *(_("Reached %(share)s%%") % {"share": share} for share in reached),
    )
    if kind.resource == "geography":
        rows.sort(key=lambda row: (-_number(row["viewers"]), str(row["region"])))
    table = Table(
        heads,
        tuple(
            (
                *kind.named(row),
                _exact(row["viewers"]),
                _exact(row["finishers"]),
                *(_share(row[f"survival_{share:02d}"]) for share in reached),
            )
            for row in rows
        ),
        texts=len(kind.heads),
    )
    figure = page.figure(kind.chart, {kind.resource: columns}, _alt(page, kind, where, rows))
    blocks = [Block(name=where, figure=figure, table=table)]
    if reached:
        survival = page.figure(
            "survival",
            {kind.resource: columns},
            _("How far each group came, %(where)s; the table above names a quarter, half and three"
              " quarters of the runtime and its end.") % {"where": where},
        )  # fmt: skip
        blocks.append(Block(name=_("How far each group came"), figure=survival))
    return blocks


def _rows(answer: Result, places: Sequence[int]) -> list[tuple[Cell, ...]]:
    return [tuple(values[p] for values in answer.data.values()) for p in places]


def _any(rows: Sequence[Row], column: str) -> bool:
    return any(row[column] is not None for row in rows)


def _exact(value: Cell) -> str:
    return wording.exact(value if isinstance(value, int | float) else None)


def _share(value: Cell) -> str:
    return wording.percent(value if isinstance(value, int | float) else None)


def _alt(page: Page, kind: _Kind, where: str, rows: Sequence[Row]) -> str:
    """How many groups there are and the three largest; all are in the table below."""
    largest = sorted(rows, key=lambda row: -_number(row["viewers"]))[:3]
    comma = "；" if wording.is_chinese(page.language) else "; "
    return _(
        "%(name)s of the viewers of %(title)s, %(where)s: %(n)s groups. Largest: %(told)s."
    ) % {
        "name": kind.name,
        "title": page.name,
        "where": where,
        "n": len(rows),
        "told": comma.join(
            f"{' '.join(kind.named(row))} {_exact(row['viewers'])}" for row in largest
        ),
    }


# --- fan sets ------------------------------------------------------------------------------------


def fan_sets(page: Page) -> Section | None:
    """Whose fans the viewers are, in the last published period."""
    answer = page.title.results.get("fanbases")
    if answer is None:
        return None
    name = _("Fan sets")
    if not numbers(answer, "viewers_in_common"):
        return Section("fan-sets", name, nothing=nothing(answer))
    window, groups, earlier = latest(answer, "viewers_in_common")
    blocks = []
    for territory, places in groups[:MOST_TERRITORIES]:
        rows = [dict(zip(answer.data, row, strict=True)) for row in _rows(answer, places)]
        rows.sort(key=lambda row: (-_number(row["lift"]), str(row["fan_set"])))
        blocks.append(_fan_block(page, answer, territory, places, rows[:MOST_SETS]))
    return Section(
        "fan-sets",
        name,
        _(
            "Viewers of %(days)s. Lift says how many times likelier they are in the set than the"
            " platform's viewers; its bounds hold 95 times in 100. Sets overlap."
        )
        % {"days": wording.days(window, page.language)},
        (*blocks, *_in_the_file("fanbases", len(groups) - MOST_TERRITORIES, earlier=earlier)),
    )


def _fan_block(
    page: Page, answer: Result, territory: str, places: Sequence[int], rows: Sequence[Row]
) -> Block:
    own = _any(rows, "share_of_fan_set")
    heads = (
        _("Fan set"),
        _("Viewers in common"),
        _("Share of this title"),
        *((_("Share of the set"),) if own else ()),
        _("Lift"),
        _("95% between"),
    )
    table = Table(
        heads,
        tuple(
            (
                str(row["fan_set"]),
                _exact(row["viewers_in_common"]),
                _share(row["share_of_title"]),
                *((_share(row["share_of_fan_set"]),) if own else ()),
                _ratio(row["lift"]),
                f"{_ratio(row['lift_low'])} – {_ratio(row['lift_high'])}",
            )
            for row in rows
        ),
    )
    comma = "；" if wording.is_chinese(page.language) else "; "
    where = names.territory(territory, page.language)
    alt = _("Lift of the fan sets of %(title)s, %(where)s, with bounds. Highest: %(told)s.") % {
        "title": page.name,
        "where": where,
        "told": comma.join(f"{row['fan_set']} {_ratio(row['lift'])}" for row in rows[:3]),
    }
    figure = page.figure("fan_sets", {"fanbases": picked(answer, places)}, alt)
    return Block(name=where, figure=figure, table=table)


def _ratio(value: Cell) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else wording.ABSENT
