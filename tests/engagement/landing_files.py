"""Small landing files for the readers' tests, and the folder of real data beside the project."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engagement.formats import Catalogue, Landed, Options, Quarantined, Reading, read

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
RUNTIMES = {"film": 7_800, "short": 100, "unknown-length": 0}
SEGMENT_HEADER = (
    "session_id,viewer_id,title_id,started_at,from_s,to_s,device,territory,region,age_band,gender"
)
SEGMENT = "s1,v1,film,2026-09-01T12:00:00Z,0,60,phone,CN,CN-SH,18-24,female"
DANMU_HEADER = "title_id,offset_s,posted_at,text,sender_id,likes,territory,deleted_at"
DANMU = "film,10.7,2026-09-01T12:00:00Z,好看,u1,3,CN,"


def house(title_map: Mapping[tuple[str, str], str] | None = None) -> Reading:
    return Reading(home="CN", zone=SHANGHAI, now=NOW, title_map=title_map or {})


def take(
    path: Path,
    *,
    name: str | None = None,
    options: Options | None = None,
    title_map: Mapping[tuple[str, str], str] | None = None,
    runtimes: Mapping[str, int] = RUNTIMES,
) -> Landed:
    return read(
        path,
        name=name or path.name,
        options=options or Options(),
        catalogue=Catalogue(runtimes),
        settings=house(title_map),
    )


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def segments_csv(*rows: str, header: str = SEGMENT_HEADER, good: int = 0) -> str:
    """A segments file: the rows given, then `good` sound ones of sessions of their own."""
    filler = [SEGMENT.replace("s1,v1", f"g{i},w{i}") for i in range(good)]
    return "\n".join([header, *rows, *filler]) + "\n"


def danmu_csv(*rows: str, header: str = DANMU_HEADER, good: int = 0) -> str:
    return "\n".join([header, *rows, *[DANMU] * good]) + "\n"


def problem(path: Path, **asked: object) -> str:
    """Why the file is quarantined."""
    with pytest.raises(Quarantined) as caught:
        take(path, **asked)  # type: ignore[arg-type]
    return caught.value.problem


def real_data() -> Path:
    """The folder of real data; where it is missing the test is skipped, under CI it fails."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DAILIES_TEST_DATA") or root.parent / "shared" / "data")
    if not folder.is_dir():
        notice = f"the real data is not at {folder}"
        if os.environ.get("CI"):
            pytest.fail(notice)
        pytest.skip(notice)
    return folder


def manifest() -> dict[tuple[str, str], int]:
    """{(folder, file): rows} as MANIFEST.tsv counts them."""
    with (real_data() / "MANIFEST.tsv").open(encoding="utf-8") as lines:
        return {
            (row[0], row[1]): int(row[2])
            for row in csv.reader(lines, delimiter="\t")
            if len(row) > 2 and row[2].isdigit()
        }
