"""Discussion and shares in: counted once, masked, without authors; new viewers with a floor."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from engagement import curves, query
from engagement.models import (
    DiscussionFact,
    DiscussionPost,
    Rejected,
    Release,
    SharingFact,
    SharingOffset,
    Title,
)
from engagement.pipeline import ingest as pipeline
from engagement.pipeline.publish_shares import loose_titles
from engagement.scope import Query, Window
from partners.access import scope_for
from tests.cast import Cast
from tests.conftest import SignedIn
from tests.engagement.one_film import DAY, NEXT, TITLES, ingest, land

ONE = timedelta(days=1)
POSTS = "title_id,post_id,parent_id,posted_at,text,likes,author_id,territory,deleted_at"


def post(
    number: str,
    text: str,
    author: str = "",
    *,
    parent: str = "",
    day: date = DAY,
    likes: int = 0,
    territory: str = "CN",
    deleted: str = "",
) -> str:
    return f"film,{number},{parent},{day}T04:00:00Z,{text},{likes},{author},{territory},{deleted}"


def days() -> list[tuple[date, str, int, int, int]]:
    facts = DiscussionFact.objects.order_by("from_day", "territory")
    return [(f.from_day, f.territory, f.posts, f.replies, f.likes) for f in facts]


@pytest.mark.django_db
def test_posts_and_replies_are_counted_by_day_and_territory(folder: Path) -> None:
    rows = [
        post("p1", "好看", "a1", likes=2),
        post("p2", "同意", "a2", parent="p1", likes=1),
        post("p3", "同意", "a3", parent="p1", day=NEXT),
        post("p4", "好看", "a4", territory="SG"),
    ]
    land(folder, "discussion.csv", rows, POSTS)
    ingest(folder)
    assert days() == [
        (DAY, "*", 2, 1, 3),
        (DAY, "CN", 1, 1, 3),
        (DAY, "SG", 1, 0, 0),
        (NEXT, "*", 0, 1, 0),
        (NEXT, "CN", 0, 1, 0),
    ]
    first = DiscussionPost.objects.get(text="好看", territory="CN")
    assert (first.replies, first.repeats, first.likes) == (2, 2, 2)


@pytest.mark.django_db
def test_contact_details_are_masked_and_unknown_authors_are_one(folder: Path) -> None:
    rows = [post(f"p{n}", "敬二舅") for n in range(5)]
    rows += [post("q1", "敬二舅", "a1"), post("q2", "我的电话13812345678", "a1"), post("q3", " ")]
    land(folder, "discussion.csv", rows, POSTS)
    ingest(folder)
    assert days() == [(DAY, "*", 8, 0, 0), (DAY, "CN", 8, 0, 0)]
    assert {p.repeats for p in DiscussionPost.objects.filter(text="敬二舅")} == {2}
    assert DiscussionPost.objects.count() == 7  # a blank post has nothing to show
    assert not DiscussionPost.objects.filter(text__contains="13812345678").exists()


@pytest.mark.django_db
def test_a_post_counts_once_as_the_file_landed_last_says(folder: Path) -> None:
    land(folder, "discussion-1.csv", [post("p1", "好", likes=1), post("p2", "坏")], POSTS)
    ingest(folder)
    deleted = post("p2", "坏", deleted="2024-09-03T00:00:00Z")
    land(folder, "discussion-2.csv", [post("p1", "好", likes=12), deleted], POSTS)
    DiscussionPost.objects.filter(text="好").update(picked=True)
    summary = ingest(folder)
    assert (summary.releases, summary.duplicates) == (1, 2)
    left = DiscussionPost.objects.get()
    assert (left.text, left.likes, left.picked) == ("好", 12, True)
    assert days() == [(DAY, "*", 1, 0, 12), (DAY, "CN", 1, 0, 12)]
    duplicates = Rejected.objects.get(reason="duplicate", rows__gt=0)
    assert (duplicates.source.name, duplicates.rows) == ("discussion-1.csv", 2)
    assert ingest(folder).releases == 0


@pytest.mark.django_db
def test_a_post_or_share_of_one_id_counts_once_in_each_title_that_has_it(folder: Path) -> None:
    with (folder / "titles.csv").open("a") as titles:
        titles.write("other,film,另,Other,100,2024-09-01,,,,,\n")

    def of_other(row: str) -> str:
        return row.replace("film,", "other,", 1)

    # the second file moves the first post and share to the other title, and has the rest again
    land(folder, "discussion-1.csv", [post("p1", "好", "a1"), post("p2", "好", "a2")], POSTS)
    moved = [of_other(post("p1", "好", "a1")), post("p2", "好", "a2", likes=3)]
    land(folder, "discussion-2.csv", moved, POSTS)
    land(folder, "shares-1.csv", [share("s1", 1), share("s2", 2)], SHARES)
    land(folder, "shares-2.csv", [of_other(share("s1", 1)), share("s2", 9)], SHARES)
    ingest(folder)

    def counted() -> dict[str, tuple[int, int]]:
        facts = SharingFact.objects.filter(territory="*", shares__gt=0)
        shares = dict(facts.values_list("title__key", "shares"))
        posts = DiscussionFact.objects.filter(territory="*").values_list("title__key", "posts")
        return {title: (n, shares[title]) for title, n in posts}

    assert counted() == {"film": (2, 2), "other": (1, 1)}
    # what was under the wrong title is taken from it by its own file
    land(folder, "discussion-1.csv", [post("p2", "好", "a2")], POSTS)
    land(folder, "shares-1.csv", [share("s2", 2)], SHARES)
    ingest(folder)
    assert counted() == {"film": (1, 1), "other": (1, 1)}


@pytest.mark.django_db
def test_another_platforms_post_of_the_same_number_is_another_post(folder: Path) -> None:
    land(folder, "discussion.csv", [post("105", "好看", "a1")], POSTS)
    ingest(folder)
    crawl = (
        "comment_id,video_id,relative_time_as_shown,device,likes,user_pseudonym,text,"
        "reply_to_text,reply_to_user_pseudonym,reply_to_likes"
    )
    rows = ["105,1,1小时前,phone,0,u1,不错,,,", "106,1,1小时前,phone,0,u2,同意,不错,u1,0"]
    path = land(folder.parent, "mango.csv", rows, crawl)
    ingest(path, title="film", day=DAY)
    assert days() == [(DAY, "*", 2, 1, 0), (DAY, "CN", 2, 1, 0)]
    assert DiscussionPost.objects.get(text="不错").replies == 1
    again = land(folder.parent, "mango-again.csv", rows, crawl)
    assert ingest(again, title="film", day=DAY).releases == 0


@pytest.mark.django_db
def test_a_withdrawn_discussion_is_gone(folder: Path) -> None:
    land(folder, "discussion.csv", [post("p1", "好")], POSTS)
    ingest(folder)
    (folder / "discussion.csv").unlink()
    ingest(folder, withdraw=["discussion.csv"])
    assert not DiscussionFact.objects.exists()
    assert not DiscussionPost.objects.exists()
    done = Release.objects.get(kind="discussion", state="done")
    assert (done.rows, list(done.sources.all())) == (0, [])


SHARES = "title_id,share_id,shared_at,channel,sharer_id,offset_s,visits,new_viewers,territory"


def share(
    number: str,
    brought: int,
    day: date = DAY,
    *,
    channel: str = "wechat",
    territory: str = "CN",
    offset: str = "30",
) -> str:
    moment = f"{day}T04:00:00Z"
    return f"film,{number},{moment},{channel},v1,{offset},{brought + 1},{brought},{territory}"


def shown(channel: str = "wechat") -> list[tuple[int, str, int, int | None, int | None]]:
    """By day of September 2024 and territory: shares, new viewers, the day they count from."""
    return [
        (f.from_day.day, f.territory, f.shares, f.new_viewers, f.new_since and f.new_since.day)
        for f in SharingFact.objects.filter(channel=channel, from_day__year=2024).order_by(
            "from_day", "territory"
        )
    ]


@pytest.mark.django_db
def test_new_viewers_join_days_until_they_are_fifty(folder: Path) -> None:
    rows = [
        share("s1", 20),
        share("s2", 30, NEXT),
        share("s3", 25, NEXT, offset=""),
        share("s4", 49, NEXT + ONE),
        share("s5", 60, channel="weibo"),
    ]
    land(folder, "shares.csv", rows, SHARES)
    ingest(folder)
    assert shown() == [
        (2, "*", 1, None, None),
        (2, "CN", 1, None, None),
        (3, "*", 2, 75, 2),
        (3, "CN", 2, 75, 2),
        (4, "*", 1, None, None),
        (4, "CN", 1, None, None),
    ]
    assert shown("weibo") == [(2, "*", 1, 60, 2), (2, "CN", 1, 60, 2)]
    at = SharingOffset.objects.get(from_day=NEXT, territory="*")
    assert (at.shares, at.unplaced, curves.unpack(at.curves)[0, 30]) == (2, 1, 1)
    assert {(r.day, r.rows) for r in Release.objects.filter(kind="shares")} == {
        (DAY, 2),
        (NEXT, 2),
        (NEXT + ONE, 1),
    }
    assert ingest(folder).releases == 0


@pytest.mark.django_db
def test_a_territory_that_subtraction_would_tell_waits_with_another(folder: Path) -> None:
    rows = [
        share("s1", 80),
        share("s2", 60, territory="SG"),
        share("s3", 5, territory="MY"),
        share("s4", 0, territory="TH"),
    ]
    land(folder, "shares.csv", rows, SHARES)
    ingest(folder)
    assert shown() == [
        (2, "*", 4, 145, 2),
        (2, "CN", 1, 80, 2),
        (2, "MY", 1, None, 2),
        (2, "SG", 1, None, 2),
        (2, "TH", 1, 0, 2),
    ]


@pytest.mark.django_db
def test_a_territory_without_shares_on_the_last_day_has_a_row_for_its_new_viewers(
    folder: Path,
) -> None:
    rows = [share("s1", 40, territory="SG"), share("s2", 100, NEXT)]
    land(folder, "shares.csv", rows, SHARES)
    ingest(folder)
    assert shown() == [
        (2, "*", 1, None, None),
        (2, "SG", 1, None, None),
        (3, "*", 1, 140, 2),
        (3, "CN", 1, None, 2),
        (3, "SG", 0, None, 2),
    ]


@pytest.mark.django_db
def test_a_share_counts_once_as_landed_last_and_few_new_viewers_more_wait(folder: Path) -> None:
    land(folder, "shares-1.csv", [share("s1", 60), share("s2", 10)], SHARES)
    ingest(folder)
    assert shown()[0] == (2, "*", 2, 70, 2)
    land(folder, "shares-2.csv", [share("s2", 30)], SHARES)
    summary = ingest(folder)
    assert (summary.releases, summary.duplicates) == (1, 1)
    assert shown()[0] == (2, "*", 2, 70, 2)  # twenty more wait
    assert SharingFact.objects.get(territory="*").visits == 61 + 31  # visits are exact
    land(folder, "shares-3.csv", [share("s2", 65)], SHARES)
    ingest(folder)
    assert shown()[0] == (2, "*", 2, 125, 2)


@pytest.mark.django_db
def test_withdrawn_shares_are_gone_and_their_piece_stays_in_place(folder: Path) -> None:
    land(folder, "shares.csv", [share("s1", 60)], SHARES)
    ingest(folder)
    (folder / "shares.csv").unlink()
    ingest(folder, withdraw=["shares.csv"])
    assert shown() == [(2, "*", 0, None, 2)]
    assert not SharingOffset.objects.exists()
    land(folder, "shares.csv", [share("s1", 60)], SHARES)
    ingest(folder)
    assert shown() == [(2, "*", 1, None, 2), (2, "CN", 1, None, 2)]


@pytest.mark.django_db
def test_days_settle_by_themselves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(folder, "shares.csv", [share("s1", 60)], SHARES)
    monkeypatch.setattr(pipeline, "settled_until", lambda: DAY)
    ingest(folder)
    assert shown() == [(2, "*", 1, None, None), (2, "CN", 1, None, None)]
    monkeypatch.setattr(pipeline, "settled_until", lambda: NEXT)
    assert ingest(folder).releases == 0
    assert shown() == [(2, "*", 1, 60, 2), (2, "CN", 1, 60, 2)]


MINE = TITLES + "mine,film,m,m,100,2024-09-01,,,,,\n"


def told(cast: Cast, folder: Path, rows: list[str]) -> list[tuple[object, ...]]:
    """What a partner who is granted the film is told of these shares over September 2024."""
    (folder / "titles.csv").write_text(MINE)
    land(folder, "shares.csv", [row.replace("film", "mine", 1) for row in rows], SHARES)
    ingest(folder)
    mine = Title.objects.get(key="mine")
    cast.grant(cast.aurora, mine)
    september = Window(date(2024, 9, 1), date(2024, 10, 1))
    result = query.run(Query(mine.pk, "sharing", september), scope_for(cast.alice, "web"))
    names = ("territory", "shares", "visits", "new_viewers", "hidden_reason")
    return [(r["day"].day, *(r[n] for n in names)) for r in result.rows()]  # type: ignore[union-attr]


def bare(number: str, day: date = DAY, visits: str = "", brought: str = "", **at: str) -> str:
    """A share that may lack its numbers."""
    where = at.get("territory", "CN")
    return f"film,{number},{day}T04:00:00Z,wechat,v1,30,{visits},{brought},{where}"


@pytest.mark.django_db
def test_visits_and_new_viewers_that_no_file_tells_are_not_measured_and_a_zero_is_none(
    folder: Path, cast: Cast
) -> None:
    rows = [bare("s1"), bare("s2", NEXT, visits="0", brought="0"), bare("s3", NEXT + ONE, "7")]
    assert told(cast, folder, rows) == [
        (2, "*", 1, None, None, "visits:not_measured;new_viewers:not_measured"),
        (3, "*", 1, 0, None, "waiting"),
        (4, "*", 1, 7, None, "not_measured"),
    ]
    assert ingest(folder).releases == 0
    assert loose_titles(date(2024, 9, 3)) == []  # what cannot be measured is not looked at again


@pytest.mark.django_db
def test_a_sum_with_an_unmeasured_share_in_it_is_not_told_too_small(
    folder: Path, cast: Cast
) -> None:
    rows = [
        share("s1", 80),
        bare("s2", visits="5", territory="SG"),
        share("s3", 20, NEXT),
        bare("s4", NEXT + ONE, brought="70"),
    ]
    assert told(cast, folder, rows) == [
        (2, "*", 2, 86, None, "not_measured"),
        (3, "*", 1, 21, None, "waiting"),
        (4, "*", 1, None, 90, "visits:not_measured"),
    ]
    assert shown() == [
        (2, "*", 2, None, None),
        (2, "CN", 1, None, None),
        (2, "SG", 1, None, None),
        (3, "*", 1, None, None),
        (3, "CN", 1, None, None),
        (4, "*", 1, 90, 3),
        (4, "CN", 1, 90, 3),
    ]


@pytest.mark.django_db
def test_a_piece_whose_last_day_is_no_longer_measured_shows_nothing(folder: Path) -> None:
    land(folder, "shares.csv", [share("s1", 30), share("s2", 60, NEXT)], SHARES)
    ingest(folder)
    assert shown()[2] == (3, "*", 1, 90, 2)
    land(folder, "shares.csv", [share("s1", 30), bare("s2", NEXT)], SHARES)
    ingest(folder)
    assert shown()[2] == (3, "*", 1, None, 2)
    assert SharingFact.objects.get(from_day=NEXT, territory="*").new_viewers_measured is False


@pytest.mark.django_db
def test_a_share_file_without_the_columns_lands_and_its_csv_is_empty_there(
    folder: Path, cast: Cast
) -> None:
    (folder / "titles.csv").write_text(MINE)
    land(
        folder, "shares.csv", [f"mine,s1,{DAY}T04:00:00Z,wechat"],
        "title_id,share_id,shared_at,channel",
    )  # fmt: skip
    ingest(folder)
    mine = Title.objects.get(key="mine")
    cast.grant(cast.aurora, mine)
    alice = SignedIn(cast.alice.user)
    url = f"/api/v1/p/aurora/titles/{mine.slug}/sharing/"
    [row] = alice.get(url).json()["rows"]
    assert row == {
        "day": "2024-09-02", "territory": "*", "channel": "wechat", "shares": 1, "visits": None,
        "new_viewers": None, "hidden_reason": "visits:not_measured;new_viewers:not_measured",
    }  # fmt: skip
    text = alice.get(url, headers={"accept": "text/csv"}).content.decode("utf-8-sig")
    assert text.splitlines()[1] == (
        "2024-09-02,*,wechat,1,,,visits:not_measured;new_viewers:not_measured"
    )
