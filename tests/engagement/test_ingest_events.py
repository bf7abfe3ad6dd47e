"""Players' logs through the whole ingest: landed, published, and read anew where they change."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from engagement.models import Source, ViewingFact
from tests.engagement.one_film import DAY, TITLES, ingest, viewing

PREFIX = "source-com_snowplowanalytics_snowplow_"
SESSIONS = f"{PREFIX}media_session_1.csv.gz"
PLAYER = f"{PREFIX}media_player_2.csv.gz"


def event(act: str, at: str, user: int, **payload: float) -> str:
    said = {
        "event_type": act,
        "event": json.dumps({"id": "film", **payload}),
        "context": {"user_id": user},
        "session": f"s{user}",
        "time": f"{DAY}T{at}+00:00",
    }
    return json.dumps(said) + "\n"


@pytest.mark.django_db
def test_an_open_edx_log_becomes_a_day_of_viewing(folder: Path) -> None:
    log = "".join(
        event("play_video", "04:00:00", n, currentTime=0.4)
        + event("pause_video", "04:01:40", n, currentTime=99.9)
        for n in range(60)
    )
    (folder / "tracking.log").write_text(log)
    summary = ingest(folder)
    assert (summary.rows_read, summary.quarantined) == (121, {})
    assert viewing() == {DAY: (60, 60, 60 * 99, 60, 60)}
    source = Source.objects.get(name="tracking.log")
    assert (source.kind, source.format, source.rows_read, source.rows_kept) == (
        "segments",
        "openedx",
        120,
        60,
    )
    assert ingest(folder).unchanged == 2


@pytest.mark.django_db
def test_a_quarantined_file_is_of_the_kind_that_it_was_read_as(folder: Path) -> None:
    """Whatever it is called. What nobody knows is of no kind, unless its name says one."""
    (folder / "tracking.log").write_text(event("play_video", "04:00:00", 1, currentTime=0) + "{")
    (folder / "crawl.csv").write_text("row,relative_time_as_shown,text\n")
    (folder / "comments.xml").write_text("<?xml version='1.0'?><i><d p='1'>")
    (folder / "notes.bin").write_bytes(b"nothing that we know\n")
    (folder / "shares.jsonl.gz").write_bytes(b"no gzip")
    assert len(ingest(folder).quarantined) == 5
    found = Source.objects.filter(state="quarantined").values_list("name", "kind", "format")
    assert {name: (kind, format) for name, kind, format in found} == {
        "tracking.log": ("segments", "openedx"),
        "crawl.csv": ("discussion", "page-comments-csv"),
        "comments.xml": ("danmu", "bilibili-xml"),
        "notes.bin": ("", ""),
        "shares.jsonl.gz": ("shares", ""),
    }


@pytest.mark.django_db
def test_snowplows_tables_go_in_together_and_anew_when_one_changes(
    folder: Path, real_data: Path
) -> None:
    for name in (
        PLAYER,
        SESSIONS,
        f"{PREFIX}media_ad_1.csv.gz",
        f"{PREFIX}client_session_1.csv.gz",
    ):
        shutil.copyfile(real_data / "events-snowplow-media" / name, folder / name)
    (folder / "titles.csv").write_text(TITLES + "For bigger fun,film,影片,Fun,60,2022-01-01,,,,,\n")
    summary = ingest(folder)
    assert summary.quarantined == {}
    assert plays() == 38
    assert ingest(folder).unchanged == 5

    rows = gzip.decompress((folder / SESSIONS).read_bytes()).decode().splitlines(keepends=True)
    fewer = [line for line in rows if "9eaa0dfd-" not in line]
    (folder / SESSIONS).write_bytes(gzip.compress("".join(fewer).encode()))
    again = ingest(folder)
    assert again.unchanged == 3  # the table that changed and the log that is read with it are not
    assert plays() == 37  # without the tracker's clock that session's batch tells of no playing
    log = Source.objects.get(name=PLAYER, state="live")
    assert sorted(log.options["beside"]) == sorted(
        [SESSIONS, f"{PREFIX}media_ad_1.csv.gz", f"{PREFIX}client_session_1.csv.gz"]
    )


def plays() -> int:
    return sum(f.plays for f in ViewingFact.objects.filter(device="*", territory="*"))
