"""Files in, facts out: the ledger, duplicates, days, settling, and what a killed run leaves."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from engagement import curves
from engagement.formats import Options
from engagement.models import (
    DanmuComment,
    DanmuFact,
    DayPartial,
    Ingest,
    PublishedPiece,
    Rejected,
    Release,
    RetentionFact,
    RewatchFact,
    Source,
    Title,
    TitleChange,
    ViewerSketch,
    ViewingFact,
)
from engagement.pipeline import ingest as pipeline
from engagement.pipeline import publish, sketches
from engagement.pipeline.ingest import ingest as run_ingest
from engagement.pipeline.landing import Refused, Summary

PROJECT = Path(__file__).parents[2]
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


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path) -> None:
    settings.STAGING = tmp_path / "var" / "staged"
    settings.SOURCES = tmp_path / "var" / "sources"
    settings.PUBLISHER_KEY = b"test key"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to land, with one film in its titles."""
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM)
    return landing


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


@pytest.mark.django_db
def test_a_day_goes_in_and_its_numbers_come_out(folder: Path) -> None:
    rows = watched(60)
    rows += [segment("again", "v0", noon(), 40, 50), segment("again", "v0", noon(), 45, 60)]
    rows[-1] = segment("again", "v0", noon(hour=13), 45, 60)
    land(folder, "segments.csv", rows)
    summary = ingest(folder)
    assert (summary.files, summary.rows_read, summary.releases) == (2, 63, 1)
    assert viewing() == {DAY: (61, 60, 6025, 60, 60)} == viewing("CN")
    retention = RetentionFact.objects.get(territory="*")
    assert (retention.from_day, retention.until, retention.plays) == (DAY, NEXT, 61)
    sessions, starts, stops, skips = curves.unpack(retention.curves)
    assert [sessions[t] for t in (0, 39, 40, 59, 60, 99)] == [60, 60, 61, 61, 60, 60]
    assert (starts[0], starts[40], stops[99], stops[59], skips.sum()) == (60, 1, 60, 1, 0)
    times_played, rewatches = curves.unpack(RewatchFact.objects.get(territory="*").curves)
    assert [times_played[t] for t in (44, 45, 49, 50)] == [61, 62, 62, 61]
    assert (rewatches.sum(), rewatches[45]) == (5, 1)
    assert ViewingFact.objects.get(territory="*", device="tv").viewers == 60
    release = Release.objects.get()
    assert (release.state, release.day, release.rows) == ("done", DAY, 62)
    assert release.done_at
    assert [s.name for s in release.sources.all()] == ["segments.csv"]
    assert Ingest.objects.get().summary["releases"] == 1


@pytest.mark.django_db
def test_the_same_bytes_do_nothing(folder: Path) -> None:
    land(folder, "segments.csv", watched(60))
    ingest(folder)
    before = facts()
    summary = ingest(folder)
    assert (summary.unchanged, summary.releases, summary.rows_read) == (2, 0, 0)
    assert (facts(), Release.objects.count(), Source.objects.count()) == (before, 1, 2)


@pytest.mark.django_db
def test_new_bytes_of_a_name_replace_the_old(folder: Path) -> None:
    land(folder, "segments.csv", watched(60))
    ingest(folder)
    land(folder, "segments.csv", watched(130, first=30))
    ingest(folder)
    assert viewing() == {DAY: (130, 130, 13_000, 130, 130)}
    assert sorted(Release.objects.values_list("state", flat=True)) == ["done", "superseded"]
    states = Source.objects.filter(kind="segments").order_by("pk").values_list("state", flat=True)
    assert list(states) == ["replaced", "live"]
    assert curves.unpack(RetentionFact.objects.get(territory="*").curves)[0][0] == 130


@pytest.mark.django_db
def test_a_new_name_adds_and_a_row_in_both_counts_once(folder: Path) -> None:
    land(folder, "segments.a.csv", watched(60))
    ingest(folder)
    land(folder, "segments.b.csv", watched(70, first=50))
    summary = ingest(folder)
    assert viewing() == {DAY: (120, 120, 12_000, 120, 120)}
    assert summary.duplicates == 10
    duplicates = Rejected.objects.get(reason="duplicate")
    assert (duplicates.source.name, duplicates.rows) == ("segments.a.csv", 10)


