"""How the roll-up grows: 5, 20 and 100 million segments, beside a plain scan of the same files.

Each figure comes from a process of its own, so that its peak of memory is its own; the scan is
taken before and after each. Compiling (once an installation) is not timed. What is counted is
what the pipeline counts; `curves` leaves out what is not a curve.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench import segments
from engagement.pipeline import engine
from engagement.pipeline.cells import cell_table
from engagement.pipeline.partial import Partial, bounds_of_titles, merge
from engagement.pipeline.rollup import rollup

MILLION = 1_000_000
DEFINITION = Path(__file__).parents[1] / "tests" / "engagement" / "rollup.sql"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[5, 20, 100])
    parser.add_argument("--only", nargs="+", choices=sorted(WORKS), default=sorted(WORKS))
    parser.add_argument("--folder", type=Path, help="where the segments are kept for next time")
    parser.add_argument("--one", choices=[*sorted(WORKS), "scan"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        _one(arguments.one, arguments.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="dailies-scale-") as fresh:
        folder = arguments.folder or Path(fresh)
        for line in table(folder, arguments.millions, arguments.only):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


def table(folder: Path, millions: list[int], only: list[str]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield from [
        "| segments | what | s | million rows/s | x the scan | x its CPU | peak GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in millions:
        place = folder / f"{size}M"
        rows = sum(
            pq.read_metadata(path).num_rows for path in segments.generate(place, size * MILLION)
        )
        for what in only:
            if what in ("explode", "explode_beside") and size != min(millions):
                continue  # a day of the smallest is enough to wait for
            before, measured, after = (_apart(w, place) for w in ("scan", what, "scan"))
            scan = min(before["seconds"], after["seconds"])
            busy = measured["cpu"] / min(before["cpu"], after["cpu"])
            seconds = measured["seconds"]
            yield (
                f"| {rows:,} | {SAID[what]} | {seconds:.2f} | {rows / seconds / MILLION:.2f} "
                f"| {seconds / scan:.1f} | {busy:.1f} | {measured['peak_gb']:.2f} |"
                if "rows" not in measured
                else f"| {measured['rows']:,.0f} (a day) | {SAID[what]} | {seconds:.3f} "
                f"| {measured['rows'] / seconds / MILLION:.2f} | | | {measured['peak_gb']:.2f} |"
            )
        yield (f"| {rows:,} | plain DuckDB scan and count | {scan:.2f} | | 1 | 1 | |")


def _apart(what: str, folder: Path) -> dict[str, float]:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", "--one", what, "--folder", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _one(what: str, folder: Path) -> None:
    days = {date.fromisoformat(path.stem): path for path in sorted(folder.glob("*.parquet"))}
    found = _scan(folder) if what == "scan" else WORKS[what](days)
    # ru_maxrss of a child begins at what its parent had when it forked: read the kernel's own
    peak = next(
        int(line.split()[1]) / 1024**2
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    sys.stdout.write(json.dumps(found | {"peak_gb": peak}))


def _timed(work: Callable[[], object]) -> dict[str, float]:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def _scan(folder: Path) -> dict[str, float]:
    query = (
        "SELECT title_id, day, count(*), sum(to_s - from_s) "  # noqa: S608
        f"FROM '{folder}/*.parquet' GROUP BY 1, 2"
    )
    with duckdb.connect() as db:
        return min(
            (_timed(lambda: db.sql(query).fetchall()) for _ in range(3)),
            key=lambda one: one["seconds"],
        )


Days = dict[date, Path]


def _asked(days: Days) -> list[engine.Day]:
    return [engine.Day(day, lambda other: [days[other]] if other in days else []) for day in days]


def _runtimes(days: Days) -> dict[str, int]:
    house = segments.platform(MILLION)
    return dict(zip(house.titles(), house.runtimes.tolist(), strict=True))


def _roll(
    days: Days, then: Callable[[Partial], object], *, only_curves: bool = False
) -> dict[str, float]:
    """Roll all days up, and do something with each of them, in the threads of the engine."""
    runtimes, asked = _runtimes(days), _asked(days)
    _compile(days)

    def work(day: engine.Day) -> object:
        return then(engine.roll_up_day(day, runtimes, only_curves=only_curves))

    def all_days() -> None:
        for _ in engine.in_threads(asked, work):
            pass

    return _timed(all_days)


def _compile(days: Days) -> None:
    first = next(iter(engine.batches(next(iter(days.values()))))).slice(0, 1000)
    partial = rollup([first, first], day=min(days), runtimes={})
    cell_table(merge([partial, partial]))
    day = list(days)[1]
    engine.roll_up_day(engine.Day(day, lambda other: [days[other]]), {})


def _curves(days: Days) -> dict[str, float]:
    return _roll(days, lambda partial: partial.curves.num_rows, only_curves=True)


def _cells(days: Days) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="dailies-cells-") as out:
        return _roll(days, lambda partial: _write_cells(partial, Path(out)))


def _families(days: Days) -> dict[str, float]:
    """Days as they are stored, and each title's weeks by age and gender, and by region."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django
    from django.conf import settings

    django.setup()
    from engagement.pipeline import people, weeks
    from engagement.pipeline.people_tables import FAMILIES

    house = segments.platform(MILLION)
    runtimes = _runtimes(days)
    weeks_of: dict[date, list[str]] = {}
    for day in days:
        weeks_of.setdefault(day - timedelta(days=day.weekday()), []).append(f"{day}.arrow")

    def write(partial: Partial) -> None:
        _write_cells(partial, out)
        titles = bounds_of_titles(partial.people)
        people.write_file(out / f"{partial.day}.arrow", partial.people, titles)

    def count(title: str, names: list[str]) -> None:
        rows = pa.concat_tables([people.read(name, title, weeks.COLUMNS) for name in names])
        who = weeks.watchers(rows.unify_dictionaries(), runtimes[title])
        for family in FAMILIES:
            weeks.count(who, segments.TERRITORIES, family.cells, family.places, weeks.BINS)

    def all_weeks() -> None:
        for names in weeks_of.values():
            for title in house.titles():
                count(title, names)

    with tempfile.TemporaryDirectory(prefix="dailies-families-") as folder:
        out = Path(folder)
        settings.PEOPLE = out
        by_day, by_week = _roll(days, write), _timed(all_weeks)
        return {name: by_day[name] + by_week[name] for name in by_day}


