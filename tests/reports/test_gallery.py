"""Every chart of every family, drawn from handmade answers: what is on it, and that it repeats."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reports.charts import engine
from tests.reports.gallery import GALLERY, VIEW
from tests.reports.test_charts import texts

WIDTHS = (658, 358)


def drawn(name: str, width: int = 658, **view: Any) -> str:
    builder, data, more = GALLERY[name]
    told = {**VIEW, "compact": width < 560, **more, **view}
    return engine.svg(builder, data, told, width, None)


@pytest.mark.parametrize("name", GALLERY)
def test_every_chart_repeats_byte_by_byte_and_says_something(name: str) -> None:
    for language in ("zh-hans", "en"):
        for width in WIDTHS:
            svg = drawn(name, width, language=language)
            assert svg == drawn(name, width, language=language)
            assert [said for said in texts(svg) if said]
            assert not re.search("NaN|undefined|Infinity|\\[object", svg)


@pytest.mark.parametrize("name", [name for name in GALLERY if name != "phrases"])
def test_an_english_chart_holds_no_chinese(name: str) -> None:
    said = "".join(texts(drawn(name, language="en", names={}, fan_sets={})))
    assert not re.search("[\u4e00-\u9fff]", said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ages", ["女性", "男性", "未知", "51+及未知", "全部年龄", "4,284 · 完播 57%"]),
        ("regions", ["广东", "新加坡", "西北其他", "其余合计", "人数最多的省份"]),
        ("survival", ["女性 25–30", "到达该处的观看人数占比 · 2 组误差过大，不予显示"]),
        ("survival-regions", ["广东"]),
        ("reactions", ["笑", "泪目", "惊讶", "赞", "吐槽"]),
        ("phrases", ["开场就封神", "完结撒花", "泪目了"]),
        ("discussion", ["帖子", "回复"]),
        ("sharing", ["微信", "=HYPERLINK(1)", "其他渠道", "尚未统计", "每日分享数"]),
        ("sharing-offsets", ["分享数，每 30 秒"]),
        ("fan-sets", ["梁月的影迷", "4.31 倍", "误差过大，不予显示", "29%"]),
        ("ages-hidden", ["人数未达公开下限"]),
        ("regions-hidden", ["人数未达公开下限"]),
        ("survival-hidden", ["人数未达公开下限"]),
    ],
)
def test_what_a_chart_has_to_say_stands_on_it(name: str, said: list[str]) -> None:
    shown = texts(drawn(name))
    assert [words for words in said if words not in shown] == []
