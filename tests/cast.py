"""The same people and titles everywhere.

Aurora (Alice owns it, Amy is its analyst, Victor its viewer) and Borealis (Bob owns it) are
competitors. Cirrus (Cleo owns it) holds the co-production with Aurora in other territories.
Stella and Sam are platform staff. Borealis' numbers carry a stem that nobody else's do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from datasketches import update_theta_sketch
from django.contrib.auth.hashers import make_password
from django.db import connection

from engagement import curves
from engagement.families.registry import FAMILIES
from engagement.models import (
    DanmuComment,
    DanmuFact,
    DemographicsFact,
    DiscussionFact,
    DiscussionPost,
    FanbaseFact,
    FanSet,
    FanSetVersion,
    GeographyFact,
    Ingest,
    Release,
    RetentionFact,
    RewatchFact,
    SharingFact,
    SharingOffset,
    Title,
    ViewerSketch,
    ViewingFact,
)
from engagement.reactions import REACTIONS
from partners import grants
from partners.models import Grant, Holding, Membership, Partner, User

DAY = date(2026, 1, 1)
DAYS = 10
SECONDS = 120
SETTLING = timedelta(days=3)
FIRST_TITLE = 1_000_001
"""The cast's titles have the same ids in every test, beyond those that a test gets by itself."""
STAFF = ("stella", "sam")
CANARY = 7_654_321
"""In every one of Borealis' numbers, and in no other."""


PUBLISHED = (
    Release,
    FanSet,
    FanSetVersion,
    DanmuComment,
    DanmuFact,
    DemographicsFact,
    DiscussionFact,
    DiscussionPost,
    FanbaseFact,
    GeographyFact,
    RetentionFact,
    RewatchFact,
    SharingFact,
    SharingOffset,
    ViewerSketch,
    ViewingFact,
)
"""What `write_facts` writes."""


@dataclass
class Cast:
    aurora: Partner
    borealis: Partner
    cirrus: Partner
    alice: Membership
    amy: Membership
    victor: Membership
    bob: Membership
    cleo: Membership
    stella: User
    sam: User
    film: Title  # Aurora's, granted
    hidden: Title  # Aurora's, not granted
    foreign: Title  # Borealis', granted to Borealis
    shared: Title  # co-production: Aurora in CN, Cirrus in SG
    grants: dict[str, Grant] = field(default_factory=dict)

    def grant(self, partner: Partner, *titles: Title, **fields: Any) -> Grant:
        """An approved grant: everything, for ever, unless told otherwise."""
        grant = Grant.objects.create(
            **{
                "partner": partner,
                "families": list(FAMILIES),
                "territories": ["*"],
                "exits": ["web", "export", "email", "api"],
                "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
                "contract_reference": "C-1",
                "made_by": self.stella,
                **fields,
            }
        )
        grant.titles.set(titles)
        grants.approve(grant, by=self.sam)
        grant.refresh_from_db()
        return grant


def make_cast() -> Cast:
    names = ("alice", "amy", "victor", "bob", "cleo")
    people = {
        name: User(
            email=f"{name}@{'platform.' if name in STAFF else ''}example.com",
            name=name.capitalize(),
            password=make_password(None),
            is_staff=name in STAFF,
            is_superuser=name in STAFF,
        )
        for name in (*names, *STAFF)
    }
    User.objects.bulk_create(people.values())  # almost every test has the cast: one query each
    staff = {name: people[name] for name in STAFF}
    partners = {
        slug: Partner(slug=slug, name_zh=zh, name_en=slug.capitalize())
        for slug, zh in (
            ("aurora", "极光影业"),
            ("borealis", "ZQB-北光影业"),
            ("cirrus", "卷云影业"),
        )
    }
    Partner.objects.bulk_create(partners.values())
    members = {
        name: Membership(user=people[name], partner=partners[partner], role=role)
        for name, partner, role in (
            ("alice", "aurora", "owner"),
            ("amy", "aurora", "analyst"),
            ("victor", "aurora", "viewer"),
            ("bob", "borealis", "owner"),
            ("cleo", "cirrus", "owner"),
        )
    }
    Membership.objects.bulk_create(members.values())

    titles = {
        slug: Title(
            pk=pk, key=slug, slug=slug, kind="film", name_zh=zh, name_en=en, runtime_s=SECONDS
        )
        for pk, (slug, zh, en) in enumerate(
            (
                ("film", "长夜", "The Long Night"),
                ("hidden", "未授权", "Not Granted"),
                ("foreign", "ZQB-异乡", "ZQB-Foreign"),
                ("shared", "合拍", "Shared"),
            ),
            start=FIRST_TITLE,
        )
    }
    Title.objects.bulk_create(titles.values())
    cast = Cast(
        aurora=partners["aurora"],
        borealis=partners["borealis"],
        cirrus=partners["cirrus"],
        alice=members["alice"],
        amy=members["amy"],
        victor=members["victor"],
        bob=members["bob"],
        cleo=members["cleo"],
        stella=staff["stella"],
        sam=staff["sam"],
        film=titles["film"],
        hidden=titles["hidden"],
        foreign=titles["foreign"],
        shared=titles["shared"],
    )
    _publish(cast)
    Holding.objects.bulk_create(
        Holding(partner=partners[partner], title=titles[title], territories=territories)
        for partner, title, territories in (
            ("aurora", "film", ["*"]),
            ("aurora", "hidden", ["*"]),
            ("borealis", "foreign", ["*"]),
            ("aurora", "shared", ["CN"]),
            ("cirrus", "shared", ["SG"]),
        )
    )
    cast.grants["film"] = cast.grant(cast.aurora, cast.film)
    cast.grants["foreign"] = cast.grant(cast.borealis, cast.foreign)
    cast.grants["shared"] = cast.grant(cast.aurora, cast.shared, territories=["CN"])
    cast.grants["shared-sg"] = cast.grant(cast.cirrus, cast.shared, territories=["SG"])
    return cast


