"""rewatch: which bits do they go back to."""

from __future__ import annotations

from engagement.families import Resource
from engagement.families.columns import CONTENT_SECOND, HIDDEN_REASON, column

REWATCH = Resource(
    name="rewatch",
    family="rewatch",
    curve=True,
    columns=(
        CONTENT_SECOND,
        column(
            "times_played", "integer", "plays", "播放次数（该秒）", "Times played",
            "该秒被播放的总次数，含重复。", "How often this second was played, repeats included.",
        ),
        column(
            "rewatches", "integer", "plays", "回看", "Rewatches",
            "该秒播放次数 − 会话数。", "Times played minus sessions.",
        ),
        column(
            "audience_watch_ratio", "number", "ratio", "观看比", "Audience watch ratio",
            "该秒播放次数 ÷ 播放次数，可大于 1。", "Times played divided by plays; may pass 1.",
        ),
        column(
            "typical_audience_watch_ratio", "number", "ratio", "同类中位观看比",
            "Typical audience watch ratio",
            "同类作品观看比的中位数。", "Median audience watch ratio of like titles.",
        ),
        HIDDEN_REASON,
    ),
)  # fmt: skip
