"""What the sample audience writes on a title's page: posts after watching, and replies to them.

Who finished praises more, who left complains more; a reply comes within days of what it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from portal.sample.audience import TERRITORIES, Audience, Ints
from portal.sample.catalogue import SampleTitle
from portal.sample.comments import stamp
from portal.sample.sessions import SECOND_US, Plays
from portal.sample.viewing import Period
from portal.sample.words import CONTACTS, POSTS, REPLIES

POSTS_PER_PLAY = 0.012
REPLIES_PER_POST = 1.1
DELETED = 0.006
COLUMNS = (
    "title_id",
    "post_id",
    "parent_id",
    "posted_at",
    "text",
    "likes",
    "author_id",
    "territory",
    "deleted_at",
)
_HOUR_US = 3600 * SECOND_US
_TONES = tuple(POSTS)
_FINISHED, _LEFT = (0.66, 0.1, 0.24), (0.2, 0.5, 0.3)
"""How likely each tone is, of those who came to the end and of those who did not."""


@dataclass(frozen=True)
class _Post:
    at_us: int
    author: int
    text: str
    likes: int
    answers: int | None = None  # the place of the post it answers


def talk(
    title: SampleTitle,
    plays: Plays,
    audience: Audience,
    author_ids: list[str],
    period: Period,
    rng: np.random.Generator,
) -> list[tuple[str, ...]]:
    """Rows of the discussion landing file, by time posted."""
    posts = _posts(title, plays, period, rng)
    posts += _replies(title, posts, plays, period, rng)
    ids = {place: f"{title.key}-P{place + 1:05d}" for place in range(len(posts))}
    order = sorted(range(len(posts)), key=lambda place: (posts[place].at_us, place))
    rows: list[tuple[str, ...]] = []
    for place in order:
        post = posts[place]
        rows.append((
            title.key,
            ids[place],
            "" if post.answers is None else ids[post.answers],
            _stamp(post.at_us),
            post.text,
            str(post.likes),
            author_ids[post.author],
            TERRITORIES[audience.territory[post.author]],
            _deleted(post, period, rng),
        ))  # fmt: skip
    return rows


def _posts(
    title: SampleTitle, plays: Plays, period: Period, rng: np.random.Generator
) -> list[_Post]:
    """Of some sessions, some hours after them."""
    wanted = round(POSTS_PER_PLAY * len(plays.viewer))
    chosen = rng.choice(len(plays.viewer), wanted, replace=False) if wanted else _NONE
    later = plays.ends_us[chosen] + (rng.gamma(1.2, 9.0, wanted) * _HOUR_US).astype(np.int64)
    found = []
    for session, at_us in zip(chosen.tolist(), later.tolist(), strict=True):
        if at_us >= period.until_us:
            continue
        finished = plays.far_s[session] > 0.85 * title.runtime_s
        tone = POSTS[_TONES[int(rng.choice(3, p=_FINISHED if finished else _LEFT))]]
        text = _said(title, CONTACTS if rng.random() < 0.004 else tone, rng)
        likes = int(rng.negative_binomial(0.3, 0.3 / (0.3 + 5.0)))
        found.append(_Post(at_us, int(plays.viewer[session]), text, likes))
    return found


_NONE: Ints = np.zeros(0, np.int64)


def _replies(
    title: SampleTitle,
    posts: list[_Post],
    plays: Plays,
    period: Period,
    rng: np.random.Generator,
) -> list[_Post]:
    """The more a post is liked, the more it is answered; by viewers of the title."""
    if not posts:
        return []
    weight = np.array([1.0 + post.likes for post in posts])
    answered = rng.choice(len(posts), round(REPLIES_PER_POST * len(posts)), p=weight / weight.sum())
    found = []
    for place in answered.tolist():
        at_us = posts[place].at_us + int(rng.gamma(1.0, 14.0) * _HOUR_US) + SECOND_US
        if at_us < period.until_us:
            author = int(plays.viewer[int(rng.integers(len(plays.viewer)))])
            likes = int(rng.negative_binomial(0.3, 0.3 / (0.3 + 1.0)))
            found.append(_Post(at_us, author, _said(title, REPLIES, rng), likes, place))
    return found


def _said(title: SampleTitle, templates: tuple[str, ...], rng: np.random.Generator) -> str:
    def one_of(names: tuple[str, ...], otherwise: str) -> str:
        return names[int(rng.integers(len(names)))] if names else otherwise

    return one_of(templates, "").format(
        who=one_of(title.roles, "主角"),
        thing=one_of(tuple(scene.thing for scene in title.scenes), "结尾"),
        actor=one_of(title.cast, "主演"),
        n=int(rng.integers(2, 9)),
    )


def _deleted(post: _Post, period: Period, rng: np.random.Generator) -> str:
    if rng.random() >= DELETED:
        return ""
    return _stamp(min(post.at_us + int(rng.integers(1, 72)) * _HOUR_US, period.until_us - 1))


def _stamp(at_us: int) -> str:
    return stamp(datetime.fromtimestamp(at_us // SECOND_US, UTC))
