"""The sample platform's titles: invented names, casts, runtimes, release dates and scenes.

A scene is where people go back to and write; a lull is where they leave. Both steer the
generator and are nowhere told to the portal, which has to find them in the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta


@dataclass(frozen=True)
class Scene:
    """A stretch that the audience comes back to: its start, length, mood and subject."""

    minute: float
    mood: str  # twist, shock, laugh, tears, fight, sweet, beauty: a key of words.MOODS
    thing: str
    seconds: int = 40
    weight: float = 1.0


@dataclass(frozen=True)
class SampleTitle:
    """One title as the landing file states it, and what the generator needs to know of it.

    `released` is in days before the end of the sample (so 30 is a month before it). `draw` is
    the title's relative size, `viewers` a fixed number of viewers instead of it. `skew` leans
    the audience: multiples by age band or gender.
    """

    key: str
    kind: str
    name_zh: str
    name_en: str
    runtime_s: int
    released: int
    partner: str
    genres: tuple[str, ...] = ()
    cast: tuple[str, ...] = ()
    source_work: tuple[str, ...] = ()
    parent: str = ""
    cut_of: str = ""
    draw: float = 1.0
    viewers: int | None = None
    finish: float = 0.5
    lull: tuple[float, float] | None = None  # minutes
    opening: tuple[int, int] | None = None  # seconds of the opening titles
    roles: tuple[str, ...] = ()
    scenes: tuple[Scene, ...] = ()
    skew: dict[str, float] = field(default_factory=dict)

    def released_on(self, until: date) -> date:
        return until - timedelta(days=self.released)


def _mystery(key: str, zh: str, en: str, clock: tuple[int, int], **more: object) -> SampleTitle:
    minutes, seconds = clock
    return SampleTitle(
        key=key,
        kind="film",
        name_zh=zh,
        name_en=en,
        runtime_s=minutes * 60 + seconds,
        genres=("悬疑", "剧情"),
        **more,  # type: ignore[arg-type]
    )


_MYSTERIES = (
    _mystery(
        "SP-F01", "第七码头没有月亮", "No Moon over Pier Seven", (104, 12),
        partner="ninth-pier", released=52, draw=0.95, finish=0.52, lull=(37, 41),
        cast=("顾三更", "苏半夏", "温一壶"), source_work=("《没有月亮的码头》（小说）",),
        roles=("老秦", "阿蔓", "韩队"),
        scenes=(
            Scene(7.6, "shock", "集装箱里的手电", 35, 0.6),
            Scene(33.2, "fight", "雨里的追车", 70, 0.8),
            Scene(58.4, "twist", "录音带的最后一句", 45, 1.6),
            Scene(96.5, "tears", "码头上那把伞", 60, 1.1),
        ),
    ),
    _mystery(
        "SP-F02", "旧钟楼的第十三下", "The Thirteenth Stroke", (98, 40),
        partner="calico-cat", released=210, draw=0.55, finish=0.47, lull=(24, 29),
        cast=("闻人十七", "陶小灯"), roles=("钟匠", "小满", "沈警官"),
        scenes=(
            Scene(13.0, "shock", "钟面后面的脸", 25, 1.0),
            Scene(52.1, "twist", "第十三下钟声", 50, 1.5),
            Scene(88.9, "tears", "小满的那封信", 55, 0.9),
        ),
    ),
    _mystery(
        "SP-F03", "午夜邮差不敲门", "The Midnight Postman Never Knocks", (109, 5),
        partner="blue-whale", released=88, draw=0.95, finish=0.55, lull=(46, 49),
        cast=("江不寐", "许旧书", "白露寒"), source_work=("《邮差》（话剧）",),
        roles=("邮差", "林太太", "小九"), skew={"female": 1.3},
        scenes=(
            Scene(9.3, "shock", "门缝里的信", 30, 0.8),
            Scene(41.7, "laugh", "邮差和鹦鹉", 45, 0.7),
            Scene(73.5, "twist", "邮戳上的日期", 40, 1.7),
            Scene(101.2, "tears", "最后一封信", 70, 1.2),
        ),
    ),
    _mystery(
        "SP-F04", "折痕里的证词", "Testimony in the Crease", (101, 33),
        partner="paper-mountain", released=130, draw=0.5, finish=0.46, lull=(30, 36),
        cast=("裴拾光", "何未晚"), roles=("折纸的女孩", "方律师", "陈伯"),
        scenes=(
            Scene(21.4, "twist", "第一只纸鹤", 35, 0.8),
            Scene(66.0, "fight", "法庭上的对质", 80, 1.3),
            Scene(92.3, "twist", "展开的证词", 45, 1.5),
        ),
    ),
    _mystery(
        "SP-F05", "慢车上的空座", "The Empty Seat on the Slow Train", (96, 8),
        partner="slow-train", released=300, draw=0.4, finish=0.51, lull=(52, 56),
        cast=("宋迟迟", "邵一程"), roles=("列车员", "空座先生", "阿桃"),
        scenes=(
            Scene(17.8, "shock", "隧道里熄灭的灯", 40, 1.1),
            Scene(44.5, "laugh", "阿桃查票", 35, 0.7),
            Scene(81.6, "twist", "空座上的车票", 50, 1.4),
        ),
    ),
    _mystery(
        "SP-F06", "星期八的失踪案", "Missing on the Eighth Day", (112, 20),
        partner="eighth-day", released=175, draw=0.7, finish=0.42, lull=(61, 68),
        cast=("叶翻山", "唐点点"), roles=("周八", "警探老谢", "房东"), skew={"18-24": 1.5},
        scenes=(
            Scene(11.9, "twist", "日历上多出来的一天", 35, 1.0),
            Scene(49.3, "laugh", "老谢的闹钟", 40, 0.8),
            Scene(84.4, "shock", "地下室的八把椅子", 45, 1.4),
            Scene(105.5, "twist", "又一个星期八", 40, 1.0),
        ),
    ),
    _mystery(
        "SP-F07", "玻璃海下的灯", "A Lamp under the Glass Sea", (107, 46),
        partner="blue-whale", released=45, draw=0.8, finish=0.5, lull=(28, 32),
        cast=("谢听潮", "苏半夏"), roles=("守灯人", "海棠", "阿佐"),
        scenes=(
            Scene(5.2, "beauty", "冰面下的光", 45, 0.8),
            Scene(38.8, "shock", "断掉的潜水绳", 40, 1.2),
            Scene(77.1, "sweet", "灯塔里的年夜饭", 60, 0.8),
            Scene(99.9, "tears", "熄灯的人", 65, 1.3),
        ),
    ),
    _mystery(
        "SP-F08", "三更半的来电", "A Call at Half Past the Third Watch", (95, 50),
        partner="calico-cat", released=120, draw=0.4, finish=0.5, lull=(40, 44),
        cast=("顾三更", "林七巷"), roles=("接线员", "来电人", "小顾"),
        scenes=(
            Scene(6.4, "shock", "没有号码的来电", 30, 1.2),
            Scene(47.7, "twist", "听筒里的回声", 40, 1.2),
            Scene(86.2, "fight", "电话局天台", 70, 1.0),
        ),
    ),
    _mystery(
        "SP-F09", "倒着走的目击者", "The Backwards Witness", (103, 15),
        partner="ninth-pier", released=260, draw=0.3, finish=0.44, lull=(33, 38),
        cast=("温一壶", "程慢慢"), roles=("老罗", "目击者", "记者苏"),
        scenes=(
            Scene(15.5, "laugh", "倒着走进面馆", 40, 0.9),
            Scene(55.8, "twist", "倒放的监控", 55, 1.5),
            Scene(90.7, "fight", "天桥对峙", 60, 0.9),
        ),
    ),
    _mystery(
        "SP-F10", "七十二间空房", "Seventy-Two Empty Rooms", (110, 2),
        partner="paper-mountain", released=66, draw=0.65, finish=0.48, lull=(43, 50),
        cast=("孟西楼", "白露寒"), source_work=("《空房》（网络小说）",),
        roles=("值夜班的", "七十二号", "老板娘"),
        scenes=(
            Scene(12.2, "shock", "走廊尽头的开门声", 30, 1.3),
            Scene(63.9, "shock", "第七十二间房", 50, 1.6),
            Scene(102.8, "twist", "登记簿上的名字", 45, 1.2),
        ),
    ),
    _mystery(
        "SP-F11", "没有影子的修表匠", "The Watchmaker without a Shadow", (99, 27),
        partner="eighth-day", released=34, draw=0.6, finish=0.53, lull=(26, 30),
        cast=("余半山", "纪小禾"), roles=("修表匠", "影子", "小禾"),
        scenes=(
            Scene(19.1, "beauty", "一屋子的钟", 40, 0.7),
            Scene(60.6, "twist", "影子先走了", 45, 1.4),
            Scene(91.0, "tears", "停住的怀表", 60, 1.1),
        ),
    ),
    _mystery(
        "SP-F12", "潮水记得他的名字", "The Tide Remembers His Name", (106, 30),
        partner="calico-cat", released=31, draw=1.45, finish=0.57, lull=(34, 37),
        cast=("陶小灯", "江不寐", "裴拾光"), source_work=("《潮水》（小说）",),
        roles=("阿潮", "林书", "外婆"), skew={"25-30": 1.3, "SG": 2.5, "MY": 2.5, "TW": 1.5},
        scenes=(
            Scene(8.8, "beauty", "退潮后的海滩", 45, 0.6),
            Scene(29.5, "laugh", "外婆教他认鱼", 50, 0.8),
            Scene(54.2, "twist", "名册上的空格", 40, 1.9),
            Scene(78.3, "fight", "台风夜的渔船", 80, 1.0),
            Scene(98.6, "tears", "涨潮时喊他的名字", 75, 1.5),
        ),
    ),
    _mystery(
        "SP-F13", "末班缆车往上开", "Last Cable Car Going Up", (102, 48),
        partner="slow-train", released=95, draw=0.55, finish=0.49, lull=(55, 60),
        cast=("邵一程", "唐点点"), roles=("缆车工", "戴红帽子的人", "阿雾"),
        scenes=(
            Scene(10.7, "shock", "停在半空的缆车", 40, 1.1),
            Scene(48.9, "sweet", "雾里的那盒便当", 45, 0.7),
            Scene(85.3, "twist", "山顶没有车站", 50, 1.6),
        ),
    ),
)  # fmt: skip

_OTHER_FILMS = (
    SampleTitle(
        "SP-F14", "film", "外婆的飞行器", "Grandma's Flying Machine",
        92 * 60 + 15, 58, "calico-cat",
        genres=("喜剧", "家庭"), cast=("许旧书", "何未晚"), draw=0.85, finish=0.6, lull=(50, 53),
        roles=("外婆", "小飞", "村长"), skew={"36-40": 1.6, "41-50": 1.4, "female": 1.2},
        scenes=(
            Scene(14.3, "laugh", "第一次试飞", 50, 1.5),
            Scene(45.0, "laugh", "村长的安全帽", 40, 1.0),
            Scene(83.4, "tears", "外婆飞过稻田", 60, 1.3),
        ),
    ),
    SampleTitle(
        "SP-F15", "film", "草原上的四百个清晨", "Four Hundred Mornings on the Steppe", 78 * 60, 140,
        "blue-whale", genres=("纪录片",), viewers=900, finish=0.38,
        roles=("牧人", "小马驹"), skew={"51+": 1.8},
        scenes=(Scene(22.0, "beauty", "第一百个清晨", 60), Scene(61.5, "tears", "转场", 60)),
    ),
    SampleTitle(
        "SP-F16", "film", "潮水记得他的名字（导演剪辑版）",
        "The Tide Remembers His Name: Director's Cut",
        121 * 60 + 10, 12, "calico-cat", genres=("悬疑", "剧情"),
        cast=("陶小灯", "江不寐", "裴拾光"), source_work=("《潮水》（小说）",), cut_of="SP-F12",
        viewers=420, finish=0.6, roles=("阿潮", "林书", "外婆"),
        scenes=(Scene(60.4, "twist", "名册上的空格", 40), Scene(112.0, "tears", "另一个结尾", 90)),
    ),
)  # fmt: skip


def _episode(
    series: SampleTitle, number: int, more: tuple[int, int, tuple[Scene, ...]]
) -> SampleTitle:
    runtime_s, released, scenes = more
    return SampleTitle(
        key=f"{series.key}E{number:02d}",
        kind="episode",
        name_zh=f"{series.name_zh} 第{number}集",
        name_en=f"{series.name_en}, Episode {number}",
        runtime_s=runtime_s,
        released=released,
        partner=series.partner,
        genres=series.genres,
        cast=series.cast,
        source_work=series.source_work,
        parent=series.key,
        draw=series.draw,
        finish=series.finish,
        opening=series.opening,
        roles=series.roles,
        scenes=scenes,
        skew=series.skew,
    )


_CLOUD = SampleTitle(
    "SP-S01", "series", "云上修理铺", "The Cloud Repair Shop", 0, 41, "slow-train",
    genres=("奇幻", "都市"), cast=("宋迟迟", "林七巷", "纪小禾"),
    source_work=("《修云的人》（漫画）",),
    draw=1.1, finish=0.68, opening=(42, 132), roles=("小修", "云老板", "雨师"),
    skew={"18-24": 1.8, "female": 1.4},
)  # fmt: skip

_SPRING = SampleTitle(
    "SP-S02", "series", "一碗春风面", "A Bowl of Spring Wind", 0, 150, "eighth-day",
    genres=("古装", "喜剧"), cast=("唐点点", "余半山"), draw=0.62, finish=0.64, opening=(0, 95),
    roles=("掌柜的", "面姑娘", "县太爷"), skew={"31-35": 1.4, "41-50": 1.3},
)  # fmt: skip

_CLOUD_EPISODES = (
    (
        45 * 60 + 20,
        41,
        (Scene(12.4, "beauty", "修第一朵云", 45), Scene(38.0, "twist", "铺子的门", 40)),
    ),
    (
        44 * 60 + 5,
        41,
        (Scene(9.9, "laugh", "雨师打喷嚏", 35), Scene(31.2, "sweet", "共撑一把伞", 45)),
    ),
    (
        46 * 60 + 10,
        34,
        (Scene(15.1, "laugh", "云老板砍价", 40), Scene(40.6, "tears", "旧云退役", 50)),
    ),
    (
        43 * 60 + 48,
        34,
        (Scene(20.3, "fight", "雷阵雨大战", 70), Scene(37.7, "twist", "小修的身世", 45)),
    ),
    (45 * 60 + 2, 27, (Scene(11.0, "sweet", "屋顶晒云", 45), Scene(33.9, "shock", "黑云压铺", 40))),
    (
        47 * 60 + 30,
        27,
        (Scene(18.5, "tears", "告别雨师", 60), Scene(42.1, "twist", "云的来处", 50)),
    ),
)

_SPRING_EPISODES = (
    (38 * 60 + 12, 150, (Scene(8.1, "laugh", "第一碗面"), Scene(30.4, "laugh", "县太爷赊账", 45))),
    (37 * 60 + 40, 150, (Scene(14.6, "sweet", "厨房里的雪"), Scene(29.0, "laugh", "醋坛子", 35))),
    (39 * 60 + 3, 149, (Scene(10.2, "fight", "面馆大战", 70), Scene(33.3, "laugh", "偷师", 40))),
    (38 * 60 + 25, 149, (Scene(19.7, "tears", "掌柜的旧账", 50), Scene(34.1, "twist", "秘方", 40))),
    (40 * 60 + 8, 148, (Scene(21.0, "sweet", "春风一碗", 50), Scene(37.2, "tears", "打烊", 50))),
)  # fmt: skip

_TRAILERS = (
    ("SP-T01", "SP-F12", 96, 52, "终极预告", "Final Trailer", 0.9, "名册上的空格"),
    ("SP-T02", "SP-F07", 88, 59, "预告片", "Trailer", 0.45, "断掉的潜水绳"),
    ("SP-T03", "SP-S01", 120, 55, "定档预告", "Date Trailer", 0.6, "铺子的门"),
    ("SP-T04", "SP-F11", 74, 50, "先导预告", "Teaser", 0.3, "影子先走了"),
)


def _trailer(row: tuple[str, str, int, int, str, str, float, str]) -> SampleTitle:
    key, parent_key, runtime_s, released, zh, en, draw, thing = row
    parent = next(t for t in (*_MYSTERIES, _CLOUD) if t.key == parent_key)
    return SampleTitle(
        key=key,
        kind="trailer",
        name_zh=f"{parent.name_zh} {zh}",
        name_en=f"{parent.name_en}: {en}",
        runtime_s=runtime_s,
        released=released,
        partner=parent.partner,
        genres=parent.genres,
        cast=parent.cast,
        source_work=parent.source_work,
        parent=parent_key,
        draw=draw,
        finish=0.62,
        roles=parent.roles,
        scenes=(Scene(runtime_s / 60 * 0.7, "shock", thing, 8, 0.35),),
        skew=parent.skew,
    )


TITLES: tuple[SampleTitle, ...] = (
    *_MYSTERIES,
    *_OTHER_FILMS,
    _CLOUD,
    *(_episode(_CLOUD, n, e) for n, e in enumerate(_CLOUD_EPISODES, 1)),
    _SPRING,
    *(_episode(_SPRING, n, e) for n, e in enumerate(_SPRING_EPISODES, 1)),
    *(_trailer(row) for row in _TRAILERS),
)

MYSTERIES: tuple[str, ...] = tuple(t.key for t in _MYSTERIES)
"""The films of one genre and runtime band (95 to 115 minutes) over all six partners."""
