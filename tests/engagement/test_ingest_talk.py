"""Discussion and shares in: counted once, masked, without authors; new viewers with a floor."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engagement.models import DiscussionFact, DiscussionPost, Rejected, Release
from tests.engagement.one_film import DAY, NEXT, ingest, land

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
def test_a_withdrawn_discussion_is_gone(folder: Path) -> None:
    land(folder, "discussion.csv", [post("p1", "好")], POSTS)
    ingest(folder)
    (folder / "discussion.csv").unlink()
    ingest(folder, withdraw=["discussion.csv"])
    assert not DiscussionFact.objects.exists()
    assert not DiscussionPost.objects.exists()
    done = Release.objects.get(kind="discussion", state="done")
    assert (done.rows, list(done.sources.all())) == (0, [])
