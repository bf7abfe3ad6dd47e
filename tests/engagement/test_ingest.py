"""Files in, facts out: the ledger, duplicates, sessions, and what a killed run leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from engagement import curves
from engagement.models import (
    DayPartial,
    Ingest,
    PublishedPiece,
    Rejected,
    Release,
    RetentionFact,
    RewatchFact,
    Source,
    Title,
    ViewingFact,
)
from engagement.pipeline import publish
from engagement.pipeline.landing import Refused
from tests.engagement import apart
from tests.engagement.one_film import (
    DAY,
    FILM,
    NEXT,
    facts,
    ingest,
    land,
    noon,
    segment,
    viewing,
    watched,
)


@pytest.mark.django_db
def test_a_day_goes_in_and_its_numbers_come_out(folder: Path) -> None:
    rows = watched(60)
    rows += [segment("again", "v0", noon(), 40, 50), segment("again", "v0", noon(), 45, 60)]
    rows[-1] = segment("again", "v0", noon(hour=13), 45, 60)
    land(folder, "segments.csv", rows)
    summary = ingest(folder)
    assert (summary.files, summary.rows_read, summary.releases) == (2, 63, 2)  # and what is typical
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
    release = Release.objects.get(kind="segments")
    assert (release.state, release.day, release.rows) == ("done", DAY, 62)
    assert release.done_at
    assert [s.name for s in release.sources.all()] == ["segments.csv"]
    assert Ingest.objects.get().summary["releases"] == 2


@pytest.mark.django_db
def test_the_same_bytes_do_nothing(folder: Path) -> None:
    land(folder, "segments.csv", watched(60))
    ingest(folder)
    before = facts()
    summary = ingest(folder)
    assert (summary.unchanged, summary.releases, summary.rows_read) == (2, 0, 0)
    assert (facts(), Release.objects.count(), Source.objects.count()) == (before, 2, 2)


@pytest.mark.django_db
def test_new_bytes_of_a_name_replace_the_old(folder: Path) -> None:
    land(folder, "segments.csv", watched(60))
    ingest(folder)
    land(folder, "segments.csv", watched(130, first=30))
    ingest(folder)
    assert viewing() == {DAY: (130, 130, 13_000, 130, 130)}
    of_the_day = Release.objects.filter(kind="segments").values_list("state", flat=True)
    assert sorted(of_the_day) == ["done", "superseded"]
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
    assert Release.objects.get(kind="segments", day=DAY, state="done").rows == 0
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
        Release.objects.get(kind="segments", day=DAY, state="done").sources.values_list(
            "name", flat=True
        )
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
    assert Release.objects.get(kind="segments").rejected == {"two_viewers": 1}


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


@pytest.mark.django_db(transaction=True)
def test_a_killed_ingest_leaves_the_old_unit_and_the_next_one_finishes(
    folder: Path, tmp_path: Path
) -> None:
    """Fault 19, P17."""
    land(folder, "segments.csv", watched(60))
    ingest(folder)
    before = facts()
    land(folder, "segments.csv", watched(130, first=30))
    apart.killed(tmp_path, "ingest", folder, at="cut")
    assert facts() == before
    states = Release.objects.filter(kind="segments").values_list("state", flat=True)
    assert sorted(states) == ["done", "started"]
    assert ingest(folder).releases == 3  # the day, and now that they are many, who they are
    assert viewing() == {DAY: (130, 130, 13_000, 130, 130)}


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
    """Fault 18."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "titles.csv").write_text(FILM)
    with pytest.raises(CommandError, match=r"both be called titles\.csv"):
        call_command("ingest", str(folder), str(other))


@pytest.mark.django_db
def test_an_engine_that_is_none_is_refused_in_words(folder: Path, settings: Any) -> None:
    settings.ENGINE_URL = "sparks://local[2]"
    with pytest.raises(CommandError, match=r"ENGINE_URL is 'sparks://local\[2\]': name embedded"):
        call_command("ingest", str(folder))
