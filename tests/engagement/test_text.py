"""Masking hides what points at a person and leaves the numbers people laugh with."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.text import HIDDEN, mask, normalised


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打我电话13812345678啊", f"打我电话{HIDDEN}啊"),
        ("138 1234 5678", HIDDEN),
        ("138-1234-5678", HIDDEN),
        ("1 3 8 1 2 3 4 5 6 7 8", HIDDEN),
        ("１３８１２３４５６７８", HIDDEN),
        ("一三八一二三四五六七八", HIDDEN),
        ("幺三八幺二三四五六七八", HIDDEN),
        ("+86 13812345678", HIDDEN),
        ("8613812345678", HIDDEN),
        ("021-62345678", HIDDEN),
        ("(010) 62345678", HIDDEN),
        ("０２１－６２３４５６７８", HIDDEN),
        ("0755 26543210", HIDDEN),
        ("400-823-8234", HIDDEN),
        ("+1 415 555 2671", HIDDEN),
        ("电话：62345678", f"电话：{HIDDEN}"),
        ("写信到 a.b+c@mail.example.com 吧", f"写信到 {HIDDEN} 吧"),
        ("ａ＠ｑｑ．ｃｏｍ", HIDDEN),
        ("加我微信 abc_12345", f"加我微信 {HIDDEN}"),
        ("微信号：wxid_abc123", f"微信号：{HIDDEN}"),
        ("微信号zhangsanfeng", f"微信号{HIDDEN}"),
        ("微信：13812345678", f"微信：{HIDDEN}"),
        ("VX:lily-99", f"VX:{HIDDEN}"),
        ("vx13812345678", f"vx{HIDDEN}"),
        ("wxlily2024", f"wx{HIDDEN}"),
        ("V信 lily2020", f"V信 {HIDDEN}"),
        ("薇abc12345", f"薇{HIDDEN}"),
        ("加v lily888", f"加v {HIDDEN}"),
        ("我的QQ是123456789", f"我的QQ是{HIDDEN}"),
        ("qq：987654321", f"qq：{HIDDEN}"),
        ("QQ群 612345678", f"QQ群 {HIDDEN}"),
        ("扣扣1234567", f"扣扣{HIDDEN}"),
        ("群号：612345678", f"群号：{HIDDEN}"),
        ("北京市朝阳区建国路88号院3号楼2单元501室见", f"{HIDDEN}见"),
        ("幸福小区3号楼2单元501", HIDDEN),
        ("11010519491231002X", HIDDEN),
        ("6222 0212 3456 7890 123", HIDDEN),
        ("sk-abcdefghijklmnop1234", HIDDEN),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.abcDEF", HIDDEN),
        ("token=efeddb9e1a5a0ecd82643f0d464e92fc", f"token={HIDDEN}"),
        ("f47ac10b-58cc-4372-a567-0e02b2c3d479", HIDDEN),
    ],
)
def test_what_points_at_a_person_is_hidden(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "233333",
        "666666",
        "23333333333",
        "16666666666",
        "1388888888888",
        "2333333333333333333333",
        "哈哈哈哈哈哈哈哈哈哈哈",
        "hhhhhhhhhhhhhhhhhhhhhhhhhhhh2333",
        "12:30",
        "1:02:03 1:02:05",
        "空降7.10",
        "2024年",
        "2024-05-01 12:30:11",
        "20240501",
        "1999",
        "10086",
        "110",
        "电话 110",
        "5201314",
        "8848米",
        "票房34.6亿",
        "3460000000",
        "12345678901",
        "123456789012345678",
        "一二三四五六七八九十十一",
        "1 3 5 7 9 11 13 15",
        "3.1415926535897932",
        "BV1xx411c7mD",
        "av170001",
        "E01E02E03E04E05E06E07E08",
        "1080p60",
        "地铁2号线",
        "1号选手",
        "三号楼",
        "vx666666",
        "v587",
        "QQ2007",
        "qq飞车2024",
        "微信支付100000",
        "蔷薇开了",
        "wx是什么",
        "加群看看",
        "弹幕群1234567条",
        "[redacted]",
        "https://example.com/question/545525107/answer/2595699521",
        "",
    ],
)
def test_what_people_laugh_with_stays(text: str) -> None:
    assert mask(text) == text


@given(st.text(max_size=60) | st.text("0123456789 -@.微信qv路号一三", max_size=40))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(
    st.from_regex(r"1[3-9]\d{9}", fullmatch=True, alphabet="0123456789"),
    st.text("好看啊。 ", max_size=5),
)
def test_every_mobile_number_is_hidden_wherever_it_stands(number: str, around: str) -> None:
    if len(set(number)) >= 3:
        assert number not in mask(around + number + around)


@pytest.mark.parametrize(
    "unit",
    ["市", "市1路", "1号楼-", "1 ", "1号", "a", "a.a@", "0", "eyJ", "+1 ", "qq 1 ", "微信a", "1-"],
)
def test_ten_thousand_characters_of_anything_are_masked_at_once(unit: str) -> None:
    began = time.thread_time()
    mask("12345 " + unit * (10_000 // len(unit)))
    assert time.thread_time() - began < 2


def test_repeats_are_counted_by_their_trimmed_compatible_form() -> None:
    assert normalised("　ＡＢＣ１２３　") == normalised("ABC123 ") == "ABC123"
    assert normalised("哈哈") != normalised("哈哈哈")