@pytest.mark.django_db
def test_of_rows_with_one_key_the_source_landed_last_counts(folder: Path) -> None:
    land(folder, "segments.b.csv", [segment("s", "v", noon(), device="tv")])
    ingest(folder)
    land(folder, "segments.a.csv", [segment("s", "v", noon(), device="phone")])
    ingest(folder)
    assert set(DayPartial.objects.values_list("device", flat=True)) == {"*", "phone"}


@pytest.mark.django_db
def test_a_withdrawn_source_takes_its_rows_with_it(folder: Path) -> None:
    land(folder, "segments.a.csv", watched(60))
    land(folder, "segments.b.csv", watched(60, NEXT))
    ingest(folder)
    assert PublishedPiece.objects.count() == 4
    summary = ingest(withdraw=["segments.a.csv"])
    assert (summary.withdrawn, set(viewing())) == (1, {NEXT})
    assert {p.from_day for p in PublishedPiece.objects.all()} == {NEXT}
    assert {f.from_day for f in RetentionFact.objects.all()} == {NEXT}
    assert Release.objects.get(day=DAY, state="done").rows == 0
    assert ingest(folder).releases == 1, "its file may come again"
    assert set(viewing()) == {DAY, NEXT}


@pytest.mark.django_db
def test_withdrawing_a_name_that_is_not_live_is_refused(folder: Path) -> None:
    with pytest.raises(Refused, match="nowhere"):
        ingest(folder, withdraw=["nowhere.csv"])
    assert not Ingest.objects.exists()


@pytest.mark.django_db
def test_a_session_belongs_to_the_day_it_started_on(folder: Path) -> None:
    """Each side of midnight in Shanghai, and a session that plays over it."""
    midnight = noon(NEXT, 0)
    rows = [
        segment("before", "v1", midnight - timedelta(seconds=1), 0, 10),
        segment("at", "v2", midnight, 0, 10),
        segment("over", "v3", midnight - timedelta(minutes=5), 0, 50),
        segment("over", "v3", midnight + timedelta(minutes=5), 50, 100),
    ]
    land(folder, "segments.csv", rows)
    ingest(folder)
    assert viewing() == {DAY: (2, 2, 110, 1, 1), NEXT: (1, 1, 10, 0, 0)}


@pytest.mark.django_db
def test_the_rest_of_a_session_in_a_later_file_joins_the_day_it_started_on(folder: Path) -> None:
    midnight = noon(NEXT, 0)
    early = segment("over", "v3", midnight - timedelta(minutes=5), 0, 50)
    late = segment("over", "v3", midnight + timedelta(minutes=5), 50, 100)
    land(folder, "segments.1.csv", [early])
    ingest(folder)
    land(folder, "segments.2.csv", [late])
    ingest(folder)
    assert viewing() == {DAY: (1, 1, 100, 1, 1)}
    assert set(
        Release.objects.get(day=DAY, state="done").sources.values_list("name", flat=True)
    ) == {
        "segments.1.csv",
        "segments.2.csv",
    }
    assert ingest(folder).releases == 0


@pytest.mark.django_db
def test_a_session_over_three_days_is_whole_whatever_file_comes_last(folder: Path) -> None:
    days = [DAY, NEXT, NEXT + timedelta(days=1)]
    rows = [segment("long", "v1", noon(d), 30 * n, 30 * n + 30) for n, d in enumerate(days)]
    for number, row in enumerate(rows):
        land(folder, f"segments.{number}.csv", [row])
        ingest(folder)
    assert viewing() == {DAY: (1, 1, 90, 1, 1)}
    assert ingest(folder).releases == 0


@pytest.mark.django_db
def test_a_day_after_another_does_not_publish_it_again(folder: Path) -> None:
    land(folder, "segments.1.csv", watched(5))
    ingest(folder)
    land(folder, "segments.2.csv", watched(5, NEXT))
    assert ingest(folder).releases == 1
    assert Release.objects.filter(day=DAY).count() == 1
    assert ingest(folder).releases == 0


