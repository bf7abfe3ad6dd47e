"""The headline numbers of a title over a window, from the `viewing` answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from engagement.families import Result
from engagement.families.viewing import Total
from engagement.scope import ALL
from engagement.sketches import Estimate


@dataclass(frozen=True)
class Headline:
    """Sums are exact; viewers are exact for one day, else an estimate with 95 % bounds."""

    plays: int
    viewers: Estimate
    watch_seconds: int
    completions: int
    by_day: tuple[tuple[date, int], ...]  # plays

    @property
    def completion(self) -> float | None:
        """Completions divided by plays."""
        return self.completions / self.plays if self.plays else None

    @property
    def estimated(self) -> bool:
        return self.viewers.low < self.viewers.high

    def spark(self, width: int = 120, height: int = 26) -> str:
        """The plays of each day as the points of an SVG polyline."""
        top = max((plays for _, plays in self.by_day), default=0)
        if len(self.by_day) < 2 or not top:
            return ""
        first, last = self.by_day[0][0], self.by_day[-1][0]
        span = (last - first).days
        return " ".join(
            f"{(day - first).days / span * width:.1f},{height - 1 - plays / top * (height - 2):.1f}"
            for day, plays in self.by_day
        )


def headline(result: Result | None) -> Headline | None:
    """None where nothing was played in the window."""
    total = result.extra.get("total") if result else None
    if result is None or not isinstance(total, Total):
        return None
    by_day: dict[date, int] = {}
    seen: set[tuple[date, str]] = set()
    for row in result.rows():
        since, until, territory = row["from"], row["until"], str(row["territory"])
        if not isinstance(since, date) or not isinstance(until, date):
            continue
        if (until - since).days != 1 or row["device"] != ALL or (since, territory) in seen:
            continue
        seen.add((since, territory))
        by_day[since] = by_day.get(since, 0) + int(row["plays"] or 0)  # type: ignore[arg-type]
    return Headline(
        plays=total.plays,
        viewers=total.viewers,
        watch_seconds=total.watch_seconds,
        completions=total.completions,
        by_day=tuple(sorted(by_day.items())),
    )
