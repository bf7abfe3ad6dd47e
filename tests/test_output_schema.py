"""P8, case 89: what leaves has no column that is about one person, in any exit.

Who sent what and who watched stays in the pipeline; here every table that a partner may read is
read in full, as JSON and as CSV, and looked through: its columns against the list of those there
may be, its values for what looks like a person's, and for cells in which a single one would stand.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engagement.families.registry import RESOURCES
from engagement.formats import Options
from engagement.models import Title
from engagement.pipeline.ingest import ingest
from partners.holdings import holders
from partners.models import Holding
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.engagement.one_film import DANMU, SEGMENTS, TITLES, land, noon
from tests.engagement.test_ingest_talk import SHARES

SURVIVAL = {f"survival_{n:02}" for n in range(5, 101, 5)}
MAY_LEAVE = {
    # what a cell is of
    "from", "until", "day", "territory", "device", "age_band", "gender", "region", "fan_set",
    "channel", "content_second", "from_second", "to_second", "kind", "families", "phrase", "text",
    # what is counted in it
    "plays", "viewers", "viewers_low", "viewers_high", "watch_seconds", "completions", "finishers",
    "carried_on", "sessions", "retention", "starts", "stops", "skips", "typical_retention",
    "times_played", "rewatches", "audience_watch_ratio", "typical_audience_watch_ratio",
    "comments", "laughter", "tears", "shock", "praise", "complaint", "lift", "lift_low",
    "lift_high", "repeats", "likes", "posts", "replies", "shares", "visits", "new_viewers",
    "viewers_in_common", "share_of_title", "share_of_fan_set", "score", "hidden_reason",
} | SURVIVAL  # fmt: skip
"""The columns there may be. A new one is put here by whoever has asked what it tells of one."""
OF_ONE = re.compile(
    r"(^|_)(id|ids|uid|hash|sha\d*|token|key|ip|address|device_id|imei|idfa|email|mail|phone|user|"
    r"sender|author|viewer|sharer|session|name|cookie|agent|lat|lon|birth|age)(_|$)"
)
"""Names of what is one person's; `viewers` and `sessions` are counts."""
SESSION, VIEWER, SENDER, POST, SHARE = "zqsess", "zqview", "zqsend", "zqpost", "zqshare"
RAW = {"an id of a file": re.compile("zq(sess|view|send|post|share|b)|wxid|13812345678", re.I)}
DISCUSSION = "title_id,post_id,parent_id,posted_at,text,likes,author_id,territory,deleted_at"
LOOKS_LIKE = {
    "a mail address": re.compile(r"[^\s@]+@[^\s@]+\.[a-z]{2,}", re.I),
    "an IPv4 address": re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"),
    "an IPv6 address": re.compile(r"\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b", re.I),
    "a hash": re.compile(r"\b[0-9a-f]{32,}\b", re.I),
    "a UUID": re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I),
    "a device's number": re.compile(r"\b\d{15}\b"),
    "a mobile phone": re.compile(r"(?<!\d)(?:\+?86)?1[3-9]\d{9}(?!\d)"),
    "an identity card": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "a long number": re.compile(r"(?<!\d)\d{12,}(?!\d)"),
}
OF_CHILDREN = re.compile(
    r"<\s*1[0-8]|under[ _-]?1[0-8]|(?<!\d)(0|[0-9]|1[0-7])\s*[-–~]\s*(\d|1\d)(?!\d)|minor|child"
    r"|(?<![\d-])1[0-7](?![\d-])|未成年|儿童|岁以下"
)
OF_CELLS = ("age_band", "gender", "region", "fan_set", "device", "channel", "territory", "kind")
"""Columns whose values say of whom a cell is."""
VIEWERS = 600
CHILD, TEEN, ADULT = "<14", "<18", "25-30"
DIRT = "加我微信 wxid_zqb7654321 电话 13812345678 邮箱 zqb@example.org 证 110101199003077654"
FLOOR = 50


@pytest.fixture
def alice(cast: Cast, tmp_path: Path) -> SignedIn:
    """Aurora's owner, granted a title whose rows came from files full of what must not leave: ids
    in every column that has them, text with addresses, and two thirds of the viewers under age.
    """
    titles = TITLES + "whole,film,全片,Whole,100,2024-09-01,,,剧情,张三,\n"
    folder = tmp_path / "landing"
    folder.mkdir()
    (folder / "titles.csv").write_text(titles)
    ingest([folder], Options())
    title = Title.objects.get(key="whole")
    Holding.objects.create(partner=cast.aurora, title=title, territories=["CN", "SG"])
    ages = (CHILD, TEEN, ADULT)
    land(
        folder, "segments.csv",
        [
            f"{SESSION}{n},{VIEWER}{n},whole,{noon():%Y-%m-%dT%H:%M:%SZ},0,100,tv,"
            f"{'SG' if n % 5 == 0 else 'CN'},{'CN-SH' if n % 5 else ''},{ages[n % 3]},"
            f"{('female', 'male')[n % 2]}"
            for n in range(VIEWERS)
        ],
        SEGMENTS,
    )  # fmt: skip
    land(
        folder, "danmu.csv",
        [
            f"whole,{n % 90},2024-09-02T04:00:00Z,{('哈哈哈', DIRT)[n % 2]},{SENDER}{n},20,CN,"
            for n in range(120)
        ],
        DANMU,
    )  # fmt: skip
    land(
        folder, "discussion.csv",
        [
            f"whole,{POST}{n},,2024-09-02T04:00:00Z,{('好看', DIRT)[n % 2]},20,{SENDER}{n},CN,"
            for n in range(12)
        ],
        DISCUSSION,
    )  # fmt: skip
    land(
        folder, "shares.csv",
        [
            f"whole,{SHARE}{n},2024-09-02T04:00:00Z,wechat,{SENDER}{n},30,61,60,CN"
            for n in range(12)
        ],
        SHARES,
    )  # fmt: skip
    summary = ingest([folder], Options(), holders=holders())
    assert summary.quarantined == {}
    cast.grant(cast.aurora, title)
    return SignedIn(cast.alice.user)


