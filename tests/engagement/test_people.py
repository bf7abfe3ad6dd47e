"""The store of who watched: whole files, one title at a time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from django.conf import settings as django_settings

from engagement.models import Release, Title
from engagement.pipeline import people
from engagement.scope import Window

DAY, NEXT = date(2026, 1, 1), date(2026, 1, 2)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: object) -> None:
    django_settings.PEOPLE = tmp_path


def rows(*viewers: int, territory: str = "CN", completions: int = 0) -> pa.Table:
    count = len(viewers)
    return pa.table(
        {
            "viewer": viewers,
            "territory": [territory] * count,
            "device": ["tv"] * count,
            "region": ["CN-SH"] * count,
            "age_band": ["18-24"] * count,
            "gender": ["female"] * count,
            "first_at": [0] * count,
            "plays": [1] * count,
            "watch_seconds": [60] * count,
            "completions": [completions] * count,
            "furthest_s": [60] * count,
            "digest": [7] * count,
        }
    ).cast(people.SCHEMA)


def write(day: date, tables: dict[str, pa.Table]) -> dict[str, str]:
    """Titles' rows, all of which are wanted."""
    titled = [
        table.append_column("title_id", pa.array([title] * len(table)).dictionary_encode())
        for title, table in sorted(tables.items())
    ]
    rows = pa.concat_tables([table for table in titled if len(table)])
    return people.write(day, rows.unify_dictionaries(), tables)


def test_a_title_reads_back_its_own_rows_alone() -> None:
    names = write(DAY, {"b": rows(3), "a": rows(1, 2), "none": rows()})
    assert names.keys() == {"a", "b"}
    name = names["a"]
    assert people.read(name, "a")["viewer"].to_pylist() == [1, 2]
    assert people.read(name, "b")["viewer"].to_pylist() == [3]
    with pytest.raises(KeyError):
        people.read(name, "none")


def test_a_title_that_is_not_wanted_is_not_kept() -> None:
    titled = rows(1).append_column("title_id", pa.array(["a"]).dictionary_encode())
    assert people.write(DAY, titled, {"b"}) == {}
    assert list(Path(django_settings.PEOPLE).iterdir()) == []


def test_only_published_days_count(db: None) -> None:
    title = Title.objects.create(key="a", slug="a", kind="film", runtime_s=100)
    for day, state, table in (
        (DAY, "superseded", rows(9)),
        (DAY, "done", rows(1, 2)),
        (NEXT, "done", rows(2, territory="SG", completions=1)),
        (NEXT, "started", rows(8)),
    ):
        Release.objects.create(
            kind="segments", title=title, day=day, state=state, metric_version="1",
            input_digest="", people_file=write(day, {"a": table})["a"],
        )  # fmt: skip
    found = people.of(title, [DAY, NEXT, date(2026, 1, 3)])
    assert list(zip(found["day"].to_pylist(), found["viewer"].to_pylist(), strict=True)) == [
        (DAY, 1), (DAY, 2), (NEXT, 2),
    ]  # fmt: skip
    assert found["territory"].to_pylist() == ["CN", "CN", "SG"]
    assert len(people.of(title, [date(2026, 1, 3)])) == 0
    both = Window(DAY, date(2026, 1, 3))
    assert people.viewers(title, both).tolist() == [1, 2]
    assert people.viewers(title, Window(NEXT, both.until)).tolist() == [2]
    assert people.viewers(title, both, finished=True).tolist() == [2]
