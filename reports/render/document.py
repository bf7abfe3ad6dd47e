"""What a report is made of, as plain frozen values: the input of pdf.py and bundle.py.

Whoever builds a report has asked all the questions by then; nothing here or below reads a
database or knows of rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from engagement.families import Result
from engagement.scope import Window

FORMATS = ("xlsx", "parquet", "pdfa")
"""Made on demand: a workbook, Parquet files, the CSVs attached inside the PDF as well."""

PAPERS = ("a4", "letter")


@dataclass(frozen=True)
class Moment:
    """A stretch of content [from_second, to_second) that stands out, with what was written there.

    `kind` and `score` are those of the resource `moments`, or `danmu_minute` and how much was
    written in it (reports/moments.py); `texts` are only such as may leave
    (the text rule).
    """

    kind: str
    from_second: int
    to_second: int
    score: float
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TitleReport:
    """One title's part: the results of the resources granted, by resource name."""

    slug: str
    name_zh: str
    name_en: str
    kind: str  # film, series, episode, trailer
    runtime_s: int
    territories: tuple[str, ...]
    results: Mapping[str, Result] = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    before: Mapping[str, Result] = field(default_factory=dict)
    """The results over the days before, by resource name: those that a report is compared by."""

    def name(self, language: str) -> str:
        """The name in the reader's language, else in the other."""
        first, second = self.name_zh, self.name_en
        if language == "en":
            first, second = second, first
        return first or second or self.slug


@dataclass(frozen=True)
class Restated:
    """A settled number of the days before that has changed since. `adjusts`: of a closed month,
    whose own number stays."""

    slug: str  # of its title
    family: str
    territory: str
    window: Window
    metric: str
    old: int | None
    new: int | None
    day: date  # on which it changed
    adjusts: bool = False


def days_before(window: Window) -> Window | None:
    """As many days, up to where the window begins: what a report is compared with.

    None where no calendar reaches that far.
    """
    if (window.since - date.min).days < window.days:
        return None
    return Window(window.since - timedelta(days=window.days), window.since)


@dataclass(frozen=True)
class Report:
    """Everything one bundle says to one recipient."""

    bundle_id: str
    portal_name: str
    partner_name: str
    recipient_name: str
    language: str  # one of REPORT_LANGUAGES
    window: Window
    data_through: date | None
    sample: bool
    titles: tuple[TitleReport, ...]
    releases: tuple[str, ...]
    created_at: datetime  # aware
    formats: tuple[str, ...] = ()  # beside the CSVs: any of FORMATS
    paper: str = "a4"  # one of PAPERS
    changes: tuple[Restated, ...] = ()
    delayed: bool = False  # some numbers had not come in by its deadline

    @property
    def as_of(self) -> datetime:
        """The end of its days. A rendering says this for its date, whoever it is for and whenever
        it is made."""
        return datetime.combine(self.window.until, time(), UTC)
