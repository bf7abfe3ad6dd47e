"""Players' events into played segments: `sessionise`.

What a player reported (formats/ reads it) becomes stretches of content played without a jump.
The rules are in docs/formats.md. What a segment must be is formats/segments.py's business, what
segments add up to rollup.py's. Nothing here knows Django.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import groupby

SECOND_US = 1_000_000

JITTER_S = 2.0
"""How far a position may run ahead of the clock, or back, and still be the same stretch: players
round positions, and events wait for each other."""

JITTER_SHARE = 0.1
"""The same as a share of what the clock allows: clocks and playback rates drift."""

SILENCE_S = 120.0
"""A player that reports while playing and says nothing for so long had stopped, unless its
position moved on as far as the clock did (then the reports were lost, not the playback).
Three to twelve missed heartbeats: Snowplow's ping is 30 s, Segment's 10 s."""

SESSION_GAP_US = 1800 * SECOND_US
"""Events without a session id are one session until the viewer is silent for half an hour."""


class Act(Enum):
    """What an event says of playback."""

    PLAY = auto()  # playing from `position`
    PAUSE = auto()  # stopped at `position`: pause, stop, ended
    SEEK = auto()  # jumped from `position` to `to`
    BEAT = auto()  # playing, and at `position`
    REPORT = auto()  # at `position`; whether playing is not said
    SPEED = auto()  # `rate` changed at `position`
    AD = auto()  # an ad began; the content stands still
    AD_OVER = auto()
    HIDDEN = auto()  # the app went to the background
    SHOWN = auto()


_AWAY = {Act.AD: "ad", Act.HIDDEN: "background"}
_BACK = {Act.AD_OVER: "ad", Act.SHOWN: "background"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one session. `at` is microseconds since 1970, UTC; positions are seconds.

    `title_id` None is said of everything the session plays (ads, background). `ad` says, where
    the player tells with every event, whether an ad runs; `clock` how many seconds it has been
    playing, which serves better than `at` where events were sent in batches. `order` is the
    player's own count of events, by which those of one instant are ordered.
    """

    line: int
    at: int
    session_id: str
    viewer_id: str
    title_id: str | None
    act: Act
    position: float | None = None
    to: float | None = None
    rate: float | None = None
    duration: float | None = None
    ad: bool | None = None
    clock: float | None = None
    order: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Content seconds [from_s, to_s) played without a jump; `line` is the event it began with."""

    line: int
    session_id: str
    viewer_id: str
    title_id: str
    started_at: int
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Rules:
    """How a kind of player reports.

    `beats`: it reports its position while playing, by a clock that can be relied on, so that a
    position further on than the clock allows is a jump nobody reported. Without beats the
    position at a pause or seek is believed: the log has nothing better.
    """

    beats: bool


@dataclass
class _Stretch:
    """The playback of one title in one session, event by event."""

    rules: Rules
    viewer_id: str
    notes: Counter[str]
    away: set[str]
    segments: list[Segment] = field(default_factory=list)
    begin: Event | None = None  # the event that opened the stretch; None: nothing is playing
    resume: bool = False  # playing, nobody has said where: the next report opens a stretch
    echo: bool = False  # a seek opened it: the position of a play that follows is not new
    left_at: float | None = None  # where the last stretch ended
    pending: float | None = None  # where a seek landed while nothing was playing
    start: float = 0.0
    position: float = 0.0  # the last one reported
    allowed: float = 0.0  # content seconds that the clock allows since then
    silent: float = 0.0  # seconds since then
    ahead: float = 0.0  # how far positions have run ahead of the clock
    rate: float = 1.0
    duration: float | None = None
    last_at: int = 0
    last_clock: float | None = None

    def take(self, event: Event) -> None:
        self._pass_time(event)
        self.duration = event.duration or self.duration
        if event.ad and "ad" not in self.away and self.begin is not None:
            self._advance(event)
        if event.ad is not None:
            (self.away.add if event.ad else self.away.discard)("ad")
        if event.act in _AWAY:
            self.away.add(_AWAY[event.act])
        elif event.act in _BACK:
            self.away.discard(_BACK[event.act])
        elif self.away:
            self._while_away(event)
        else:
            self._content(event)
        if event.rate is not None and event.rate > 0:
            self.rate = event.rate

    def close(self) -> None:
        """The log has no more of this session: the stretch ends where it was last seen."""
        if self.begin is not None:
            self.notes["never_ended"] += self.position <= self.start
            self._close(self.position)

    def _pass_time(self, event: Event) -> None:
        elapsed = (event.at - self.last_at) / SECOND_US
        if event.clock is not None and self.last_clock is not None:
            elapsed = event.clock - self.last_clock
        if self.begin is not None and not self.away and elapsed > 0:
            self.silent += elapsed
            self.allowed += elapsed * self.rate
        self.last_at = event.at
        self.last_clock = event.clock if event.clock is not None else self.last_clock

    def _while_away(self, event: Event) -> None:
        """Ads and the background: positions are not watched content, but a stop is a stop."""
        if event.act is Act.PAUSE and self.begin is not None:
            self._close(self.position)
        elif event.act is Act.SEEK and event.to is not None:
            if self.begin is not None:
                self._close(self.position)
            self.pending = event.to

    def _content(self, event: Event) -> None:
        match event.act:
            case Act.PLAY:
                self._play(event)
            case Act.PAUSE:
                if self.begin is not None:
                    self._end(event.position)
                self.resume = False
            case Act.SEEK if self.begin is not None:
                self._end(event.position)
                self._open(event, event.to)
                self.echo = self.begin is not None
                self.resume = self.begin is None
            case Act.SEEK:
                self.pending = event.to
            case Act.BEAT if self.begin is None:
                self._open(event, event.position)
            case Act.REPORT if self.begin is None and self.resume:
                self._open(event, event.position)
            case Act.BEAT | Act.REPORT | Act.SPEED if self.begin is not None:
                self._advance(event)

    def _play(self, event: Event) -> None:
        if self.begin is None:
            at = self.pending if self.pending is not None else event.position
            self._open(event, at if at is not None else self.left_at)
            self.resume = self.begin is None
        elif self.echo:
            self.echo = False
        elif self.rules.beats:
            self._advance(event)
        else:
            self.notes["missing_pause"] += 1
            self._close(self.position)
            self._open(event, event.position)

    def _open(self, event: Event, position: float | None) -> None:
        """Without a position nothing is open: the next report opens the stretch."""
        self.pending, self.echo, self.resume = None, False, False
        if position is not None:
            self.begin = event
            self.start = position
            self._at(position)
            self.ahead = 0.0

    def _at(self, position: float) -> None:
        self.position, self.allowed, self.silent = position, 0.0, 0.0

    def _advance(self, event: Event) -> None:
        """A report while playing moves the stretch on, or shows that it had ended."""
        if event.position is None:
            return
        self.echo = False
        broken = self._broken(event.position)
        if not broken:
            self.ahead = self._run_ahead(event.position)
            self._at(max(self.position, event.position))
            return
        self.notes[broken] += 1
        self._close(self.position)
        self._open(event, event.position)

    def _end(self, position: float | None) -> None:
        """The player says that the stretch ended at `position`; by the clock where it does not
        say, or says what the clock does not allow.
        """
        broken = self._broken(position) if position is not None else ""
        if position is None or (broken and self.rules.beats and broken != "silences"):
            estimate = self.position + min(self.silent, SILENCE_S) * self.rate
            estimate = min(estimate, self.position + self.allowed)
            self._close(max(self.position, min(estimate, self.duration or estimate)))
        elif broken == "backwards":
            self.notes[broken] += 1
            self._close(self.position)
        else:
            self._close(max(position, self.start))

    def _broken(self, position: float) -> str:
        """Why a report of `position` is not of the open stretch; "" where it is."""
        if not self.rules.beats:
            return "backwards" if position < self.start else ""
        if position - self.position < -JITTER_S or self._run_ahead(position) > JITTER_S:
            return "jumps"
        enough = self.allowed * (1 - JITTER_SHARE) - JITTER_S
        if self.silent > SILENCE_S and position - self.position < enough:
            return "silences"
        return ""

    def _run_ahead(self, position: float) -> float:
        moved = position - self.position
        return max(0.0, self.ahead + moved - self.allowed * (1 + JITTER_SHARE))

    def _close(self, until: float) -> None:
        assert self.begin is not None
        if until > self.start:
            self.segments.append(
                Segment(
                    line=self.begin.line,
                    session_id=self.begin.session_id,
                    viewer_id=self.viewer_id,
                    title_id=self.begin.title_id or "",
                    started_at=self.begin.at,
                    from_s=self.start,
                    to_s=until,
                )
            )
        self.begin, self.echo, self.left_at = None, False, until
        self._at(until)


def sessionise(events: Iterable[Event], rules: Rules) -> tuple[list[Segment], Counter[str]]:
    """The segments that the events of one file amount to, by session and time, and what was
    found on the way: jumps that no seek reported, silences, stretches that never ended ...

    Events may come in any order; a session's viewer is its first event's.
    """
    notes: Counter[str] = Counter()
    segments: list[Segment] = []
    ordered = sorted(events, key=lambda e: (e.session_id, e.at, e.order, e.line))
    for _, session in groupby(ordered, key=lambda e: e.session_id):
        segments += _of_session(list(session), rules, notes)
    return segments, notes


def _of_session(events: Sequence[Event], rules: Rules, notes: Counter[str]) -> list[Segment]:
    stretches: dict[str, _Stretch] = {}
    away: set[str] = set()  # what holds for titles that are yet to begin
    viewer = next((e.viewer_id for e in events if e.viewer_id), events[0].session_id)
    for event in events:
        if event.title_id is None:
            if event.act in _AWAY:
                away.add(_AWAY[event.act])
            away.discard(_BACK.get(event.act, ""))
            for stretch in stretches.values():
                stretch.take(event)
            continue
        known = stretches.get(event.title_id)
        if known is None:
            known = _Stretch(rules, viewer, notes, away=set(away))
            stretches[event.title_id] = known
        known.take(event)
    played: list[Segment] = []
    for stretch in stretches.values():
        stretch.close()
        played += _one_after_another(stretch.segments)
    return played


def _one_after_another(segments: Sequence[Segment]) -> Iterator[Segment]:
    """The segments of one title, each begun later than the one before, if by a microsecond:
    which was first and which last must not depend on how a table happens to be sorted.
    """
    last = -1
    for segment in segments:
        last = max(segment.started_at, last + 1)
        yield replace(segment, started_at=last)


def sessions_by_silence(moments: Sequence[tuple[str, int]]) -> list[str]:
    """A session id for each (viewer, instant) of a log that has none."""
    found = [""] * len(moments)
    begun: dict[str, tuple[int, int]] = {}
    for row in sorted(range(len(moments)), key=lambda r: moments[r]):
        viewer, at = moments[row]
        since, last = begun.get(viewer, (at, at))
        if at - last > SESSION_GAP_US:
            since = at
        begun[viewer] = (since, at)
        found[row] = f"{viewer}@{since}"
    return found
