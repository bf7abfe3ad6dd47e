"""One zip for one recipient: the PDF, a CSV for each resource, and what they are.

The same report gives the same bytes. Member names are made here, from nothing but a-z, 0-9 and
hyphens, so that no name of a title can climb out of a folder or stand twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engagement.families import METRIC_VERSION, Column, Result
from reports.render.csv import ENCODING, RULE, to_csv
from reports.render.document import Report, TitleReport
from reports.render.pdf import render_pdf

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; the bundle's date is in the manifest
_MODE = 0o100644 << 16
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))}
_LONGEST_NAME = 60


@dataclass(frozen=True)
class File:
    """One member of a bundle, or the bundle itself."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """The zip and the members it holds."""

    zip: File
    members: tuple[File, ...]


@dataclass(frozen=True)
class _Table:
    path: str
    title: TitleReport
    result: Result
    file: File


def build_bundle(report: Report, scope: Mapping[str, Any] | list[Any]) -> Bundle:
    """Renders everything and zips it. `scope` is what may be seen, as JSON, for the manifest."""
    tables = _tables(report)
    members = [File("report.pdf", render_pdf(report)), *(t.file for t in tables)]
    members.append(File("datapackage.json", _json(_datapackage(report, tables))))
    members.append(File("manifest.json", _json(_manifest(report, scope, tables, members))))
    return Bundle(File(f"{report.bundle_id}.zip", zipped(members)), tuple(members))


def zipped(members: Iterable[File]) -> bytes:
    """The members as a zip: fixed dates and modes, the PDF stored (it is compressed already).

    Raises ValueError where two members have one name, or names that one disk takes for one.
    """
    out = io.BytesIO()
    seen: set[str] = set()
    with zipfile.ZipFile(out, "w") as archive:
        for member in members:
            key = unicodedata.normalize("NFC", member.name).casefold()
            if key in seen:
                raise ValueError(f"two files called {member.name}")
            seen.add(key)
            info = zipfile.ZipInfo(member.name, _EPOCH)
            info.create_system = 3
            info.external_attr = _MODE
            stored = member.name.endswith(".pdf")
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, member.content, compresslevel=None if stored else 6)
    return out.getvalue()


def folder_names(slugs: Iterable[str]) -> list[str]:
    """A safe folder name for each slug, in order, no two alike on any disk."""
    names: list[str] = []
    for number, slug in enumerate(slugs, 1):
        name = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:_LONGEST_NAME].strip("-")
        if not name or name in _RESERVED:
            name = f"title-{number}"
        unique, again = name, 2
        while unique in names:
            unique, again = f"{name}-{again}", again + 1
        names.append(unique)
    return names


def _tables(report: Report) -> list[_Table]:
    tables = []
    folders = folder_names(t.slug for t in report.titles)
    for folder, title in zip(folders, report.titles, strict=True):
        for name, result in title.results.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"no file can be made of a resource called {name!r}")
            path = f"data/{folder}/{name}.csv"
            tables.append(_Table(path, title, result, File(path, to_csv(result))))
    return tables


def _datapackage(report: Report, tables: list[_Table]) -> dict[str, Any]:
    """Frictionless Data Package v1, profile tabular-data-package."""
    return {
        "profile": "tabular-data-package",
        "name": f"dailies-{_package_name(report.bundle_id)}",
        "title": f"{report.portal_name} · {report.partner_name}",
        "id": report.bundle_id,
        "created": report.created_at.isoformat(timespec="seconds"),
        "formulas": RULE,
        "resources": [
            {
                "profile": "tabular-data-resource",
                "name": t.path.removeprefix("data/").removesuffix(".csv").replace("/", "."),
                "path": t.path,
                "title": f"{t.title.name('en')} · {t.result.resource.name}",
                "title_zh": f"{t.title.name('zh-hans')} · {t.result.resource.name}",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": ENCODING,
                "bytes": len(t.file.content),
                "hash": f"sha256:{t.file.sha256}",
                "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "doubleQuote": True},
                "schema": {
                    "fields": [_field(c) for c in t.result.resource.columns],
                    "missingValues": [""],
                },
            }
            for t in tables
        ],
    }


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "title": column.title.get("en", column.name),
        "title_zh": column.title.get("zh", column.name),
        "description": column.definition.get("en", ""),
        "description_zh": column.definition.get("zh", ""),
    }
    if column.unit:
        field["unit"] = column.unit
    return field


def _package_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _manifest(
    report: Report,
    scope: Mapping[str, Any] | list[Any],
    tables: list[_Table],
    members: list[File],
) -> dict[str, Any]:
    by_path = {t.path: t for t in tables}
    families = sorted({t.result.resource.family for t in tables})
    return {
        "bundle": report.bundle_id,
        "portal": report.portal_name,
        "partner": report.partner_name,
        "recipient": report.recipient_name,
        "language": report.language,
        "sample": report.sample,
        "created": report.created_at.isoformat(timespec="seconds"),
        "scope": scope,
        "window": {
            "from": report.window.since.isoformat(),
            "until": report.window.until.isoformat(),
        },
        "data_through": report.data_through.isoformat() if report.data_through else None,
        "releases": list(report.releases),
        "metric_versions": dict.fromkeys(families, METRIC_VERSION),
        "titles": [
            {"slug": t.slug, "name_zh": t.name_zh, "name_en": t.name_en} for t in report.titles
        ],
        "formulas": RULE,
        "files": [
            {
                "path": m.name,
                "bytes": len(m.content),
                "sha256": m.sha256,
                **(_about(by_path[m.name]) if m.name in by_path else {}),
            }
            for m in members
        ],
    }


def _about(table: _Table) -> dict[str, Any]:
    result = table.result
    return {
        "title": table.title.slug,
        "family": result.resource.family,
        "rows": len(result),
        "hidden_cells": result.hidden_cells,
        "notes": list(result.notes),
        "answered": [
            {
                "territory": p.territory,
                "from": p.window.since.isoformat(),
                "until": p.window.until.isoformat(),
            }
            for p in result.answered
        ],
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
