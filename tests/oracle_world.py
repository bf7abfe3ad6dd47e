"""A small platform for the oracle: every family's facts of a few titles, written once.

Aurora attacks. Borealis is the victim: its numbers carry stems that nobody else's do. Cirrus holds
the co-production in other territories than Aurora, and one of the two episodes of the series.
Each fact is kept as plain values beside the row that is written, so that what is expected is never
read back from the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
from datasketches import update_theta_sketch
from django.utils import timezone

from engagement import curves
from engagement.families.registry import FAMILIES, RESOURCES
from engagement.models import (
    Adjustment,
    DanmuComment,
    DanmuFact,
    DemographicsFact,
    DiscussionFact,
    DiscussionPost,
    FanbaseFact,
    FanSet,
    FanSetVersion,
    GeographyFact,
    Release,
    Restatement,
    RetentionFact,
    RewatchFact,
    SharingFact,
    SharingOffset,
    Title,
    TypicalFact,
    ViewerSketch,
    ViewingFact,
)
from engagement.reactions import REACTIONS
from partners import grants
from partners.models import Grant, Holding, Membership, Partner, User
from tests.oracle import Asked, Fact, Granted, Member, Platform

FIRST = date(2026, 1, 5)
DAYS = 6
SECONDS = 40
TERRITORIES = ("CN", "SG", "*")
TITLES = ("film", "foreign", "shared", "series", "ep-one", "ep-two")
PARENT = {"ep-one": "series", "ep-two": "series"}
HELD = {
    # (partner, title): in these territories, on the days [since, until)
    ("aurora", "film"): (["*"], 0, 6),
    ("borealis", "foreign"): (["*"], 0, 6),
    ("aurora", "shared"): (["CN"], 0, 6),
    ("cirrus", "shared"): (["SG"], 0, 6),
    ("aurora", "series"): (["*"], 0, 6),
    ("aurora", "ep-one"): (["*"], 0, 6),
    ("cirrus", "ep-one"): (["SG"], 0, 6),
    ("borealis", "ep-two"): (["*"], 0, 6),
    ("cirrus", "ep-two"): (["CN", "SG"], 2, 6),
}
PARTNERS = ("aurora", "borealis", "cirrus")
EXITS = ("web", "export", "email", "api")

COUNTING = ("viewing", "sketch", "demographics", "geography", "fanbases")
"""Tables in which a series has rows of its own, which count its children."""
KIND_OF_FAMILY = {
    **dict.fromkeys(("viewing", "retention", "rewatch"), "segments"),
    **{f: f for f in ("danmu", "discussion", "demographics", "geography", "fanbases")},
    "sharing": "shares",
}
PROTECTED = ("demographics", "geography", "fanbases")
"""Kinds of release that are of a period: here of all days."""
MODELS = {
    "viewing": ViewingFact,
    "sketch": ViewerSketch,
    "retention": RetentionFact,
    "rewatch": RewatchFact,
    "danmu": DanmuFact,
    "danmu_comments": DanmuComment,
    "discussion": DiscussionFact,
    "discussion_posts": DiscussionPost,
    "sharing": SharingFact,
    "sharing_offsets": SharingOffset,
    "demographics": DemographicsFact,
    "geography": GeographyFact,
    "fanbases": FanbaseFact,
    "typical": TypicalFact,
    "restatement": Restatement,
    "adjustment": Adjustment,
}


def day(offset: int) -> date:
    return FIRST + timedelta(days=offset)


@dataclass
class World:
    platform: Platform
    titles: dict[str, Title]
    partners: dict[str, Partner]
    members: dict[str, Membership]
    keys: dict[Fact, int]  # of each fact's row
    maker: User
    approver: User
    near: list[Any] = field(default_factory=list)  # the crowd of tests/mutants

    def grant(self, g: Granted) -> Grant:
        """The grant in the database, made, approved and ended as the platform would."""
        now = timezone.now()
        grant = Grant.objects.create(
            partner=self.partners[g.partner],
            families=sorted(g.families),
            territories=sorted(g.territories),
            exits=sorted(g.exits),
            data_from=day(g.since),
            data_until=day(g.until),
            valid_from=now + timedelta(days=1)
            if g.state == "future"
            else datetime(2026, 1, 1, tzinfo=UTC),
            contract_reference="C-1",
            made_by=self.maker,
        )
        grant.titles.set([self.titles[t] for t in g.titles])
        if g.state != "proposed":
            grants.approve(grant, by=self.approver)
        if g.state == "revoked":
            grants.revoke(grant, by=self.maker)
        if g.state == "expired":
            grants.expire(grant, at=now - timedelta(days=1), by=self.maker)
        return grant

    def member(self, m: Member) -> Membership:
        """The partner's one membership, with the role and the limits, and shut as it says."""
        member = self.members[m.partner]
        member.role = m.role
        member.limit_titles = None if m.titles is None else [self.titles[t].pk for t in m.titles]
        member.limit_families = None if m.families is None else sorted(m.families)
        member.save()
        if m.shut == "suspended":
            Partner.objects.filter(pk=member.partner_id).update(suspended_at=timezone.now())
        if m.shut == "disabled":
            User.objects.filter(pk=member.user_id).update(is_active=False)
        if m.shut == "removed":
            Membership.objects.filter(pk=member.pk).delete()
        return Membership.objects.filter(pk=member.pk).first() or member

    def id_of(self, slug: str) -> int:
        return self.titles[slug].pk if slug in self.titles else 999_999


