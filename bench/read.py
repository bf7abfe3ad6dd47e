"""How long it takes to read what a page asks for, through `query.run` with both walls on.

A title's curves in one territory over ninety days, every day a row of its own, as a partner's
member reads them; and the phrases of a title with as many comments as a talked-about series has.
Thirty days of bench/segments.py are rolled up by the engine, and stand three times in a row.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.__main__ import apart, database, seconds, spread, table

if TYPE_CHECKING:
    from engagement.models import Title
    from engagement.scope import Scope

MILLION = 1_000_000
_FOLDED = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=5, help="segments over thirty days")
    parser.add_argument("--folder", type=Path, help="where the segments are kept for next time")
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    os.environ.setdefault("DATABASE_LOGIN", "owner")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    with tempfile.TemporaryDirectory(prefix="dailies-read-") as fresh:
        apart(Path(fresh))
        import django

        django.setup()
        folder = arguments.folder or Path(fresh)
        with database():
            rows = measure(folder, int(arguments.millions * MILLION), arguments.times)
    sys.stdout.write(table(rows))
    return 0


def measure(folder: Path, rows: int, times: int) -> list[tuple[str, str]]:
    from engagement import query
    from engagement.scope import Query, Window

    title, first = _published(folder / f"{rows // MILLION}M", rows)
    scope = _granted(title)
    window = Window(first, first + timedelta(days=30 * _FOLDED))
    found = []
    for name in ("retention", "rewatch"):
        asked = Query(
            resource=name, title_id=title.pk, window=window, territory="CN", grain="window"
        )
        answer = query.run(asked, scope)
        assert answer.data["sessions" if name == "retention" else "times_played"][0]
        times_taken = _taken(lambda asked=asked: query.run(asked, scope), times)
        seconds_of_it = len(answer.data["content_second"])
        found.append(
            (f"{name}, 90 days of {seconds_of_it:,} s, one territory", spread(times_taken))
        )
    return found


def _taken(work: Callable[[], object], times: int) -> list[float]:
    return [seconds(work) for _ in range(times + 3)][3:]


def _published(folder: Path, rows: int) -> tuple[Title, date]:
    """The title that is watched most, its days published; each day is a piece."""
    from bench import segments
    from engagement import curves
    from engagement.models import Release, RetentionFact, RewatchFact, Title
    from engagement.pipeline import engine, rollup

    files = {date.fromisoformat(p.stem): p for p in segments.generate(folder, rows)}
    house = segments.platform(rows)
    key, runtime = house.titles()[0], int(house.runtimes[0])
    title = Title.objects.create(
        key=key, slug=key, name_zh=key, name_en=key, kind="film", runtime_s=runtime
    )
    first = min(files)
    for day in sorted(files):
        asked = engine.Day(day, lambda other: [files[other]] if other in files else [], {key})
        for cell in rollup.cells(engine.roll_up_day(asked, {key: runtime})):
            if cell.device != rollup.ALL:
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


def _granted(title: Title) -> Scope:
    """What the owner of a partner sees to whom the title is granted in one territory."""
    from engagement.families.registry import FAMILIES
    from partners import grants
    from partners.access import scope_for
    from partners.models import Grant, Holding, Membership, Partner, User

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