def tables(
    client: SignedIn, resource: str
) -> Iterator[tuple[str, list[str], list[dict[str, Any]]]]:
    """Every form in which a resource leaves: which, its columns, its rows."""
    url = f"/api/v1/p/aurora/titles/whole/{resource}/"
    grains = ("window", "day") if RESOURCES[resource].curve else ("window",)
    for query in (f"?grain={g}&clip=1{t}" for g in grains for t in ("", "&territory=CN")):
        answer = client.get(url + query)
        assert answer.status_code == 200, (resource, query, answer.content)
        rows = answer.json()["rows"]
        yield f"json{query}", list(rows[0]) if rows else [], rows
        file = client.get(url + query, headers={"accept": "text/csv"})
        assert file.status_code == 200
        read = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))
        yield f"csv{query}", list(read.fieldnames or ()), list(read)
    page = client.get(f"/p/aurora/titles/whole/csv/{resource}/")
    read = csv.DictReader(io.StringIO(page.content.decode("utf-8-sig")))
    yield "page's csv", list(read.fieldnames or ()), list(read)


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_case_89_the_columns_are_those_that_were_allowed(resource: str) -> None:
    names = set(RESOURCES[resource].column_names())
    assert names - MAY_LEAVE == set()
    assert [n for n in names if OF_ONE.search(n)] == [n for n in names if n == "age_band"]


def test_case_89_no_exit_tells_of_one_person(alice: SignedIn) -> None:
    """Every resource as JSON and CSV, by window and day: columns, values, and sizes of cells."""
    leaked, seen = [], set()
    for resource in sorted(RESOURCES):
        for where, columns, rows in tables(alice, resource):
            assert set(columns) <= MAY_LEAVE, (resource, where)
            for row in rows:
                seen |= {(resource, k) for k, v in row.items() if v not in (None, "")}
                leaked += [
                    (resource, where, name, what, value)
                    for name, value in row.items()
                    for what, pattern in {**LOOKS_LIKE, **RAW}.items()
                    if pattern.search(str(value))
                ]
                leaked += [
                    (resource, where, name, "a group under age", row[name])
                    for name in OF_CELLS
                    if name in row and OF_CHILDREN.search(str(row[name] or ""))
                ]
    assert leaked == []
    # so that nothing was looked for in empty tables
    assert {("demographics", "viewers"), ("geography", "viewers"), ("retention", "sessions"),
            ("danmu_comments", "text"), ("discussion_posts", "text"), ("sharing", "new_viewers"),
            ("viewing", "viewers")} <= seen  # fmt: skip


def test_case_89_under_age_is_no_group_and_no_cell_is_nearly_one_person(alice: SignedIn) -> None:
    """400 of 600 are under 14 or 18: they stand in `unknown` with who told no age."""
    for _, _, rows in tables(alice, "demographics"):
        bands = {row["age_band"] for row in rows if row["age_band"]}
        assert bands
        for band in bands:
            assert band == "*" or re.fullmatch(
                r"(18|25|31|36|41|51)(-(24|30|35|40|50)|\+)(\|unknown)?|unknown", band
            ), band
    for resource in ("demographics", "geography"):
        for where, _, rows in tables(alice, resource):
            counted = [int(row["viewers"]) for row in rows if row["viewers"] not in (None, "")]
            assert counted, where
            assert min(counted) >= FLOOR, (resource, where)
            for name in OF_CELLS:
                distinct = {row[name] for row in rows if name in row}
                assert len(distinct) < VIEWERS // FLOOR, (resource, name)


def test_case_89_what_rest_answers_beside_numbers_names_nobody_of_the_audience(
    alice: SignedIn,
) -> None:
    for path in ("titles/", "titles/whole/", "releases/", "changes/"):
        said = alice.get(f"/api/v1/p/aurora/{path}").content.decode()
        for what, pattern in {**RAW, "a mail address": LOOKS_LIKE["a mail address"]}.items():
            assert not pattern.search(said), (path, what)
        assert not re.search(r"<1[48]|under.?1[48]", said), path
    schema = alice.get("/api/v1/schema/").content.decode()
    assert not re.search(r"viewer_id|sender_id|author_id|sharer_id|session_id|under.?1[48]", schema)
