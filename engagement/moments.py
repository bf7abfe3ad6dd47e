"""Moments: stretches of content that stand out. For now the minutes with the most danmu."""

from __future__ import annotations

from dataclasses import dataclass

from engagement.families import Result

MINUTE = 60


@dataclass(frozen=True)
class Minute:
    """One content minute [from_second, to_second) and the danmu written in it."""

    n: int  # numbered in the order of content
    from_second: int
    to_second: int
    comments: int
    kind: str = "danmu"


def busiest_minutes(danmu: Result, count: int = 5) -> tuple[Minute, ...]:
    """The `count` content minutes with the most danmu, in the order of content.

    `danmu` is the answer of that resource by window. A minute without any is none; of equal
    ones the earlier counts.
    """
    minutes: dict[int, int] = {}
    for second, comments in zip(
        danmu.data["content_second"], danmu.data["comments"], strict=True
    ):
        if isinstance(second, int) and isinstance(comments, int) and comments:
            minutes[second // MINUTE] = minutes.get(second // MINUTE, 0) + comments
    busiest = sorted(minutes.items(), key=lambda item: (-item[1], item[0]))[:count]
    return tuple(
        Minute(n, minute * MINUTE, (minute + 1) * MINUTE, comments)
        for n, (minute, comments) in enumerate(sorted(busiest), 1)
    )