def _write_cells(partial: Partial, out: Path) -> None:
    pq.write_table(
        cell_table(partial),
        out / f"{partial.day}.parquet",
        compression="none",  # curves are compressed, hashes do not compress
        use_dictionary=["title_id", "territory", "device"],
        row_group_size=1000,  # what is written is not held
    )


def _sql(days: Days) -> dict[str, float]:
    """The readable definition over the same files, a day at a time."""
    definition = DEFINITION.read_text()

    def all_days() -> None:
        for path in days.values():
            _define(db, path)
            db.execute(definition)
            db.execute(f"COPY curves TO '{out}/curves.parquet'")
            db.execute(f"COPY people TO '{out}/people.parquet'")

    with duckdb.connect() as db, tempfile.TemporaryDirectory(prefix="dailies-sql-") as out:
        return _timed(all_days)


def _define(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    db.execute(
        "CREATE OR REPLACE TEMP VIEW segments AS "  # noqa: S608
        f"SELECT *, file_row_number AS line FROM read_parquet('{path}', file_row_number = true)"
    )
    house = segments.platform(MILLION)
    db.execute("CREATE OR REPLACE TEMP TABLE runtimes (title_id text, runtime_s int)")
    db.executemany(
        "INSERT INTO runtimes VALUES (?, ?)",
        list(zip(house.titles(), house.runtimes.tolist(), strict=True)),
    )


def _explode(days: Days) -> dict[str, float]:
    """One day, every second of every stretch a row, with distinct sessions."""
    path = list(days.values())[1]
    query = f"""
        SELECT title_id, second, count(*), count(DISTINCT session_id)
        FROM (SELECT title_id, session_id, unnest(range(from_s, to_s)) AS second FROM '{path}')
        GROUP BY title_id, second
    """  # noqa: S608
    with duckdb.connect() as db:
        found = _timed(lambda: db.sql(query).fetchnumpy())
    return found | {"rows": float(pq.read_metadata(path).num_rows)}


def _explode_beside(days: Days) -> dict[str, float]:
    """The same day by the roll-up: its curves."""
    day = list(days)[1]
    asked = engine.Day(day, lambda other: [days[day]] if other == day else [])
    _compile(days)
    best = min(
        (
            _timed(lambda: engine.roll_up_day(asked, _runtimes(days), only_curves=True))
            for _ in range(3)
        ),
        key=lambda one: one["seconds"],
    )
    return best | {"rows": float(pq.read_metadata(days[day]).num_rows)}


WORKS: dict[str, Callable[[Days], dict[str, float]]] = {
    "curves": _curves,
    "cells": _cells,
    "families": _families,
    "sql": _sql,
    "explode": _explode,
    "explode_beside": _explode_beside,
}
SAID = {
    "curves": "title x day curves, in memory",
    "cells": "curves, scalars and sketches by title, territory and device, written",
    "families": "the same, who watched, and every title's weeks by age, gender and region",
    "sql": "curves and who watched by DuckDB's SQL, a day at a time, written",
    "explode": "every second exploded, distinct sessions (DuckDB)",
    "explode_beside": "the same day's curves by the roll-up",
}


if __name__ == "__main__":
    sys.exit(main())
