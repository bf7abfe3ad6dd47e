"""The rules of named moments, on curves made for each, on noise, and on YouTube's own curves."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engagement.moments import (
    ENDING_SHARE,
    MOST,
    OPENING_S,
    Moment,
    danmu_peaks,
    opening,
    steady_stretches,
    strongest_rewatches,
    strongest_stops,
)

LENGTH = 3600
Counts = NDArray[np.int64]


def flat(count: int, length: int = LENGTH) -> Counts:
    return np.full(length, count, np.int64)


def at(pairs: dict[int, int], length: int = LENGTH) -> Counts:
    counts = np.zeros(length, np.int64)
    for second, count in pairs.items():
        counts[second] = count
    return counts


def leaving(plays: int, hazard: NDArray[np.float64], seed: int = 0) -> tuple[Counts, Counts]:
    """(sessions, stops) of plays from the start whose share `hazard` leaves in each second."""
    chance = np.random.default_rng(seed)
    sessions, stops = np.zeros((2, len(hazard)), np.int64)
    there = plays
    for second, share in enumerate(hazard):
        sessions[second] = there
        stops[second] = chance.binomial(there, share)
        there -= stops[second]
    return sessions, stops


def overlap(moment: Moment, since: int, until: int) -> bool:
    return moment.from_second < until and since < moment.to_second


# --- opening ---------------------------------------------------------------------------------
def test_the_opening_is_the_share_still_there_at_thirty_seconds() -> None:
    sessions = np.r_[flat(1000, 20), flat(640, LENGTH - 20)]
    assert opening(sessions) == [Moment("opening", 0, 30, 0.64)]


def test_sessions_that_resume_later_are_no_loss_of_the_opening() -> None:
    sessions = np.r_[flat(400, 600), flat(1000, LENGTH - 600)]  # 600 of 1,000 resume at 10 min
    assert opening(sessions) == [Moment("opening", 0, 30, 1.0)]


def test_a_title_of_thirty_seconds_or_of_few_plays_has_no_opening() -> None:
    assert opening(flat(1000, 30)) == []
    assert len(opening(flat(1000, 31))) == 1
    assert opening(flat(49)) == []
    assert len(opening(flat(50))) == 1


# --- stops -----------------------------------------------------------------------------------
def test_a_scene_where_more_leave_is_the_strongest_stop_with_the_share_that_left() -> None:
    hazard = np.full(LENGTH, 1e-5)
    hazard[1800:1810] = 0.01
    sessions, stops = leaving(10_000, hazard)
    [moment] = strongest_stops(sessions, stops)
    assert overlap(moment, 1800, 1810)
    assert 1790 <= moment.from_second < 1805
    assert 1805 < moment.to_second <= 1820
    lost = 1 - sessions[1811] / sessions[1799]
    assert moment.score == pytest.approx(lost, abs=0.02)


def test_leaving_in_the_credits_or_in_the_opening_is_no_stop() -> None:
    end = int(LENGTH * ENDING_SHARE)
    sessions = flat(1000)
    assert strongest_stops(sessions, at({end: 300, LENGTH - 1: 500, 5: 200})) == []
    [moment] = strongest_stops(sessions, at({end - 1: 300}))
    assert moment.to_second <= end


def test_a_stop_is_told_against_what_is_around_it() -> None:
    """Half the plays leave in the first ten minutes, evenly: fast, and nowhere faster."""
    hazard = np.r_[np.full(600, 1.2e-3), np.full(LENGTH - 600, 1e-5)]
    sessions, stops = leaving(20_000, hazard)
    assert [m for m in strongest_stops(sessions, stops) if m.from_second > 60] == []


def test_the_least_effect_of_a_stop_is_one_in_a_hundred_of_those_watching() -> None:
    assert strongest_stops(flat(100_000), at({1000: 900})) == []
    assert len(strongest_stops(flat(100_000), at({1000: 1100}))) == 1
    assert strongest_stops(flat(60), at({1000: 4})) == []
    assert len(strongest_stops(flat(60), at({1000: 5}))) == 1


def test_the_five_strongest_come_first_and_are_parted() -> None:
    stops = at({300 * n: 50 + n for n in range(1, 10)})
    found = strongest_stops(flat(1000), stops)
    assert len(found) == MOST
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    assert all(
        m.from_second <= 300 * n < m.to_second for m, n in zip(found, range(9, 4, -1), strict=True)
    )


# --- rewatches -------------------------------------------------------------------------------
def test_the_bit_that_people_go_back_to_is_the_strongest_rewatch() -> None:
    rewatches = flat(100)
    rewatches[2000:2020] = 400
    rewatches[500:505] = 300
    assert strongest_rewatches(flat(1000), rewatches) == [
        Moment("rewatch", 2000, 2020, 0.3),
        Moment("rewatch", 500, 505, 0.2),
    ]


def test_the_opening_is_no_rewatch_since_everybody_starts_there() -> None:
    rewatches = flat(100)
    rewatches[:OPENING_S] = 900
    assert strongest_rewatches(flat(1000), rewatches) == []


def test_the_least_effect_of_a_rewatch_is_two_in_a_hundred_sessions() -> None:
    rewatches = flat(1000)
    rewatches[2000:2020] = 1900
    assert strongest_rewatches(flat(100_000), rewatches) == []
    rewatches[2000:2020] = 3100
    assert len(strongest_rewatches(flat(100_000), rewatches)) == 1


def curves_of_youtube(real_data: Path) -> list[dict[str, Any]]:
    packed = (real_data / "heatmap-youtube-mostreplayed" / "most_replayed.jsonl.gz").read_bytes()
    return [json.loads(line) for line in gzip.decompress(packed).decode().splitlines()]


def test_the_strongest_rewatch_is_youtubes_strongest_slice_after_the_opening(
    real_data: Path,
) -> None:
    """All 247 curves. A slice is 1.3 to 76 s wide, so the opening ends with the slice in which
    its thirtieth second lies. YouTube's values are relative: here of 100,000 sessions.
    """
    found = 0
    for curve in curves_of_youtube(real_data):
        markers = curve["markers"]
        starts = np.array([m["start_ms"] for m in markers])
        end = (markers[-1]["start_ms"] + markers[-1]["duration_ms"]) // 1000
        slices = np.searchsorted(starts, np.arange(end) * 1000 + 500, "right") - 1
        values = np.array([m["value"] for m in markers])
        first = int(np.searchsorted(starts, OPENING_S * 1000))
        opening_s = int(np.flatnonzero(slices == first)[0])
        rewatches = np.round(values[slices] * 100_000).astype(np.int64)

        strongest = strongest_rewatches(flat(100_000, end), rewatches, opening_s)[0]

        best = np.flatnonzero(slices == first + int(np.argmax(values[first:])))
        assert strongest.from_second <= best[0], curve["video_id"]
        assert best[-1] < strongest.to_second, curve["video_id"]
        usual = float(np.median(rewatches[opening_s:])) / 100_000
        peak = rewatches[best[0]] / 100_000
        assert strongest.score == pytest.approx(peak - usual, abs=1e-4), curve["video_id"]
        found += 1
    assert found == 247


# --- steady ----------------------------------------------------------------------------------
def test_a_stretch_in_which_few_leave_is_steady() -> None:
    hazard = np.full(LENGTH, 2e-4)
    hazard[1200:1800] = 1e-6
    sessions, stops = leaving(20_000, hazard)
    [moment] = steady_stretches(sessions, stops)
    assert abs(moment.from_second - 1200) < 10
    assert abs(moment.to_second - 1800) < 10
    assert moment.score > 0.95


def test_nothing_is_steady_where_nobody_leaves_or_all_leave_alike() -> None:
    assert steady_stretches(flat(1000), at({})) == []
    assert steady_stretches(flat(1000), at(dict.fromkeys(range(0, LENGTH, 3), 1))) == []


# --- danmu -----------------------------------------------------------------------------------
def test_a_danmu_peak_is_relative_to_the_people_then_watching() -> None:
    """As many comments at the start, where all are, as late, where a tenth is: the late ones."""
    sessions = np.linspace(10_000, 1_000, LENGTH).astype(np.int64)
    comments = (sessions // 100).astype(np.int64)
    comments[600:610] = comments[3000:3010] = 150
    found = danmu_peaks(sessions, comments)
    assert overlap(found[0], 3000, 3010)
    assert not any(overlap(m, 600, 610) for m in found)
    assert found[0].score == pytest.approx(150 / sessions[3005] / 0.01, rel=0.1)


def test_seconds_that_few_played_say_nothing() -> None:
    sessions = np.r_[flat(1000, 3000), flat(49, 600)]
    assert danmu_peaks(sessions, at({3300: 500})) == []
    assert len(danmu_peaks(flat(50), at({3300: 500}))) == 1


# --- all -------------------------------------------------------------------------------------
def test_noise_makes_next_to_no_moments() -> None:
    """200 titles in which nothing happens, small and large."""
    chance = np.random.default_rng(7)
    found: list[Moment] = []
    for number in range(200):
        plays = (80, 500, 3_000, 50_000)[number % 4]
        sessions, stops = leaving(plays, np.full(LENGTH, 1e-4), seed=number)
        found += strongest_stops(sessions, stops)
        found += strongest_rewatches(sessions, chance.poisson(sessions * 0.05))
        found += steady_stretches(sessions, stops)
        found += danmu_peaks(sessions, chance.poisson(sessions * 0.002))
    assert len(found) <= 4


@pytest.mark.parametrize("length", [0, 1, 29, 31, 70])
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_short_and_empty_titles_are_no_trouble(length: int, count: int) -> None:
    sessions, events = flat(count, length), flat(1, length)
    assert strongest_stops(sessions, events) == []
    assert strongest_rewatches(sessions, events) == []
    assert steady_stretches(sessions, events) == []
    assert danmu_peaks(sessions, events) == []
    assert danmu_peaks(sessions, flat(1, length + 60)) == []


def test_where_half_leave_at_once_a_half_is_told_and_not_all_of_those_who_stayed() -> None:
    sessions = np.where(np.arange(120) < 60, 1500, 750)
    stops = np.where(np.arange(120) == 59, 750, 0)
    [moment] = strongest_stops(sessions, stops)
    assert (moment.from_second <= 59 < moment.to_second, moment.score) == (True, 0.5)
