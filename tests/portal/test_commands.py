"""What the pipeline's commands say of arguments that cannot be meant, and of what they did."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

pytestmark = pytest.mark.django_db

TITLES = "title_id,kind,name_zh,name_en,runtime_s\nfilm,film,片,Film,100\nother,film,他,Other,100\n"
HEAD = "session_id,viewer_id,title_id,started_at,from_s,to_s\n"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: object) -> None:
    for name in ("STAGING", "SOURCES", "PEOPLE"):
        setattr(settings, name, tmp_path / name.lower())


def ingest(*arguments: str) -> str:
    out = StringIO()
    call_command("ingest", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_file_of_the_same_name_says_what_it_takes_the_place_of(tmp_path: Path) -> None:
    for folder, rows in (
        ("a", "s1,v1,film,{at},0,9\ns2,v2,film,{at},0,9\n"),
        ("b", "s3,v3,other,{at},0,9\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "segments.csv").write_text(
            HEAD + rows.format(at="2026-11-02T12:00:00Z")
        )
    (tmp_path / "titles.csv").write_text(TITLES)
    first = ingest(str(tmp_path / "titles.csv"), str(tmp_path / "a" / "segments.csv"))
    assert "replaced" not in first
    second = ingest(str(tmp_path / "b" / "segments.csv"))
    assert "replaced segments.csv: 2 rows before, 1 now; nothing of film any longer" in second


def test_without_a_file_what_was_left_is_published() -> None:
    assert "files      0 (0 unchanged" in ingest()


def test_a_day_that_has_not_come_is_refused() -> None:
    tomorrow = timezone.localdate() + timedelta(days=1)
    with pytest.raises(CommandError, match="has not come yet"):
        ingest("--day", tomorrow.isoformat())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("ingest", "--day", "2026-13-01"), "'2026-13-01' is no day: write it as 2026-11-03"),
        (("close_month", "2026-13", "--by", "a@example.com"), "'2026-13' is no month"),
        (("close_month", "2026-09", "--by", "nobody"), "'nobody' is no mail address"),
        (("rebuild", "--from", "2026-11-05", "--until", "2026-11-01"), "is no day"),
    ],
)
def test_what_cannot_be_meant_is_said(command: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command(*command)
