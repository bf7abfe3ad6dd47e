"""The episodes of a series in their order, and what one of them knows of the one before."""

from __future__ import annotations

from datetime import date

from engagement.models import Title, ViewingFact
from engagement.pipeline.restate import closed_days


def in_order(title: Title) -> tuple[date, str]:
    """Episodes by their release day, those of one day by the numbers in their title_id."""
    digits = "".join(c if c.isdigit() else " " for c in title.key).split()
    number = " ".join(f"{int(d):09d}" for d in digits)
    return title.released_on or date.max, f"{number} {title.key}"


def episodes(series: Title) -> list[Title]:
    return sorted(series.children.filter(kind=Title.Kind.EPISODE), key=in_order)


def forget_carried_on(title: Title, since: date) -> None:
    """Empty what the next episode knows of `title` from a day on. On the title's swap.

    Days of closed months keep what they were settled with.
    """
    if title.kind != Title.Kind.EPISODE or title.parent is None:
        return
    after = next_episode(title)
    if after is not None:
        facts = ViewingFact.objects.filter(title=after, from_day__gte=since)
        days = facts.order_by().values_list("from_day", flat=True).distinct()
        facts.exclude(from_day__in=closed_days(days)).update(carried_on=None)


def next_episode(title: Title) -> Title | None:
    assert title.parent is not None
    order = episodes(title.parent)
    keys = [t.pk for t in order]
    place = keys.index(title.pk) + 1 if title.pk in keys else len(order)
    return order[place] if place < len(order) else None
