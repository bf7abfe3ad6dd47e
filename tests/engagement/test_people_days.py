"""People rows of many titles and days, found at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from django.conf import settings as django_settings

from engagement.models import Release, Title
from engagement.pipeline import people_days
from tests.engagement.test_people import DAY, NEXT, rows, write


@pytest.fixture(autouse=True)
def published(tmp_path: Path, settings: object, db: None) -> None:
    """Of `a` two days, of `b` one; beside them what was replaced and what was not finished."""
    django_settings.PEOPLE = tmp_path
    for key, day, state, table in (
        ("b", DAY, "done", rows(3)),
        ("a", NEXT, "done", rows(2, territory="SG")),
        ("a", DAY, "superseded", rows(9)),
        ("a", DAY, "done", rows(1, 2)),
        ("b", NEXT, "started", rows(8)),
    ):
        title, _ = Title.objects.get_or_create(key=key, slug=key, kind="film", runtime_s=100)
        Release.objects.create(
            kind="segments", title=title, day=day, state=state, metric_version="1",
            input_digest="", people_file=write(day, {key: table})[key],
        )  # fmt: skip


def found(**which: object) -> list[tuple[str, date, list[int]]]:
    days = people_days.published(**which)  # type: ignore[arg-type]
    return [(d.key, d.day, d.rows(("viewer",))["viewer"].to_pylist()) for d in days]


def test_published_days_come_by_title_and_day() -> None:
    assert found(titles=[Title.objects.get(key="a").pk]) == [("a", DAY, [1, 2]), ("a", NEXT, [2])]
    assert sorted(found()) == [("a", DAY, [1, 2]), ("a", NEXT, [2]), ("b", DAY, [3])]


def test_days_are_named_or_half_open() -> None:
    assert sorted(found(days=[DAY])) == [("a", DAY, [1, 2]), ("b", DAY, [3])]
    assert sorted(found(until=NEXT)) == [("a", DAY, [1, 2]), ("b", DAY, [3])]
    assert found(since=NEXT) == [("a", NEXT, [2])]


def test_words_are_coded_in_their_order_whatever_the_file_says() -> None:
    parts = [rows(1, territory="SG"), rows(2, territory="CN"), rows(3, territory="SG")]
    codes, words = people_days.words(pa.concat_tables(parts), "territory")
    assert (codes.tolist(), words) == ([1, 0, 1], ["CN", "SG"])
    codes, words = people_days.words(rows(), "territory")
    assert (codes.tolist(), words) == ([], [])