def build_world() -> World:
    """Write it. In the open transaction, which the caller rolls back."""
    partners = {
        slug: Partner.objects.create(slug=slug, name_zh=slug, name_en=slug.capitalize())
        for slug in PARTNERS
    }
    staff = [
        User.objects.create_superuser(f"{name}@platform.example.com") for name in ("stella", "sam")
    ]
    members = {
        slug: Membership.objects.create(
            user=User.objects.create_user(f"owner@{slug}.example.com", name=f"Owner of {slug}"),
            partner=partner,
            role="owner",
        )
        for slug, partner in partners.items()
    }
    titles: dict[str, Title] = {}
    for slug in TITLES:
        kind = "series" if slug == "series" else "episode" if slug in PARENT else "film"
        titles[slug] = Title.objects.create(
            key=slug, slug=slug, kind=kind, name_en=f"ZQB-{slug}", name_zh=f"ZQB-{slug}",
            runtime_s=0 if kind == "series" else SECONDS, parent=titles.get(PARENT.get(slug, "")),
        )  # fmt: skip
    for (partner, slug), (territories, since, until) in HELD.items():
        Holding.objects.create(
            partner=partners[partner], title=titles[slug], territories=territories,
            from_day=day(since), until=day(until),
        )  # fmt: skip
    keys = _write(titles, {slug: partner.pk for slug, partner in partners.items()})
    platform = Platform(
        facts=tuple(keys),
        parent=PARENT,
        held={key: (frozenset(where), since, until) for key, (where, since, until) in HELD.items()},
    )
    return World(platform, titles, partners, members, keys, *staff)


def _write(titles: dict[str, Title], ids: dict[str, UUID]) -> dict[Fact, int]:
    random = Random(4)
    facts = [f for slug in TITLES for f in _facts_of(slug, random)]
    readers = FanSet.objects.create(slug="readers", name_zh="readers", name_en="readers")
    FanSet.objects.create(slug="nobody", name_zh="nobody", name_en="nobody")
    sets = {
        whose: FanSetVersion.objects.create(
            fan_set=readers, version=n, from_day=FIRST, rule="finished", defined_by="stella"
        )
        for n, whose in enumerate((None, "aurora", "borealis"), start=1)
    }
    release = {
        (slug, kind): Release.objects.create(
            kind=kind,
            title=title,
            day=None if kind in ("danmu", "discussion") else FIRST,
            until=day(DAYS) if kind in PROTECTED else None,
            waiting_viewers=7,
            metric_version="1",
            input_digest="",
            state="done",
        )
        for slug, title in titles.items()
        for kind in Release.Kind.values
    }
    for title in titles.values():
        Release.objects.create(
            kind="segments", title=title, day=day(DAYS - 1), waiting_viewers=7,
            metric_version="1", input_digest="", state="done",
        )  # fmt: skip
    rows: dict[str, list[Any]] = {table: [] for table in MODELS}
    for f in facts:
        counted = {"counted": [titles[c].pk for c in f.counted]} if f.counted else {}
        extra: dict[str, Any] = {}
        if f.table == "fanbases":
            extra = {"fan_set": sets[f.made_for], "partner_id": f.made_for and ids[f.made_for]}
        rows[f.table].append(
            MODELS[f.table](
                release=release[f.title, KIND_OF_FAMILY[f.family]],
                title=titles[f.title], territory=f.territory, from_day=day(f.since),
                until=day(f.until), **counted, **extra,
                **_stored(f),
            )
        )  # fmt: skip
    for table, model in MODELS.items():
        model.objects.bulk_create(rows[table])
    told = {table: iter(rows[table]) for table in MODELS}
    keys = {f: int(next(told[f.table]).pk) for f in facts}
    assert len(keys) == len(facts)
    return keys


def _stored(f: Fact) -> dict[str, Any]:
    """The columns of the row: curves packed, people as sketches, days as dates."""
    values = dict(f.values)
    if f.table == "sketch":
        return {name: _sketch(people) for name, people in values.items()}
    if f.table == "sharing":
        values["new_since"] = None if f.reaches_back is None else day(f.reaches_back)
    if f.table in ("typical", "restatement", "adjustment"):
        values["family"] = f.family
    if "curves" in values:
        values["curves"] = curves.pack(values["curves"])
    return values