@pytest.mark.django_db
def test_a_second_viewer_of_a_session_in_another_file_is_left_out(folder: Path) -> None:
    land(folder, "segments.1.csv", [segment("s", "v1", noon(), 0, 50)])
    land(folder, "segments.2.csv", [segment("s", "v2", noon(hour=13), 50, 100)])
    ingest(folder)
    assert viewing() == {DAY: (1, 1, 50, 0, 0)}
    assert Release.objects.get().rejected == {"two_viewers": 1}


@pytest.mark.django_db
def test_a_bad_file_stays_out_while_the_others_go_in(folder: Path, capsys: Any) -> None:
    land(folder, "segments.good.csv", watched(3))
    land(folder, "segments.bad.csv", ["x"], header="session_id,viewer_id")
    with pytest.raises(SystemExit) as left:
        call_command("ingest", str(folder))
    assert left.value.code == 1
    assert viewing() == {DAY: (3, 3, 300, 3, 3)}
    bad = Source.objects.get(name="segments.bad.csv")
    assert bad.state == "quarantined"
    assert "missing column" in bad.problem
    said = capsys.readouterr()
    assert "1 quarantined" in said.out
    assert "files 3/3" in said.err


@pytest.mark.django_db
def test_a_bad_version_of_a_file_leaves_the_good_one_live(folder: Path) -> None:
    land(folder, "segments.csv", watched(3))
    ingest(folder)
    land(folder, "segments.csv", ["x"], header="session_id,viewer_id")
    assert set(ingest(folder).quarantined) == {"segments.csv"}
    assert viewing() == {DAY: (3, 3, 300, 3, 3)}
    assert Source.objects.get(kind="segments", state="live").rows_kept == 3


@pytest.mark.django_db
def test_rejected_rows_are_counted_with_examples(folder: Path) -> None:
    rows = [*watched(40), segment("odd", "v", noon(), title="nothing")]
    land(folder, "segments.csv", rows)
    summary = ingest(folder)
    assert summary.rejected == {"unknown_title": 1}
    rejected = Rejected.objects.get()
    assert (rejected.rows, rejected.examples[0]["line"]) == (1, 42)


@pytest.mark.django_db
def test_rows_of_a_title_that_comes_later_go_in_when_it_is_there(folder: Path) -> None:
    land(folder, "segments.csv", [*watched(40), segment("odd", "v", noon(), title="sequel")])
    ingest(folder)
    assert ingest(folder).unchanged == 2
    (folder / "titles.csv").write_text(FILM + "sequel,film,续集,Sequel,100,2024-09-01,,,,,\n")
    summary = ingest(folder)
    assert (summary.unchanged, summary.rejected, summary.releases) == (0, {}, 1)
    assert ViewingFact.objects.get(title__key="sequel", territory="*").plays == 1
    assert ingest(folder).unchanged == 2


@pytest.mark.django_db
def test_a_corrected_map_moves_the_comments_to_the_right_title(folder: Path) -> None:
    (folder / "titles.csv").write_text(FILM + "sequel,film,续集,Sequel,100,2024-09-01,,,,,\n")
    (folder / "crawled.csv").write_text("offset_s,posted_at,text\n10,2024-09-02T04:00:00Z,好\n")
    for title in ("film", "sequel"):
        (folder / "titles.map.csv").write_text(f"file,part,title_id\ncrawled.csv,,{title}\n")
        summary = ingest(folder)
        assert summary.quarantined == {}
        assert {c.title.key for c in DanmuComment.objects.all()} == {title}


@pytest.mark.django_db
def test_days_wait_until_they_settle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "settled_until", lambda: NEXT)
    land(folder, "segments.csv", [*watched(60), *watched(60, NEXT)])
    ingest(folder)
    assert set(viewing()) == {DAY, NEXT}, "exact totals do not wait"
    assert {f.from_day for f in RetentionFact.objects.all()} == {DAY}
    monkeypatch.setattr(pipeline, "settled_until", lambda: NEXT + timedelta(days=1))
    assert ingest(folder).releases == 0
    assert {f.from_day for f in RetentionFact.objects.all()} == {DAY, NEXT}


