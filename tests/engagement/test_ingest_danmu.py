"""Danmu files in: counted, masked, without senders, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engagement import curves
from engagement.models import (
    DanmuComment,
    DanmuFact,
    Rejected,
)
from tests.engagement.one_film import (
    DANMU,
    DAY,
    FILM,
    TITLES,
    comment,
    ingest,
    land,
)


@pytest.mark.django_db
def test_a_corrected_map_moves_the_comments_to_the_right_title(folder: Path) -> None:
    (folder / "titles.csv").write_text(FILM + "sequel,film,续集,Sequel,100,2024-09-01,,,,,\n")
    (folder / "crawled.csv").write_text("offset_s,posted_at,text\n10,2024-09-02T04:00:00Z,好\n")
    for title in ("film", "sequel"):
        (folder / "titles.map.csv").write_text(f"file,part,title_id\ncrawled.csv,,{title}\n")
        summary = ingest(folder)
        assert summary.quarantined == {}
        assert {c.title.key for c in DanmuComment.objects.all()} == {title}


@pytest.mark.django_db
def test_comments_are_counted_masked_and_repeats_count_senders(folder: Path) -> None:
    rows = [comment("哈哈", f"u{n % 3}", second=n) for n in range(4)]
    rows += [
        comment(" 哈哈", "u9"),
        comment("我的电话13812345678", "u1"),
        comment("没有时间", second=""),
    ]
    land(folder, "danmu.csv", rows, DANMU)
    ingest(folder)
    fact = DanmuFact.objects.get(territory="CN")
    assert (fact.from_day, fact.comments, fact.unplaced) == (DAY, 7, 1)
    assert curves.unpack(fact.curves)[0][:11].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 2]
    assert bytes(DanmuFact.objects.get(territory="*").curves) == bytes(fact.curves)
    laughs = DanmuComment.objects.filter(text="哈哈")
    assert {c.repeats for c in laughs} == {4}
    assert not DanmuComment.objects.filter(text__contains="13812345678").exists()
    assert DanmuComment.objects.get(text="没有时间").content_second is None


@pytest.mark.django_db
def test_a_deleted_comment_is_gone_and_a_picked_one_stays_picked(folder: Path) -> None:
    land(folder, "danmu.csv", [comment("好"), comment("坏", "u2")], DANMU)
    ingest(folder)
    DanmuComment.objects.filter(text="好").update(picked=True)
    rows = [comment("好"), comment("坏", "u2", deleted="2024-09-03T00:00:00Z")]
    land(folder, "danmu.csv", rows, DANMU)
    ingest(folder)
    left = DanmuComment.objects.get()
    assert (left.text, left.picked) == ("好", True)
    assert DanmuFact.objects.get(territory="*").comments == 1


@pytest.mark.django_db
def test_a_comment_in_two_files_counts_once(folder: Path) -> None:
    land(folder, "danmu.a.csv", [comment("好", likes=1), comment("嗯", "u2")], DANMU)
    land(folder, "danmu.b.csv", [comment("好", likes=9)], DANMU)
    ingest(folder)
    assert DanmuComment.objects.get(text="好").likes == 9
    assert DanmuFact.objects.get(territory="*").comments == 2
    duplicate = Rejected.objects.get(reason="duplicate")
    assert (duplicate.source.name, duplicate.rows) == ("danmu.a.csv", 1)
    ingest(withdraw=["danmu.a.csv", "danmu.b.csv"])
    assert not DanmuFact.objects.exists()
    assert not DanmuComment.objects.exists()


@pytest.mark.django_db
def test_the_film_yolo_peaks_in_minute_54(folder: Path, real_data: Path) -> None:
    (folder / "titles.csv").write_text(TITLES + "yolo,film,热辣滚烫,YOLO,7740,2024-02-10,,,,,\n")
    ingest(folder, real_data / "danmaku-film-yolo-2024", title="yolo")
    total = np.zeros(9000, np.int64)
    for fact in DanmuFact.objects.filter(territory="*"):
        counts = curves.unpack(fact.curves)[0]
        total[: len(counts)] += counts
    minutes = total.reshape(-1, 60).sum(axis=1)
    assert (total.sum(), minutes.argmax(), minutes.max()) == (9600, 54, 510)


@pytest.mark.django_db
def test_reactions_are_counted_in_their_second_and_a_comment_may_be_several(folder: Path) -> None:
    rows = [
        comment("卧槽！太好看了", "u1", second=5),
        comment("哈哈哈", "u2", second=5),
        comment("哈哈哈", "u3", second=""),
    ]
    land(folder, "danmu.csv", rows, DANMU)
    ingest(folder)
    fact = DanmuFact.objects.get(territory="*")
    series = curves.unpack(fact.curves)
    assert series[:, 5].tolist() == [2, 1, 0, 1, 1, 0]
    assert series.sum() == 5