def _sketch(people: frozenset[int]) -> bytes:
    sketch = update_theta_sketch(12)
    for one in people:
        sketch.update(one)
    return bytes(sketch.compact().serialize())


def _facts_of(slug: str, random: Random) -> list[Fact]:
    """A title's facts: money by day, curves by two days, people by three, as they are published.

    A series has its own rows in the families that count people, and names its children in them.
    """
    counted = tuple(c for c, parent in PARENT.items() if parent == slug)
    found: list[Fact] = []

    def add(table: str, family: str, where: str, since: int, until: int, **more: Any) -> None:
        keys = {k: more.pop(k) for k in ("made_for", "leaves", "reaches_back") if k in more}
        children = counted if table in COUNTING else ()
        found.append(Fact(table, family, slug, where, since, until, more, children, **keys))

    stem = 7_000_000 if slug == "foreign" else 0

    def number(least: int = 60, most: int = 900) -> int:
        return stem + random.randint(least, most)

    for where in TERRITORIES:
        for d in range(DAYS):
            people = frozenset(random.sample(range(600), random.randint(60, 200)))
            finished = frozenset(p for p in people if p % 3 == 0)
            add("viewing", "viewing", where, d, d + 1, device="*", plays=number(),
                viewers=len(people), watch_seconds=number(), completions=number(),
                finishers=len(finished))  # fmt: skip
            add("sketch", "viewing", where, d, d + 1, viewers=people, finishers=finished)
        for d in range(0, DAYS, 3):
            for cells in ({"age_band": "18-24", "gender": "female"}, {"region": "rest"}):
                table = "demographics" if "gender" in cells else "geography"
                add(table, table, where, d, d + 3, viewers=number(), finishers=number(),
                    survival=[round(random.random(), 2) for _ in range(20)], **cells)  # fmt: skip
            for made_for in (None, "aurora", "borealis"):
                add("fanbases", "fanbases", where, d, d + 3, made_for=made_for,
                    viewers_in_common=number(), share_of_title=round(random.random(), 3),
                    lift=2.5, lift_low=1.5, lift_high=3.5,
                    hidden_reason="share_of_fan_set:not_measured")  # fmt: skip
        for family in FAMILIES:
            for table in ("restatement", "adjustment"):
                more = {"difference": 1} if table == "adjustment" else {}
                for d in (0, DAYS - 1):
                    add(table, family, where, d, d + 1, metric="plays", old=1, new=2, **more)
        if not counted:
            _add_unseries(add, number, random, where)
    return found


def _add_unseries(add: Any, number: Any, random: Random, where: str) -> None:
    """What a series has no part in."""

    def curve(series: int) -> Any:
        return np.array([[number() for _ in range(SECONDS)] for _ in range(series)], dtype="i8")

    for d in range(0, DAYS, 2):
        for table, series in (("retention", 4), ("rewatch", 2)):
            add(table, table, where, d, d + 2, plays=number(), curves=curve(series))
        add("viewing", "viewing", where, d, d + 2, device="phone", plays=number(),
            viewers=number(), watch_seconds=number(), completions=number(),
            finishers=number())  # fmt: skip
    for family in ("retention", "rewatch"):
        for d in (0, 3):
            add("typical", family, where, d, d + 3, titles=9, partners=6,
                curves=np.full((1, 200), random.randint(1, 900_000), dtype="i8"))  # fmt: skip
    for d in range(DAYS):
        add("danmu", "danmu", where, d, d + 1, comments=number(), unplaced=0,
            curves=curve(1 + len(REACTIONS)))  # fmt: skip
        add("discussion", "discussion", where, d, d + 1, posts=number(), replies=number(),
            likes=number())  # fmt: skip
        add("sharing_offsets", "sharing", where, d, d + 1, shares=number(), unplaced=0,
            curves=curve(1))  # fmt: skip
        add("sharing", "sharing", where, d, d + 1, channel="wechat", shares=number(),
            visits=number(), reaches_back=d - 1 if d % 2 else None,
            new_viewers=number() if d % 2 else None)  # fmt: skip
        if where == "*":
            continue
        for n, leaves in enumerate((True, False)):
            told = {"repeats": 3 if leaves else 2, "likes": 9, "picked": False}
            add("danmu_comments", "danmu", where, d, d + 1, leaves=leaves,
                text=f"{where} {d} {number()}", content_second=35 * n,
                phrases=["哈哈哈"] if leaves else ["走了"], **told)  # fmt: skip
            add("discussion_posts", "discussion", where, d, d + 1, leaves=leaves,
                text=f"{where} {d} {number()}", replies=number(), **told)  # fmt: skip


def asked(title: str, resource: str, **fields: Any) -> Asked:
    known = RESOURCES.get(resource)
    return Asked(title, resource, known.sources if known else ((resource,),), **fields)
