"""Every chart of every family, drawn from handmade answers: what is on it, and that it repeats."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pypdfium2
import pytest
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from reports.charts import engine
from reports.charts.fonts import FAMILY
from reports.render.pdf import FONT_SCHEME, OnlyOurs
from tests.reports.gallery import GALLERY, VIEW, Answer
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
        ("regions", ["广东", "新加坡", "西北其他", "其余地区", "人数最多的省份"]),
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


# ---- on paper ----

MOST_DIFFERENT = 0.02


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All charts in one PDF, a page each, set as a report sets them."""
    path = tmp_path_factory.mktemp("gallery") / "charts.pdf"
    fetcher = OnlyOurs()
    fonts = FontConfiguration()
    faces = "".join(
        f"@font-face {{ font-family: '{FAMILY}'; font-weight: {weight};"
        f" src: url('{FONT_SCHEME}{weight}') }}"
        for weight in (400, 700)
    )
    style = (
        "@page { size: 690px 900px; margin: 16px }"
        " img { display: block; width: 658px; break-after: page }"
    )
    pages = "".join(f'<img alt="" src="{fetcher.chart(drawn(name))}">' for name in GALLERY)
    HTML(string=f"<body>{pages}</body>", url_fetcher=fetcher).write_pdf(
        path,
        stylesheets=[CSS(string=faces + style, url_fetcher=fetcher, font_config=fonts)],
        font_config=fonts,
    )
    assert fetcher.refused == []
    return path


def test_two_readers_of_pdf_show_the_same_charts(printed: Path, tmp_path: Path) -> None:
    """Halos, gradients and patterns are what they have differed in."""
    subprocess.run(["pdftoppm", "-r", "72", "-gray", printed, tmp_path / "page"], check=True)
    others = pypdfium2.PdfDocument(printed)
    for number, (name, path) in enumerate(
        zip(GALLERY, sorted(tmp_path.glob("page-*.pgm")), strict=True)
    ):
        one = gray(path)
        other = others[number].render(scale=1, grayscale=True).to_numpy().astype(int)
        assert one.min() < 200, name  # something is drawn
        different = np.mean(np.abs(one - other.reshape(one.shape)) > 32)
        assert different <= MOST_DIFFERENT, f"{name}: {different:.3%}"


def gray(path: Path) -> npt.NDArray[np.int_]:
    """A picture in the binary PGM format: a head of four words, then a byte a pixel."""
    raw = path.read_bytes()
    kind, width, height, most = raw.split(maxsplit=4)[:4]
    assert (kind, most) == (b"P5", b"255")
    pixels = np.frombuffer(raw[-int(width) * int(height) :], np.uint8)
    return pixels.reshape(int(height), int(width)).astype(int)


def test_charts_are_set_in_the_report_font_alone(printed: Path) -> None:
    told = subprocess.run(["pdffonts", printed], check=True, capture_output=True, text=True)
    names = {line.split()[0].split("+")[-1] for line in told.stdout.splitlines()[2:]}
    assert names == {"Noto-Sans-SC", "Noto-Sans-SC-Bold"}


def test_every_label_can_be_read_out_of_the_pdf(printed: Path) -> None:
    told = subprocess.run(["pdftotext", printed, "-"], check=True, capture_output=True, text=True)
    pages = told.stdout.split("\f")
    for name, page in zip(GALLERY, pages[:-1], strict=True):
        letters = re.sub(r"\s", "", page)
        missing = [
            said
            for said in texts(drawn(name))
            if re.sub(r"\s", "", said) not in letters and len(said) > 1
        ]
        assert missing == [], name


# ---- text of strangers ----

STRANGERS = (
    "</text><script>alert(1)</script>",
    "{a|styled} {b|text}",
    "\u202egpj.exe\u2066",
    "nul\x00bell\x07",
    "\ud800 alone",
    "%s {{ 7*7 }} ${7}",
    "&amp;&#x41;]]>",
    "一" * 100_000,
    "a" * 100_000,
    "é" * 100_000,
    "😭" * 50_000,
    "",
    "   ",
)


def hostile(builder: str) -> Answer:
    at = range(len(STRANGERS))
    if builder == "phrases":
        return {
            "danmu_phrases": {
                "data": {
                    "from_second": [n * 30 for n in at], "to_second": [n * 30 + 30 for n in at],
                    "phrase": list(STRANGERS), "comments": [9] * len(at), "lift": [3.5] * len(at),
                }
            }
        }  # fmt: skip
    if builder == "sharing":
        return {
            "sharing": {
                "data": {
                    "day": ["2024-11-01"] * len(at), "territory": ["CN"] * len(at),
                    "channel": list(STRANGERS), "shares": [100 - n for n in at],
                    "visits": [1] * len(at), "new_viewers": [None] * len(at),
                    "hidden_reason": ["waiting"] * len(at),
                }
            }
        }  # fmt: skip
    same = {"from": ["2024-11-04"] * len(at), "until": ["2024-11-11"] * len(at)}
    return {
        "fanbases": {
            "data": {
                **same, "territory": ["*"] * len(at), "fan_set": list(STRANGERS),
                "viewers_in_common": [60] * len(at), "share_of_title": [0.1] * len(at),
                "lift": [2.0] * len(at), "lift_low": [1.0] * len(at),
                "lift_high": [3.0] * len(at), "hidden_reason": [None] * len(at),
            }
        }
    }  # fmt: skip


@pytest.mark.parametrize("builder", ["phrases", "sharing", "fan_sets"])
def test_text_of_strangers_stays_text_in_one_short_line(builder: str) -> None:
    svg = engine.svg(builder, hostile(builder), VIEW, 658, None)
    root = ElementTree.fromstring(svg)
    assert {e.tag.split("}")[1] for e in root.iter()} <= {
        "svg", "g", "path", "rect", "text", "tspan", "circle", "line", "defs", "clipPath",
        "polyline", "polygon",
    }  # fmt: skip
    assert len(svg) < 60_000
    assert max(map(len, texts(svg))) <= 60
    assert not re.search("[\x00-\x08\u202e\u2066\ud800]", svg)


def test_text_of_strangers_is_no_style_in_the_tooltip_either() -> None:
    racer = engine.engine()._racer
    said = racer.call(
        "(d => { const o = DailiesCharts.phrases(JSON.parse(d), {width: 658});"
        " return o.series[0].data.map((_, i) => o.tooltip.formatter({dataIndex: i})); })",
        json.dumps(hostile("phrases")),
    )
    lines = "\n".join(said)
    assert "｛a｜styled｝" in lines or "｛a|styled｝" in lines
    assert "{a|" not in lines
    assert max(map(len, lines.split("\n"))) <= 60
