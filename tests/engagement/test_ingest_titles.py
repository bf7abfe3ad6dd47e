"""Titles files in, and what a changed catalogue does to numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from engagement.models import (
    Title,
    TitleChange,
    ViewerSketch,
    ViewingFact,
)
from engagement.pipeline import sketches
from tests.engagement.one_film import (
    DAY,
    FILM,
    TITLES,
    ingest,
    land,
    noon,
    segment,
    viewing,
    watched,
)


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
