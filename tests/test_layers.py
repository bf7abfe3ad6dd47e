"""One direction: portal, reports, partners, engagement; and one door to each thing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BELOW = {
    "engagement": {"partners", "reports", "portal"},
    "partners": {"reports", "portal"},
    "reports": {"portal"},
}
FACTS = {
    "Adjustment",
    "DanmuComment",
    "DanmuFact",
    "DayPartial",
    "DemographicsFact",
    "DiscussionFact",
    "DiscussionPost",
    "FanbaseFact",
    "GeographyFact",
    "NoisedTable",
    "PublishedPiece",
    "Restatement",
    "RetentionFact",
    "RewatchFact",
    "SharingFact",
    "SharingOffset",
    "TypicalFact",
    "ViewerSketch",
    "ViewingFact",
}


def modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("package", sorted(BELOW))
def test_no_package_imports_a_higher_one(package: str) -> None:
    upward = [
        f"{path}: {module}"
        for path, tree in modules(package)
        for module, _ in imports(tree)
        if module.split(".")[0] in BELOW[package]
    ]
    assert upward == []


def test_fact_models_stay_inside_engagement() -> None:
    outside = [
        f"{path}: {name}"
        for package in ("partners", "reports", "portal")
        for path, tree in modules(package)
        for module, name in imports(tree)
        if module.startswith("engagement.models") and (name in FACTS or "facts" in module)
    ]
    assert outside == []


def test_a_scope_is_made_in_access_alone() -> None:
    makers = [
        str(path)
        for package in ("engagement", "partners", "reports", "portal")
        for path, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("Scope", "Entitled")
    ]
    assert set(makers) == {"partners/access.py"}


def test_entitlements_are_written_in_grants_alone() -> None:
    writers = {
        str(path)
        for package in ("partners", "reports", "portal")
        for path, tree in modules(package)
        if path.name != "grants.py" or path.parent.name == "models"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("create", "bulk_create", "update", "delete", "save")
        and "ntitlement" in ast.unparse(node.value)
    }
    assert writers == set()


def test_migrations_hold_no_application_code() -> None:
    offenders = [
        f"{path}: {module}"
        for package in ("engagement", "partners", "reports")
        for path, tree in modules(f"{package}/migrations")
        for module, _ in imports(tree)
        if module.split(".")[0] in ("engagement", "reports", "portal")
        or (module.startswith("partners") and module != "partners.models.people")
    ]
    assert offenders == []


def test_the_site_starts_without_the_compiler_of_the_roll_up() -> None:
    """It takes a second and a hundred megabytes in every web process."""
    code = (
        "import django; django.setup(); import portal.urls, portal.celery, sys; "
        "sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
