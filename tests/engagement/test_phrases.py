"""Phrases of danmu: what one is, which stand out, and those of real titles."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db.models import Q
from scipy.stats import chi2_contingency

from engagement import query
from engagement.families import Result
from engagement.models import DanmuComment, Title
from engagement.phrases import MOMENT_S, Said, phrases_of, standing_out
from engagement.scope import EVER, Query, Window
from partners.access import scope_for
from tests.cast import Cast
from tests.engagement.one_film import DANMU, TITLES, comment, ingest, land


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("全体起立！", {"全体", "起立", "全体起立"}),
        ("啊？", {"啊?"}),
        ("哈哈哈哈哈哈哈", {"哈哈哈"}),
        ("ＹＹＤＳ!!", {"yyds"}),
        ("233333", {"2333"}),
        ("すごい", {"すごい"}),
        ("このアニメ", {"アニメ", "このアニメ"}),
        ("电话[已隐藏]", {"电话"}),
        ("……", set()),
        ("", set()),
    ],
)
def test_phrases_are_words_and_short_texts(text: str, phrases: set[str]) -> None:
    assert phrases_of(text) == phrases


def test_a_phrase_stands_out_against_the_rest_of_the_title() -> None:
    often = Said(0, "起立", 20, 100, 22, 10_000)
    assert often.lift == pytest.approx(20.5 / (100 * 2 / 9_900 + 0.5))
    everywhere = Said(0, "这个", 20, 100, 2_000, 10_000)
    too_few = Said(0, "四次", 4, 100, 4, 10_000)
    by_chance = Said(0, "五次", 5, 100, 60, 10_000)
    assert by_chance.lift > 3 > everywhere.lift
    assert by_chance.evidence < 24 < often.evidence
    assert standing_out([everywhere, by_chance, too_few, often]) == [often]


def test_log_likelihood_is_that_of_the_table() -> None:
    table = [[10, 5], [90, 895]]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert Said(0, "x", 10, 100, 15, 1_000).evidence == pytest.approx(expected)


def test_of_phrases_that_contain_each_other_the_strongest_is_told_and_five_of_a_moment() -> None:
    parts = [Said(0, phrase, 30, 100, 31, 10_000) for phrase in ("全体起立", "全体", "起立")]
    others = [Said(0, f"第{n}句", 20 + n, 100, 30, 10_000) for n in range(6)]
    told = standing_out([*parts, *others])
    assert [said.phrase for said in told] == ["全体起立", "第5句", "第4句", "第3句", "第2句"]


def test_a_title_that_is_one_moment_has_nothing_to_stand_out_from() -> None:
    assert standing_out([Said(0, "起立", 50, 50, 50, 50)]) == []


@pytest.mark.django_db
def test_only_phrases_of_three_senders_are_kept_and_a_sender_counts_once(folder: Path) -> None:
    rows = [comment("全体起立", f"u{n}", second=n) for n in range(3)]
    rows += [comment("全体起立啦", "u0", second=9), comment("起立", "u0", second=40)]
    rows += [comment("独一无二", f"u{n % 2}", second=n) for n in range(4)]
    rows += [comment("我的电话13812345678", f"u{n}") for n in range(3)]
    rows += [comment("没有名字", "", second=n) for n in range(3)]
    land(folder, "danmu.csv", rows, DANMU)
    ingest(folder)
    said = [(c.text, c.content_second, c.phrases) for c in DanmuComment.objects.order_by("pk")]
    assert [p for text, _, p in said if text == "全体起立"] == [["全体", "全体起立", "起立"]] * 3
    assert [p for text, _, p in said if text == "全体起立啦"] == [[]]  # u0 has said it
    assert [p for text, _, p in said if text == "起立"] == [["起立"]]  # in another moment
    assert [p for text, _, p in said if text in ("独一无二", "没有名字")] == [[]] * 7
    assert {tuple(p) for text, _, p in said if "电话" in text} == {("电话",)}


@pytest.fixture
def real(folder: Path, real_data: Path, cast: Cast) -> Cast:
    """Aurora is granted the film and the drama episode, their real danmu ingested."""
    (folder / "titles.csv").write_text(
        TITLES
        + "yolo,film,热辣滚烫,YOLO,7772,2024-02-10,,,,,\n"
        + "di-renjie-1,episode,神探狄仁杰,Detective Di,2717,2006-01-01,,,,,\n"
    )
    ingest(folder, real_data / "danmaku-film-yolo-2024", title="yolo")
    ingest(real_data / "danmaku-drama-direnjie2", title="di-renjie-1")
    cast.grant(cast.aurora, *Title.objects.filter(key__in=("yolo", "di-renjie-1")))
    return cast


def ask(cast: Cast, title: str, exit: str = "web", window: Window = EVER) -> Result:
    asked = Query(Title.objects.get(key=title).pk, "danmu_phrases", window)
    return query.run(asked, scope_for(cast.alice, exit))


def told(result: Result, at: int) -> list[str]:
    """The phrases of the moment that holds a second."""
    rows = result.rows()
    return [str(r["phrase"]) for r in rows if r["from_second"] == at // MOMENT_S * MOMENT_S]


@pytest.mark.django_db
def test_real_titles_say_what_their_moments_are_about(real: Cast) -> None:
    film, drama = ask(real, "yolo"), ask(real, "di-renjie-1")
    assert told(film, 54 * 60 + 40) == ["啊?", "???"]  # the busiest minute
    assert told(film, 0) == ["幽默", "滚烫", "热辣"]
    assert told(film, 14 * 60)[0] == "射手"
    assert told(drama, 0)[0] == "卧槽"
    assert told(drama, 11 * 60 + 30)[0] == "螺丝"
    assert told(drama, 13 * 60 + 30)[0] == "双喜临门"
    assert told(drama, 15 * 60 + 30)[0] == "名不虚传"
    assert len(film.releases) == len(drama.releases) == 1


@pytest.mark.django_db
def test_the_counts_are_those_of_the_comments(real: Cast) -> None:
    """Every row, against a plain count of the comments as they are read one by one."""
    result = ask(real, "di-renjie-1")
    comments = DanmuComment.objects.filter(title__key="di-renjie-1")
    placed = list(comments.exclude(content_second=None).values_list("content_second", "phrases"))
    assert len(placed) == 18_533
    for row in result.rows():
        inside = [p for s, p in placed if row["from_second"] <= s < row["to_second"]]
        here = sum(row["phrase"] in said for said in inside)
        everywhere = sum(row["phrase"] in said for _, said in placed)
        assert row["comments"] == here >= 5
        expected = len(inside) * (everywhere - here) / (len(placed) - len(inside))
        assert row["lift"] == pytest.approx((here + 0.5) / (expected + 0.5), abs=0.01)


@pytest.mark.django_db
def test_a_file_has_the_phrases_of_the_comments_that_may_leave(real: Cast) -> None:
    page, file = ask(real, "di-renjie-1"), ask(real, "di-renjie-1", "export")
    leaving = DanmuComment.objects.filter(title__key="di-renjie-1").filter(
        Q(repeats__gte=3) | Q(likes__gte=10) | Q(picked=True)
    )
    may_leave = {p for said in leaving.values_list("phrases", flat=True) for p in said}
    assert 0 < len(file) < len(page)
    assert set(file.data["phrase"]) <= may_leave
    assert not set(page.data["phrase"]) <= may_leave