_published: dict[str, str] = {}
"""The cast's facts by table, each as one text of JSON."""


def _publish(cast: Cast) -> None:
    """Write the facts of the four titles: by their models once in a process, then table by table.

    Almost every test has the cast, and this was most of what it cost. (PostgreSQL's COPY would do,
    but not where a table has row-level security.)
    """
    with connection.cursor() as cursor:
        for table, rows in _published.items():
            cursor.execute(
                f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, %s)",
                [rows],
            )
        if _published:
            return
        for title in (cast.film, cast.hidden, cast.foreign, cast.shared):
            write_facts(title, base=CANARY if title is cast.foreign else 100)
        for table in (model._meta.db_table for model in PUBLISHED):
            cursor.execute(f"SELECT json_agg(fact)::text FROM {table} AS fact")
            _published[table] = cursor.fetchone()[0]


def publish_days(title: Title, since: date, until: date) -> None:
    """Releases of viewing for each day in between, as of a platform whose logs came in, and an
    ingest after all of them had settled.
    """
    Ingest.objects.create(finished_at=datetime.combine(until, datetime.min.time(), UTC) + SETTLING)
    Release.objects.bulk_create(
        Release(
            kind="segments",
            title=title,
            day=since + timedelta(days=n),
            metric_version="1",
            input_digest="",
            state="done",
            done_at=datetime.combine(since + timedelta(days=n + 1), datetime.min.time(), UTC),
        )
        for n in range((until - since).days)
        if since + timedelta(days=n) != DAY  # the cast has one
    )


