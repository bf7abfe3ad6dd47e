"""Events into segments: each rule by a small log, and whole evenings made up by Hypothesis."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.pipeline.sessionise import (
    SILENCE_S,
    Act,
    Event,
    Rules,
    sessionise,
    sessions_by_silence,
)

BEATS, BELIEVED = Rules(beats=True), Rules(beats=False)
START = 1_788_000_000_000_000


def event(at: float, act: Act, position: float | None = None, **fields: object) -> Event:
    given: dict[str, object] = {
        "line": int(at * 10) + 1,
        "at": START + round(at * 1e6),
        "session_id": "s",
        "viewer_id": "v",
        "title_id": "film",
        "act": act,
        "position": position,
    }
    return Event(**given | fields)  # type: ignore[arg-type]


def aside(at: float, act: Act) -> Event:
    return event(at, act, title_id=None)


def played(rules: Rules, *events: Event) -> list[tuple[float, float]]:
    return [(s.from_s, s.to_s) for s in sessionise(events, rules)[0]]


def notes(rules: Rules, *events: Event) -> dict[str, int]:
    return {k: n for k, n in sessionise(events, rules)[1].items() if n}


@pytest.mark.parametrize("rules", [BEATS, BELIEVED])
def test_play_and_pause_make_one_segment(rules: Rules) -> None:
    log = [event(0, Act.PLAY, 5.0), event(20, Act.PAUSE, 25.0)]
    [segment], _ = sessionise(log, rules)
    assert (segment.from_s, segment.to_s, segment.started_at) == (5.0, 25.0, START)
    assert (segment.session_id, segment.viewer_id, segment.title_id) == ("s", "v", "film")


@pytest.mark.parametrize("rules", [BEATS, BELIEVED])
def test_events_out_of_order_are_put_in_order(rules: Rules) -> None:
    log = [event(20, Act.PAUSE, 25.0), event(0, Act.PLAY, 5.0)]
    assert played(rules, *log) == [(5.0, 25.0)]


@pytest.mark.parametrize("rules", [BEATS, BELIEVED])
def test_a_seeks_new_time_wins_over_the_position_of_the_play_that_follows(rules: Rules) -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(14, Act.SEEK, 14.0, to=100.0),
        event(15, Act.PLAY, 14.0),  # the player had not arrived yet
        event(25, Act.PAUSE, 110.0),
    ]
    assert played(rules, *log) == [(0.0, 14.0), (100.0, 110.0)]


def test_a_seek_while_paused_says_where_the_next_play_begins() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.PAUSE, 10.0),
        event(11, Act.SEEK, 10.0, to=60.0),
        event(12, Act.PLAY, 10.0),
        event(20, Act.PAUSE, 68.0),
    ]
    assert played(BELIEVED, *log) == [(0.0, 10.0), (60.0, 68.0)]


def test_a_seek_that_does_not_say_where_to_goes_on_where_the_player_is_next_seen() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.SEEK, 10.0),
        event(11, Act.REPORT, 300.0),
        event(21, Act.PAUSE, 310.0),
    ]
    assert played(BEATS, *log) == [(0.0, 10.0), (300.0, 310.0)]


def test_a_second_play_without_a_pause_ends_the_first_where_it_was_last_seen() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(20, Act.REPORT, 20.0),
        event(3600, Act.PLAY, 500.0),
        event(3610, Act.PAUSE, 510.0),
    ]
    assert played(BELIEVED, *log) == [(0.0, 20.0), (500.0, 510.0)]
    assert notes(BELIEVED, *log) == {"missing_pause": 1}


def test_without_beats_the_position_is_believed_whatever_the_clock_says() -> None:
    """Events that wait in a queue, or a clock put back: the position is all there is."""
    log = [event(0, Act.PLAY, 0.0), event(1, Act.PAUSE, 900.0)]
    assert played(BELIEVED, *log) == [(0.0, 900.0)]
    assert played(BELIEVED, *log[:1], event(1, Act.PAUSE, 0.0)) == []


def test_a_pause_before_the_start_of_its_stretch_counts_nothing() -> None:
    log = [event(0, Act.PLAY, 50.0), event(9, Act.PAUSE, 20.0)]
    assert played(BELIEVED, *log) == []
    assert notes(BELIEVED, *log) == {"backwards": 1}


def test_a_stretch_that_never_ends_counts_to_where_it_was_last_seen() -> None:
    beats = [event(10 * n, Act.BEAT, 10.0 * n) for n in range(1, 5)]
    assert played(BEATS, event(0, Act.PLAY, 0.0), *beats) == [(0.0, 40.0)]
    assert played(BEATS, *beats) == [(10.0, 40.0)]  # no play either: from the first beat
    assert notes(BEATS, event(0, Act.PLAY, 0.0)) == {"never_ended": 1}


def test_a_position_further_on_than_the_clock_allows_is_a_jump_nobody_reported() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.BEAT, 10.0),
        event(20, Act.BEAT, 500.0),
        event(30, Act.BEAT, 510.0),
        event(40, Act.BEAT, 30.0),
        event(50, Act.PAUSE, 40.0),
    ]
    assert played(BEATS, *log) == [(0.0, 10.0), (500.0, 510.0), (30.0, 40.0)]
    assert notes(BEATS, *log) == {"jumps": 2}


def test_a_pause_at_an_impossible_position_ends_the_stretch_by_the_clock() -> None:
    """Players pause to seek, and report the pause at the place they jump to."""
    log = [event(0, Act.PLAY, 0.0), event(7, Act.PAUSE, 1800.0)]
    assert played(BEATS, *log) == [(0.0, 7.0)]


def test_many_small_jumps_do_not_pass_for_playing() -> None:
    """Scrubbing: each step is within the jitter of one report, together they are not."""
    log = [event(0, Act.PLAY, 0.0), *(event(0.1 * n, Act.BEAT, 1.5 * n) for n in range(1, 41))]
    seconds = sum(to - since for since, to in played(BEATS, *log))
    assert seconds < 60.0 * 0.6
    steady = [event(0, Act.PLAY, 0.0), *(event(n, Act.BEAT, 1.05 * n) for n in range(1, 400))]
    [(since, to)] = played(BEATS, *steady)  # a clock that is five per cent slow is no jump
    assert (since, round(to, 2)) == (0.0, 418.95)


def test_after_a_silence_only_what_the_clock_fills_was_played() -> None:
    away = [event(0, Act.PLAY, 0.0), event(10, Act.BEAT, 10.0), event(4000, Act.BEAT, 40.0)]
    assert played(BEATS, *away, event(4010, Act.PAUSE, 50.0)) == [(0.0, 10.0), (40.0, 50.0)]
    lost = [event(0, Act.PLAY, 0.0), event(10, Act.BEAT, 10.0), event(610, Act.BEAT, 610.0)]
    assert played(BEATS, *lost) == [(0.0, 610.0)]  # the reports were lost, not the playback
    assert SILENCE_S < 600


def test_buffering_is_waiting_and_not_playing() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.REPORT, 10.0),
        event(40, Act.REPORT, 10.0),
        event(50, Act.PAUSE, 20.0),
    ]
    assert played(BEATS, *log) == [(0.0, 20.0)]


def test_playback_speed_moves_the_position_and_not_the_clock() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.SPEED, 10.0, rate=2.0),
        event(40, Act.BEAT, 70.0),
        event(50, Act.PAUSE, 90.0),
    ]
    assert played(BEATS, *log) == [(0.0, 90.0)]
    slow = [replace(e, rate=None) for e in log]
    assert played(BEATS, *slow) == [(0.0, 10.0), (70.0, 80.0)]  # by the clock at normal speed


def test_an_event_without_a_position_ends_the_stretch_by_the_clock_and_not_past_the_end() -> None:
    log = [event(0, Act.PLAY, 30.0), event(50, Act.PAUSE)]
    assert played(BELIEVED, *log) == [(30.0, 80.0)]
    assert played(BELIEVED, log[0], replace(log[1], duration=60.0)) == [(30.0, 60.0)]
    asleep = [event(0, Act.PLAY, 30.0), event(90_000, Act.PAUSE)]
    assert played(BELIEVED, *asleep) == [(30.0, 30.0 + SILENCE_S)]


def test_an_ad_stops_the_content_and_its_positions_are_not_the_contents() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.BEAT, 10.0),
        aside(12, Act.AD),
        aside(27, Act.AD),
        aside(42, Act.AD_OVER),
        event(50, Act.BEAT, 20.0),
        event(60, Act.PAUSE, 30.0),
    ]
    assert played(BEATS, *log) == [(0.0, 30.0)]
    ahead = [*log[:5], event(50, Act.BEAT, 50.0), event(60, Act.PAUSE, 60.0)]
    assert played(BEATS, *ahead) == [(0.0, 10.0), (50.0, 60.0)]  # the ad's time is no content


def test_an_ad_before_the_content_holds_for_the_title_that_follows() -> None:
    log = [
        aside(0, Act.AD),
        event(1, Act.BEAT, 5.0),
        aside(30, Act.AD_OVER),
        event(31, Act.PLAY, 0.0),
        event(41, Act.PAUSE, 10.0),
    ]
    assert played(BEATS, *log) == [(0.0, 10.0)]


def test_background_time_is_not_counted_though_the_player_goes_on() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.BEAT, 10.0),
        aside(10, Act.HIDDEN),
        *(event(n, Act.BEAT, float(n)) for n in range(11, 60)),
        aside(60, Act.SHOWN),
        event(61, Act.BEAT, 61.0),
        event(70, Act.PAUSE, 70.0),
    ]
    assert played(BEATS, *log) == [(0.0, 10.0), (61.0, 70.0)]


def test_a_pause_in_the_background_ends_the_stretch() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(10, Act.BEAT, 10.0),
        aside(10, Act.HIDDEN),
        event(11, Act.PAUSE, 11.0),
        aside(60, Act.SHOWN),
        event(61, Act.REPORT, 11.0),
    ]
    assert played(BEATS, *log) == [(0.0, 10.0)]


def test_the_players_own_clock_stands_in_for_events_that_were_sent_together() -> None:
    log = [event(0, Act.BEAT, 10.0 * n, clock=10.0 * n, order=n) for n in range(4)]
    assert played(BEATS, *log) == [(0.0, 30.0)]
    assert played(BEATS, *[replace(e, clock=None) for e in log]) == []


def test_titles_of_one_session_are_played_each_for_itself() -> None:
    log = [
        event(0, Act.PLAY, 0.0),
        event(5, Act.PLAY, 0.0, title_id="other"),
        event(10, Act.PAUSE, 10.0),
        event(15, Act.PAUSE, 10.0, title_id="other"),
    ]
    segments, _ = sessionise(log, BEATS)
    assert {(s.title_id, s.from_s, s.to_s) for s in segments} == {
        ("film", 0.0, 10.0),
        ("other", 0.0, 10.0),
    }


def test_segments_of_one_instant_begin_one_after_another() -> None:
    """First and last segment decide starts and stops: they must not hang on a sort."""
    log = [
        event(0, Act.PLAY, 0.0, order=1),
        event(0, Act.PAUSE, 5.0, order=2),
        event(0, Act.PLAY, 60.0, order=3),
        event(0, Act.PAUSE, 70.0, order=4),
    ]
    segments, _ = sessionise(log, BELIEVED)
    assert [(s.started_at - START, s.from_s) for s in segments] == [(0, 0.0), (1, 60.0)]


def test_a_session_has_the_viewer_of_its_first_event_that_names_one() -> None:
    log = [
        event(0, Act.PLAY, 0.0, viewer_id=""),
        event(5, Act.REPORT, 5.0, viewer_id="known"),
        event(9, Act.PAUSE, 9.0, viewer_id="other"),
    ]
    assert [s.viewer_id for s in sessionise(log, BELIEVED)[0]] == ["known"]
    nameless = [replace(e, viewer_id="") for e in log]
    assert [s.viewer_id for s in sessionise(nameless, BELIEVED)[0]] == ["s"]


def test_without_session_ids_half_an_hour_of_silence_parts_two_sessions() -> None:
    minute = 60_000_000
    moments = [("v", 0), ("v", 30 * minute), ("v", 60 * minute + 1), ("w", 5), ("v", 61 * minute)]
    assert sessions_by_silence(moments) == [
        "v@0",
        "v@0",
        f"v@{60 * minute + 1}",
        "w@5",
        f"v@{60 * minute + 1}",
    ]


# --- whole evenings --------------------------------------------------------------------------
@dataclass
class Evening:
    """A viewer who does one thing after another, and the player that reports it."""

    beat: int = 10
    now: int = 0
    place: int = 0
    rate: int = 1
    events: list[Event] = field(default_factory=list)
    truth: list[tuple[int, int]] = field(default_factory=list)

    def say(self, act: Act, **fields: object) -> None:
        self.now += 1  # the player takes a second over whatever is not playing
        self.log(act, **fields)

    def log(self, act: Act, **fields: object) -> None:
        title = None if act in (Act.AD, Act.AD_OVER, Act.HIDDEN, Act.SHOWN) else "film"
        position = float(self.place) if title else None
        given = {"title_id": title, "order": len(self.events), **fields}
        self.events.append(event(self.now, act, position, **given))

    def watch(self, seconds: int) -> None:
        """Play for so long, with a beat now and then, to a pause."""
        since = self.place
        self.say(Act.PLAY, rate=float(self.rate))
        for second in range(1, seconds + 1):
            self.now += 1
            self.place += self.rate
            if second % self.beat == 0:
                self.log(Act.BEAT, rate=float(self.rate))
        self.log(Act.PAUSE)
        self.truth.append((since, self.place))

    def jump(self, to: int) -> None:
        self.say(Act.SEEK, to=float(to))
        self.place = to

    def ad(self, seconds: int) -> None:
        self.say(Act.AD)
        self.now += seconds
        self.say(Act.AD_OVER)


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("watch"), st.integers(1, 400)),
        st.tuples(st.just("jump"), st.integers(0, 5000)),
        st.tuples(st.just("ad"), st.integers(1, 60)),
        st.tuples(st.just("rate"), st.integers(1, 2)),
    ),
    max_size=12,
)


@given(deeds=DEEDS, seed=st.integers(0, 99), rules=st.sampled_from([BEATS, BELIEVED]))
def test_a_whole_evening_comes_back_as_it_was_watched(
    deeds: list[tuple[str, int]], seed: int, rules: Rules
) -> None:
    evening = Evening()
    for deed, number in deeds:
        if deed == "rate":
            evening.rate = number
        else:
            getattr(evening, deed)(number)
    shuffled = list(evening.events)
    random.Random(seed).shuffle(shuffled)
    assert played(rules, *shuffled) == evening.truth


@given(
    positions=st.lists(
        st.tuples(
            st.integers(0, 600), st.sampled_from(list(Act)), st.integers(0, 300), st.booleans()
        ),
        max_size=30,
    ),
    rules=st.sampled_from([BEATS, BELIEVED]),
)
def test_nothing_a_player_can_say_makes_a_segment_that_was_never_seen(
    positions: list[tuple[int, Act, int, bool]], rules: Rules
) -> None:
    log = [
        event(at, act, None if blank else float(place), to=float(place), order=n)
        for n, (at, act, place, blank) in enumerate(positions)
    ]
    segments, _ = sessionise(log, rules)
    seen = {float(place) for _, _, place, _ in positions}
    seen |= {s.to_s for s in segments}  # playing goes on where it ended, if only by the clock
    assert all(s.from_s in seen and s.from_s < s.to_s for s in segments)
    if rules.beats:  # with a clock: never more content than there was time, jitter aside
        time = max((at for at, *_ in positions), default=0)
        total = sum(s.to_s - s.from_s for s in segments)
        assert total <= 1.1 * time + 2.0 * len(positions)
