"""One report to two hundred recipients: rendered once, stamped and encrypted for each, beside a
warm Chromium that prints the same HTML for each, which is how other tools do it.

Round by round in one run. Times are of the processor, of all processes that take part, since others
use the machine. Chromium is given the charts ready-made, and its time is that of one print, times
the recipients.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import ground
from bench.told import Row, table
from reports.charts.fonts import FILES, font_path  # isort: split

import pikepdf
from playwright.sync_api import sync_playwright

from reports.render import layout, renderer
from reports.render.encryption import encrypted
from reports.render.pdf import FONT_SCHEME, STYLE, OnlyOurs, render_html, typeset
from reports.render.stamp import Mark, stamped
from tests.reports.families import REPORT

assert ground  # it has set Django up, whose settings say where the font is

RECIPIENTS = 200
_REPORT = replace(REPORT, language="zh-hans")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="of no use here")
    parser.add_argument("--times", type=int, default=7)
    rounds = parser.parse_args().times
    fetcher = OnlyOurs()
    page = render_html(_REPORT, fetcher)
    rules = STYLE.read_text(encoding="utf-8") + layout.style(_REPORT.paper)
    ours = typeset(page, _REPORT.paper, fetcher)
    marks = [
        Mark(
            f"收件人 {n}", f"7c9e6679-7425-40de-944b-e07fc1f9{n:04}", _REPORT.created_at, "zh-hans"
        )
        for n in range(RECIPIENTS)
    ]
    taken: dict[str, list[float]] = {"render": [], "chromium": [], "stamp": [], "both": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        file.write_text(_for_chromium(page, rules), encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        tab = browser.new_page()

        def printed_by_chromium() -> bytes:
            """Each recipient's is a document of its own: loaded, then printed."""
            tab.goto(file.as_uri())
            tab.evaluate("document.fonts.ready")
            return bytes(tab.pdf(prefer_css_page_size=True, print_background=True, tagged=True))

        theirs = printed_by_chromium()
        for _ in range(rounds):
            taken["render"].append(_ms(lambda: typeset(page, _REPORT.paper, fetcher)))
            taken["chromium"].append(_ms(printed_by_chromium))
            taken["stamp"].append(_ms(lambda: stamped(ours, marks[0])))
            taken["both"].append(_ms(lambda: encrypted(stamped(ours, marks[0]), "kq3m-7dpa-xx9c")))
        start = time.process_time()
        for mark in marks:
            encrypted(stamped(ours, mark), "kq3m-7dpa-xx9c-fhjk")
        all_marks = (time.process_time() - start) * 1000
        chromium_pss = sum(_pss(pid) for pid in _begun("chromium"))
        browser.close()
    renderer.warm()
    renderer.render(_REPORT, [])
    begun = time.perf_counter()
    renderer.render(_REPORT, [])
    whole = (time.perf_counter() - begun) * 1000
    process = renderer._renderer(os.getpid())._process
    assert process is not None
    own_pss = _pss(process.pid)
    renderer.stop()
    once, printed = min(taken["render"]), min(taken["chromium"])
    fan = once + all_marks
    rows: list[Row] = [
        ("pages, by WeasyPrint and by Chromium", f"{_pages(ours)} and {_pages(theirs)}"),
        ("WeasyPrint, the HTML to a tagged PDF", _told(taken["render"])),
        ("Chromium kept warm, the same HTML loaded and printed", _told(taken["chromium"])),
        ("**one render, of Chromium's**", f"**{once / printed:.2f}x**"),
        ("in the process apart, charts, tables and zip too", f"{whole:.0f} ms on the clock"),
        ("stamp", _told(taken["stamp"])),
        ("stamp and AES-256", _told(taken["both"])),
        (f"{RECIPIENTS} recipients: one render, all stamped and encrypted", f"{fan / 1000:.1f} s"),
        (f"{RECIPIENTS} prints of Chromium", f"{printed * RECIPIENTS / 1000:.1f} s"),
        ("**fan-out, faster**", f"**{printed * RECIPIENTS / fan:.1f}x**"),
        (
            "**size of the PDF, of Chromium's**",
            f"**{len(ours) / len(theirs):.2f}x** ({len(ours):,} of {len(theirs):,} bytes)",
        ),
        (
            "**memory (PSS), of Chromium's**",
            f"**{own_pss / chromium_pss:.2f}x** ({own_pss >> 20} of {chromium_pss >> 20} MB; ours "
            "with V8 and the charts)",
        ),
    ]
    sys.stdout.write(table(rows, ("what", "min / median")))
    sys.stdout.flush()
    os._exit(0)  # V8's threads end with the process


def _pages(pdf: bytes) -> int:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return len(document.pages)


def _for_chromium(page: str, rules: str) -> str:
    """The page with its style inside and our font by its file."""
    for weight in FILES:
        rules = rules.replace(f"{FONT_SCHEME}{weight}", font_path(weight).as_uri())
    return page.replace("</head>", f"<style>{rules}</style></head>")


def _ms(work: Callable[[], object]) -> float:
    """Of the processor, in this process and in Chromium's: others use the machine."""
    start = time.process_time() + _spent_by_chromium()
    work()
    return (time.process_time() + _spent_by_chromium() - start) * 1000


def _spent_by_chromium() -> float:
    """Seconds of the processor."""
    ticks = 0
    for pid in _begun("chromium"):
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, stat[11:15]))  # its own, and its ended children's
    return ticks / os.sysconf("SC_CLK_TCK")


def _told(times: list[float]) -> str:
    return f"{min(times):.1f} / {statistics.median(times):.1f} ms"


def _begun(name: str) -> list[int]:
    """The processes called so that this one has begun."""
    parents = {int(p.name): _parent(p) for p in Path("/proc").glob("[0-9]*")}

    def is_ours(pid: int) -> bool:
        while pid in parents:
            if pid == os.getpid():
                return True
            pid = parents[pid]
        return False

    return [p for p in parents if p != os.getpid() and is_ours(p) and name in _name(p)]


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(main())
