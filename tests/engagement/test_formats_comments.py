"""Every file of comments that other people crawled, counted against the manifest."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from django.db.models import Sum

from engagement.formats import Landed, Options
from engagement.models import DiscussionFact
from tests.engagement.landing_files import manifest, problem, real_data, take, write
from tests.engagement.one_film import FILM, ingest

CRAWLED = Options(title="real", day=date(2022, 8, 25))
RUNTIMES = {"real": 0}

# folder, file: format, rejected by reason, replies
TABLE: dict[tuple[str, str], tuple[str, dict[str, int], int]] = {
    ("comments-douban-operation-red-sea", "short_comments.csv"): ("douban-csv", {}, 0),
    ("comments-douban-queen-of-news", "short_comments.csv.gz"): ("douban-csv", {}, 0),
    ("comments-douban-queen-of-news", "long_reviews.csv.gz"): ("douban-csv", {}, 0),
    ("comments-mangotv-variety", "episode_1.csv.gz"): ("mangotv-csv", {"bad_value": 2}, 2076),
    ("comments-mangotv-variety", "episode_3.csv.gz"): ("mangotv-csv", {}, 1061),
    ("comments-mangotv-variety", "episode_4.csv.gz"): ("mangotv-csv", {"bad_value": 2}, 627),
    ("shortfilm-erjiu", "comments.csv.gz"): ("page-comments-csv", {}, 0),
}


def landed(folder: str, name: str) -> Landed:
    return take(real_data() / folder / name, options=CRAWLED, runtimes=RUNTIMES)


def test_the_table_holds_every_file_of_comments() -> None:
    there = {
        (folder, name)
        for folder, name in manifest()
        if folder.startswith("comments-") or name == "comments.csv.gz"
    }
    assert there == set(TABLE)


@pytest.mark.parametrize(("folder", "name"), TABLE)
def test_every_file_lands_as_many_rows_as_the_manifest_counts(folder: str, name: str) -> None:
    found = landed(folder, name)
    format, rejected, replies = TABLE[folder, name]
    assert (found.kind, found.format) == ("discussion", format)
    assert found.rows_read == manifest()[folder, name]
    assert {reason: r.rows for reason, r in found.rejected.items()} == rejected
    assert len(found.table) == found.rows_read - sum(rejected.values())
    assert len(found.table) - found.table["parent_id"].null_count == replies


def test_rows_without_a_time_need_a_day() -> None:
    for folder, name in TABLE:
        if name != "short_comments.csv":  # the one file with times
            path = real_data() / folder / name
            told = problem(path, options=Options(title="real"), runtimes=RUNTIMES)
            assert "no_time" in told, name


def test_a_known_place_is_a_territory_and_a_time_is_the_platforms() -> None:
    found = landed("comments-douban-operation-red-sea", "short_comments.csv")
    first = found.table.slice(0, 1).to_pylist()[0]
    assert (first["day"], first["likes"], first["territory"]) == (date(2018, 2, 11), 8971, "CN")
    territories = Counter(found.table["territory"].to_pylist())
    assert territories["US"] == 7
    assert (territories["HK"], territories["CZ"], territories["KP"]) == (2, 1, 2)


def test_a_reply_on_mango_tv_finds_what_it_answers_where_that_is_in_the_file() -> None:
    table = landed("comments-mangotv-variety", "episode_3.csv.gz").table
    ids = set(table["post_id"].to_pylist())
    parents = [parent for parent in table["parent_id"].to_pylist() if parent is not None]
    assert sum(parent in ids for parent in parents) == 1059


def test_a_text_written_twice_by_nobody_known_counts_twice() -> None:
    table = landed("shortfilm-erjiu", "comments.csv.gz").table
    assert len(set(table["post_id"].to_pylist())) == 46_436
    assert Counter(table["text"].to_pylist())["敬二舅"] == 873


def test_a_file_cut_off_in_a_row_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "c.csv", "title,text,up,down,rating\n好,很好,1,0,5\n好,很")
    assert "truncated" in problem(path, options=CRAWLED, runtimes=RUNTIMES)


@pytest.mark.django_db
def test_every_row_that_lands_is_published(folder: Path) -> None:
    """Each file under its own title, on the day of its crawl."""
    lines = [FILM.splitlines()[0]]
    lines += [f"title-{n},film,影片,Film,0,2018-01-01,,,,," for n in range(len(TABLE))]
    (folder / "titles.csv").write_text("\n".join(lines) + "\n")
    ingest(folder)
    for number, (source, (_, rejected, replies)) in enumerate(TABLE.items()):
        path = folder / f"{number}-{source[1]}"
        path.write_bytes((real_data() / source[0] / source[1]).read_bytes())
        summary = ingest(path, title=f"title-{number}", day=date(2022, 8, 25))
        counted = DiscussionFact.objects.filter(title__key=f"title-{number}", territory="*")
        sums = counted.aggregate(posts=Sum("posts"), replies=Sum("replies"))
        assert sums["replies"] == replies
        assert (
            sums["posts"] + sums["replies"] + summary.duplicates + sum(rejected.values())
            == manifest()[source]
        )
        # the crawl met six of Douban's comments twice: same time, author and text
        assert summary.duplicates == (6 if source[1] == "short_comments.csv" else 0), source
