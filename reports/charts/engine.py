"""Draws the page's charts without a page: ECharts in V8, out comes SVG.

One isolate is kept for a process (starting one costs more than a chart). Inside it there is no
network, no file and no clock worth the name; a call has a time and a memory limit. What the
builders are lives in static/charts/, which the browser runs as well.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

from py_mini_racer import JSEvalException, JSFunction, MiniRacer

from reports.charts.clean import clean_svg
from reports.charts.fonts import FAMILY, MissingAsset, advances
from reports.charts.scripts import SCRIPTS

ROOT = Path(__file__).resolve().parents[2]
BUILDERS = tuple(ROOT / "static" / name for name in SCRIPTS)
ECHARTS = (
    ROOT / "static" / "vendor" / "echarts.min.js",
    ROOT / "node_modules" / "echarts" / "dist" / "echarts.min.js",
)
NAMES = frozenset(
    {
        "timeline", "days", "sparkline", "ages", "regions", "survival", "reactions", "phrases",
        "discussion", "sharing", "sharing_offsets", "fan_sets",
    }
)  # fmt: skip
TIME_LIMIT_S = 20.0
MEMORY_LIMIT = 512 * 1024 * 1024

_HARNESS = """
var dailiesAdvances = {};
function dailiesMeasure(text, font) {
  var size = parseFloat((/([0-9.]+)px/.exec(font || "") || [0, "12"])[1]);
  var bold = /bold|[6-9]00/.test(font || "");
  var table = dailiesAdvances[bold ? "700" : "400"] || {};
  var width = 0;
  for (var character of String(text || "")) {
    var advance = table[character.codePointAt(0)];
    width += advance === undefined ? 1000 : advance;
  }
  return { width: width * size / 1000 };
}
function dailiesSvg(name, data, view, width, height) {
  data = JSON.parse(data);
  view = JSON.parse(view);
  height = height || DailiesCharts.heightOf(name, data, view);
  var option = DailiesCharts[name](data, view);
  var chart = echarts.init(null, null, {
    renderer: "svg", ssr: true, width: width, height: height,
  });
  try {
    chart.setOption(option);
    return chart.renderToSVGString({ useViewBox: true });
  } finally {
    chart.dispose();
  }
}
"""


class ChartFailed(RuntimeError):
    """The chart could not be drawn: the builder failed, or ran past its time or memory."""


class Engine:
    """One V8 isolate with ECharts and the builders loaded. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._racer = MiniRacer()
        self._racer.set_hard_memory_limit(MEMORY_LIMIT)
        self._racer.eval(_echarts().read_text(encoding="utf-8"), timeout_sec=TIME_LIMIT_S)
        for builders in BUILDERS:
            self._racer.eval(builders.read_text(encoding="utf-8"), timeout_sec=TIME_LIMIT_S)
        self._racer.eval(_HARNESS)
        for weight in (400, 700):
            table = json.dumps(advances(weight))
            self._racer.eval(f'dailiesAdvances["{weight}"] = {table}')
        self._racer.eval("echarts.setPlatformAPI({ measureText: dailiesMeasure })")
        self._draw = cast(JSFunction, self._racer.eval("dailiesSvg"))

    def svg(
        self, name: str, data: Any, view: Mapping[str, Any], width: int, height: int | None
    ) -> str:
        """The chart that the builder `name` makes of `data`, as SVG of `width` x `height` px.

        Without a height it is as high as it wants to be (`DailiesCharts.heightOf`).

        Raises ValueError for an unknown builder, ChartFailed where it cannot be drawn.
        """
        if name not in NAMES:
            raise ValueError(f"no chart is called {name!r}")
        return clean_svg(self.raw(name, data, view, width, height))

    def raw(
        self, name: str, data: Any, view: Mapping[str, Any], width: int, height: int | None
    ) -> str:
        """What ECharts writes, before it is mended."""
        shown = {"font": f"'{FAMILY}'", "print": True, **view, "width": width, "height": height}
        return str(self._call(name, _json(data), _json(shown), width, height))

    def _call(self, *arguments: Any) -> Any:
        try:
            with self._lock:
                # Not `racer.call`, which has V8 compile the arguments as a program of that size.
                return self._draw(*arguments, timeout_sec=TIME_LIMIT_S)
        except JSEvalException as error:  # JSTimeoutException and JSOOMException are of its kind
            self._settle()
            _forget()
            raise ChartFailed(f"the chart could not be drawn: {error}") from error

    def _settle(self) -> None:
        """Wait until V8 has answered for a call that was cut off.

        The isolate answers in order. Were it thrown away before, the late answer would find the
        library's event loop closed.
        """
        with suppress(JSEvalException), self._lock:
            self._racer.eval("0", timeout_sec=TIME_LIMIT_S)


def svg(name: str, data: Any, view: Mapping[str, Any], width: int, height: int | None) -> str:
    """`Engine.svg` of this process's engine."""
    return engine().svg(name, data, view, width, height)


def engine() -> Engine:
    """This process's engine. A forked child makes its own: V8's threads stay with the parent."""
    return _engine(os.getpid())


@cache
def _engine(_pid: int) -> Engine:
    return Engine()


def _forget() -> None:
    """An isolate that ran out of time or memory is not used again."""
    _engine.cache_clear()


def _echarts() -> Path:
    for path in ECHARTS:
        if path.is_file():
            return path
    raise MissingAsset(f"{ECHARTS[0]} is missing: set-up copies it from npm's echarts")


def _json(value: Any) -> str:
    # In ASCII: half a character, as a stranger may write it, has no bytes that V8 could be given.
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
