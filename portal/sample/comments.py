"""What the sample audience writes, when, and at which second.

A comment is hung on a stretch that its sender really played, so offset, clock and place fit
together; how likely a second is to be commented on comes from the title's scenes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from portal.sample.audience import TERRITORIES, Audience, Floats, Ints
from portal.sample.catalogue import SampleTitle
from portal.sample.sessions import SECOND_US, SHORT_FORM_S, Plays, credits_from, minor_spots
from portal.sample.viewing import ZONE, Period
from portal.sample.words import CHATTER, CONTACTS, ENDING, MOODS, OPENING, TAILS

COMMENTS_PER_PLAY = 0.32
WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
COLUMNS = (
    "title_id",
    "offset_s",
    "posted_at",
    "text",
    "sender_id",
    "likes",
    "territory",
    "deleted_at",
)


@dataclass(frozen=True)
class Density:
    """Comments by content second: in all, and the part that each scene adds."""

    total: Floats
    scenes: Floats  # (scenes, seconds)
    opening: Floats
    ending: Floats


def density_of(title: SampleTitle) -> Density:
    """How much is written at each second of `title`, where plain chatter is 0.3 and more."""
    t = np.arange(title.runtime_s, dtype=np.float64)
    short = title.runtime_s < SHORT_FORM_S
    opening = 2.2 * np.exp(-t / (6 if short else 35))
    chatter = np.full(title.runtime_s, 0.3)
    spots, shares = minor_spots(title)
    for spot, share in zip(spots, shares * len(spots), strict=True):
        chatter += 0.35 * share * np.exp(-(((t - spot - 6) / (4 if short else 16)) ** 2) / 2)
    ending = np.where(t >= credits_from(title), 1.3, 0.0)
    scenes = np.zeros((len(title.scenes), title.runtime_s))
    for row, scene in zip(scenes, title.scenes, strict=True):
        start = scene.minute * 60
        peak = start + scene.seconds * 0.7
        early = 2.0 if short else 12.0 if scene.mood in ("twist", "shock") else 8.0
        rise = np.exp(-(np.maximum(peak - t, 0) ** 2) / (2 * (scene.seconds * 0.35 + early) ** 2))
        fall = np.exp(-np.maximum(t - peak, 0) / (4 if short else 28))
        row[:] = 4.2 * scene.weight * rise * fall
    total = chatter + opening + ending + scenes.sum(axis=0)
    return Density(total, scenes, opening, ending)


def comments(
    title: SampleTitle,
    plays: Plays,
    audience: Audience,
    sender_ids: list[str],
    period: Period,
    rng: np.random.Generator,
) -> list[tuple[str, ...]]:
    """Rows of the danmu landing file, by time posted."""
    if not len(plays.viewer):
        return []
    density = density_of(title)
    wanted = max(6, round(COMMENTS_PER_PLAY * len(plays.viewer)))
    stretch, offset = played_moments(plays, density, wanted, rng)
    viewer = plays.viewer[plays.session[stretch]]
    lag = (offset - plays.from_s[stretch]) * SECOND_US + rng.integers(0, SECOND_US, len(stretch))
    posted = plays.started_us[stretch] + lag
    order = np.argsort(posted, kind="stable")
    rows: list[tuple[str, ...]] = []
    for i in order:
        mood = _mood(title, density, int(offset[i]), rng)
        at = datetime.fromtimestamp(int(posted[i]) // SECOND_US, UTC)
        text = _text(title, mood, at, rng)
        likes = int(rng.negative_binomial(0.28, 0.28 / (0.28 + (2.4 if mood[1] else 0.7))))
        deleted = ""
        if rng.random() < 0.004:
            gone = int(posted[i]) // SECOND_US + int(rng.integers(3600, 3 * 86_400))
            gone = min(gone, period.until_us // SECOND_US - 1)
            deleted = stamp(datetime.fromtimestamp(gone, UTC))
        rows.append((
            title.key,
            "" if rng.random() < 0.004 else str(int(offset[i])),
            stamp(at),
            text,
            sender_ids[viewer[i]],
            str(likes),
            TERRITORIES[audience.territory[viewer[i]]],
            deleted,
        ))  # fmt: skip
    return rows


def played_moments(
    plays: Plays, density: Density, wanted: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """(stretch, offset_s) of `wanted` comments, drawn from seconds that were played."""
    reach = np.concatenate([[0.0], np.cumsum(density.total)])
    mass = reach[plays.to_s] - reach[plays.from_s]
    stretch = np.sort(rng.choice(len(mass), wanted, p=mass / mass.sum()))
    drawn = reach[plays.from_s[stretch]] + rng.random(wanted) * mass[stretch]
    offset = np.searchsorted(reach, drawn, side="right") - 1
    offset = np.clip(offset, plays.from_s[stretch], plays.to_s[stretch] - 1)
    return stretch.astype(np.int64), offset.astype(np.int64)


def _mood(
    title: SampleTitle, density: Density, second: int, rng: np.random.Generator
) -> tuple[tuple[str, ...], str]:
    """The templates to write from, and the scene's subject where it is about a scene."""
    level = rng.random() * density.total[second]
    for scene, row in zip(title.scenes, density.scenes, strict=True):
        level -= row[second]
        if level < 0:
            return MOODS[scene.mood], scene.thing
    for templates, curve in ((OPENING, density.opening), (ENDING, density.ending)):
        level -= curve[second]
        if level < 0:
            return templates, ""
    return CHATTER, ""


def _text(
    title: SampleTitle, mood: tuple[tuple[str, ...], str], at: datetime, rng: np.random.Generator
) -> str:
    templates, thing = mood
    if rng.random() < 0.0015:
        templates = CONTACTS
    # The first templates are the ones everybody writes.
    pick = int(len(templates) * rng.random() ** (1.15 if templates is CHATTER else 1.6))
    text = templates[pick]
    filled = text.format(
        who=title.roles[int(rng.integers(len(title.roles)))] if title.roles else "主角",
        thing=thing,
        day=WEEKDAYS[at.astimezone(ZONE).weekday()],
        n=int(rng.integers(2, 9)),
    )
    if templates is CONTACTS or filled[-1] in "？！…~1":
        return filled
    return filled + TAILS[int(rng.integers(len(TAILS)))]


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
