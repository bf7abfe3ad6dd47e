"""Days of staged segments through the roll-up on Spark: the engine of a cluster.

Rows are repartitioned by session, each task runs the same roll-up on its share and hands its
Partial on as bytes, and the driver adds the shares up: the same bytes as the embedded engine's.
Workers need this project, its packages and the staged files where they are here.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from engagement.pipeline.engine import ROWS_AT_ONCE, Day, rows_in
from engagement.pipeline.partial import Partial, from_bytes, merge, to_bytes
from engagement.pipeline.rollup import rollup

_ONE_DAY = timedelta(days=1)
_ROOT = Path(__file__).parents[2]
_IDS = ("session_id", "viewer_id")


class SparkMissing(Exception):
    """Spark or Java is not on this machine; says what to install."""


def master_of(engine_url: str) -> str:
    """`spark://host:7077` as it is; `spark://local[2]` is this machine; else all its cores."""
    name = engine_url.removeprefix("spark://")
    if not engine_url.startswith("spark://") or not name:
        return "local[*]"
    return name if name.startswith("local") else engine_url


def require() -> None:
    """Raises SparkMissing where it is not installed."""
    if find_spec("pyspark") is None:
        raise SparkMissing("the Spark engine is an extra: `make spark` installs it")


def session(master: str) -> Any:
    """A Spark session whose workers find this project. Raises SparkMissing."""
    require()
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    local = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "4",  # the default of 200 is for a cluster
    }
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "250000",
        "spark.driver.maxResultSize": "4g",
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
        **(local if master.startswith("local") else {}),
    }
    builder = SparkSession.builder.master(master).appName("dailies")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        made = builder.getOrCreate()
    except Exception as error:  # py4j has no class for a Java that is not there
        raise SparkMissing(f"Spark did not start; it needs Java 17 or newer: {error}") from error
    made.sparkContext.setLogLevel("ERROR")
    logging.getLogger("py4j").setLevel(logging.WARNING)  # tells of every connection it closes
    return made


def roll_up(days: Iterable[Day], runtimes: Mapping[str, int], *, master: str) -> Iterator[Partial]:
    """The Partials of `days`, in their order. Raises SparkMissing."""
    spark = session(master)
    try:
        for day in days:
            yield roll_up_day(spark, day, runtimes)
    finally:
        spark.stop()


def roll_up_day(spark: Any, day: Day, runtimes: Mapping[str, int]) -> Partial:
    """One day's sessions, counted by Spark's workers."""
    today = list(day.files(day.day))
    if not today:
        return merge([rollup([], day=day.day, runtimes=runtimes)])
    ours = _read(spark, today, day.titles)
    met = ours.select("session_id").distinct()
    rows = ours
    around = list(day.files(day.day - _ONE_DAY))
    if around:
        rows = rows.unionByName(_met_again(_read(spark, around, day.titles), met))
    after = day.day + _ONE_DAY
    while later := list(day.files(after)):
        found = _met_again(_read(spark, later, day.titles), met)
        rows = rows.unionByName(found)
        met = found.select("session_id").distinct()
        if met.isEmpty():
            break  # a session that is silent for a day ends
        after += _ONE_DAY
    held = sum(rows_in(path) for path in today)
    parts = max(spark.sparkContext.defaultParallelism, -(-held // ROWS_AT_ONCE))
    shares = rows.repartition(parts, "session_id").mapInArrow(
        _Share(day.day, dict(runtimes)), "partial binary"
    )
    return merge(
        [from_bytes(bytes(row["partial"])) for row in shares.collect()]
        or [rollup([], day=day.day, runtimes=runtimes)]
    )


def _read(spark: Any, files: Sequence[Path], titles: Collection[str] | None) -> Any:
    rows = spark.read.parquet(*(path.resolve().as_uri() for path in files))
    return rows if titles is None else rows.where(rows["title_id"].isin(list(titles)))


def _met_again(rows: Any, met: Any) -> Any:
    return rows.join(met, "session_id", "left_semi")


class _Share:
    """The roll-up of one task's rows, as Spark calls it in a worker."""

    def __init__(self, day: date, runtimes: dict[str, int]) -> None:
        self.day, self.runtimes = day, runtimes

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        partial = rollup(map(_whole_ids, batches), day=self.day, runtimes=self.runtimes)
        if partial.inputs:
            yield pa.RecordBatch.from_arrays(
                [pa.array([to_bytes(partial)], pa.binary())], names=["partial"]
            )


def _whole_ids(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Spark has no unsigned 64 bits: it reads them as decimals of twenty digits."""
    columns = [
        column.cast(pa.uint64()) if name in _IDS else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
