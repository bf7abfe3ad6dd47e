"""The moments of a title that stand out. For now: the content minutes with the most danmu.

The title page and the bundle call the same function, so that they name the same minutes.
"""

from __future__ import annotations

from engagement.families import Result
from reports.render.document import Moment

MINUTE_S = 60
COUNT = 5
TEXTS = 5


def top_moments(
    danmu: Result, comments: Result | None = None, *, count: int = COUNT
) -> tuple[Moment, ...]:
    """The `count` content minutes with the most danmu, the fullest first.

    `danmu` is the answer of that resource with grain `window`; a tie goes to the earlier
    minute, and a minute without any is no moment. `comments` is the answer of `danmu_comments`
    through the same exit: each moment quotes its most repeated, then most liked texts, at most
    five, each once.
    """
    minutes: dict[int, int] = {}
    for second, written in zip(danmu.data["content_second"], danmu.data["comments"], strict=True):
        if isinstance(second, int) and isinstance(written, int) and written:
            minute = second // MINUTE_S
            minutes[minute] = minutes.get(minute, 0) + written
    fullest = sorted(minutes, key=lambda minute: (-minutes[minute], minute))[:count]
    texts = _texts(comments, fullest) if comments is not None else {}
    return tuple(
        Moment(
            kind="danmu",
            from_second=minute * MINUTE_S,
            to_second=(minute + 1) * MINUTE_S,
            comments=minutes[minute],
            texts=tuple(texts.get(minute, ())),
        )
        for minute in fullest
    )


def _texts(comments: Result, minutes: list[int]) -> dict[int, list[str]]:
    """The texts worth quoting of each minute."""
    written: dict[int, list[tuple[int, int, int, str]]] = {minute: [] for minute in minutes}
    for row in comments.rows():
        second, repeats, likes = row["content_second"], row["repeats"], row["likes"]
        if not (isinstance(second, int) and isinstance(repeats, int) and isinstance(likes, int)):
            continue
        if second // MINUTE_S in written:
            written[second // MINUTE_S].append((-repeats, -likes, second, str(row["text"])))
    return {
        minute: list(dict.fromkeys(text for *_, text in sorted(rows)))[:TEXTS]
        for minute, rows in written.items()
    }