@pytest.mark.django_db
def test_a_small_day_waits_and_says_so(folder: Path) -> None:
    land(folder, "segments.1.csv", watched(30))
    ingest(folder)
    assert not RetentionFact.objects.exists()
    assert not ViewerSketch.objects.exists()
    assert Release.objects.get().waiting_viewers == 30
    land(folder, "segments.2.csv", watched(30, NEXT, first=30))
    ingest(folder)
    assert [(f.from_day, f.until) for f in RetentionFact.objects.filter(territory="*")] == [
        (DAY, NEXT + timedelta(days=1))
    ]
    assert set(Release.objects.values_list("waiting_viewers", flat=True)) == {0}


@pytest.mark.django_db
def test_a_few_late_viewers_wait_until_they_are_enough(folder: Path) -> None:
    land(folder, "segments.1.csv", watched(60))
    ingest(folder)
    before = bytes(RetentionFact.objects.get(territory="*").curves)
    land(folder, "segments.2.csv", watched(30, first=60))
    ingest(folder)
    assert viewing()[DAY][0] == 90
    assert bytes(RetentionFact.objects.get(territory="*").curves) == before
    assert Release.objects.get(state="done").waiting_viewers == 30
    land(folder, "segments.3.csv", watched(20, first=90))
    ingest(folder)
    assert curves.unpack(RetentionFact.objects.get(territory="*").curves)[0][0] == 110
    assert Release.objects.get(state="done").waiting_viewers == 0


@pytest.mark.django_db
def test_day_by_day_gives_the_same_facts_as_all_at_once(
    folder: Path, tmp_path: Path, settings: Any
) -> None:
    days = [DAY + timedelta(days=n) for n in range(6)]
    sizes = {"CN": (80, 20, 70, 40, 90, 60), "HK": (20, 10, 40, 30, 60, 10), "SG": (3,) * 6}
    with transaction.atomic():
        for number, day in enumerate(days):
            rows = [
                segment(f"{t}{day}{n}", f"{t}{number * 7 + n}", noon(day), n % 50, 100 - n % 9, t)
                for t, counts in sizes.items()
                for n in range(counts[number])
            ]
            land(folder, f"segments.{day}.csv", rows)
            ingest(folder)
        step_by_step = facts()
        transaction.set_rollback(True)
    settings.STAGING = tmp_path / "again"
    ingest(folder)
    at_once = facts()
    assert [f for f, _ in at_once] == [f for f, _ in step_by_step]
    assert at_once == step_by_step
    assert PublishedPiece.objects.filter(territory="CN").exists()


@pytest.mark.django_db
def test_a_file_that_lands_while_another_ingest_reads_is_not_lost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(folder, "segments.1.csv", watched(60))
    other = tmp_path / "other"
    other.mkdir()
    land(other, "segments.2.csv", watched(60, first=60))
    swap = publish.publish_segments
    landed: list[int] = []

    def meanwhile(*args: Any, **keywords: Any) -> Any:
        if not landed:
            landed.append(1)
            ingest(other)
        return swap(*args, **keywords)

    monkeypatch.setattr(publish, "publish_segments", meanwhile)
    ingest(folder)
    assert viewing() == {DAY: (120, 120, 12_000, 120, 120)}


KILLED = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from pathlib import Path
settings.STAGING, settings.SOURCES = Path(sys.argv[1]) / "staged", Path(sys.argv[1]) / "sources"
settings.PUBLISHER_KEY = b"test key"
settings.DATABASES["default"]["NAME"] = sys.argv[3]
from engagement.formats import Options
from engagement.pipeline import publish, sketches
from engagement.pipeline.ingest import ingest
swap = publish.cut
def killed(*args):
    swap(*args)
    os.kill(os.getpid(), signal.SIGKILL)
