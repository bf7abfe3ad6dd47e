"""Django's compilemessages without GNU gettext: our own .po files to .mo, by Babel.

The .mo files are made at set-up and lie beside the .po; nothing of them is in the repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Compile the translations in LOCALE_PATHS. Only what has changed since."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in settings.LOCALE_PATHS:
            for source in sorted(Path(folder).glob("*/LC_MESSAGES/*.po")):
                if compile_if_older(source):
                    self.stdout.write(f"compiled {source.parent.parent.name}/{source.stem}")


def compile_if_older(source: Path) -> bool:
    """Write the .mo beside a .po that is newer than it; True where it was written."""
    target = source.with_suffix(".mo")
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return False
    with source.open("rb") as text:
        catalogue = read_po(text)
    part = target.with_suffix(".part")
    with part.open("wb") as out:
        write_mo(out, catalogue)
    part.replace(target)
    return True
