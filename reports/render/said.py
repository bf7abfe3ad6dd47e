"""What was written and passed on: danmu reactions and phrases, discussion, sharing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from django.utils.translation import gettext as _

from engagement.families import Cell, Result
from engagement.reactions import REACTIONS
from engagement.scope import Window
from reports.render import names, wording
from reports.render.figures import LONGEST_DAILY
from reports.render.sections import (
    Block,
    Figure,
    Page,
    Quote,
    Section,
    Table,
    nothing,
    numbers,
)
from reports.render.watched import added, by_stretch, stretch

MOST_PHRASES = 40
MOST_POSTS = 8
MOST_STRETCHES = 12
"""Where they share: short, since few share at all."""


# --- danmu ---------------------------------------------------------------------------------------


def danmu(page: Page) -> Section | None:
    """Reactions by content time, and the phrases that stand out."""
    answer = page.title.results.get("danmu")
    if answer is None:
        return None
    name = _("What they say in danmu")
    if not numbers(answer, "comments"):
        return Section("danmu", name, nothing=nothing(answer))
    blocks = [_reactions(page, answer)]
    phrases = page.title.results.get("danmu_phrases")
    if phrases is not None:
        blocks.append(_phrases(page, phrases))
    return Section(
        "danmu",
        name,
        _("Danmu read as a reaction by a stated list of words; one may express several, or none."),
        tuple(blocks),
    )


def _reactions(page: Page, answer: Result) -> Block:
    titles = {c.name: c.title for c in answer.resource.columns}
    key = "zh" if wording.is_chinese(page.language) else "en"
    columns = [(titles[c][key], c, added) for c in ("comments", *REACTIONS)]
    measured = [c for c in REACTIONS if numbers(answer, c)]
    figure: Figure | None = None
    notes: tuple[str, ...] = ()
    if measured:
        sums = {c: sum(int(v) for v in answer.data[c] if isinstance(v, int)) for c in measured}
        comma = "、" if key == "zh" else ", "
        alt = _("Reactions in the danmu of %(title)s by content minute. In all: %(told)s.") % {
            "title": page.name,
            "told": comma.join(f"{titles[c][key]} {wording.exact(sums[c])}" for c in measured),
        }
        figure = page.figure("reactions", {"danmu": answer}, alt)
    else:
        notes = (_("Reactions: %(reason)s.") % {"reason": names.reason("not_measured")},)
    return Block(name=_("Reactions"), figure=figure, notes=notes, table=by_stretch(answer, columns))


def _phrases(page: Page, answer: Result) -> Block:
    rows = list(answer.rows())
    if not rows:
        return Block(name=_("Phrases"), notes=(_("No phrase stands out."),))
    shown = sorted(rows, key=lambda r: (-_number(r["lift"]), _number(r["from_second"])))
    shown = sorted(shown[:MOST_PHRASES], key=lambda r: (r["from_second"], -_number(r["lift"])))
    table = Table(
        (_("Content time"), _("Phrase"), _("Danmu"), _("Times the expected")),
        tuple(
            (
                stretch(int(_number(row["from_second"])), int(_number(row["to_second"]))),
                str(row["phrase"]),
                wording.exact(_number(row["comments"])),
                f"{_number(row['lift']):.1f}",
            )
            for row in shown
        ),
        texts=2,
    )
    comma = "、" if wording.is_chinese(page.language) else ", "
    strongest = sorted(rows, key=lambda r: -_number(r["comments"]))[:5]
    alt = _("Phrases that stand out in the danmu of %(title)s: %(n)s. Most said: %(told)s.") % {
        "title": page.name,
        "n": len(rows),
        "told": comma.join(str(row["phrase"]) for row in strongest),
    }
    notes = [
        _("Counted from the danmu that may leave the page; said in at least 5 there and 3 times as"
          " often as in the rest of the title.")
    ]  # fmt: skip
    if len(rows) > len(shown):
        notes.append(
            _("The %(n)s strongest of %(all)s; the others are in danmu_phrases.csv.")
            % {"n": len(shown), "all": len(rows)}
        )
    figure = page.figure("phrases", {"danmu_phrases": answer}, alt)
    return Block(name=_("Phrases"), figure=figure, notes=tuple(notes), table=table)


# --- discussion ----------------------------------------------------------------------------------


def discussion(page: Page) -> Section | None:
    answer = page.title.results.get("discussion")
    if answer is None:
        return None
    name = _("Discussion")
    if not numbers(answer, "posts"):
        return Section("discussion", name, nothing=nothing(answer))
    columns = ("posts", "replies", "likes")
    days = _by_day(answer, columns)
    total = {c: sum(of_day[c] for _w, of_day in days) for c in columns}
    weekly = any(window.days > 1 for window, _sums in days)
    rows = [
        (_when(window, page.language, weekly=weekly), *(wording.exact(sums[c]) for c in columns))
        for window, sums in days
    ]
    rows.append((_("Together"), *(wording.exact(total[c]) for c in columns)))
    alt = _("Posts and replies on the page of %(title)s by day: %(posts)s and %(replies)s in all.")
    figure = page.figure(
        "discussion",
        {"discussion": answer},
        alt
        % {
            "title": page.name,
            "posts": wording.exact(total["posts"]),
            "replies": wording.exact(total["replies"]),
        },
    )
    heads = (_("Week") if weekly else _("Day"), _("Posts"), _("Replies"), _("Likes"))
    blocks = [Block(figure=figure, table=Table(heads, tuple(rows)))]
    blocks += _posts(page)
    return Section(
        "discussion",
        name,
        _(
            "Posts and replies of each day; days without any are left out. Likes are those until"
            " now."
        ),
        tuple(blocks),
    )


def _posts(page: Page) -> list[Block]:
    """The most liked texts that may leave."""
    answer = page.title.results.get("discussion_posts")
    if answer is None or not len(answer):
        return []
    rows = sorted(answer.rows(), key=lambda r: (-_number(r["likes"]), str(r["text"])))
    texts = {str(row["text"]): int(_number(row["likes"])) for row in reversed(rows)}
    liked = sorted(texts.items(), key=lambda one: (-one[1], one[0]))[:MOST_POSTS]
    quotes = tuple(
        Quote(text, _("%(n)s likes") % {"n": wording.exact(likes)}) for text, likes in liked
    )
    return [Block(name=_("Most liked"), quotes=quotes)]


# --- sharing -------------------------------------------------------------------------------------


def sharing(page: Page) -> Section | None:
    """By channel and day, and where in the title they share."""
    answer = page.title.results.get("sharing")
    if answer is None:
        return None
    name = _("Sharing")
    if not numbers(answer, "shares"):
        return Section("sharing", name, nothing=nothing(answer))
    rows, largest = _by_channel(page, answer)
    comma = "；" if wording.is_chinese(page.language) else "; "
    alt = _("Shares of %(title)s by channel and day. Most: %(told)s.") % {
        "title": page.name,
        "told": comma.join(f"{channel} {shares}" for channel, shares, *_rest in largest),
    }
    figure = page.figure("sharing", {"sharing": answer}, alt)
    heads = (_("Channel"), _("Shares"), _("Visits"), _("New viewers"))
    blocks = [Block(figure=figure, table=Table(heads, tuple(rows)))]
    offsets = page.title.results.get("sharing_offsets")
    if offsets is not None and numbers(offsets, "shares") and any(offsets.data["shares"]):
        blocks.append(_offsets(page, offsets))
    return Section(
        "sharing",
        name,
        _(
            "New viewers are published by channel once at least 50 are together; what waits is not"
            " in the sums. Each day is in sharing.csv."
        ),
        tuple(blocks),
    )


def _by_channel(page: Page, answer: Result) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """A line a channel and one of all; and the three with the most shares."""
    shares: Counter[str] = Counter()
    visits: dict[str, int | None] = {}
    people: dict[str, int | None] = {}
    for row in answer.rows():
        channel = row["channel"]
        if channel is None:
            continue
        channel = str(channel)
        shares[channel] += int(_number(row["shares"]))
        visits[channel] = _plus_all(visits.get(channel, 0), row["visits"])
        people[channel] = _plus_known(people.get(channel), row["new_viewers"])
    lines: list[tuple[str, ...]] = [
        (
            names.channel(channel, page.language),
            wording.exact(count),
            wording.exact(visits[channel]),
            wording.exact(people[channel]),
        )
        for channel, count in sorted(shares.items(), key=lambda one: (-one[1], one[0]))
    ]
    known = [n for n in people.values() if n is not None]
    every = list(visits.values())
    together = (
        _("Together"),
        wording.exact(sum(shares.values())),
        wording.exact(None if None in every else sum(n for n in every if n is not None)),
        wording.exact(sum(known) if known else None),
    )
    return [*lines, together], lines[:3]


def _plus_all(total: int | None, value: Cell) -> int | None:
    """None once a part is missing: a part of a sum would pass for the whole."""
    return total + value if total is not None and isinstance(value, int) else None


def _plus_known(total: int | None, value: Cell) -> int | None:
    return (total or 0) + value if isinstance(value, int) else total


def _offsets(page: Page, answer: Result) -> Block:
    table = by_stretch(answer, [(_("Shares"), "shares", added)], MOST_STRETCHES)
    most = max(
        table.rows, key=lambda row: int(row[1].replace(",", "")) if row[1][:1].isdigit() else 0
    )
    alt = _("Shares of %(title)s by content time; most in %(stretch)s with %(n)s.") % {
        "title": page.name, "stretch": most[0], "n": most[1],
    }  # fmt: skip
    figure = page.figure("sharing_offsets", {"sharing_offsets": answer}, alt)
    return Block(name=_("Where they share"), figure=figure, table=table)


# --- days ----------------------------------------------------------------------------------------


def _by_day(answer: Result, columns: Sequence[str]) -> list[tuple[Window, Mapping[str, int]]]:
    """Sums over the territories by day, or by week (Monday to Sunday) where the days are many."""
    days: dict[date, Counter[str]] = {}
    for row in answer.rows():
        day = row["day"]
        if isinstance(day, date):
            sums = days.setdefault(day, Counter())
            for column in columns:
                sums[column] += int(_number(row[column]))
    if len(days) <= LONGEST_DAILY:
        return [(_window(day, 1), days[day]) for day in sorted(days)]
    weeks: dict[date, Counter[str]] = {}
    for day, sums in days.items():
        weeks.setdefault(day - timedelta(days=day.weekday()), Counter()).update(sums)
    asked = answer.asked.window
    return [(_window(monday, 7).common(asked) or asked, weeks[monday]) for monday in sorted(weeks)]


def _window(since: date, days: int) -> Window:
    return Window(since, since + timedelta(days=days))


def _when(window: Window, language: str, *, weekly: bool) -> str:
    return wording.days(window, language) if weekly else wording.short_day(window.since, language)


def _number(value: Cell) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