publish.cut = killed
ingest([Path(sys.argv[2])], Options())
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_ingest_leaves_the_old_unit_and_the_next_one_finishes(
    folder: Path, tmp_path: Path
) -> None:
    land(folder, "segments.csv", watched(60))
    ingest(folder)
    before = facts()
    land(folder, "segments.csv", watched(130, first=30))
    name = connection.settings_dict["NAME"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "var"), str(folder), name],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "portal.settings", "DATABASE_LOGIN": "owner"},
        capture_output=True,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert facts() == before
    assert sorted(Release.objects.values_list("state", flat=True)) == ["done", "started"]
    assert ingest(folder).releases == 1
    assert viewing() == {DAY: (130, 130, 13_000, 130, 130)}


@pytest.mark.django_db
def test_a_changed_parent_is_held_and_the_rest_applies(folder: Path) -> None:
    (folder / "titles.csv").write_text(FILM + "series,series,剧集,,0,,,,,,\n")
    ingest(folder)
    title = Title.objects.get(key="film")
    assert title.slug == "film"
    assert sorted(title.tags.values_list("kind", "name")) == [
        ("cast", "张三"), ("genre", "剧情"), ("genre", "喜剧"),
    ]  # fmt: skip
    (folder / "titles.csv").write_text(
        TITLES
        + "film,episode,新名,Film,120,2024-09-01,series,,剧情,,\nseries,series,剧集,,0,,,,,,\n"
    )
    summary = ingest(folder)
    title.refresh_from_db()
    assert (title.kind, title.parent, title.name_zh, title.runtime_s) == ("film", None, "新名", 120)
    change = TitleChange.objects.get()
    assert (change.kind, change.parent.key, change.source.name) == (
        "episode", "series", "titles.csv",
    )  # fmt: skip
    assert summary.held_changes == 1


@pytest.mark.django_db
def test_episodes_find_their_series_in_the_same_file_and_slugs_are_unique(folder: Path) -> None:
    (folder / "titles.csv").write_text(
        TITLES + "E 1,episode,一,,100,,S,,,,\ne-1,film,二,,100,,,,,,\nS,series,剧,,0,,,,,,\n"
    )
    ingest(folder)
    assert Title.objects.get(key="E 1").parent == Title.objects.get(key="S")
    assert dict(Title.objects.values_list("key", "slug")) == {
        "E 1": "e-1",
        "e-1": "e-1-2",
        "S": "s",
    }


@pytest.mark.django_db
def test_a_changed_runtime_publishes_the_days_again(folder: Path) -> None:
    land(folder, "segments.csv", [segment("s", "v", noon(), 0, 95)])
    ingest(folder)
    assert viewing() == {DAY: (1, 1, 95, 1, 1)}
    (folder / "titles.csv").write_text(FILM.replace(",100,", ",200,"))
    assert ingest(folder).releases == 1
    assert viewing() == {DAY: (1, 1, 95, 0, 0)}


@pytest.mark.django_db
def test_a_changed_runtime_counts_who_finished_in_a_piece_again(folder: Path) -> None:
    rows = [segment(f"s{n}", f"v{n}", noon(), 0, 95) for n in range(60)]
    land(folder, "segments.csv", rows)
    ingest(folder)
    ended = ViewerSketch.objects.values_list("finishers", flat=True)
    assert sketches.from_bytes(ended.get(territory="*")).count() == 60
    (folder / "titles.csv").write_text(FILM.replace(",100,", ",200,"))
    ingest(folder)
    assert viewing()[DAY][4] == 0
    assert sketches.from_bytes(ended.get(territory="*")).count() == 0


@pytest.mark.django_db
def test_no_device_shows_the_few_of_it_among_many_late_viewers(folder: Path) -> None:
    land(folder, "segments.1.csv", [*watched(80), *on_phones(80)])
    ingest(folder)
    devices = ViewingFact.objects.filter(territory="*").exclude(device="*")
    assert sorted(devices.values_list("device", "plays")) == [("phone", 80), ("tv", 80)]
    land(folder, "segments.2.csv", [*watched(60, first=80), *on_phones(83, first=80)])
    ingest(folder)
    assert curves.unpack(RetentionFact.objects.get(territory="*").curves)[0][0] == 223
    assert not devices.exists()


