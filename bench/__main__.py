"""`make bench`: how fast the way from a file to a page and a bundle is, on this machine.

Everything runs in a database of its own, made and dropped here. Absolute times say little on a
shared machine; the ratio to a plain scan of the same files in the same run says more.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

UNTIL = date(2026, 11, 1)
DAYS = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=300_000, help="about how many rows")
    parser.add_argument("--pages", type=int, default=30, help="times a page is asked for")
    parser.add_argument("--write", type=Path, help="also write the table into this file")
    arguments = parser.parse_args()
    os.environ.setdefault("DATABASE_LOGIN", "owner")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    with tempfile.TemporaryDirectory(prefix="dailies-bench-") as folder:
        apart(Path(folder))
        import django

        django.setup()
        from bench.measure import measure

        with database():
            rows = measure(Path(folder), segments=arguments.segments, pages=arguments.pages)
    text = table(rows)
    sys.stdout.write(text)
    if arguments.write:
        arguments.write.write_text(f"# Results of `make bench`\n\n{text}")
    return 0


def apart(folder: Path) -> None:
    """Settings of a run that touches nothing of the checkout but its servers and fonts."""
    from django.conf import settings

    settings.STAGING = folder / "staged"
    settings.SOURCES = folder / "sources"
    settings.PEOPLE = folder / "people"
    settings.STORAGE_ROOT = folder / "files"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.LOGGING["root"]["level"] = "ERROR"


@contextmanager
def database() -> Iterator[None]:
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def table(rows: list[tuple[str, str]]) -> str:
    cpus = os.cpu_count()
    head = f"Python {platform.python_version()}, {cpus} cores, {platform.system()}\n\n"
    lines = ["| what | measured |", "|---|---|", *(f"| {what} | {how} |" for what, how in rows)]
    return head + "\n".join(lines) + "\n"


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(times: list[float]) -> str:
    """Median and 95th percentile, in milliseconds."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"p50 {statistics.median(ordered) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
