"""Who is on the sample platform: partners, members, staff, holdings, grants, schedules.

Plain data, all of it invented. Days are counted back from the end of the sample: `Days(60, 0)`
is its last sixty days, None is open. What the titles are is in catalogue.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from engagement.families.registry import FAMILIES
from portal.sample.catalogue import TITLES

ALL_TERRITORIES = ("*",)
DUE_FAMILIES = FAMILIES
ALL_EXITS = ("web", "export", "email", "api")


@dataclass(frozen=True)
class Days:
    """[since, until) in days before the end of the sample; negative lies after it."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class SampleMember:
    email: str
    name: str
    role: str  # owner, analyst, viewer
    language: str = "zh-hans"


@dataclass(frozen=True)
class SamplePartner:
    slug: str
    name_zh: str
    name_en: str
    members: tuple[SampleMember, ...]


@dataclass(frozen=True)
class SampleStaff:
    email: str
    name: str
    role: str  # what the account does: maker, approver


@dataclass(frozen=True)
class SampleHolding:
    partner: str
    title: str
    territories: tuple[str, ...] = ALL_TERRITORIES


@dataclass(frozen=True)
class SampleGrant:
    """What one contract opens. `titles` are keys; a series opens its held children too."""

    contract: str
    partner: str
    titles: tuple[str, ...]
    families: tuple[str, ...] = DUE_FAMILIES
    territories: tuple[str, ...] = ALL_TERRITORIES
    exits: tuple[str, ...] = ALL_EXITS
    window: Days = Days()
    valid: Days = Days(since=400)
    maker: str = "maker@dailies.example.com"
    approver: str = "approver@dailies.example.com"


@dataclass(frozen=True)
class SampleRequest:
    """What an owner asks to see of a title that the partner holds, and why."""

    partner: str
    title: str
    families: tuple[str, ...]
    by: str
    reason: str


@dataclass(frozen=True)
class SampleSchedule:
    """A weekly report: made by a member, sent to members, on `weekday` (0 is Monday).

    Wednesday is the first day on which a week to Sunday has settled. `asked_days` is how long
    a period its maker has asked for by hand besides; 0 is none.
    """

    partner: str
    name: str
    titles: tuple[str, ...]
    by: str
    recipients: tuple[str, ...]
    weekday: int = 2
    hour: int = 9
    zone: str = "Asia/Shanghai"
    language: str = "zh-hans"
    asked_days: int = 0


@dataclass(frozen=True)
class SampleFanSet:
    """Who finished any of `titles`, or watched any title with the tag (its kind and name)."""

    slug: str
    name_zh: str
    name_en: str
    titles: tuple[str, ...] = ()
    tag: tuple[str, str] | None = None


def _partner(slug: str, zh: str, en: str, *names: str) -> SamplePartner:
    """A partner with an owner, an analyst and a viewer of these names."""
    roles = ("owner", "analyst", "viewer")
    members = tuple(
        SampleMember(f"{role}@{slug}.example.com", name, role)
        for role, name in zip(roles, names, strict=True)
    )
    return SamplePartner(slug, zh, en, members)


PARTNERS: tuple[SamplePartner, ...] = (
    _partner(
        "calico-cat", "三花猫影业", "Calico Cat Pictures",
        "周一木", "钱小满", "吴有鱼",
    ),
    _partner(
        "slow-train", "慢火车影视", "Slow Train Studios",
        "韩站台", "秦晚点", "方窗边",
    ),
    _partner(
        "blue-whale", "蓝鲸邮局制作", "Blue Whale Post Office Productions",
        "沈寄北", "罗回信", "梁邮票",
    ),
    _partner(
        "ninth-pier", "第九码头文化", "Ninth Pier Culture",
        "丁阿锚", "黎小舟", "范靠岸",
    ),
    _partner(
        "paper-mountain", "折纸山影视", "Paper Mountain Films",
        "袁折页", "施半张", "毛边纸",
    ),
    _partner(
        "eighth-day", "星期八制片厂", "Eighth Day Film Works",
        "夏礼八", "冬无眠", "秋加班",
    ),
)  # fmt: skip

STAFF: tuple[SampleStaff, ...] = (
    SampleStaff("maker@dailies.example.com", "申请员甲", "maker"),
    SampleStaff("approver@dailies.example.com", "复核员乙", "approver"),
)

