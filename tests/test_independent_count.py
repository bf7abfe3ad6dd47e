"""A small random platform through `ingest`, against a slow, obvious count of the raw rows.

Rows come in several files, some twice, some over midnight, with repeats, jumps and stretches of
no length. What `query.run` answers to a partner must be what a loop over the rows counts.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from engagement import query
from engagement.models import Title
from engagement.scope import Query, Window
from partners.access import scope_for
from tests.cast import Cast

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 5, 4)
DAYS = 4
WINDOW = Window(FIRST, FIRST + timedelta(days=DAYS))
RUNTIMES = {"long": 90, "short": 20}
TERRITORIES = ("CN", "SG")


@dataclass(frozen=True)
class Row:
    session: str
    viewer: str
    title: str
    at: datetime
    from_s: float
    to_s: float
    territory: str

    @property
    def seconds(self) -> range:
        return range(int(self.from_s), min(int(self.to_s), RUNTIMES[self.title]))


def random_rows(seed: int) -> list[Row]:
    draw = random.Random(seed)
    rows = []
    for number in range(1400):
        title = draw.choice(list(RUNTIMES))
        day = FIRST + timedelta(days=draw.randrange(DAYS))
        at = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
        at += timedelta(seconds=draw.randrange(86_400))
        if day == WINDOW.until - timedelta(days=1):
            at = min(at, at.replace(hour=20))  # the last day's sessions end in the window
        viewer, territory = f"v{draw.randrange(500)}", draw.choice(TERRITORIES)
        for _ in range(draw.randrange(1, 6)):
            since = draw.uniform(0, RUNTIMES[title] - 1)
            until = min(since + draw.choice([0, 0.4, 3, 12, 60]), RUNTIMES[title] + 3.0)
            rows.append(Row(f"s{number}", viewer, title, at, since, until, territory))
            at += timedelta(seconds=draw.randrange(1, 400))
    return rows


def land(folder: Path, rows: list[Row], seed: int) -> None:
    """Shuffled over three files; every tenth row stands in two of them."""
    draw = random.Random(seed)
    files: list[list[Row]] = [[], [], []]
    for row in rows:
        for file in draw.sample(files, 2 if draw.random() < 0.1 else 1):
            file.append(row)
    (folder / "titles.csv").write_text(
        "title_id,kind,name_zh,name_en,runtime_s\n"
        + "".join(f"{t},film,{t},{t},{s}\n" for t, s in RUNTIMES.items())
    )
    for number, file in enumerate(files):
        draw.shuffle(file)
        with (folder / f"segments.{number}.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(
                ["session_id", "viewer_id", "title_id", "started_at", "from_s", "to_s", "territory"]
            )
            for r in file:
                moment = r.at.astimezone(ZoneInfo("UTC")).isoformat()
                writer.writerow(
                    [r.session, r.viewer, r.title, moment, r.from_s, r.to_s, r.territory]
                )


def counted(rows: list[Row], title: str, territories: Iterable[str]) -> dict[str, Any]:
    """By DESIGN's definitions, one session and one second at a time."""
    sessions: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.title == title and row.seconds:
            sessions[row.session].append(row)
    days: dict[date, Counter[str]] = defaultdict(Counter)
    people: dict[date, set[str]] = defaultdict(set)
    done: dict[date, set[str]] = defaultdict(set)
    curve: dict[str, Counter[int]] = defaultdict(Counter)
    for session in sessions.values():
        session.sort(key=lambda r: r.at)
        if session[0].territory not in territories:
            continue
        day = session[0].at.date()
        played = [t for row in session for t in row.seconds]
        days[day]["plays"] += 1
        days[day]["watch_seconds"] += len(played)
        people[day].add(session[0].viewer)
        if max(played) + 1 >= 0.9 * RUNTIMES[title]:
            days[day]["completions"] += 1
            done[day].add(session[0].viewer)
        curve["times_played"].update(played)
        curve["sessions"].update(set(played))
        curve["skips"].update(set(range(min(played), max(played))) - set(played))
        curve["starts"][session[0].seconds[0]] += 1
        curve["stops"][session[-1].seconds[-1]] += 1
    return {
        "days": {
            day: {
                "plays": c["plays"],
                "watch_seconds": c["watch_seconds"],
                "completions": c["completions"],
                "viewers": len(people[day]),
                "finishers": len(done[day]),
            }
            for day, c in days.items()
        },
        "viewers": len(set().union(*people.values())),
        "finishers": len(set().union(*done.values())),
        "curve": {
            name: [c[t] for t in range(RUNTIMES[title])] for name, c in sorted(curve.items())
        },
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_partner_reads_is_what_a_loop_over_the_rows_counts(
    cast: Cast, settings: Any, tmp_path: Path, seed: int
) -> None:
    settings.STAGING, settings.SOURCES = tmp_path / "staged", tmp_path / "sources"
    settings.PEOPLE = tmp_path / "people"
    landing = tmp_path / "landing"
    landing.mkdir()
    rows = random_rows(seed)
    land(landing, rows, seed)
    call_command("ingest", str(landing), verbosity=0)
    titles = {t: Title.objects.get(key=t) for t in RUNTIMES}
    cast.grant(cast.aurora, *titles.values())
    scope = scope_for(cast.alice, "web")
    for key, title in titles.items():
        for territory in ("*", *TERRITORIES):
            expected = counted(rows, key, TERRITORIES if territory == "*" else (territory,))

            def ask(resource: str, pk: int = title.pk, where: str = territory) -> Any:
                return query.run(Query(pk, resource, WINDOW, where), scope)

            viewing = [r for r in ask("viewing").rows() if r["device"] == "*"]
            by_day = {r["from"]: r for r in viewing if r["until"] == r["from"] + timedelta(days=1)}
            [whole] = [r for r in viewing if (r["from"], r["until"]) == (FIRST, WINDOW.until)]
            assert {
                day: {name: row[name] for name in expected["days"][day]}
                for day, row in by_day.items()
            } == expected["days"]
            for name in ("plays", "watch_seconds", "completions"):
                assert whole[name] == sum(d[name] for d in expected["days"].values())
            assert (whole["viewers"], whole["finishers"]) == (
                expected["viewers"],
                expected["finishers"],
            )
            retention, rewatch = ask("retention"), ask("rewatch")
            assert retention.extra["plays"] == whole["plays"]  # every day is in a piece
            read = {
                **{n: list(retention.data[n]) for n in ("sessions", "skips", "starts", "stops")},
                "times_played": list(rewatch.data["times_played"]),
            }
            assert read == {name: expected["curve"][name] for name in read}
            for share, count in zip(retention.data["retention"], read["sessions"], strict=True):
                assert share == pytest.approx(count / whole["plays"], abs=1e-6)
