"""rewatch: which bits do they go back to."""

from __future__ import annotations

import numpy as np

from engagement.families import Resource, Result
from engagement.families.columns import CONTENT_SECOND, HIDDEN_REASON, column
from engagement.families.read import Read, curve_result, no_curve, read_curves, why_no_curve
from engagement.families.typical import typical

REWATCH = Resource(
    name="rewatch",
    family="rewatch",
    title={"zh": "回看", "en": "Rewatch"},
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


def read(read: Read) -> Result:
    """One row per content second over the window, or per second of each published piece."""
    rows = read_curves(read, "wall_rewatch", "plays", series=2)
    if not rows.sums:
        return no_curve(read, why_no_curve(read, "wall_rewatch"))
    times_played, rewatches = np.concatenate([s.curves for s in rows.sums], axis=1)
    plays = np.repeat([s.plays for s in rows.sums], [s.curves.shape[1] for s in rows.sums])
    known, missing = typical(read, rows, "typical_audience_watch_ratio")
    return curve_result(
        read,
        rows,
        (
            *known,
            ("times_played", times_played.tolist()),
            ("rewatches", rewatches.tolist()),
            ("audience_watch_ratio", np.round(times_played / plays, 6).tolist()),
        ),
        missing,
    )
