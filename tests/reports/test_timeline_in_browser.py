"""The timeline in Chromium under a policy that allows no inline style and no inline script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from reports.charts import engine
from tests.reports import film
from tests.reports.test_charts import CURVES, PINS

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"
PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><link rel="stylesheet" href="/a.css">
</head><body><div id="box"></div><script src="/echarts.js"></script>
<script src="/builders.js"></script><script src="/page.js"></script></body></html>"""
SCRIPT = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.blockedURI));
const input = %s;
window.draw = (view) => {
  const box = document.getElementById("box");
  const full = { ...input.view, width: box.clientWidth, ...view };
  box.style.height = DailiesCharts.height(input.data, full) + "px";
  window.chart = window.chart || echarts.init(box);
  window.chart.resize();
  window.chart.setOption(DailiesCharts.timeline(input.data, full), true);
};
window.draw({});
window.chart.on("click", (e) => { window.clicked = e.data && e.data.n; });
"""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    given = {
        "data": CURVES,
        "view": {"language": "en", "runtime_s": film.RUNTIME, "moments": PINS},
    }
    files = {
        "/": ("text/html", PAGE),
        "/a.css": ("text/css", "body{margin:0}"),
        "/echarts.js": ("text/javascript", engine._echarts().read_text(encoding="utf-8")),
        "/builders.js": (
            "text/javascript",
            "\n".join(path.read_text(encoding="utf-8") for path in engine.BUILDERS),
        ),
        "/page.js": ("text/javascript", SCRIPT % json.dumps(given)),
    }

    def answer(route: Route) -> None:
        kind, body = files.get(route.request.url.split("chart.test", 1)[1], ("", ""))
        if not kind:
            route.fulfill(status=404)
            return
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Security-Policy": POLICY}
        route.fulfill(body=body, headers=headers)

    opened = chromium.new_page(viewport={"width": 1100, "height": 700})
    opened.route("**/*", answer)
    opened.goto("http://chart.test/")
    yield opened
    opened.close()


def run(page: Page, script: str) -> Any:
    return page.evaluate(script)


@pytest.mark.browser
def test_hovering_shows_one_line_over_all_lanes_and_breaks_no_policy(page: Page) -> None:
    page.mouse.move(480, 300)
    page.mouse.move(484, 300)
    page.wait_for_timeout(200)
    shown = run(page, "chart.getZr().storage.getDisplayList().map(e => e.style.text || '').join()")
    assert "Retention" in shown
    assert "Comments" in shown
    assert run(page, "document.querySelectorAll('#box div[style*=\"pointer-events\"]').length") == 0
    assert run(page, "violations") == []


@pytest.mark.browser
def test_a_pin_says_which_moment_it_is_when_clicked(page: Page) -> None:
    x, y = run(
        page,
        "(() => { const i = chart.getOption().series.findIndex(s => s.id === 'moments');"
        " const p = chart.getOption().series[i].data.find(d => d.n === 4);"
        " return chart.convertToPixel({ seriesIndex: i }, p.value); })()",
    )
    page.mouse.click(x, y)
    assert run(page, "clicked") == 4


@pytest.mark.browser
def test_drawn_again_for_a_zoom_the_axis_stands_where_it_was_zoomed_to(page: Page) -> None:
    run(page, "draw({ from: 3200, to: 3400 })")
    assert run(page, "chart.getOption().dataZoom.map(z => [z.startValue, z.endValue])") == [
        [3200, 3400],
        [3200, 3400],
    ]
    run(page, "draw({})")
    assert run(page, "violations") == []


HEADS = """chart.getZr().storage.getDisplayList()
  .filter(e => e.type === "tspan" && e.style.text.trim())
  .map(e => {
    const r = e.getBoundingRect().clone(); r.applyTransform(e.transform);
    return { text: e.style.text.trim(), x: r.x, y: r.y, right: r.x + r.width, low: r.y + r.height };
  })"""


def touching(shown: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of texts of which one stands on the other by more than a pixel."""
    return [
        (a["text"], b["text"])
        for n, a in enumerate(shown)
        for b in shown[n + 1 :]
        if min(a["right"], b["right"]) - max(a["x"], b["x"]) > 1
        and min(a["low"], b["low"]) - max(a["y"], b["y"]) > 1
    ]


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("language", "width", "stops"),
    [
        ("en", 1440, "share of those watching, per 30 s"),
        ("en", 334, "share leaving, per 2 min"),
        ("en", 270, "2:08:00 to 100%"),
        ("zh-hans", 1440, "在看者中每 30 秒离开的比例"),
        ("zh-hans", 334, "在看者中每 2 分钟离开的比例"),
    ],
)
def test_no_words_of_the_lanes_stand_on_each_other(
    page: Page, theme: str, language: str, width: int, stops: str
) -> None:
    """334 px is what a phone of 390 leaves the chart. A note is cut short before it is left out."""
    page.set_viewport_size({"width": width, "height": 700})
    compact = str(width < 560).lower()
    for zoom in ("null", "3200"):
        run(
            page,
            f"draw({{ language: '{language}', theme: '{theme}', compact: {compact},"
            f" from: {zoom}, to: {zoom} && 3400 }})",
        )
        shown = run(page, HEADS)
        assert touching(shown) == []
        assert [t["text"] for t in shown if t["right"] > width] == []
        if zoom == "null":
            words = [t["text"] for t in shown]
            head = words[words.index("Stops" if language == "en" else "离开") + 1]
            assert head == stops