def write_facts(title: Title, base: int) -> None:
    """Ten published days in CN and SG, and over all; every number is a function of `base`.

    CN has `base` plays a day, SG half of that (floored). Every session plays the first minute;
    half of them the second. One post a day and territory, and shares at second 30. All danmu are
    counted at second 30, as laughter; to be read are one a day and territory there, with a phrase,
    and one at second 90. Half of the former may leave.
    """
    release = Release.objects.create(
        kind="segments", title=title, day=DAY, metric_version="1", input_digest="", state="done"
    )
    danmu = Release.objects.create(
        kind="danmu", title=title, metric_version="1", input_digest="", state="done"
    )
    discussion = Release.objects.create(
        kind="discussion", title=title, metric_version="1", input_digest="", state="done"
    )
    shares = [
        Release.objects.create(
            kind="shares",
            title=title,
            day=DAY + timedelta(days=offset),
            metric_version="1",
            input_digest="",
            state="done",
        )
        for offset in range(DAYS)
    ]
    rows: list[Any] = []
    for offset in range(DAYS):
        since = DAY + timedelta(days=offset)
        for territory, plays in (("CN", base), ("SG", base // 2), ("*", base + base // 2)):
            cell = {
                "title": title,
                "from_day": since,
                "until": since + timedelta(days=1),
                "territory": territory,
            }
            rows += _viewing(title, plays, cell | {"release": release})
            rows += _danmu(base, offset, cell | {"release": danmu})
            rows += _discussion(base, offset, cell | {"release": discussion})
            rows += _sharing(plays, cell | {"release": shares[offset]})
            rows += _people(plays, cell | {"release": release})
    for model in {type(row) for row in rows}:
        model.objects.bulk_create([row for row in rows if type(row) is model])


def _viewing(title: Title, plays: int, cell: dict[str, Any]) -> list[Any]:
    sessions = np.where(np.arange(SECONDS) < SECONDS // 2, plays, plays // 2)
    starts, stops, skips = np.zeros((3, SECONDS), dtype=np.int64)
    starts[0], stops[SECONDS // 2 - 1], stops[-1] = plays, plays - plays // 2, plays // 2
    rewatches = np.where(np.arange(SECONDS) == 40, plays // 4, 0)
    people = f"{title.pk}-{cell['territory']}"
    return [
        ViewingFact(
            **cell,
            device="*",
            plays=plays,
            viewers=plays,
            watch_seconds=plays * 90,
            completions=plays // 2,
            finishers=plays // 2,
        ),
        ViewerSketch(
            **cell,
            viewers=_sketch(min(plays, 500), people),
            finishers=_sketch(min(plays, 500) // 2, people),
        ),
        RetentionFact(
            **cell, plays=plays, curves=curves.pack(np.stack([sessions, starts, stops, skips]))
        ),
        RewatchFact(
            **cell, plays=plays, curves=curves.pack(np.stack([sessions + rewatches, rewatches]))
        ),
    ]


def _people(plays: int, cell: dict[str, Any]) -> list[Any]:
    """Who they are, as of periods of a day. Fans are told to everyone who is granted the title."""
    survival = [round(1 - n / 40, 2) for n in range(20)]
    numbers = {"viewers": plays, "finishers": plays // 2, "survival": survival}
    fans = FanSetVersion.objects.filter(fan_set__slug="readers").first()
    if fans is None:
        readers = FanSet.objects.create(slug="readers", name_zh="书迷", name_en="Readers")
        fans = FanSetVersion.objects.create(
            fan_set=readers, version=1, from_day=DAY, rule="finished", defined_by="stella"
        )
    return [
        DemographicsFact(**cell, **numbers, age_band="18-24", gender="female"),
        GeographyFact(**cell, **numbers, region="rest"),
        FanbaseFact(
            **cell,
            fan_set=fans,
            viewers_in_common=plays,
            share_of_title=0.5,
            lift=2.0,
            lift_low=1.5,
            lift_high=2.5,
            hidden_reason="share_of_fan_set:not_measured",
        ),
    ]


def _danmu(base: int, offset: int, cell: dict[str, Any]) -> list[Any]:
    count = (CANARY if base == CANARY else 2) * (2 if cell["territory"] == "*" else 1)
    series = np.zeros((1 + len(REACTIONS), SECONDS), dtype=np.int64)
    series[[0, 1 + REACTIONS.index("laughter")], 30] = count
    rows: list[Any] = [DanmuFact(**cell, comments=count, unplaced=0, curves=curves.pack(series))]
    if cell["territory"] != "*":
        stem = "ZQB-" if base == CANARY else ""
        laughed = DanmuComment(
            **cell,
            content_second=30,
            text=f"{stem}哈哈哈 {cell['territory']} {cell['from_day']:%d}",
            repeats=3 if offset % 2 == 0 else 1,
            likes=0,
            phrases=[f"{stem}哈哈哈"],
        )
        went = DanmuComment(**cell, content_second=90, text=f"{stem}走了", repeats=3, likes=0)
        rows += [laughed, went]
    return rows


def _discussion(base: int, offset: int, cell: dict[str, Any]) -> list[Any]:
    posts = (CANARY if base == CANARY else 2) * (2 if cell["territory"] == "*" else 1)
    rows: list[Any] = [DiscussionFact(**cell, posts=posts, replies=posts, likes=posts)]
    if cell["territory"] != "*":
        stem = "ZQB-" if base == CANARY else ""
        rows.append(
            DiscussionPost(
                **cell,
                text=f"{stem}很好看 {cell['territory']} {cell['from_day']:%d}",
                repeats=3 if offset % 2 == 0 else 1,
                likes=0,
                replies=0,
            )
        )
    return rows


def _sharing(plays: int, cell: dict[str, Any]) -> list[Any]:
    """New viewers of every second day count the day before as well."""
    even = (cell["from_day"] - DAY).days % 2 == 0
    return [
        SharingFact(
            **cell,
            channel="wechat",
            shares=plays,
            visits=plays * 3,
            new_viewers=None if even else plays * 2,
            new_since=None if even else cell["from_day"] - timedelta(days=1),
        ),
        SharingOffset(
            **cell,
            shares=plays,
            unplaced=0,
            curves=curves.pack(np.where(np.arange(SECONDS) == 30, plays, 0)[np.newaxis, :]),
        ),
    ]


@cache
def _sketch(people: int, key: str) -> bytes:
    sketch = update_theta_sketch(12)
    for n in range(people):
        sketch.update(f"{key}-{n}")
    return bytes(sketch.compact().serialize())
