"""What the browser and the PDF need from npm: two scripts, and the report's font.

Run as `python -m portal.services.assets`. Nothing of it lies in the repository: the scripts go to
static/vendor/, the font to var/fonts/. What is there already and fits node_modules is left.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from portal.services.paths import PROJECT, Places

MODULES = PROJECT / "node_modules"
VENDOR = PROJECT / "static" / "vendor"
SCRIPTS = {
    "echarts.min.js": "echarts/dist/echarts.min.js",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
}
FONT = MODULES / "@fontsource" / "noto-sans-sc"
WEIGHTS = {"NotoSansSC-Regular.ttf": 400, "NotoSansSC-Bold.ttf": 700}


class Missing(Exception):
    """node_modules lacks a package. The text says what to run."""


def copy_scripts() -> list[str]:
    """Copy the scripts that are missing or differ; returns their names."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    copied = []
    for name, source in SCRIPTS.items():
        origin = MODULES / source
        if not origin.exists():
            raise Missing(f"{origin} is missing: run `npm ci`")
        target = VENDOR / name
        if not target.exists() or target.read_bytes() != origin.read_bytes():
            shutil.copyfile(origin, target)
            copied.append(name)
    return copied


def subsets(weight: int) -> list[Path]:
    """The font's web subsets of one weight, without the one that repeats the others."""
    return sorted(
        file
        for file in (FONT / "files").glob(f"noto-sans-sc-*-{weight}-normal.woff2")
        if "chinese-simplified" not in file.name
    )


def merge_weight(weight: int, target: Path) -> int:
    """Merge the subsets of one weight into one TrueType file; returns its characters.

    WeasyPrint sets garbled text from the raw subsets (their glyph names collide) and decodes
    them for every document; from one plain file it is right and seventeen times faster.
    """
    from fontTools import merge

    options = merge.Options()
    options.drop_tables = ["STAT"]
    merged = merge.Merger(options=options).merge([str(file) for file in subsets(weight)])
    part = target.with_suffix(".part")
    merged.save(str(part))
    part.rename(target)
    return len(merged.getBestCmap())


def build_fonts(folder: Path) -> list[str]:
    """Build the weights whose file is missing or of another font version, side by side."""
    description = FONT / "package.json"
    if not description.exists():
        raise Missing(f"{FONT} is missing: run `npm ci`")
    made_of = hashlib.sha256(description.read_bytes()).hexdigest()
    stamp = folder / "made_of"
    folder.mkdir(parents=True, exist_ok=True)
    if stamp.exists() and stamp.read_text() == made_of:
        due = {name: weight for name, weight in WEIGHTS.items() if not (folder / name).exists()}
    else:
        due = dict(WEIGHTS)
    if not due:
        return []
    version = json.loads(description.read_text())["version"]
    print(f"merging Noto Sans SC {version} into {len(due)} files, some 15 s, once ...", flush=True)
    with ProcessPoolExecutor(max_workers=len(due)) as pool:
        began = time.monotonic()
        work = {
            pool.submit(merge_weight, weight, folder / name): name for name, weight in due.items()
        }
        for done in as_completed(work):
            print(
                f"  {work[done]}: {done.result():,} characters, {time.monotonic() - began:.1f} s",
                flush=True,
            )
    stamp.write_text(made_of)
    return list(due)


def main() -> int:
    try:
        for name in copy_scripts():
            print(f"static/vendor/{name}", flush=True)
        build_fonts(Places.here().fonts)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