@pytest.mark.django_db
def test_a_marked_folder_is_sample_data(folder: Path) -> None:
    (folder / "SAMPLE").touch()
    land(folder, "segments.csv", watched(2))
    ingest(folder)
    assert Title.objects.get().sample
    assert set(Source.objects.values_list("name", "sample")) == {
        ("titles.csv", True), ("segments.csv", True),
    }  # fmt: skip


@pytest.mark.django_db
def test_two_files_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "titles.csv").write_text(FILM)
    with pytest.raises(CommandError, match=r"both be called titles\.csv"):
        call_command("ingest", str(folder), str(other))


@pytest.mark.django_db
def test_the_spark_engine_says_it_is_not_there(folder: Path) -> None:
    with pytest.raises(CommandError, match="not there yet"):
        call_command("ingest", str(folder), "--engine", "spark")


def comment(
    text: str, sender: str = "u", second: int | str = 10, likes: int = 0, deleted: str = ""
) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(
        ["film", second, "2024-09-02T04:00:00Z", text, sender, likes, "CN", deleted]
    )
    return line.getvalue().strip()


@pytest.mark.django_db
def test_comments_are_counted_masked_and_repeats_count_senders(folder: Path) -> None:
    rows = [comment("哈哈", f"u{n % 3}", second=n) for n in range(4)]
    rows += [
        comment(" 哈哈", "u9"),
        comment("我的电话13812345678", "u1"),
        comment("没有时间", second=""),
    ]
    land(folder, "danmu.csv", rows, DANMU)
    ingest(folder)
    fact = DanmuFact.objects.get(territory="CN")
    assert (fact.from_day, fact.comments, fact.unplaced) == (DAY, 7, 1)
    assert curves.unpack(fact.curves)[0][:11].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2]
    assert bytes(DanmuFact.objects.get(territory="*").curves) == bytes(fact.curves)
    laughs = DanmuComment.objects.filter(text="哈哈")
    assert {c.repeats for c in laughs} == {4}
    assert not DanmuComment.objects.filter(text__contains="13812345678").exists()
    assert DanmuComment.objects.get(text="没有时间").content_second is None


@pytest.mark.django_db
def test_a_deleted_comment_is_gone_and_a_picked_one_stays_picked(folder: Path) -> None:
    land(folder, "danmu.csv", [comment("好"), comment("坏", "u2")], DANMU)
    ingest(folder)
    DanmuComment.objects.filter(text="好").update(picked=True)
    rows = [comment("好"), comment("坏", "u2", deleted="2024-09-03T00:00:00Z")]
    land(folder, "danmu.csv", rows, DANMU)
    ingest(folder)
    left = DanmuComment.objects.get()
    assert (left.text, left.picked) == ("好", True)
    assert DanmuFact.objects.get(territory="*").comments == 1


@pytest.mark.django_db
def test_a_comment_in_two_files_counts_once(folder: Path) -> None:
    land(folder, "danmu.a.csv", [comment("好", likes=1), comment("嗯", "u2")], DANMU)
    land(folder, "danmu.b.csv", [comment("好", likes=9)], DANMU)
    ingest(folder)
    assert DanmuComment.objects.get(text="好").likes == 9
    assert DanmuFact.objects.get(territory="*").comments == 2
    duplicate = Rejected.objects.get(reason="duplicate")
    assert (duplicate.source.name, duplicate.rows) == ("danmu.a.csv", 1)
    ingest(withdraw=["danmu.a.csv", "danmu.b.csv"])
    assert not DanmuFact.objects.exists()
    assert not DanmuComment.objects.exists()


@pytest.mark.django_db
def test_the_film_yolo_peaks_in_minute_54(folder: Path, real_data: Path) -> None:
    (folder / "titles.csv").write_text(TITLES + "yolo,film,热辣滚烫,YOLO,7740,2024-02-10,,,,,\n")
    ingest(folder, real_data / "danmaku-film-yolo-2024", title="yolo")
    total = np.zeros(9000, np.int64)
    for fact in DanmuFact.objects.filter(territory="*"):
        counts = curves.unpack(fact.curves)[0]
        total[: len(counts)] += counts
    minutes = total.reshape(-1, 60).sum(axis=1)
    assert (total.sum(), minutes.argmax(), minutes.max()) == (9600, 54, 510)
