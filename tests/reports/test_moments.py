"""Moments in words: which texts they quote, and where the comments that belong to them end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from engagement.families import WAITING, Result
from reports.moments import KINDS, QUOTED, moments_of, name_of, said_until, strength_of
from reports.render.document import Moment
from tests.reports import film


def written(*rows: tuple[int, str, int, int]) -> Result:
    """Comments as (second, text, repeats, likes)."""
    seconds, texts, repeats, likes = zip(*rows, strict=True)
    return replace(
        film.comments(),
        data={
            "content_second": seconds, "day": [date(2024, 11, 2)] * len(rows), "text": texts,
            "repeats": repeats, "likes": likes,
        },
    )  # fmt: skip


def test_moments_stand_in_the_order_of_the_answer() -> None:
    answer = film.moments()
    assert moments_of(answer) == tuple(replace(m, texts=()) for m in film.MOMENTS)
    assert moments_of(None) == ()


def test_a_moment_quotes_its_most_repeated_then_most_liked_texts_each_once() -> None:
    rows = [
        (3239, "before", 99, 0), (3240, "liked", 3, 20), (3241, "liked", 3, 20),
        (3250, "repeated", 9, 0), (3299, "plain", 3, 1), (3260, "a", 3, 0), (3261, "b", 3, 0),
        (3262, "c", 3, 0), (3300, "after", 99, 0),
    ]  # fmt: skip
    peak = moments_of(film.moments(), comments=written(*rows))[4]
    assert (peak.kind, peak.texts) == ("danmu_peak", ("repeated", "liked", "plain", "a", "b"))


def test_a_short_moment_is_read_for_half_a_minute_and_a_long_one_for_two_minutes() -> None:
    assert [said_until(m) for m in film.MOMENTS] == [30, 1350, 3360, 1620, 3300, 7200]
    stop = moments_of(film.moments(), comments=written((1349, "in", 3, 0), (1350, "out", 3, 0)))[1]
    assert stop.texts == ("in",)


def test_openings_and_steady_stretches_quote_nothing() -> None:
    found = moments_of(film.moments(), comments=written((5, "first", 9, 9), (1600, "middle", 9, 9)))
    assert [m.texts for m in found if m.kind not in QUOTED] == [(), ()]


def test_where_nobody_is_known_to_watch_the_fullest_minutes_stand() -> None:
    counts = [0] * 400
    for second, written_then in ((30, 2), (61, 3), (119, 4), (300, 2), (399, 1)):
        counts[second] = written_then
    danmu = replace(film.moments(), data={"content_second": list(range(400)), "comments": counts})
    waiting = replace(film.moments(), notes=(WAITING,))
    expected = (
        Moment("danmu_minute", 60, 120, 7.0),
        Moment("danmu_minute", 0, 60, 2.0),
        Moment("danmu_minute", 300, 360, 2.0),
        Moment("danmu_minute", 360, 420, 1.0),
    )
    assert moments_of(None, danmu) == moments_of(waiting, danmu) == expected
    assert moments_of(film.moments(), danmu) == moments_of(film.moments())


def test_every_kind_has_a_name_and_says_its_score() -> None:
    assert len({name_of(kind) for kind in KINDS}) == 6
    for kind in KINDS:
        assert strength_of(Moment(kind, 0, 30, 0.5))
