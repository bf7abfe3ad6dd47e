"""Compiles locale/*/LC_MESSAGES/*.po where the .po is newer, without gettext's msgfmt."""

from __future__ import annotations

from pathlib import Path

from portal.services.paths import PROJECT


def compile_messages(folder: Path = PROJECT / "locale") -> list[Path]:
    """Write the .mo beside each .po that has changed; returns what was written.

    Raises ValueError where a catalogue cannot be read. Fuzzy entries stay out, as with msgfmt.
    """
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    written = []
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        with source.open("rb") as file:
            catalogue = read_po(file, locale=None, domain=source.stem, abort_invalid=True)
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            write_mo(file, catalogue, use_fuzzy=False)
        part.rename(target)
        written.append(target)
    return written


if __name__ == "__main__":
    compile_messages()
