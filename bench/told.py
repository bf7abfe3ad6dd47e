"""How what a bench took is told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

Row = Sequence[str]
"""What was measured, and what it was."""


def table(rows: Sequence[Row], head: Row = ("what", "measured")) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(times: Sequence[float]) -> str:
    """Median and 95th percentile, in milliseconds."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"p50 {statistics.median(ordered) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms"
