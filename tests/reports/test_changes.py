"""What changed since the days before: each sentence with its numbers, and none without."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils.translation import override

from engagement.families import Result
from engagement.scope import Part, Window
from reports.render.changes import changed, overview
from reports.render.compared import Line, count_line, share_line, viewers_line
from reports.render.document import TitleReport
from reports.render.figures import Total
from tests.reports import families, film

WINDOW = film.WINDOW


def told(title: TitleReport = families.FILM, language: str = "en") -> dict[str, Line]:
    with override(language):
        return {line.about: line for line in changed(title, families.REPORT, language).lines}


def silent(title: TitleReport) -> list[str]:
    with override("en"):
        return list(changed(title, families.REPORT, "en").silent)


def test_the_sentences_of_a_title_hold_both_numbers_and_what_they_come_down_to() -> None:
    lines = told()
    assert film.PLAYS == 138_420
    assert lines["Plays"] == Line(
        "Plays", "138,420, against 124,578 in the days before: 13,842 more.", "+11.1%"
    )
    assert lines["Viewers"].said == (
        "≈ 100,412 (98,904–101,957), against ≈ 90,371 (89,014–91,761) in the days before:"
        " 7,143 to 12,943 more."
    )
    assert lines["Watch hours"].said.startswith("153,800, against 138,420 ")
    assert lines["Completions"].difference == "+11.1%"
    assert lines["Still there at 30 s"].said == (
        "98.3% of 138,420 plays, against 98.3% of 138,420: about the same."
    )
    assert lines["Still there at the end"].difference == "+0.0 points"
    assert lines["Moments"].said == (
        "Biggest new one: 0:22:00 – 0:22:04, 4.2% of those watching left, beyond the usual"
        " (1 of 5 are new)."
    )
    assert lines["Danmu"] == Line("Danmu", "4,576, as many as in the days before.", "0%")
    assert lines["Posts and replies"].difference == "−20.0%"
    assert "about the same" in lines["Shares"].said
    assert list(lines) == [
        "Plays", "Viewers", "Watch hours", "Completions", "Still there at 30 s",
        "Still there at the end", "Moments", "Danmu", "Posts and replies", "Shares",
    ]  # fmt: skip


def test_the_sentences_are_said_in_chinese_as_well() -> None:
    said = {line.said for line in told(language="zh-hans").values()}
    assert "138,420，此前时段为 124,578：多 13,842。" in said


@pytest.mark.parametrize(
    ("now", "then", "said", "difference"),
    [
        (1019, 1000, "1,019, against 1,000 in the days before: about the same, 19 more.", "+1.9%"),
        (1020, 1000, "1,020, against 1,000 in the days before: 20 more.", "+2.0%"),
        (981, 1000, "981, against 1,000 in the days before: about the same, 19 fewer.", "−1.9%"),
        (0, 7, "0, against 7 in the days before: 7 fewer.", "−100.0%"),
        (7, 0, "7, against 0 in the days before: 7 more.", ""),
        (0, 0, "0, as many as in the days before.", "0%"),
    ],
)
def test_a_small_difference_is_called_about_the_same_with_its_numbers(
    now: int, then: int, said: str, difference: str
) -> None:
    with override("en"):
        assert count_line("Plays", now, then) == Line("Plays", said, difference)


def people(count: int | None, low: int | None, high: int | None) -> Total:
    return Total(WINDOW, "CN", 1000, count, low, high, 3600, 100)


@pytest.mark.parametrize(
    ("now", "then", "said", "difference"),
    [
        # bounds that touch: no difference is claimed
        (
            people(1000, 950, 1050), people(1080, 1050, 1130),
            "≈ 1,000 (950–1,050), against ≈ 1,080 (1,050–1,130) in the days before: no difference"
            " beyond the bounds.", "",
        ),
        (
            people(1000, 950, 1049), people(1080, 1050, 1130),
            "≈ 1,000 (950–1,049), against ≈ 1,080 (1,050–1,130) in the days before: 1 to 180"
            " fewer.", "≈ −7.4%",
        ),
        # too many days wait: bounds, and no number to make a per cent of
        (
            people(None, 400, 500), people(300, 300, 300),
            "400–500, against 300 in the days before: 100 to 200 more.", "",
        ),
    ],
)  # fmt: skip
def test_people_are_told_apart_only_where_their_bounds_are(
    now: Total, then: Total, said: str, difference: str
) -> None:
    with override("en"):
        assert viewers_line(now, then) == Line("Viewers", said, difference)


def test_people_that_are_hidden_are_not_compared() -> None:
    assert viewers_line(people(None, None, None), people(5, 5, 5)) is None


def test_shares_differ_in_points() -> None:
    with override("en"):
        line = share_line("Still there", 0.52, 0.5, (900, 1000))
        near = share_line("Still there", 0.509, 0.5, (900, 1000))
    assert line == Line(
        "Still there", "52.0% of 900 plays, against 50.0% of 1,000 in the days before.",
        "+2.0 points",
    )  # fmt: skip
    assert near.said == "50.9% of 900 plays, against 50.0% of 1,000: about the same."


def part_of(answer: Result, window: Window) -> Result:
    return replace(answer, answered=(Part("CN", window),))


def test_case_4_days_before_that_are_granted_in_part_are_not_compared() -> None:
    late = Window(families.BEFORE.since + timedelta(days=1), families.BEFORE.until)
    before = {**families.FILM.before}
    before["viewing"] = part_of(before["viewing"], late)
    title = replace(families.FILM, before=before)
    assert "Plays" not in told(title)
    assert "Danmu" in told(title)
    assert silent(title) == [
        "Not all of the two periods is granted alike, so nothing is compared: Viewing."
    ]


def test_other_territories_than_before_are_not_compared() -> None:
    now = {**families.FILM.results, "viewing": film.viewing(("CN", "SG"))}
    assert "Plays" not in told(replace(families.FILM, results=now))


def test_days_before_that_are_not_granted_are_said_to_be_so_in_one_sentence() -> None:
    title = replace(families.FILM, before={})
    assert told(title) == {}
    assert silent(title) == [
        "26 September 2024 – 23 October 2024 are not granted, and not compared: Viewing,"
        " Retention, Moments, Danmu, Discussion, Sharing."
    ]


def test_days_before_without_numbers_are_said_to_have_none() -> None:
    before = {
        name: replace(r, releases=()) if name != "danmu" else r
        for name, r in families.FILM.before.items()
    }
    title = replace(families.FILM, before=before)
    assert list(told(title)) == ["Danmu"]
    assert silent(title) == [
        "One of the periods has no numbers, so nothing is compared: Viewing, Retention, Moments,"
        " Discussion, Sharing."
    ]


def test_territories_that_are_new_or_gone_are_named_with_their_plays() -> None:
    both = film.viewing(("CN", "SG"))
    gone = [n for n, territory in enumerate(both.data["territory"]) if territory == "CN"]
    only_china = {name: [values[n] for n in gone] for name, values in both.data.items()}
    alone = replace(both, data=only_china)  # both territories asked, plays in one
    new = replace(
        families.FILM, results={"viewing": both}, before={"viewing": families.shifted(alone)}
    )
    away = replace(
        families.FILM, results={"viewing": alone}, before={"viewing": families.shifted(both)}
    )
    same = replace(
        families.FILM, results={"viewing": both}, before={"viewing": families.shifted(both)}
    )
    assert told(new)["Territories"].said == (
        "Plays now and none before: Singapore (138,420 plays)."
    )
    assert told(away)["Territories"].said == (
        "Plays before and none now: Singapore (138,420 plays)."
    )
    assert told(same)["Territories"].said == (
        "Plays in the same territories as in the days before, 2."
    )


def test_restated_numbers_of_the_days_before_are_told_old_and_new() -> None:
    with override("en"):
        lines = changed(families.FILM, families.REPORT, "en").restated
    assert lines == (
        Line("Viewing · Plays",
             "12 October 2024, China: was 5,310, is 5,342 since 1 November 2024.", "+32"),
        Line("Danmu · Danmu",
             "13 October 2024, China: was 812, is 806 since 3 November 2024.", "−6"),
    )  # fmt: skip


@pytest.mark.parametrize("metric", ["viewers", "plays"])
def test_noised_numbers_that_were_drawn_again_are_not_subtracted(metric: str) -> None:
    change = replace(families.RESTATED[0], family="demographics", metric=metric)
    report = replace(families.REPORT, changes=(change,))
    with override("en"):
        [line] = changed(families.FILM, report, "en").restated
    assert line.difference == ""
    assert "5,310" in line.said
    assert "5,342" in line.said


def test_many_titles_have_a_line_each_the_largest_change_first_and_no_sums() -> None:
    """A series sums its episodes: a sum over titles would count them twice."""
    less = replace(families.FILM, slug="less", name_en="Less", before={})
    with override("en"):
        three = [changed(t, families.REPORT, "en") for t in (less, families.FILM, less)]
        page = overview(three, families.REPORT, "en")
    assert page["titles"] == ()
    assert page["table"].rows == (
        ("YOLO", "138,420", "124,578", "+13,842", "+11.1%"),
        ("Less", "—", "—", "—", "—"),
        ("Less", "—", "—", "—", "—"),
    )
