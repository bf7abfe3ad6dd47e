"""rebuild and check_freshness: the same numbers again, and what is not as it should be."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from engagement.models import NoisedTable, Release, Restatement, Title, ViewingFact
from partners.models import Holding, Partner
from tests.engagement import apart
from tests.engagement.one_film import DANMU, FILM, comment, facts, ingest, land, watched


@pytest.fixture
def folder(tmp_path: Path, db: None) -> Path:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM)
    land(landing, "segments.csv", watched(150))
    land(landing, "danmu.csv", [comment("哈哈")], DANMU)
    ingest(landing)
    return landing


def fresh(capsys: Any) -> list[str]:
    """What check_freshness says; empty where all is well."""
    capsys.readouterr()
    with suppress(SystemExit):
        call_command("check_freshness", verbosity=0)
        assert capsys.readouterr().out == "", "what it says, it exits 1 with"
    return str(capsys.readouterr().out).splitlines()


def test_what_is_rebuilt_is_the_same_and_no_noise_is_drawn(folder: Path, capsys: Any) -> None:
    before, drawn = facts(), list(NoisedTable.objects.values_list("pk", flat=True))
    done = set(Release.objects.filter(state="done").values_list("pk", flat=True))
    assert len(drawn) == 2
    call_command("rebuild", verbosity=0)
    assert facts() == before
    assert list(NoisedTable.objects.values_list("pk", flat=True)) == drawn
    assert not Restatement.objects.exists()
    again = set(Release.objects.filter(state="done").values_list("pk", flat=True))
    assert len(again & done) == len(drawn) + 1  # the noised families and what is typical
    assert fresh(capsys) == []


def test_a_number_that_was_spoilt_is_put_right(folder: Path) -> None:
    before = facts()
    ViewingFact.objects.filter(device="*").update(plays=7)
    call_command("rebuild", "--title", "film", "--from", "2024-09-02", "--until", "2024-09-03")
    assert facts() == before


def test_only_what_was_asked_for_is_redone(folder: Path) -> None:
    done = set(Release.objects.filter(kind="segments", state="done").values_list("pk", flat=True))
    call_command("rebuild", "--until", "2024-09-02", verbosity=0)
    assert done == set(
        Release.objects.filter(kind="segments", state="done").values_list("pk", flat=True)
    )
    with pytest.raises(CommandError, match="nothing is published of a title 'nobody'"):
        call_command("rebuild", "--title", "nobody")


def test_lost_staging_is_found_and_made_again_from_the_kept_bytes(
    folder: Path, capsys: Any
) -> None:
    before = facts()
    shutil.rmtree(settings.STAGING)
    assert fresh(capsys) == [
        "danmu.csv: its staged rows are gone: manage.py rebuild",
        "segments.csv: its staged rows are gone: manage.py rebuild",
    ]
    call_command("rebuild", verbosity=0)
    assert facts() == before
    assert fresh(capsys) == []


def test_lost_bytes_are_told_of(folder: Path, capsys: Any) -> None:
    shutil.rmtree(settings.STAGING)
    shutil.rmtree(settings.SOURCES)
    assert "segments.csv: its bytes are gone: ingest the file again" in fresh(capsys)
    with pytest.raises(CommandError, match=r"the bytes of \S+ are gone"):
        call_command("rebuild", verbosity=0)


def test_a_runtime_that_changed_and_a_run_that_died_are_told_of(folder: Path, capsys: Any) -> None:
    assert fresh(capsys) == []
    film = Title.objects.get()
    dead = Release.objects.create(kind="danmu", title=film, state="started", metric_version="2")
    Release.objects.filter(state="done").update(done_at=timezone.now() - timedelta(hours=8))
    Release.objects.filter(pk=dead.pk).update(started_at=timezone.now() - timedelta(hours=7))
    assert fresh(capsys) == [f"{dead} was started and never done: manage.py ingest"]
    dead.delete()
    Title.objects.update(runtime_s=101)
    assert fresh(capsys) == [
        "segments film 2024-09-02 is not as its sources are: manage.py ingest",
        "danmu film is not as its sources are: manage.py ingest",
    ]


def test_a_week_whose_holdings_changed_after_it_was_drawn_is_named_and_is_no_failure(
    folder: Path, capsys: Any
) -> None:
    fine = "everything published is as its sources are"
    call_command("check_freshness")
    assert capsys.readouterr().out.splitlines() == [fine]
    film, partner = Title.objects.get(), Partner.objects.create(slug="aurora", name_en="Aurora")
    Holding.objects.create(partner=partner, title=film, territories=["SG", "*"])
    call_command("check_freshness")
    assert capsys.readouterr().out.splitlines() == [
        "film 2024-09-02..2024-09-08: who watched was counted by no territory, its holdings name"
        " CN, SG by now; what is drawn stays, later weeks are counted by them",
        fine,
    ]
    assert fresh(capsys) == []
    Holding.objects.update(from_day="2024-09-09")  # after the week
    call_command("check_freshness")
    assert capsys.readouterr().out.splitlines() == [fine]


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_killed_in_the_middle_leaves_the_old_and_is_done_by_the_next(
    tmp_path: Path, transactional_db: None
) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "titles.csv").write_text(FILM)
    land(landing, "segments.csv", watched(150))
    ingest(landing)
    before = facts()
    apart.killed(tmp_path, "rebuild", at="swapped")
    assert facts() == before
    assert ingest(landing).releases == 1
    assert facts() == before
    call_command("check_freshness", verbosity=0)
