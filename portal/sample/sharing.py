"""Where the sample audience passes the link on, at which second, and who comes back.

A share is hung on a stretch that its sharer really played, likelier at the title's scenes; each
channel has its own reach.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from portal.sample.audience import TERRITORIES, Audience
from portal.sample.catalogue import SampleTitle
from portal.sample.comments import density_of, played_moments, stamp
from portal.sample.sessions import SECOND_US, Plays
from portal.sample.viewing import Period

SHARES_PER_PLAY = 0.04
COLUMNS = (
    "title_id",
    "share_id",
    "shared_at",
    "channel",
    "sharer_id",
    "offset_s",
    "visits",
    "new_viewers",
    "territory",
)
CHANNELS: dict[str, tuple[float, float, float]] = {
    "wechat": (0.34, 2.6, 0.42),
    "wechat-moments": (0.18, 6.5, 0.24),
    "weibo": (0.15, 9.0, 0.16),
    "xiaohongshu": (0.11, 12.0, 0.2),
    "qq": (0.09, 2.2, 0.36),
    "douyin": (0.07, 15.0, 0.11),
    "copy-link": (0.06, 1.4, 0.3),
}
"""Its part of the shares, visits that a share brings on average, and how many of them are new."""


def shares(
    title: SampleTitle,
    plays: Plays,
    audience: Audience,
    sharer_ids: list[str],
    period: Period,
    rng: np.random.Generator,
) -> list[tuple[str, ...]]:
    """Rows of the shares landing file, by time."""
    wanted = round(SHARES_PER_PLAY * len(plays.viewer))
    if not wanted:
        return []
    stretch, offset = played_moments(plays, density_of(title), wanted, rng)
    sharer = plays.viewer[plays.session[stretch]]
    shared = plays.started_us[stretch] + (offset - plays.from_s[stretch] + 1) * SECOND_US
    parts = np.array([part for part, _, _ in CHANNELS.values()])
    channel = rng.choice(len(CHANNELS), wanted, p=parts / parts.sum())
    reach = np.array([visits for _, visits, _ in CHANNELS.values()])[channel]
    visits = rng.negative_binomial(0.7, 0.7 / (0.7 + reach))
    new = rng.binomial(visits, np.array([share for _, _, share in CHANNELS.values()])[channel])
    whole_title = rng.random(wanted) < 0.35  # from its page, at no second of it
    names = tuple(CHANNELS)
    return [
        (
            title.key,
            f"{title.key}-L{number:05d}",
            stamp(datetime.fromtimestamp(int(shared[i]) // SECOND_US, UTC)),
            names[channel[i]],
            sharer_ids[sharer[i]],
            "" if whole_title[i] else str(int(offset[i])),
            str(int(visits[i])),
            str(int(new[i])),
            TERRITORIES[audience.territory[sharer[i]]],
        )
        for number, i in enumerate(np.argsort(shared, kind="stable"), start=1)
    ]
