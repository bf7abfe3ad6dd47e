"""How long it takes to swap a day of 500 titles, until the disk says that it is there.

Each day's rows are those of bench/segments.py, rolled up by the engine before; what is timed is
publishing alone. Beside it, in the same run: the same bytes written to a file with fsync, and
the cutting of a day that has settled into pieces. On a machine that others load, the seconds of
processor (this process and its server's) say more than those of the clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from django.db import connection  # isort: split

from bench import ground, segments
from bench.told import Row, seconds
from engagement.models import Ingest, Source, Title
from engagement.pipeline import engine
from engagement.pipeline.cells import CellPartial
from engagement.pipeline.cells import cells as cells_of
from engagement.pipeline.publish import Unit, publish_segments

MILLION = 1_000_000
_ONE_DAY = timedelta(days=1)
_NEVER = date(2000, 1, 1)


class Taken(NamedTuple):
    clock: float
    busy: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=5, help="segments over thirty days")
    parser.add_argument("--history", type=int, default=14, help="days published before")
    parser.add_argument("--days", type=int, default=5, help="days that are timed")
    return ground.run(parser, measure)


def measure(place: Path, asked: argparse.Namespace) -> list[Row]:
    rows, history, days = int(asked.millions * MILLION), asked.history, asked.days
    folder = asked.folder / f"{rows // MILLION}M"
    files = {date.fromisoformat(p.stem): p for p in segments.generate(folder, rows)}
    house = segments.platform(rows)
    names = zip(house.titles(), house.runtimes.tolist(), strict=True)
    titles = {
        key: Title.objects.create(
            key=key, slug=key, name_zh=key, name_en=key, kind="film", runtime_s=runtime
        )
        for key, runtime in names
    }
    source = Source.objects.create(
        name="bench", sha256="0" * 64, kind="segments", format="native", state="replaced",
        ingest=Ingest.objects.create(),
    )  # fmt: skip

    def publish(units: Mapping[Title, Sequence[Unit]], settled_until: date) -> Taken:
        busy = _busy()
        clock = seconds(
            lambda: publish_segments(units, seen=frozenset(), settled_until=settled_until)
        )
        return Taken(clock, _busy() - busy)

    chosen = sorted(files)[: history + days]
    fresh: list[Taken] = []
    again: list[Taken] = []
    cuts: list[Taken] = []
    disk: list[Taken] = []
    cells = kept = 0
    for number, day in enumerate(chosen):
        units = _units(day, files, titles, source)
        first = publish(units, _NEVER)
        cut = publish(dict.fromkeys(titles.values(), ()), day + _ONE_DAY)
        if number < history:
            continue
        fresh.append(first)
        cuts.append(cut)
        again.append(publish(units, _NEVER))
        cells = sum(len(u.partials) for its in units.values() for u in its)
        kept = sum(
            len(p.packed) + len(p.viewer_bytes) + len(p.finisher_bytes) + len(p.content_bytes)
            for its in units.values() for u in its for p in u.partials
        )  # fmt: skip
        clock = seconds(lambda size=kept: _write(place / "disk", size))
        disk.append(Taken(clock, 0))
    what = f"a day of {len(titles)} titles ({rows // 30:,} segments, {cells:,} cells)"
    return [
        (f"swap of {what}, none before", spread(fresh)),
        ("swap of the same day over itself", spread(again)),
        (f"cutting the day into pieces when it settles, after {history} days", spread(cuts)),
        (f"the same {kept / MILLION:.1f} MB written to a file, with fsync", spread(disk)),
    ]


def _units(
    day: date, files: Mapping[date, Path], titles: Mapping[str, Title], source: Source
) -> dict[Title, list[Unit]]:
    asked = engine.Day(day, lambda other: [files[other]] if other in files else [])
    partial = engine.roll_up_day(asked, {key: t.runtime_s for key, t in titles.items()})
    cells: dict[str, list[CellPartial]] = {}
    for cell in cells_of(partial):
        cells.setdefault(cell.title_id, []).append(cell)
    return {
        titles[key]: [Unit(day, "0" * 64, frozenset({source.pk}), len(its), {}, day, its)]
        for key, its in sorted(cells.items())
    }


def _write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())


def _busy() -> float:
    """Seconds of processor that this process and its server's have taken."""
    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def spread(times: list[Taken]) -> str:
    clock = [t.clock for t in times]
    said = f"p50 {statistics.median(clock):.2f} s, worst {max(clock):.2f} s"
    busy = statistics.median(t.busy for t in times)
    return f"{said}, of processor {busy:.2f} s" if busy else said


if __name__ == "__main__":
    sys.exit(main())