CO_PRODUCTION = "SP-F12"
CO_PRODUCTION_CUT = "SP-F16"
CO_PRODUCER = "ninth-pier"
CO_PRODUCER_TERRITORIES = ("SG", "MY", "TW", "HK")
"""The co-production is calico-cat's in CN and ninth-pier's in these."""


def _holdings() -> tuple[SampleHolding, ...]:
    shared = (CO_PRODUCTION, CO_PRODUCTION_CUT, "SP-T01")
    own = [
        SampleHolding(t.partner, t.key, ("CN",) if t.key in shared else ALL_TERRITORIES)
        for t in TITLES
    ]
    theirs = [SampleHolding(CO_PRODUCER, key, CO_PRODUCER_TERRITORIES) for key in shared]
    return (*own, *theirs)


HOLDINGS: tuple[SampleHolding, ...] = _holdings()

GRANTS: tuple[SampleGrant, ...] = (
    SampleGrant("SP-2026-011", "calico-cat", ("SP-F02", "SP-F08", "SP-F14")),
    SampleGrant("SP-2026-012", "calico-cat", (CO_PRODUCTION, CO_PRODUCTION_CUT, "SP-T01"),
                territories=("CN",)),
    SampleGrant("SP-2026-021", "slow-train", ("SP-F05", "SP-F13", "SP-S01")),
    SampleGrant("SP-2026-031", "blue-whale", ("SP-F03", "SP-F07", "SP-T02")),
    SampleGrant("SP-2026-032", "blue-whale", ("SP-F15",), families=("viewing", "retention"),
                valid=Days(since=340, until=-25)),
    SampleGrant("SP-2026-041", "ninth-pier", ("SP-F01", "SP-F09")),
    SampleGrant("SP-2026-042", "ninth-pier", (CO_PRODUCTION, "SP-T01"),
                territories=CO_PRODUCER_TERRITORIES, window=Days(since=60)),
    SampleGrant("SP-2026-051", "paper-mountain", ("SP-F04", "SP-F10"), exits=("web",)),
    SampleGrant("SP-2026-061", "eighth-day", ("SP-F11", "SP-S02", "SP-T04"),
                families=("viewing", "retention", "danmu"), window=Days(since=45)),
    SampleGrant("SP-2025-061", "eighth-day", ("SP-F06",), valid=Days(since=365, until=10)),
)  # fmt: skip
"""SP-2025-061 has lapsed, SP-2026-032 ends soon; SP-2026-051 opens the pages and nothing else."""

REQUESTS: tuple[SampleRequest, ...] = (
    SampleRequest(
        "eighth-day", "SP-F11", ("rewatch", "sharing", "demographics"),
        "owner@eighth-day.example.com", "想知道观众回看哪里、他们是谁，好定续集的档期。",
    ),
)  # fmt: skip
"""What waits for the staff's answer."""

FAN_SETS: tuple[SampleFanSet, ...] = (
    SampleFanSet("calico-finishers", "看完三花猫悬疑片的人", "Finished a Calico Cat mystery",
                 titles=("SP-F02", "SP-F08", CO_PRODUCTION)),
    SampleFanSet("mystery-viewers", "悬疑片观众", "Mystery viewers", tag=("genre", "悬疑")),
    SampleFanSet("tao-xiaodeng", "陶小灯的影迷", "Fans of Tao Xiaodeng", tag=("cast", "陶小灯")),
    SampleFanSet("tide-readers", "《潮水》的读者", "Readers of Tide",
                 tag=("source_work", "《潮水》（小说）")),
)  # fmt: skip
"""One of own titles, one that pools all six partners, an actor's, and a novel's."""

SCHEDULES: tuple[SampleSchedule, ...] = (
    SampleSchedule(
        "calico-cat", "每周数据报告", (CO_PRODUCTION, "SP-F14"), "owner@calico-cat.example.com",
        ("owner@calico-cat.example.com", "viewer@calico-cat.example.com"), asked_days=28,
    ),
    SampleSchedule(
        "slow-train", "云上修理铺周报", ("SP-S01", "SP-F13"), "analyst@slow-train.example.com",
        ("owner@slow-train.example.com", "analyst@slow-train.example.com"),
    ),
    SampleSchedule(
        "ninth-pier", "Weekly figures", ("SP-F01", CO_PRODUCTION), "owner@ninth-pier.example.com",
        ("owner@ninth-pier.example.com",), zone="Asia/Singapore", language="en",
    ),
)  # fmt: skip
