"""The chart builders in V8, and the mending of their SVG."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from reports.charts import engine
from reports.charts.clean import clean_svg
from reports.charts.engine import ChartFailed, Engine
from reports.render.figures import chart_data
from tests.reports import film

VIEW = {"language": "zh-hans", "runtime_s": film.RUNTIME}
PINS = [
    {"n": n, "kind": m.kind, "from_second": m.from_second, "to_second": m.to_second}
    for n, m in enumerate(film.MOMENTS, 1)
]
CURVES = chart_data(film.FILM.results)
SVG = "{http://www.w3.org/2000/svg}"


def option(data: Any, view: dict[str, Any]) -> dict[str, Any]:
    """The option as the page would get it, without its functions."""
    racer = engine.engine()._racer
    text = racer.call(
        "(function (d, v) { return JSON.stringify("
        "DailiesCharts.timeline(JSON.parse(d), JSON.parse(v))); })",
        json.dumps(data),
        json.dumps(view),
    )
    made: dict[str, Any] = json.loads(str(text))
    return made


def series(made: dict[str, Any], name: str) -> dict[str, Any]:
    found = [s for s in made["series"] if s.get("id") == name]
    assert len(found) == 1, name
    return found[0]


def texts(svg: str) -> list[str]:
    return [
        "".join(element.itertext()).strip()
        for element in ElementTree.fromstring(svg).iter(f"{SVG}text")
    ]


def test_the_same_data_gives_the_same_bytes_in_another_isolate_in_another_order() -> None:
    first = engine.svg("timeline", CURVES, VIEW, 658, 520)
    other = Engine()
    other.svg("sparkline", [1, 2, 3], VIEW, 120, 30)
    assert other.svg("timeline", CURVES, VIEW, 658, 520) == first


def test_only_granted_families_have_lanes() -> None:
    made = option({"danmu": CURVES["danmu"]}, VIEW)
    assert [axis["id"] for axis in made["yAxis"]] == ["danmu"]
    assert {s["id"] for s in made["series"]} == {"danmu", "under"}
    assert "弹幕" in texts(engine.svg("timeline", {"danmu": CURVES["danmu"]}, VIEW, 658, 200))


def test_lanes_are_named_in_the_readers_language() -> None:
    chinese = engine.svg("timeline", CURVES, VIEW, 658, 520)
    english = engine.svg("timeline", CURVES, {**VIEW, "language": "en"}, 658, 520)
    assert [w in chinese for w in ("留存", "离开", "回看", "弹幕")] == [True] * 4
    assert [w in english for w in ("Retention", "Stops", "Rewatches", "Danmu")] == [True] * 4


def test_comments_are_summed_by_minute_and_the_lane_says_so() -> None:
    made = option(CURVES, {**VIEW, "width": 658})
    points = dict(map(tuple, series(made, "danmu")["data"][::2]))
    assert points[3240] == 510
    assert points[0] == 240
    assert sum(points.values()) == sum(film.FILM.results["danmu"].data["comments"])  # type: ignore[arg-type]
    assert "每分钟条数" in texts(engine.svg("timeline", CURVES, VIEW, 658, 520))


def test_shares_are_averaged_and_never_summed() -> None:
    made = option(CURVES, {**VIEW, "width": 658})
    shares = film.FILM.results["retention"].data["retention"]
    first = series(made, "retention")["data"][0]
    assert first[0] == 7  # the middle of the first 15 s
    assert first[1] == pytest.approx(sum(shares[:15]) / 15)  # type: ignore[arg-type]


def test_zoomed_in_every_second_stands_for_itself() -> None:
    made = option(CURVES, {**VIEW, "width": 658, "from": 3240, "to": 3360})
    shares = film.FILM.results["retention"].data["retention"]
    points = dict(map(tuple, series(made, "retention")["data"]))
    assert points[3300] == shares[3300]
    assert dict(map(tuple, series(made, "danmu")["data"][::2]))[3270] == 9
    assert [z["startValue"] for z in made["dataZoom"]] == [3240, 3240]


def test_the_crowd_that_leaves_at_the_end_does_not_flatten_the_rest() -> None:
    made = option(CURVES, {**VIEW, "width": 658})
    assert next(axis for axis in made["yAxis"] if axis["id"] == "stops")["max"] == 0.04
    assert max(y for _, y in series(made, "stops")["data"]) == 0.04
    assert "2:09:00 至 100%" in texts(engine.svg("timeline", CURVES, VIEW, 658, 520))


def test_pins_stand_above_the_lanes_and_not_on_each_other() -> None:
    made = option(CURVES, {**VIEW, "width": 658, "moments": PINS})
    pins = series(made, "moments")
    grid = made["grid"][pins["xAxisIndex"]]
    lanes = [g for n, g in enumerate(made["grid"]) if n != pins["xAxisIndex"]]
    assert grid["top"] + grid["height"] <= min(lane["top"] for lane in lanes) - 20  # its head
    rows = {p["n"]: p["value"][1] for p in pins["data"]}
    assert rows[3] != rows[5]  # neighbouring minutes


def test_a_curve_wholly_hidden_says_why() -> None:
    waiting = chart_data(film.without_rows().results)
    assert engine.svg("timeline", waiting, VIEW, 658, 300).count("等待达到公开下限") == 2


def test_tooltips_need_no_html_since_the_page_forbids_inline_style() -> None:
    assert option(CURVES, VIEW)["tooltip"]["renderMode"] == "richText"


def test_print_has_neither_tooltip_nor_zoom() -> None:
    made = option(CURVES, {**VIEW, "print": True})
    assert made["dataZoom"] == []
    assert made["tooltip"] == {"show": False}


def test_rest_rows_and_columns_draw_the_same() -> None:
    rows = {
        name: {
            "rows": [
                dict(zip(r["data"], values, strict=True))
                for values in zip(*r["data"].values(), strict=True)
            ]
        }
        for name, r in CURVES.items()
    }
    assert option(rows, VIEW) == option(CURVES, VIEW)


def test_plays_by_day_add_territories_and_leave_the_whole_window_out() -> None:
    answer = film.viewing(("CN", "SG"))
    data = json.dumps({"data": {k: list(v) for k, v in answer.data.items()}}, default=str)
    made = json.loads(
        str(
            engine.engine()._racer.call(
                "(d => JSON.stringify(DailiesCharts.playsByDay(JSON.parse(d))))",
                data,
            )
        )
    )
    assert [plays for _, plays in made] == [2 * n for n in film.PLAYS_A_DAY]


def test_text_is_as_wide_as_the_report_font_makes_it() -> None:
    racer = engine.engine()._racer
    assert racer.call("dailiesMeasure", "留存", "12px x")["width"] == 24
    assert racer.call("dailiesMeasure", "1", "bold 10px x")["width"] > 5


def test_a_chart_that_runs_on_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Engine()
    monkeypatch.setattr(engine, "TIME_LIMIT_S", 0.2)
    own._racer.eval("DailiesCharts.timeline = function () { for (;;) {} }")
    with pytest.raises(ChartFailed):
        own.svg("timeline", {}, VIEW, 100, 100)


def test_unknown_builders_are_refused() -> None:
    with pytest.raises(ValueError, match="no chart"):
        engine.svg("constructor", {}, {}, 10, 10)


def test_a_halo_is_painted_under_its_text() -> None:
    cleaned = ElementTree.fromstring(
        clean_svg(
            f'<svg xmlns="{SVG[1:-1]}"><text paint-order="stroke" stroke="#fff"'
            ' stroke-width="2" fill="#000">回看</text></svg>'
        )
    )
    halo, text = cleaned
    assert (halo.get("fill"), halo.get("stroke")) == ("none", "#fff")
    assert (text.get("fill"), text.get("stroke"), text.get("stroke-width")) == ("#000", None, None)
    assert "paint-order" not in {*halo.attrib, *text.attrib}


def test_gradients_are_given_in_the_units_of_the_page() -> None:
    cleaned = clean_svg(
        f'<svg xmlns="{SVG[1:-1]}"><defs><linearGradient id="zr7-g0" x1="0" y1="0" x2="0" y2="1">'
        '<stop offset="0" stop-color="red"/></linearGradient></defs>'
        '<path d="M10 20L110 20L110 70Z" fill="url(#zr7-g0)"/></svg>'
    )
    gradient = next(ElementTree.fromstring(cleaned).iter(f"{SVG}linearGradient"))
    assert gradient.get("gradientUnits") == "userSpaceOnUse"
    assert [gradient.get(n) for n in ("x1", "y1", "x2", "y2")] == ["10", "20", "10", "70"]


def test_ids_do_not_carry_the_counter_of_the_process() -> None:
    def drawn(n: int) -> str:
        return clean_svg(
            f'<svg xmlns="{SVG[1:-1]}"><defs><clipPath id="zr{n}-c0"><path d="M0 0"/></clipPath>'
            f'</defs><g clip-path="url(#zr{n}-c0)"/></svg>'
        )

    assert drawn(7) == drawn(12)
    name = re.search(r'id="([^"]+)"', drawn(7))
    assert name is not None
    assert f"url(#{name[1]})" in drawn(7)


def test_styles_and_scripts_do_not_pass() -> None:
    cleaned = clean_svg(
        f'<svg xmlns="{SVG[1:-1]}"><style>a{{}}</style><script>x</script>'
        '<g class="a" onclick="x"><path d="M0 0"/></g></svg>'
    )
    assert [w for w in ("style", "script", "class", "onclick") if w in cleaned] == []
