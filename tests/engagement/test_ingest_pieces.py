"""Days in, pieces out: settling, the floor, and late viewers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from engagement import curves
from engagement.models import (
    PublishedPiece,
    Release,
    RetentionFact,
    ViewerSketch,
    ViewingFact,
)
from engagement.pipeline import ingest as pipeline
from tests.engagement.one_film import (
    DAY,
    NEXT,
    facts,
    ingest,
    land,
    noon,
    on_phones,
    segment,
    viewing,
    watched,
)


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
    assert Release.objects.get(kind="segments", state="done").waiting_viewers == 30
    land(folder, "segments.3.csv", watched(20, first=90))
    ingest(folder)
    assert curves.unpack(RetentionFact.objects.get(territory="*").curves)[0][0] == 110
    assert Release.objects.get(kind="segments", state="done").waiting_viewers == 0


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
def test_no_device_shows_the_few_of_it_among_many_late_viewers(folder: Path) -> None:
    land(folder, "segments.1.csv", [*watched(80), *on_phones(80)])
    ingest(folder)
    devices = ViewingFact.objects.filter(territory="*").exclude(device="*")
    assert sorted(devices.values_list("device", "plays")) == [("phone", 80), ("tv", 80)]
    land(folder, "segments.2.csv", [*watched(60, first=80), *on_phones(83, first=80)])
    ingest(folder)
    assert curves.unpack(RetentionFact.objects.get(territory="*").curves)[0][0] == 223
    assert not devices.exists()
