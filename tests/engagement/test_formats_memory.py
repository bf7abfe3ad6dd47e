"""Logs of JSON lines are read a piece at a time: their size is not what they take of memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from engagement.formats.container import File
from engagement.formats.json_objects import objects
from tests.engagement.landing_files import take

MILLION = 1_000_000
PAGE = {"event_type": "page_close", "context": {"course_id": "c", "org_id": "o"}}


def log(folder: Path, name: str, megabytes: int) -> Path:
    """A tracking log in which nobody plays anything."""
    line = json.dumps({**PAGE, "note": "播放" * 40}, ensure_ascii=False) + "\n"
    data = (line * (megabytes * MILLION // len(line.encode()))).encode()
    path = folder / name
    path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    return path


@pytest.fixture
def measured() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["tracking.log", "tracking.log.gz"])
def test_a_log_four_times_as_large_takes_no_more_memory(
    tmp_path: Path, measured: None, name: str
) -> None:
    take(log(tmp_path, name, 1), runtimes={})  # what is imported with the first file
    peaks = []
    for megabytes in (8, 32):
        path = log(tmp_path, name, megabytes)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        landed = take(path, runtimes={})
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        assert (landed.format, landed.rows_read > megabytes * 3000) == ("openedx", True)
        del landed
    assert max(peaks) < 12 * MILLION
    assert peaks[1] < 1.2 * peaks[0]


def test_the_objects_of_a_log_are_read_as_they_are_asked_for(
    tmp_path: Path, measured: None
) -> None:
    file = File(log(tmp_path, "events.jsonl", 16), "events.jsonl")
    broken: list[tuple[int, str]] = []
    found = objects(file, broken)
    assert next(found)[0] == 1
    held, _ = tracemalloc.get_traced_memory()
    assert sum(1 for _ in found) > 40_000
    assert abs(tracemalloc.get_traced_memory()[0] - held) < 4 * MILLION
    assert "text" not in vars(file)
    assert "data" not in vars(file)


def test_lines_are_the_same_wherever_the_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "甲乙\r\n丙\r丁\n\n戊" * 50
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "gb18030"):
        path = tmp_path / f"{encoding}.txt"
        path.write_bytes(text.encode(encoding))
        for size in (1 << 20, 7, 2, 1):
            monkeypatch.setattr("engagement.formats.container.PIECE", size)
            file = File(path, path.name)
            assert [line for _, line in file.lines()] == (
                text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True)
            ), (encoding, size)
            assert [number for number, _ in file.lines()] == list(range(1, file.scan.lines + 1))
