"""A landing folder of one film for the ingest's tests, and what it published."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from engagement.formats import Options
from engagement.models import (
    DanmuComment,
    DanmuFact,
    RetentionFact,
    RewatchFact,
    ViewerSketch,
    ViewingFact,
)
from engagement.pipeline.ingest import ingest as run_ingest
from engagement.pipeline.landing import Summary

DAY = date(2024, 9, 2)


NEXT = DAY + timedelta(days=1)


TITLES = (
    "title_id,kind,name_zh,name_en,runtime_s,released_on,parent_title_id,cut_of,genres,cast,"
    "source_work\n"
)


FILM = TITLES + "film,film,影片,Film,100,2024-09-01,,,剧情|喜剧,张三,\n"


SEGMENTS = (
    "session_id,viewer_id,title_id,started_at,from_s,to_s,device,territory,region,age_band,gender"
)


DANMU = "title_id,offset_s,posted_at,text,sender_id,likes,territory,deleted_at"


def noon(day: date = DAY, hour: float = 12) -> datetime:
    """An hour of a day in Shanghai, eight before UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 8)


def segment(
    session: str,
    viewer: str,
    at: datetime,
    from_s: int = 0,
    to_s: int = 100,
    territory: str = "CN",
    title: str = "film",
    device: str = "tv",
) -> str:
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{session},{viewer},{title},{moment},{from_s},{to_s},{device},{territory},,,"


def watched(count: int, day: date = DAY, *, first: int = 0, territory: str = "CN") -> list[str]:
    """So many viewers who each play the film once."""
    return [
        segment(f"s{day}-{n}", f"v{n}", noon(day), territory=territory)
        for n in range(first, first + count)
    ]


def on_phones(count: int, *, first: int = 0) -> list[str]:
    return [
        segment(f"p{n}", f"w{n}", noon(), territory="CN", device="phone")
        for n in range(first, count)
    ]


def land(folder: Path, name: str, rows: Iterable[str], header: str = SEGMENTS) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def ingest(*paths: Path, withdraw: Iterable[str] = (), **options: Any) -> Summary:
    return run_ingest(list(paths), Options(**options), withdraw=list(withdraw))


def viewing(territory: str = "*") -> dict[date, tuple[int, int, int, int, int]]:
    """The exact totals by day."""
    return {
        f.from_day: (f.plays, f.viewers, f.watch_seconds, f.completions, f.finishers)
        for f in ViewingFact.objects.filter(device="*", territory=territory)
    }


def facts() -> list[Any]:
    """All facts, without their releases and ids."""
    found: list[Any] = []
    for model in (ViewingFact, RetentionFact, RewatchFact, ViewerSketch, DanmuFact, DanmuComment):
        for row in model._default_manager.all().values():
            row.pop("id")
            row.pop("release_id")
            row.pop("title_id")
            found.append(
                (
                    model.__name__,
                    sorted(
                        (k, str(bytes(v)) if isinstance(v, memoryview) else str(v))
                        for k, v in row.items()
                    ),
                )
            )
    return sorted(found)


def comment(
    text: str, sender: str = "u", second: int | str = 10, likes: int = 0, deleted: str = ""
) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(
        ["film", second, "2024-09-02T04:00:00Z", text, sender, likes, "CN", deleted]
    )
    return line.getvalue().strip()
