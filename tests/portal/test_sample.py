"""The sample generator: what it promises about its files."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest

from engagement.formats import Catalogue, Landed, Options, Reading, read
from portal.sample import platform
from portal.sample.catalogue import MYSTERIES, TITLES
from portal.sample.generator import SEGMENTS, generate, generated_until
from portal.sample.sharing import CHANNELS

UNTIL = date(2026, 11, 22)
SINCE = UNTIL - timedelta(days=60)
BY_KEY = {t.key: t for t in TITLES}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    generate(folder, until=UNTIL, segments=100_000)
    return folder


@pytest.fixture(scope="module")
def db(sample: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The segments as a table, `day` being Shanghai's."""
    connection = duckdb.connect()
    connection.execute(
        f"""create table segments as
            select * exclude (started_at, filename),
                   epoch_us(started_at) as at_us,
                   parse_filename(filename, true)[10:]::date as file_day,
                   (to_timestamp(epoch_us(started_at) / 1e6 + 8 * 3600)
                       at time zone 'UTC')::date as day
            from read_parquet('{sample}/segments/*.parquet', filename = true)"""
    )
    yield connection
    connection.close()


def rows(db: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return db.execute(query).fetchall()


def danmu(sample: Path, key: str) -> list[dict[str, str]]:
    with gzip.open(sample / "danmu" / f"danmu.{key}.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    def digests(name: str, seed: int) -> dict[str, str]:
        folder = tmp_path / name
        generate(folder, until=UNTIL, segments=20_000, days=20, seed=seed)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        return {
            str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
        }

    first = digests("first", 5)
    assert digests("again", 5) == first
    other = digests("other", 6)
    assert other.keys() == first.keys()
    differing = {name for name in first if first[name] != other[name]}
    assert differing == first.keys() - {"SAMPLE", "titles.csv"}


def test_every_day_has_its_file_and_a_session_lies_in_that_of_the_day_it_began(
    sample: Path, db: duckdb.DuckDBPyConnection
) -> None:
    files = sorted(p.name for p in (sample / "segments").iterdir())
    assert files == [f"segments.{SINCE + timedelta(days=n)}.parquet" for n in range(60)]
    assert generated_until(sample) == UNTIL
    assert pq.read_schema(sample / "segments" / files[0]) == SEGMENTS
    starts = rows(
        db,
        """with sessions as (
                  select arg_min(day, at_us) as began, max(day) as ended,
                         any_value(file_day) as file_day, count(distinct file_day) as files
                  from segments group by session_id)
                select count(*) filter (where began <> file_day or files > 1),
                       count(*) filter (where ended > began)
                from sessions""",
    )
    elsewhere, over_midnight = starts[0]
    assert elsewhere == 0
    assert over_midnight > 100


def test_about_as_many_segments_as_asked_for(db: duckdb.DuckDBPyConnection) -> None:
    [(count,)] = rows(db, "select count(*) from segments")
    assert 85_000 < count < 115_000


def test_segments_keep_to_the_contract(db: duckdb.DuckDBPyConnection) -> None:
    runtimes = {t.key: t.runtime_s for t in TITLES if t.kind != "series"}
    found = rows(
        db, "select title_id, min(from_s), max(to_s), min(to_s - from_s) from segments group by 1"
    )
    assert {key for key, *_ in found} == runtimes.keys()
    for key, lowest, highest, shortest in found:
        assert lowest == 0
        assert highest <= runtimes[key]
        assert shortest >= 1
    assert rows(
        db,
        """select max(v), max(t), max(d), max(p), max(g) from (
             select count(distinct viewer_id) v, count(distinct title_id) t,
                    count(distinct device) d, count(distinct territory) p,
                    count(distinct gender) g
             from segments group by session_id)""",
    ) == [(1, 1, 1, 1, 1)]


def test_the_clock_of_a_session_leaves_time_for_what_was_played(
    db: duckdb.DuckDBPyConnection,
) -> None:
    assert rows(
        db,
        """select count(*) from (
             select at_us, lag(at_us + (to_s - from_s)::bigint * 1000000)
                             over (partition by session_id order by at_us) as free_at
             from segments)
           where at_us <= free_at""",
    ) == [(0,)]
    [(latest,)] = rows(db, "select max(at_us + (to_s - from_s)::bigint * 1000000) from segments")
    end = datetime(UNTIL.year, UNTIL.month, UNTIL.day, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert datetime.fromtimestamp(latest / 1e6, UTC) <= end


def test_nobody_watches_before_the_release(db: duckdb.DuckDBPyConnection) -> None:
    for key, first in rows(db, "select title_id, min(day) from segments group by 1"):
        assert first >= BY_KEY[key].released_on(UNTIL)


def test_codes_are_those_of_the_contract(db: duckdb.DuckDBPyConnection) -> None:
    def values(column: str) -> set[str | None]:
        return {v for (v,) in rows(db, f"select distinct {column} from segments")}

    assert values("territory") == {"CN", "HK", "TW", "SG", "MY", "US"}
    assert values("device") == {"mobile", "tv", "web", "pad", ""}
    assert values("gender") == {"female", "male", "unknown"}
    assert values("age_band") == {
        "<18", "18-24", "25-30", "31-35", "36-40", "41-50", "51+", "unknown"
    }  # fmt: skip
    assert rows(db, "select count(*) from segments where region not like territory || '-%'") == [
        (0,)
    ]
    assert values("case when region is null then territory end") == {"SG", "HK", None}


def test_a_fifth_of_film_sessions_bounce_and_a_third_of_all_seek_back(
    db: duckdb.DuckDBPyConnection,
) -> None:
    [(bounced,)] = rows(
        db,
        """select avg((far < 180)::int) from (
             select max(to_s) as far from segments where title_id like 'SP-F%'
             group by session_id having min(from_s) = 0)""",
    )
    assert 0.15 < bounced < 0.25
    [(seeks_back,)] = rows(
        db,
        """select avg(coalesce(back, false)::int) from (
             select session_id, bool_or(from_s < was) as back from (
               select session_id, from_s,
                      lag(to_s) over (partition by session_id order by at_us) as was
               from segments)
             group by session_id)""",
    )
    assert 0.30 < seeks_back < 0.40


def test_episodes_are_followed_on_by_viewers_of_the_one_before(
    db: duckdb.DuckDBPyConnection,
) -> None:
    for before, after in (("SP-S01E02", "SP-S01E03"), ("SP-S02E01", "SP-S02E02")):
        [(viewers, followed)] = rows(
            db,
            f"""select count(distinct viewer_id),
                       count(distinct viewer_id) filter (where viewer_id in (
                         select viewer_id from segments where title_id = '{before}'))
                from segments where title_id = '{after}'""",
        )
        assert followed > 0.85 * viewers


def test_most_skip_the_opening_titles_of_an_episode(db: duckdb.DuckDBPyConnection) -> None:
    def sessions_at(second: int) -> int:
        [(count,)] = rows(
            db,
            f"""select count(distinct session_id) from segments
                where title_id = 'SP-S01E02' and from_s <= {second} and to_s > {second}""",
        )
        return count

    assert sessions_at(90) < 0.6 * sessions_at(20)
    assert sessions_at(150) > 0.85 * sessions_at(20)


def test_small_titles_never_have_fifty_viewers_a_day_and_one_has_900_in_all(
    db: duckdb.DuckDBPyConnection,
) -> None:
    found = dict(
        rows(
            db,
            """select title_id, max(viewers) from (
                 select title_id, day, count(distinct viewer_id) as viewers
                 from segments group by 1, 2)
               group by 1""",
        )
    )
    assert found["SP-F15"] < 50
    assert found["SP-F12"] > 200
    [(viewers,)] = rows(
        db, "select count(distinct viewer_id) from segments where title_id = 'SP-F15'"
    )
    assert 850 <= viewers <= 900


def test_no_partner_dominates_the_mystery_films(db: duckdb.DuckDBPyConnection) -> None:
    assert {BY_KEY[k].partner for k in MYSTERIES} == {p.slug for p in platform.PARTNERS}
    assert all(95 * 60 <= BY_KEY[k].runtime_s <= 115 * 60 for k in MYSTERIES)
    assert all("悬疑" in BY_KEY[k].genres for k in MYSTERIES)
    db.execute("create temp table held (partner text, title_id text)")
    for holding in platform.HOLDINGS:
        if holding.title in MYSTERIES:
            db.execute("insert into held values (?, ?)", [holding.partner, holding.title])
    # Whether a viewer of two films is pooled once or twice, nobody dominates.
    for what in ("viewer_id", "(title_id, viewer_id)"):
        count = f"select count(distinct {what}) from segments semi join held on"
        same = "held.title_id = segments.title_id"
        [(pooled,)] = rows(db, f"{count} {same}")
        slugs = [p.slug for p in platform.PARTNERS]
        for one, other in product(slugs, slugs):
            [(together,)] = rows(db, f"{count} {same} and partner in ('{one}', '{other}')")
            assert together <= (0.5 if one == other else 0.8) * pooled, (what, one, other)


def test_danmu_fall_on_seconds_of_the_title_and_crowd_at_its_scenes(sample: Path) -> None:
    title = BY_KEY["SP-F12"]
    comments = danmu(sample, title.key)
    offsets = [int(c["offset_s"]) for c in comments if c["offset_s"]]
    assert max(offsets) < title.runtime_s
    in_scenes = sum(
        any(s.minute * 60 - 15 <= o < s.minute * 60 + s.seconds + 60 for s in title.scenes)
        for o in offsets
    )
    length = sum(s.seconds + 75 for s in title.scenes)
    assert in_scenes / len(offsets) > 4 * length / title.runtime_s
    assert all(SINCE.isoformat() <= c["posted_at"] < UNTIL.isoformat() for c in comments)


def test_danmu_repeat_are_liked_lack_offsets_vanish_and_hold_contacts(sample: Path) -> None:
    comments = [c for t in TITLES if t.kind != "series" for c in danmu(sample, t.key)]
    senders: dict[str, set[str]] = {}
    for comment in comments:
        senders.setdefault(comment["text"], set()).add(comment["sender_id"])
    assert len(senders["前方高能"]) >= 50
    assert sum(len(s) == 1 for s in senders.values()) > 500
    assert sum(int(c["likes"]) >= 10 for c in comments) > 50
    assert 10 < sum(not c["offset_s"] for c in comments) < 0.01 * len(comments)
    assert 10 < sum(bool(c["deleted_at"]) for c in comments) < 0.01 * len(comments)
    assert sum("wx_sample_" in c["text"] for c in comments) >= 3
    assert all(not c["deleted_at"] or c["deleted_at"] > c["posted_at"] for c in comments)


def table(sample: Path, name: str) -> list[dict[str, str]]:
    with gzip.open(sample / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def landed(sample: Path, name: str) -> Landed:
    """As `ingest` reads the file."""
    return read(
        sample / f"{name}.csv.gz",
        name=f"{name}.csv.gz",
        options=Options(),
        catalogue=Catalogue({t.key: t.runtime_s for t in TITLES if t.kind != "series"}),
        settings=Reading("CN", ZoneInfo("Asia/Shanghai"), datetime(2026, 11, 24, tzinfo=UTC), {}),
    )


def test_what_is_said_and_shared_is_read_as_native_files_without_a_bad_row(sample: Path) -> None:
    for kind in ("discussion", "shares"):
        found = landed(sample, kind)
        assert (found.kind, found.format, found.rejected) == (kind, "native", {})
        assert set(found.table["title_id"].to_pylist()) == {
            t.key for t in TITLES if t.kind != "series"
        }
        days = set(found.table["day"].to_pylist())
        assert all(SINCE <= day < UNTIL for day in days)


def test_replies_answer_posts_of_their_title_and_come_after_them(sample: Path) -> None:
    posts = {p["post_id"]: p for p in table(sample, "discussion")}
    replies = [p for p in posts.values() if p["parent_id"]]
    assert 0.4 < len(replies) / len(posts) < 0.6
    for reply in replies:
        parent = posts[reply["parent_id"]]
        assert (parent["title_id"], parent["parent_id"]) == (reply["title_id"], "")
        assert parent["posted_at"] < reply["posted_at"]
    gone = [p for p in posts.values() if p["deleted_at"]]
    assert 1 <= len(gone) < 0.02 * len(posts)
    assert all(p["posted_at"] < p["deleted_at"] for p in gone)
    assert {p["author_id"][0] for p in posts.values()} == {"d"}  # who wrote danmu writes here


def test_posts_name_nobody_but_the_inventions_of_their_title(sample: Path) -> None:
    """No placeholder is left, and most posts that are about a scene are about the title's own."""
    posts = table(sample, "discussion")
    assert not [p["text"] for p in posts if "{" in p["text"]]
    texts = {p["text"] for p in posts if p["title_id"] == "SP-F12"}
    things = [scene.thing for scene in BY_KEY["SP-F12"].scenes]
    assert any(thing in text for text in texts for thing in things)
    elsewhere = [scene.thing for t in TITLES if t.key != "SP-F12" for scene in t.scenes]
    ours = set(things)
    assert not [t for t in texts for thing in elsewhere if thing in t and thing not in ours]


def test_shares_lie_on_seconds_of_the_title_and_each_channel_has_its_reach(sample: Path) -> None:
    links = table(sample, "shares")
    assert len({link["share_id"] for link in links}) == len(links)
    placed = [link for link in links if link["offset_s"]]
    assert 0.6 < len(placed) / len(links) < 0.7
    assert all(int(p["offset_s"]) < BY_KEY[p["title_id"]].runtime_s for p in placed)
    assert all(int(link["new_viewers"]) <= int(link["visits"]) for link in links)
    visits: dict[str, list[int]] = {}
    for link in links:
        visits.setdefault(link["channel"], []).append(int(link["visits"]))
    assert visits.keys() == CHANNELS.keys()
    mean = {channel: sum(each) / len(each) for channel, each in visits.items()}
    assert mean["wechat"] < mean["wechat-moments"] < mean["weibo"] < mean["douyin"]
    assert max(visits, key=lambda c: len(visits[c])) == "wechat"


def test_titles_file_states_every_title_of_the_cast(sample: Path) -> None:
    with (sample / "titles.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [t["title_id"] for t in found] == [t.key for t in TITLES]
    keys = {t["title_id"] for t in found}
    assert {t["parent_title_id"] for t in found} - {""} < keys
    kinds = [t["kind"] for t in found]
    counts = {k: kinds.count(k) for k in ("film", "series", "episode", "trailer")}
    assert counts == {"film": 16, "series": 2, "episode": 11, "trailer": 4}
    assert len({t["name_en"] for t in found}) == len(found)


def test_the_cast_fits_together() -> None:
    partners = {p.slug: p for p in platform.PARTNERS}
    held = {(h.partner, h.title) for h in platform.HOLDINGS}
    staff = {s.email for s in platform.STAFF}
    people = [m for p in platform.PARTNERS for m in p.members]
    assert len(partners) == 6
    assert {m.role for m in people} == {"owner", "analyst", "viewer"}
    assert all(m.email.endswith(".example.com") for m in people)
    assert {t for _, t in held} == BY_KEY.keys()
    for grant in platform.GRANTS:
        assert {(grant.partner, key) for key in grant.titles} <= held
        assert {grant.maker, grant.approver} <= staff
        assert grant.maker != grant.approver
    for schedule in platform.SCHEDULES:
        members = {m.email for m in partners[schedule.partner].members}
        assert {schedule.by, *schedule.recipients} <= members
    shared = {h.partner: h.territories for h in platform.HOLDINGS if h.title == "SP-F12"}
    assert shared == {"calico-cat": ("CN",), "ninth-pier": ("SG", "MY", "TW", "HK")}
