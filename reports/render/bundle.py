"""One zip for one recipient: the PDF, its tables as CSV and as else was wished, what they are.

The same report gives the same bytes. Member names are made here, from nothing but a-z, 0-9 and
hyphens, so that no name of a title can climb out of a folder or stand twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.render.csv import to_csv
from reports.render.descriptors import REPORT, Table, descriptors
from reports.render.document import Report
from reports.render.pdf import render_pdf
from reports.render.xlsx import LONGEST_NAME, Sheet, to_xlsx
from reports.render.zipping import File, zipped

_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))}
_LONGEST_FOLDER = 60


@dataclass(frozen=True)
class Bundle:
    """The zip and the members it holds."""

    zip: File
    members: tuple[File, ...]


def build_bundle(report: Report, scope: Mapping[str, Any] | list[Any]) -> Bundle:
    """Renders everything and zips it. `scope` is what may be seen, as JSON, for the manifest."""
    tables = _tables(report)
    inside = [(_flat(t.csv.name), t.csv.content) for t in tables if "pdfa" in report.formats]
    files = [File(REPORT, render_pdf(report, inside)), *(t.csv for t in tables)]
    if "parquet" in report.formats:
        files += [_parquet(report, table) for table in tables]
    if "xlsx" in report.formats:
        files.append(_workbook(report, tables))
    members = (*files, *descriptors(report, scope, tables, files))
    return Bundle(File(f"{report.bundle_id}.zip", zipped(members)), members)


def folder_names(slugs: Iterable[str]) -> list[str]:
    """A safe folder name for each slug, in order, no two alike on any disk."""
    names = []
    for number, slug in enumerate(slugs, 1):
        name = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:_LONGEST_FOLDER].strip("-")
        names.append(f"title-{number}" if not name or name in _RESERVED else name)
    return _unlike(names, _LONGEST_FOLDER + 3)


def _unlike(names: Iterable[str], longest: int) -> list[str]:
    """The names in order, cut to a length, a number behind those that are there already."""
    unlike: list[str] = []
    for name in names:
        unique, again = name[:longest], 2
        while unique in unlike:
            mark = f"-{again}"
            unique, again = name[: longest - len(mark)] + mark, again + 1
        unlike.append(unique)
    return unlike


def _tables(report: Report) -> list[Table]:
    tables = []
    folders = folder_names(t.slug for t in report.titles)
    for folder, title in zip(folders, report.titles, strict=True):
        for name, result in title.results.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"no file can be made of a resource called {name!r}")
            stem = f"data/{folder}/{name}"
            tables.append(Table(stem, title, result, File(f"{stem}.csv", to_csv(result))))
    return tables


def _flat(name: str) -> str:
    """A table's name inside the PDF, which has no folders."""
    return name.removeprefix("data/").replace("/", ".")


def _parquet(report: Report, table: Table) -> File:
    from reports.render.parquet import to_parquet  # 26 MB that few reports ask for

    about = {
        "portal": report.portal_name,
        "partner": report.partner_name,
        "title": table.title.slug,
        "title_name": table.title.name("en"),
        "title_name_zh": table.title.name("zh-hans"),
        "from": report.window.since.isoformat(),
        "until": report.window.until.isoformat(),
    }
    return File(f"{table.stem}.parquet", to_parquet(table.result, about))


def _workbook(report: Report, tables: Sequence[Table]) -> File:
    window = report.window
    about = [f"{report.portal_name} · {report.partner_name}", f"[{window.since}, {window.until})"]
    if report.sample:
        about.append("示例数据 Sample data")
    names = _sheet_names([t.stem for t in tables])
    sheets = [
        Sheet(name, _both_names(table), table.result)
        for name, table in zip(names, tables, strict=True)
    ]
    book = to_xlsx(
        sheets,
        portal=report.portal_name,
        partner=report.partner_name,
        about=about,
        as_of=report.as_of,
    )
    return File("data.xlsx", book)


def _sheet_names(stems: Sequence[str]) -> list[str]:
    """Of data/folder/resource: as much of each folder as leaves room for every resource's name."""
    parts = [stem.split("/")[1:] for stem in stems]
    room = LONGEST_NAME - 1 - max((len(resource) for _, resource in parts), default=0)
    folders = list(dict.fromkeys(folder for folder, _ in parts))
    short = dict(zip(folders, _unlike(folders, room), strict=True))
    return [f"{short[folder]}.{resource}" for folder, resource in parts]


def _both_names(table: Table) -> str:
    return " · ".join(dict.fromkeys(table.title.name(key) for key in ("zh-hans", "en")))
