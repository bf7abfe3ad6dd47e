"""Every text that the code and the templates say has its Chinese."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation.template import templatize

PROJECT = Path(__file__).parents[1]
PACKAGES = ("engagement", "partners", "portal", "reports")
CATALOGUE = PROJECT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
SAYING = {
    **dict.fromkeys(("_", "_t", "gettext", "gettext_lazy")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
}


def said() -> Iterator[tuple[str, str | None, str]]:
    """(text in the singular, context, where)."""
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            yield from _texts(path, path.read_text())
    for path in sorted((PROJECT / "templates").rglob("*.*")):
        as_python = templatize(path.read_text(), origin=path.name)
        yield from _texts(path, "\n".join(line.strip() for line in as_python.split("\n")))


def _texts(path: Path, python: str) -> Iterator[tuple[str, str | None, str]]:
    found = extract("python", io.BytesIO(python.encode()), keywords=SAYING)  # type: ignore[arg-type]
    for line, text, _, context in found:
        one = text if isinstance(text, str) else text[0]
        if one:
            yield one, context, f"{path.relative_to(PROJECT)}:{line}"


def test_every_text_has_its_chinese() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file)
    missing = []
    with translation.override("zh-hans"):
        for text, context, where in said():
            entry = catalogue.get(text, context)
            ours = entry and not entry.fuzzy and all([entry.string, *entry.string])
            if not ours and translation.gettext(text) == text:  # Django's own words serve too
                missing.append(f"{where}: {text}")
    assert not missing, "\n".join(missing)


def test_a_translation_holds_what_is_filled_in() -> None:
    """A `%d` that is lost ends in an error on the page, a name that is mistyped in nothing."""
    placeholder = re.compile(r"%(?:\(\w+\))?[sd]")
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file)
    wrong = []
    for entry in catalogue:
        texts = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        ours = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        held = [sorted(placeholder.findall(text)) for text in texts]
        if any(said and sorted(placeholder.findall(said)) not in held for said in ours):
            wrong.append(f"{texts} -> {ours}")
    assert not wrong, "\n".join(wrong)
