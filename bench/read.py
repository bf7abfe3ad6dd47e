"""How long it takes to read what a page asks for, through `query.run` with both walls on.

A title's curves in one territory over ninety days, every day a row of its own, as a partner's
member reads them; and the phrases of a title with as many comments as a talked-about series has.
Thirty days of bench/segments.py are rolled up by the engine, and stand three times in a row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from bench import ground, segments
from bench.told import Row, seconds, spread
from engagement import curves, query  # isort: split

from engagement.families.registry import FAMILIES
from engagement.models import DanmuComment, Release, RetentionFact, RewatchFact, Title
from engagement.phrases import phrases_of
from engagement.pipeline import engine
from engagement.pipeline.cells import ALL, cells
from engagement.scope import Query, Scope, Window
from partners import grants
from partners.access import scope_for
from partners.models import Grant, Holding, Membership, Partner, User

MILLION = 1_000_000
_FOLDED = 3
COMMENTS = 18_533
"""As many as a series that was much talked about had in one crawl."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=20, help="segments over thirty days")
    parser.add_argument("--times", type=int, default=50)
    return ground.run(parser, measure)


def measure(fresh: Path, asked: argparse.Namespace) -> list[Row]:
    rows = int(asked.millions * MILLION)
    title, first = _published(asked.folder / f"{rows // MILLION}M", rows)
    _commented(title, first)
    scope = _granted(title)
    window = Window(first, first + timedelta(days=30 * _FOLDED))
    found: list[Row] = []
    for name, shown in (("retention", "sessions"), ("rewatch", "times_played")):
        read = Query(title.pk, name, window, territory="CN")
        answer = query.run(read, scope)
        assert answer.data[shown][0]
        what = f"{name}, 90 days of {len(answer.data[shown]):,} s, one territory"
        found.append((what, spread(_taken(lambda read=read: query.run(read, scope), asked.times))))
    read = Query(title.pk, "danmu_phrases", window, territory="CN")
    assert query.run(read, scope).data["phrase"][0]
    times = _taken(lambda: query.run(read, scope), asked.times)
    return [*found, (f"phrases that stand out among {COMMENTS:,} comments", spread(times))]


def _taken(work: Callable[[], object], times: int) -> list[float]:
    return [seconds(work) for _ in range(times + 3)][3:]


def _published(folder: Path, rows: int) -> tuple[Title, date]:
    """The title that is watched most, its days published; each day is a piece."""
    files = {date.fromisoformat(p.stem): p for p in segments.generate(folder, rows)}
    house = segments.platform(rows)
    key, runtime = house.titles()[0], int(house.runtimes[0])
    title = Title.objects.create(
        key=key, slug=key, name_zh=key, name_en=key, kind="film", runtime_s=runtime
    )
    first = min(files)
    for day in sorted(files):
        asked = engine.Day(day, lambda other: [files[other]] if other in files else [], {key})
        for cell in cells(engine.roll_up_day(asked, {key: runtime})):
            if cell.device != ALL:
                continue
            sessions, played, starts, stops, skips = cell.curves
            for fold in range(_FOLDED):
                since = day + timedelta(days=30 * fold)
                release, _ = Release.objects.get_or_create(
                    kind="segments", title=title, day=since, state="done", metric_version="1",
                    defaults={"input_digest": "0" * 64},
                )  # fmt: skip
                same = {
                    "title": title, "release": release, "territory": cell.territory,
                    "from_day": since, "until": since + timedelta(days=1), "plays": cell.plays,
                }  # fmt: skip
                RetentionFact.objects.create(
                    **same, curves=curves.pack(np.stack([sessions, starts, stops, skips]))
                )
                RewatchFact.objects.create(
                    **same, curves=curves.pack(np.stack([played, played - sessions]))
                )
    return title, first


def _commented(title: Title, first: date) -> None:
    """Comments made of some hundred words, of which each is said more at a place of its own."""
    random = np.random.default_rng(segments.SEED)
    words = [chr(0x4E00 + 37 * n) + chr(0x5000 + 41 * n) for n in range(300)]
    release = Release.objects.create(
        kind="danmu", title=title, state="done", metric_version="1", input_digest=""
    )
    comments = []
    for _ in range(COMMENTS):
        word = int(random.integers(len(words)))
        at = random.normal(word / len(words) * title.runtime_s, 300)
        text = words[word] + words[int(random.integers(len(words)))]
        comments.append(
            DanmuComment(
                title=title, release=release, territory="CN", from_day=first,
                until=first + timedelta(days=1), text=text, repeats=1, likes=0,
                content_second=int(np.clip(at, 0, title.runtime_s - 1)),
                phrases=sorted(phrases_of(text)),
            )
        )  # fmt: skip
    DanmuComment.objects.bulk_create(comments, 2000)


def _granted(title: Title) -> Scope:
    """What the owner of a partner sees to whom the title is granted in one territory."""
    partner = Partner.objects.create(slug="aurora", name_zh="极光影业", name_en="Aurora")
    Holding.objects.create(partner=partner, title=title, territories=["CN"])
    staff = [
        User.objects.create_superuser(f"{name}@platform.example.com", name=name)
        for name in ("stella", "sam")
    ]
    grant = Grant.objects.create(
        partner=partner, families=list(FAMILIES), territories=["CN"], exits=["web"],
        valid_from=datetime(2026, 1, 1, tzinfo=UTC), contract_reference="C-1", made_by=staff[0],
    )  # fmt: skip
    grant.titles.set([title])
    grants.approve(grant, by=staff[1])
    user = User.objects.create_user("alice@example.com", name="Alice")
    member = Membership.objects.create(user=user, partner=partner, role="owner")
    return scope_for(member, "web")


if __name__ == "__main__":
    sys.exit(main())
