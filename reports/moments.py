"""The moments of a title in words: what the title page lists and the report quotes.

Which stretches stand out is engagement/moments.py's, who may read which of them the query's. Page
and bundle ask for the same resource, so that they name the same moments. Where nobody is known to
watch, a peak of danmu relative to those watching cannot be told: then the fullest minutes stand
here, counted as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.utils.translation import gettext as _

from engagement.families import NOT_MEASURED, WAITING, Result
from engagement.moments import MOST
from reports.render import wording
from reports.render.document import Moment

KINDS = ("opening", "stop", "rewatch", "steady", "danmu_peak", "danmu_minute")
"""In the order of the answer."""

QUOTED = {"danmu_peak": 5, "danmu_minute": 5, "stop": 2, "rewatch": 2}
"""How many texts a moment of the kind quotes."""

MINUTE_S = 60
SAID_S = 30
MOST_SAID_S = 120


def moments_of(
    answer: Result | None, danmu: Result | None = None, comments: Result | None = None
) -> tuple[Moment, ...]:
    """The moments of the answer of that resource, in its order: by kind, the strongest first.

    `danmu` is the answer of that resource with grain `window`, for where no curve is published.
    `comments` is the answer of `danmu_comments` through the same exit: a moment quotes its most
    repeated, then most liked texts, each once.
    """
    if answer is None or {WAITING, NOT_MEASURED} & set(answer.notes):
        found = _fullest_minutes(danmu) if danmu is not None else []
    else:
        found = _named(answer)
    return tuple(_quoting(found, comments) if comments is not None else found)


def _named(answer: Result) -> list[Moment]:
    return [
        Moment(
            kind=str(row["kind"]),
            from_second=int(row["from_second"]),  # type: ignore[arg-type]
            to_second=int(row["to_second"]),  # type: ignore[arg-type]
            score=float(row["score"]),  # type: ignore[arg-type]
        )
        for row in answer.rows()
    ]


def _fullest_minutes(danmu: Result) -> list[Moment]:
    """The five content minutes with the most danmu; a tie goes to the earlier one."""
    minutes: Counter[int] = Counter()
    for second, written in zip(danmu.data["content_second"], danmu.data["comments"], strict=True):
        if isinstance(second, int) and isinstance(written, int) and written:
            minutes[second // MINUTE_S] += written
    fullest = sorted(minutes, key=lambda minute: (-minutes[minute], minute))[:MOST]
    return [
        Moment("danmu_minute", m * MINUTE_S, (m + 1) * MINUTE_S, float(minutes[m])) for m in fullest
    ]


def said_until(moment: Moment) -> int:
    """The second after the last of which the comments belong to a moment.

    What is said of a second is written in those after it; a stretch of many minutes is read from
    its beginning.
    """
    until = max(moment.to_second, moment.from_second + SAID_S)
    return min(until, moment.from_second + MOST_SAID_S)


def name_of(kind: str) -> str:
    """What moments of a kind are called, in the active language."""
    return {
        "opening": _("Opening"),
        "stop": _("Where they leave"),
        "rewatch": _("What they go back to"),
        "steady": _("Where they stay"),
        "danmu_peak": _("Danmu peaks"),
        "danmu_minute": _("Minutes with the most danmu"),
    }[kind]


def strength_of(moment: Moment) -> str:
    """The score in words, in the active language."""
    share = wording.percent(moment.score)
    return {
        "opening": _("%(share)s still there at 30 s"),
        "stop": _("%(share)s of those watching left, beyond the usual"),
        "rewatch": _("%(more)s rewatches a session above the usual"),
        "steady": _("people leave %(share)s slower than in the whole title"),
        "danmu_peak": _("%(times)s times the usual danmu of those watching"),
        "danmu_minute": _("%(count)s danmu"),
    }[moment.kind] % {
        "share": share,
        "more": f"{moment.score:.2f}",
        "times": f"{moment.score:.1f}",
        "count": wording.exact(int(moment.score)),
    }


def _quoting(moments: Iterable[Moment], comments: Result) -> list[Moment]:
    written = sorted(
        (-repeats, -likes, second, str(row["text"]))
        for row in comments.rows()
        if isinstance(second := row["content_second"], int)
        if isinstance(repeats := row["repeats"], int)
        if isinstance(likes := row["likes"], int)
    )
    quoting = []
    for moment in moments:
        texts = dict.fromkeys(
            text
            for _repeats, _likes, second, text in written
            if moment.from_second <= second < said_until(moment)
        )
        quoted = tuple(texts)[: QUOTED.get(moment.kind, 0)]
        quoting.append(
            Moment(moment.kind, moment.from_second, moment.to_second, moment.score, quoted)
        )
    return quoting
