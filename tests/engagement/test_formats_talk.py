"""Posts of a discussion page and shares: what goes in, and which rows stay out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engagement.formats import Landed, Options
from engagement.formats.discussion import content_ids
from engagement.formats.schema import DISCUSSION, SHARES
from tests.engagement.landing_files import problem, take, write

POSTS = "title_id,post_id,parent_id,posted_at,text,likes,author_id,territory,deleted_at\n"
POST = "film,p1,,2026-09-01T17:00:00Z,好看,3,a1,SG,\n"
SHARE_HEADER = (
    "title_id,share_id,shared_at,channel,sharer_id,offset_s,visits,new_viewers,territory\n"
)
SHARE = "film,s1,2026-09-01T17:00:00Z,WeChat,v1,61.9,12,4,\n"


def rejected(landed: Landed) -> dict[str, int]:
    return {reason: found.rows for reason, found in landed.rejected.items()}


def test_a_post_lands_as_the_schema_says(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "discussion.csv", POSTS + POST))
    assert landed.table.schema == DISCUSSION
    assert (landed.kind, landed.format, landed.rows_read) == ("discussion", "native", 1)
    assert landed.table.to_pylist() == [
        {
            "line": 2,
            "title_id": "film",
            "post_id": "p1",
            "parent_id": None,
            "posted_at": datetime(2026, 9, 1, 17, tzinfo=UTC),
            "day": date(2026, 9, 2),  # one in the morning in Shanghai
            "text": "好看",
            "likes": 3,
            "author_id": "a1",
            "territory": "SG",
            "deleted_at": None,
        }
    ]


def test_a_share_lands_as_the_schema_says(tmp_path: Path) -> None:
    landed = take(write(tmp_path, "shares.csv", SHARE_HEADER + SHARE))
    assert landed.table.schema == SHARES
    assert (landed.kind, landed.format, landed.rows_read) == ("shares", "native", 1)
    assert landed.table.to_pylist() == [
        {
            "line": 2,
            "title_id": "film",
            "share_id": "s1",
            "shared_at": datetime(2026, 9, 1, 17, tzinfo=UTC),
            "day": date(2026, 9, 2),
            "channel": "wechat",
            "sharer_id": "v1",
            "offset_s": 61,
            "visits": 12,
            "new_viewers": 4,
            "territory": "CN",
        }
    ]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
@pytest.mark.parametrize(
    ("kind", "text"), [("discussion", POSTS + POST), ("shares", SHARE_HEADER + SHARE)]
)
def test_parquet_and_json_lines_land_as_csv_does(
    tmp_path: Path, kind: str, text: str, ending: str
) -> None:
    read = take(write(tmp_path, f"{kind}.csv", text)).table.drop_columns(["line", "day"])
    path = tmp_path / f"{kind}.{ending}"
    if ending == "parquet":
        pq.write_table(read, path)
    else:
        header, row = text.splitlines()
        cells = zip(header.split(","), row.split(","), strict=True)
        path.write_text("{" + ", ".join(f'"{k}": "{v}"' for k, v in cells) + "}\n")
    landed = take(path)
    assert landed.table.drop_columns(["line", "day"]).to_pylist() == read.to_pylist()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("film,,,2026-09-01T17:00:00Z,好看,3,a1,SG,\n", "bad_value"),
        ("film,p,,2026-09-01T17:00:00Z,好看,many,a1,SG,\n", "bad_value"),
        ("film,p,,2026-09-01T17:00:00Z,好看,-1,a1,SG,\n", "out_of_range"),
        ("other,p,,2026-09-01T17:00:00Z,好看,3,a1,SG,\n", "unknown_title"),
        ("film,p,,,好看,3,a1,SG,\n", "no_time"),
        ("film,p,,3小时前,好看,3,a1,SG,\n", "bad_value"),
        ("film,p,,2036-09-01T17:00:00Z,好看,3,a1,SG,\n", "future"),
        ("film,p,,2026-09-01T17:00:00Z,好看,3,a1,XX,\n", "unknown_territory"),
    ],
)
def test_a_bad_post_stays_out_alone(tmp_path: Path, row: str, reason: str) -> None:
    good = "".join(POST.replace("p1", f"p{n}") for n in range(30))
    landed = take(write(tmp_path, "discussion.csv", POSTS + good + row))
    assert (len(landed.table), rejected(landed)) == (30, {reason: 1})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("film,,2026-09-01T17:00:00Z,wechat,v1,61,1,1,\n", "bad_value"),
        ("film,s,2026-09-01T17:00:00Z,,v1,61,1,1,\n", "bad_value"),
        ("film,s,2026-09-01T17:00:00Z,*,v1,61,1,1,\n", "bad_value"),
        ("film,s,2026-09-01T17:00:00Z,wechat,v1,61,1,-1,\n", "out_of_range"),
        ("film,s,2026-09-01T17:00:00Z,wechat,v1,-5,1,1,\n", "out_of_range"),
        ("film,s,,wechat,v1,61,1,1,\n", "no_time"),
    ],
)
def test_a_bad_share_stays_out_alone(tmp_path: Path, row: str, reason: str) -> None:
    good = "".join(SHARE.replace("s1", f"s{n}") for n in range(30))
    landed = take(write(tmp_path, "shares.csv", SHARE_HEADER + good + row))
    assert (len(landed.table), rejected(landed)) == (30, {reason: 1})


def test_posts_without_times_go_to_the_day_that_is_given(tmp_path: Path) -> None:
    path = write(tmp_path, "discussion.csv", "title_id,post_id,text\nfilm,p1,好\n")
    assert "missing column posted_at" in problem(path)
    landed = take(path, options=Options(day=date(2026, 9, 1)))
    assert landed.table["day"].to_pylist() == [date(2026, 9, 1)]


def test_posts_without_ids_are_known_by_what_they_say() -> None:
    first, again, other = content_ids([(1, None, "好"), (1, None, "好"), (2, None, "好")])
    assert first == again != other
    one, two = content_ids([(None, None, "好"), (None, None, "好")])
    assert one != two
    assert content_ids([(None, None, "好")]) == [one]
