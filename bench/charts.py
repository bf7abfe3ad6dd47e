"""How long the charts of a report take: ten of an episode of 50 minutes, from answers to SVG that a
PDF can show.

In one isolate of V8 kept warm, as a worker keeps it. Each round draws all ten; of the time of each
the data's way into V8, V8 itself and the mending of the SVG are parts. Times of the CPU stand
beside, since others use the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

from bench import ground
from bench.told import Row, table
from reports.charts import engine  # isort: split

from reports.charts.clean import clean_svg
from tests.reports.gallery import GALLERY, VIEW

assert ground  # it has set Django up, whose settings say where the font is

WIDTH = 658
TEN = (
    "timeline", "days", "ages", "regions", "survival", "reactions", "phrases", "discussion",
    "sharing", "fan-sets",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="of no use here")
    parser.add_argument("--times", type=int, default=60)
    rounds = parser.parse_args().times
    rows: list[Row] = []
    first = _spent(lambda: _svg(TEN[0]), 1)[0]
    cold = _spent(_all_ten, 1)[0]
    _spent(_all_ten, 15)
    wall, cpu = zip(*(_both(_all_ten) for _ in range(rounds)), strict=True)
    rows.append(("the isolate, ECharts, builders, glyphs and one chart", f"{first:.0f} ms"))
    rows.append(("ten charts, first time", f"{cold:.0f} ms"))
    rows.append(("**ten charts, warm**", f"**{_told(wall)}**; CPU {_told(cpu)}"))
    for name in TEN:
        rows.append((name, _told(_spent(lambda name=name: _svg(name), rounds))))
    raw = {name: _raw(name) for name in TEN}
    mended = _spent(lambda: [clean_svg(svg) for svg in raw.values()], rounds)
    rows.append((f"mending {sum(map(len, raw.values())):,} bytes of SVG", _told(mended)))
    sys.stdout.write(table(rows, ("what", "min / median")))
    sys.stdout.flush()
    os._exit(0)  # V8's threads end with the process


def _svg(name: str) -> str:
    builder, data, more = GALLERY[name]
    return engine.svg(builder, data, {**VIEW, **more}, WIDTH, None)


def _raw(name: str) -> str:
    builder, data, more = GALLERY[name]
    return engine.engine().raw(builder, data, {**VIEW, **more}, WIDTH, None)


def _all_ten() -> None:
    for name in TEN:
        _svg(name)


def _spent(work: Callable[[], object], times: int) -> list[float]:
    return [_both(work)[0] for _ in range(times)]


def _both(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of the CPU in all threads of this process."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - clock) * 1000, (time.process_time() - cpu) * 1000


def _told(times: list[float] | tuple[float, ...]) -> str:
    return f"{min(times):.1f} / {statistics.median(times):.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
