"""How often real links were passed on by channel, counted by us and by whoever watched them.

The only real series of shares by channel that was found is of news: of each link and channel the
running total every twenty minutes of two days. A link stands for a title; a rise is as many
shares in those twenty minutes; the totals at midnight are the count to compare with.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db.models import Sum

from engagement.models import SharingFact
from tests.engagement.one_film import DAY, TITLES, ingest, land
from tests.engagement.test_ingest_talk import SHARES

pytestmark = pytest.mark.django_db

LINKS = ("81168", "79184", "72258")
"""Three that many passed on in each channel, in totals that never fell."""
CHANNELS = ("Facebook", "GooglePlus", "LinkedIn")
STEP = timedelta(minutes=20)
FIRST = datetime(DAY.year, DAY.month, DAY.day, 2, tzinfo=UTC)
"""Ten in the morning in Shanghai: 42 steps to midnight, 72 of a whole day, 30 of the third."""
MIDNIGHTS = (42, 114, 144)


def totals(real_data: Path, channel: str) -> dict[str, list[int]]:
    """By link the running totals; a link is followed from some step on, nothing before."""
    path = real_data / "shares-by-channel-news" / f"{channel}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {
            row["IDLink"]: [max(0, int(row[f"TS{step}"])) for step in range(1, 145)]
            for row in csv.DictReader(lines)
            if row["IDLink"] in LINKS
        }


def shares(channel: str, link: str, running: list[int]) -> Iterator[str]:
    """A landed row a share, at the beginning of the step in which the total rose."""
    for step, (before, after) in enumerate(zip([0, *running], running, strict=False)):
        moment = (FIRST + step * STEP).strftime("%Y-%m-%dT%H:%M:%SZ")
        for number in range(before, after):
            yield f"{link},{channel}-{link}-{number},{moment},{channel},,,1,0,CN"


def test_real_shares_by_channel_add_up_to_the_totals_at_each_midnight(
    folder: Path, real_data: Path
) -> None:
    titles = "".join(f"{link},film,{link},{link},6000,2024-09-01,,,,,\n" for link in LINKS)
    (folder / "titles.csv").write_text(TITLES + titles)
    wanted: dict[tuple[str, str, int], int] = {}
    for channel in CHANNELS:
        running = totals(real_data, channel)
        assert running.keys() == set(LINKS)
        rows = [row for link in LINKS for row in shares(channel, link, running[link])]
        land(folder, f"shares.{channel}.csv", rows, SHARES)
        for link in LINKS:
            at = [0, *(running[link][step - 1] for step in MIDNIGHTS)]
            for day in range(3):
                wanted[link, channel.lower(), day] = at[day + 1] - at[day]
    summary = ingest(folder)
    assert (summary.rejected, summary.duplicates) == ({}, 0)
    found = {
        (key, channel, (day - DAY).days): count
        for key, channel, day, count in SharingFact.objects.filter(territory="*").values_list(
            "title__key", "channel", "from_day", "shares"
        )
    }
    assert found == {place: count for place, count in wanted.items() if count}
    assert sum(found.values()) == 12_092
    in_china = SharingFact.objects.filter(territory="CN").aggregate(n=Sum("shares"))
    assert in_china["n"] == 12_092
