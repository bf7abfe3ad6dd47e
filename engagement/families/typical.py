"""The median curve of like titles, laid beside a title's own.

Stored by week (pipeline/typical.py) as 200 points from the title's beginning to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engagement import curves
from engagement.families import NOT_MEASURED
from engagement.families.read import CurveRows, Read, arguments, fetch, within

MILLIONTHS = 1_000_000


def typical(
    read: Read, rows: CurveRows, column: str
) -> tuple[Sequence[tuple[str, Sequence[Any]]], dict[str, str]]:
    """(the column's values, one a content second and sum), or why it is empty.

    The last stored week inside the reach counts. Several territories added up have none.
    """
    territories = {part.territory for part in read.parts}
    if len(territories) != 1 or not read.runtime_s:
        return (), {column: NOT_MEASURED}
    found = fetch(
        "SELECT fact.curves, fact.hidden_reason"
        + within("wall_typical")
        + " AND fact.family = %s ORDER BY fact.until DESC LIMIT 1",
        [*arguments(read), read.resource.family],
    )
    if not found:
        return (), {column: NOT_MEASURED}
    [(packed, hidden)] = found
    if hidden:
        return (), {column: hidden}
    points = curves.unpack(packed)[0] / MILLIONTHS
    values: list[float | None] = []
    for one in rows.sums:
        seconds = np.arange(one.curves.shape[1])
        at = np.minimum(seconds * len(points) // read.runtime_s, len(points) - 1)
        values += points[at].tolist()
    return ((column, values),), {}
