"""The Spark engine beside the embedded one: the same bytes. Two workers on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from engagement.models import Release
from engagement.pipeline import engine, people_days, spark
from engagement.pipeline.partial import from_bytes, to_bytes
from tests.engagement.one_film import DAY, FILM, facts, ingest, land, noon, segment

pytestmark = [pytest.mark.slow]


def missing() -> str:
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark is not installed: make spark"
    return "" if shutil.which("java") else "there is no Java on this machine"


@pytest.fixture(autouse=True)
def needs_spark() -> None:
    if why := missing():
        assert not os.environ.get("CI"), why
        pytest.skip(why)


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM + "other,film,o,o,60,2024-09-01,,,,,\n")
    return landing


def random_rows(seed: int) -> Iterator[str]:
    """Sessions of up to six stretches, some over midnight, some rows twice, two viewers in one."""
    random = np.random.default_rng(seed)
    for n in range(300):
        title = ("film", "other")[int(random.integers(2))]
        viewer, at = f"v{random.integers(90)}", noon(DAY, float(random.uniform(0, 30)))
        for _ in range(int(random.integers(1, 7))):
            start = int(random.integers(0, 50))
            row = segment(
                f"s{n}", viewer, at, start, start + int(random.integers(0, 10)),
                ("CN", "SG")[n % 2], title, ("tv", "phone")[n % 3 % 2],
            )  # fmt: skip
            yield row
            if random.random() < 0.1:
                yield row
            at += timedelta(minutes=float(random.uniform(1, 200)))
            if random.random() < 0.004:
                viewer = "somebody else"


def test_spark_and_the_embedded_engine_give_the_same_bytes(folder: Path) -> None:
    rows = list(random_rows(1))
    land(folder, "segments.1.csv", rows[::2])
    land(folder, "segments.2.csv", rows[1::2] + rows[:40])
    ingest(folder)
    staged = sorted(Path(django_settings.STAGING).glob("*/*.parquet"))

    def files(day: Any) -> list[Path]:
        return [path for path in staged if path.stem == day.isoformat()]

    runtimes = {"film": 100, "other": 60}
    days = [engine.Day(DAY + timedelta(days=n), files) for n in range(3)]
    here = list(engine.roll_up(days, runtimes))
    there = list(spark.roll_up(days, runtimes, master="local[2]"))
    assert [len(p.people) > 0 for p in here] == [True, True, False]
    assert [to_bytes(p) for p in there] == [to_bytes(p) for p in here]
    for partial in here:
        again = from_bytes(to_bytes(partial))
        assert again.inputs == partial.inputs
        assert again.people.equals(partial.people)


def people_rows() -> list[Any]:
    return [
        (day.key, day.day, day.rows().to_pylist()) for day in people_days.published(titles=None)
    ]


def test_the_command_by_spark_publishes_what_the_embedded_engine_does(
    folder: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ENGINE_URL = "spark://local[2]"
    land(folder, "segments.csv", list(random_rows(2)))
    call_command("ingest", str(folder), engine="spark")
    assert "releases   6\n" in capsys.readouterr().out
    published = Release.objects.filter(kind="segments", state="done", rows__gt=0)
    assert set(published.values_list("engine", flat=True)) == {"spark"}
    theirs, their_people = facts(), people_rows()
    assert len(their_people) == 4  # two titles on two days
    call_command("ingest", str(folder), engine="embedded")
    assert "releases   0\n" in capsys.readouterr().out  # it finds nothing to do
    Release.objects.filter(kind="segments").update(input_digest="")
    call_command("ingest", str(folder), engine="embedded")
    assert set(published.values_list("engine", flat=True)) == {"embedded"}
    assert facts() == theirs
    assert people_rows() == their_people


def test_the_master_is_what_the_url_names() -> None:
    assert spark.master_of("spark://local[2]") == "local[2]"
    assert spark.master_of("spark://cluster.example.com:7077") == "spark://cluster.example.com:7077"
    assert spark.master_of("embedded://") == "local[*]"
