"""What a bundle says about itself: datapackage.json for programs, manifest.json for whoever checks
what came.

Both name every file with its SHA-256. `readdressed` writes them for another recipient of the same
content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engagement.families import METRIC_VERSION, Column, Result
from reports.render.csv import ENCODING, RULE
from reports.render.document import Report, TitleReport
from reports.render.zipping import File

REPORT, PACKAGE, MANIFEST = "report.pdf", "datapackage.json", "manifest.json"
_MEDIA_TYPES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class Table:
    """One resource of one title: where its files lie (`stem`, without an ending) and its CSV."""

    stem: str
    title: TitleReport
    result: Result
    csv: File


def descriptors(
    report: Report,
    scope: Mapping[str, Any] | list[Any],
    tables: Sequence[Table],
    files: Sequence[File],
) -> tuple[File, File]:
    """The package and the manifest of these files, which the tables' CSVs are among."""
    package = File(PACKAGE, as_json(_datapackage(report, tables, files)))
    manifest = _manifest(report, scope, tables, [*files, package])
    return package, File(MANIFEST, as_json(manifest))


def readdressed(
    package: bytes, manifest: bytes, pdf: File, *, bundle_id: str, recipient: str, made: datetime
) -> tuple[File, File]:
    """Both for a bundle of the same content with another PDF, to somebody else."""
    described, told = json.loads(package), json.loads(manifest)
    created = _moment(made)
    described |= {"name": _package_name(bundle_id), "id": bundle_id, "created": created}
    _restate(described["resources"], pdf, hash=f"sha256:{pdf.sha256}")
    changed = File(PACKAGE, as_json(described))
    told |= {"bundle": bundle_id, "recipient": recipient, "created": created}
    for file in (pdf, changed):
        _restate(told["files"], file, sha256=file.sha256)
    return changed, File(MANIFEST, as_json(told))


def _restate(entries: Iterable[dict[str, Any]], file: File, **hashes: str) -> None:
    for entry in entries:
        if entry["path"] == file.name:
            entry |= {"bytes": len(file.content), **hashes}


def _datapackage(report: Report, tables: Sequence[Table], files: Sequence[File]) -> dict[str, Any]:
    """Frictionless Data Package v1: a tabular resource for each CSV, a plain one for each other
    file (the profile of tables alone takes no other).
    """
    of_csv = {table.csv.name: table for table in tables}
    return {
        "profile": "data-package",
        "name": _package_name(report.bundle_id),
        "title": f"{report.portal_name} · {report.partner_name}",
        "id": report.bundle_id,
        "created": _moment(report.created_at),
        "formulas": RULE,
        "resources": [
            _tabular(of_csv[file.name]) if file.name in of_csv else _plain(file) for file in files
        ],
    }


def _tabular(table: Table) -> dict[str, Any]:
    title, resource = table.title, table.result.resource
    return {
        "profile": "tabular-data-resource",
        "name": _resource_name(table.stem),
        "path": table.csv.name,
        "title": f"{title.name('en')} · {resource.title.get('en', resource.name)}",
        "title_zh": f"{title.name('zh-hans')} · {resource.title.get('zh', resource.name)}",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": ENCODING,
        "bytes": len(table.csv.content),
        "hash": f"sha256:{table.csv.sha256}",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "doubleQuote": True},
        "schema": {
            "fields": [_field(c) for c in resource.columns],
            "missingValues": [""],
        },
    }


def _plain(file: File) -> dict[str, Any]:
    """`type` file: to be kept and hashed, not to be read as a table."""
    kind = file.name.rsplit(".", 1)[-1]
    return {
        "profile": "data-resource",
        "type": "file",
        "name": _resource_name(file.name),
        "path": file.name,
        "format": kind,
        "mediatype": _MEDIA_TYPES[kind],
        "bytes": len(file.content),
        "hash": f"sha256:{file.sha256}",
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


def _resource_name(path: str) -> str:
    """Of a-z, 0-9, dots, hyphens and underscores, as paths here are."""
    return path.removeprefix("data/").replace("/", ".")


def _package_name(bundle_id: str) -> str:
    return "dailies-" + re.sub(r"[^a-z0-9]+", "-", bundle_id.lower()).strip("-")


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _manifest(
    report: Report,
    scope: Mapping[str, Any] | list[Any],
    tables: Sequence[Table],
    files: Sequence[File],
) -> dict[str, Any]:
    of_file = {table.csv.name: table for table in tables}
    families = sorted({t.result.resource.family for t in tables})
    return {
        "bundle": report.bundle_id,
        "portal": report.portal_name,
        "partner": report.partner_name,
        "recipient": report.recipient_name,
        "language": report.language,
        "sample": report.sample,
        "created": _moment(report.created_at),
        "scope": scope,
        "window": {
            "from": report.window.since.isoformat(),
            "until": report.window.until.isoformat(),
        },
        "delayed": report.delayed,
        "data_through": report.data_through.isoformat() if report.data_through else None,
        "releases": list(report.releases),
        "metric_versions": dict.fromkeys(families, METRIC_VERSION),
        "titles": [
            {"slug": t.slug, "name_zh": t.name_zh, "name_en": t.name_en} for t in report.titles
        ],
        "formulas": RULE,
        "files": [
            {
                "path": file.name,
                "bytes": len(file.content),
                "sha256": file.sha256,
                **(_about(of_file[file.name]) if file.name in of_file else {}),
            }
            for file in files
        ],
    }


def _about(table: Table) -> dict[str, Any]:
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


def as_json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
