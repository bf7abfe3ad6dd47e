"""retention: at what point do they start, stop, skip."""

from __future__ import annotations

import numpy as np

from engagement.families import Resource, Result
from engagement.families.columns import CONTENT_SECOND, HIDDEN_REASON, column
from engagement.families.read import Read, curve_result, no_curve, read_curves, why_no_curve
from engagement.families.typical import typical

RETENTION = Resource(
    name="retention",
    family="retention",
    title={"zh": "留存", "en": "Retention"},
    curve=True,
    columns=(
        CONTENT_SECOND,
        column(
            "sessions", "integer", "plays", "会话数", "Sessions",
            "播放过该秒的会话数。", "Sessions that played this second.",
        ),
        column(
            "retention", "number", "share", "留存", "Retention",
            "会话数 ÷ 播放次数。", "Sessions divided by plays.",
        ),
        column(
            "starts", "integer", "plays", "进入", "Starts",
            "首段播放从该秒开始的会话数。", "Sessions whose first segment begins at this second.",
        ),
        column(
            "stops", "integer", "plays", "离开", "Stops",
            "末段播放在该秒结束的会话数。", "Sessions whose last segment ends with this second.",
        ),
        column(
            "skips", "integer", "plays", "跳过", "Skips",
            "前后都播放过、但未播放该秒的会话数。",
            "Sessions that played before and after this second, but not this second.",
        ),
        column(
            "typical_retention", "number", "share", "同类中位留存", "Typical retention",
            "同类作品留存的中位数。", "Median retention of like titles.",
        ),
        HIDDEN_REASON,
    ),
)  # fmt: skip


def read(read: Read) -> Result:
    """One row per content second over the window, or per second of each published piece."""
    rows = read_curves(read, "wall_retention", "plays", series=4)
    counts = np.concatenate([s.curves for s in rows.sums], axis=1) if rows.sums else None
    if counts is None:
        return no_curve(read, why_no_curve(read, "wall_retention"))
    plays = np.repeat([s.plays for s in rows.sums], [s.curves.shape[1] for s in rows.sums])
    sessions, starts, stops, skips = counts
    known, missing = typical(read, rows, "typical_retention")
    return curve_result(
        read,
        rows,
        (
            *known,
            ("sessions", sessions.tolist()),
            ("retention", np.round(sessions / plays, 6).tolist()),
            ("starts", starts.tolist()),
            ("stops", stops.tolist()),
            ("skips", skips.tolist()),
        ),
        missing,
    )
