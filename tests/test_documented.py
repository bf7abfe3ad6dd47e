"""What is promised on paper is what the code has: settings, columns, commands, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engagement.families.registry import RESOURCES

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_setting_is_in_the_example() -> None:
    read = set(
        re.findall(
            r"env\.(?:str|bool|int|list|float)\(\s*\"(\w+)\"",
            (ROOT / "portal" / "settings.py").read_text(),
        )
    )
    named = set(re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(), re.M))
    assert len(read) > 15
    assert read - named == set()


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_every_column_is_documented_as_it_is_defined(name: str) -> None:
    page = (ROOT / "docs" / "numbers.md").read_text()
    section = page.split(f"### {name}\n")[1].split("\n### ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", section, re.M))
    assert rows == {c.name: c.definition["en"] for c in RESOURCES[name].columns}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {word for page in PAGES for word in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named
    assert named <= targets
