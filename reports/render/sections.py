"""What a chapter's sections are made of: charts, tables, quotes; and how a chart is drawn.

The template sets them one like the other; what stands in them is said by the modules beside this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from engagement.families import Cell, Result
from reports.charts import engine
from reports.render import names
from reports.render.document import Report, TitleReport

CHART_WIDTH = 658  # px: the 174 mm between the margins of A4; Letter shows it a little wider
MOST_ROWS = 16
"""Of a table by content time: a third of a page."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

Show = Callable[[str], str]
"""Takes a chart as SVG, gives the address under which the page may show it."""


@dataclass(frozen=True)
class Figure:
    url: str
    alt: str


@dataclass(frozen=True)
class Table:
    """Rows of cells in words. The first column names the row; so many `texts` are no numbers."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    names: bool = False  # the first column holds titles' names: it is wide


@dataclass(frozen=True)
class Quote:
    text: str
    amount: str = ""


@dataclass(frozen=True)
class Block:
    """A chart, its table and what is to be said of both, under a name of their own or none."""

    name: str = ""
    figure: Figure | None = None
    notes: tuple[str, ...] = ()
    table: Table | None = None
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True)
class Section:
    """One family's part of a chapter, or of a family that has several questions one of them."""

    key: str  # the end of its anchor
    name: str
    lead: str = ""
    blocks: tuple[Block, ...] = ()
    nothing: str = ""  # said in place of the blocks


@dataclass(frozen=True)
class Page:
    """For whom a chapter is set: what every section needs beside its results."""

    report: Report
    title: TitleReport
    language: str
    show: Show = field(repr=False)

    @property
    def name(self) -> str:
        return self.title.name(self.language)

    def figure(
        self,
        name: str,
        data: Mapping[str, Result | Mapping[str, Sequence[Cell]]],
        alt: str,
        height: int | None = None,
        **view: Any,
    ) -> Figure:
        """The chart called `name` of these columns."""
        columns = {
            resource: {"data": {c: list(v) for c, v in _data(answer).items()}}
            for resource, answer in data.items()
        }
        shown = {"language": self.language, "runtime_s": self.title.runtime_s, **view}
        svg = engine.svg(name, columns, shown, CHART_WIDTH, height)
        return Figure(self.show(svg), alt)


def _data(answer: Result | Mapping[str, Sequence[Cell]]) -> Mapping[str, Sequence[Cell]]:
    return answer.data if isinstance(answer, Result) else answer


def numbers(result: Result, *columns: str) -> bool:
    """Whether any of these columns has a value."""
    return any(v is not None for c in columns for v in result.data.get(c, ()))


def nothing(result: Result) -> str:
    """That there is nothing, and why where the answer says so."""
    reasons = [str(said) for said in result.data.get("hidden_reason", ()) if said]
    whole = [said for said in reasons if ":" not in said]
    if whole:
        return _("No data yet: %(reason)s.") % {"reason": names.reason(whole[0])}
    return _("No data yet.")


def step_for(seconds: int, most: int = MOST_ROWS) -> int:
    """The shortest stretch by which content of so many seconds has at most so many rows."""
    return next((step for step in STEPS if seconds <= step * most), STEPS[-1])


def picked(result: Result, rows: Sequence[int]) -> dict[str, list[Cell]]:
    """Some rows of an answer, by their place."""
    return {name: [values[n] for n in rows] for name, values in result.data.items()}
