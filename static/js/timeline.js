/* Draws the timeline and the days of the title page from what REST answers for the families
 * that are granted (data- attributes). What is drawn is static/charts/'s. */
(function () {
  "use strict";

  var charts = globalThis.DailiesCharts;
  var echarts = globalThis.echarts;
  var dark = matchMedia("(prefers-color-scheme: dark)");
  var language = document.documentElement.lang === "en" ? "en" : "zh-hans";

  function read(url) {
    return fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
      .then(function (response) {
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      });
  }

  function look(element) {
    return {
      language: language,
      theme: dark.matches ? "dark" : "light",
      width: element.clientWidth,
      compact: element.clientWidth < 560,
    };
  }

  /** Call `draw` again when the element's width or the colour scheme changes. */
  function keepDrawn(element, draw) {
    var width = element.clientWidth;
    new ResizeObserver(function () {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      draw();
    }).observe(element);
    dark.addEventListener("change", draw);
  }

  // ---- the timeline ----

  function timeline(element) {
    var state = document.getElementById("timeline-state");
    var again = document.getElementById("timeline-again");
    var families = ["retention", "rewatch", "danmu"].filter(function (f) {
      return element.dataset[f];
    });
    var moments = Array.from(document.querySelectorAll("#moment a[data-n]")).map(function (a) {
      return {
        n: Number(a.dataset.n), kind: a.dataset.kind, until: Number(a.dataset.until),
        from_second: Number(a.dataset.from), to_second: Number(a.dataset.to),
      };
    });
    var selected = Number(element.dataset.selected) || null;
    var data = {}, range = zoomOf(location.search), chart = null, lanes = 0;
    var readAt = new URLSearchParams(location.search).get("at"); // a second that is no moment
    var cursor = null; // the second that keys stand on

    function view() {
      return Object.assign(look(element), {
        runtime_s: Number(element.dataset.runtime), moments: moments, selected: selected,
        from: range.from, to: range.to, drag: matchMedia("(pointer: fine)").matches,
      });
    }

    /** The zoom that a link names, "zoom=3200-3400" in seconds. */
    function zoomOf(search) {
      var found = /^(\d{1,6})-(\d{1,6})$/.exec(new URLSearchParams(search).get("zoom") || "");
      return found && Number(found[1]) < Number(found[2])
        ? { from: Number(found[1]), to: Number(found[2]) } : { from: null, to: null };
    }

    /** Keep in the address what is looked at, so that a link shows a colleague the same: the days,
     * the zoom and the moment. */
    function remember() {
      var kept = new URLSearchParams(element.dataset.asked);
      if (isZoomed()) kept.set("zoom", Math.round(range.from) + "-" + Math.round(range.to));
      if (readAt !== null) kept.set("at", String(readAt));
      else if (selected) kept.set("moment", String(selected));
      history.replaceState(null, "", "?" + kept.toString());
    }

    function runtime() {
      return Number(element.dataset.runtime) || 1;
    }

    function isZoomed() {
      return range.to !== null && (range.from > 0 || range.to < runtime());
    }

    function draw() {
      if (!chart) return;
      var shape = view();
      var height = charts.height(data, shape);
      chart.resize({ width: element.clientWidth, height: height });
      element.style.height = height + "px";
      shape.height = height;
      var option = charts.timeline(data, shape);
      lanes = option.grid.length;
      if (shape.drag) dragPicks(false); // else the one of before goes on picking, on its axis
      chart.setOption(option, { notMerge: true, lazyUpdate: false });
      if (shape.drag) dragPicks(true);
    }

    /** Whether a drag over the lanes picks what is zoomed to. */
    function dragPicks(does) {
      chart.dispatchAction({
        type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: does,
      });
    }

    function load() {
      again.hidden = true;
      state.textContent = state.dataset.busy;
      element.setAttribute("aria-busy", "true");
      Promise.all(families.map(function (f) { return read(element.dataset[f]); }))
        .then(function (answers) {
          families.forEach(function (f, i) { data[f] = answers[i]; });
          start();
          state.textContent = "";
        })
        .catch(function () {
          state.textContent = state.dataset.failed;
          again.hidden = false;
        })
        .finally(function () { element.removeAttribute("aria-busy"); });
    }

    function start() {
      chart = echarts.init(element, null, { renderer: "canvas" });
      draw();
      keepDrawn(element, draw);
      takeKeys();
      chart.on("datazoom", zoomed);
      var onPin = false; // ECharts tells of a pin first, then of the same click anywhere
      chart.on("click", { seriesId: "moments" }, function (event) {
        onPin = true;
        choose(event.data.n);
      });
      chart.getZr().on("click", function (event) {
        if (!onPin) clicked(event.offsetX, event.offsetY);
        onPin = false;
      });
    }

    var waiting = 0;

    /** Zoomed in, seconds are put together finer: draw again once the hand rests. */
    function zoomed() {
      var zoom = chart.getOption().dataZoom[0];
      zoomTo(zoom.startValue, zoom.endValue);
    }

    function zoomTo(from, to) {
      range = { from: from, to: to };
      clearTimeout(waiting);
      waiting = setTimeout(function () {
        draw();
        remember();
        if (cursor !== null && document.activeElement === element) point();
      }, 120);
    }

    // ---- keys: the timeline is a slider along content time that reads all lanes ----

    var KEYS = {
      ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10,
    };

    function pressed(event) {
      if (!chart || event.ctrlKey || event.metaKey || event.altKey) return;
      var from = range.from || 0, to = range.to === null ? runtime() : range.to, span = to - from;
      if (cursor === null) cursor = Math.round(from + span / 2);
      if (event.key in KEYS) {
        cursor += KEYS[event.key] * Math.max(1, Math.round(span / 120)) * (event.shiftKey ? 10 : 1);
      } else if (event.key === "Home") cursor = Math.ceil(from);
      else if (event.key === "End") cursor = Math.floor(to) - 1;
      else if (event.key === "+" || event.key === "=") span = Math.max(20, span / 2);
      else if (event.key === "-") span = Math.min(runtime(), span * 2);
      else if (event.key === "0") span = runtime();
      else if (event.key === "Enter" || event.key === " ") readAround(cursor);
      else return;
      event.preventDefault();
      cursor = Math.max(0, Math.min(runtime() - 1, cursor));
      if (span !== to - from) from = cursor - span / 2;
      else if (cursor < from) from = cursor;
      else if (cursor >= to) from = cursor + 1 - span;
      from = Math.max(0, Math.min(runtime() - span, from));
      if (from !== (range.from || 0) || span !== to - (range.from || 0)) {
        zoomTo(Math.round(from), Math.round(from + span));
      }
      point();
    }

    /** Show where the keys stand, and say it. */
    function point() {
      var x = chart.convertToPixel({ xAxisIndex: 0 }, cursor);
      var grid = chart.getOption().grid[0];
      chart.dispatchAction({ type: "showTip", x: x, y: grid.top + grid.height / 2 });
      element.setAttribute("aria-valuenow", String(cursor));
      element.setAttribute("aria-valuetext", charts.reading(data, view(), cursor).join("; "));
    }

    function takeKeys() {
      element.setAttribute("role", "slider");
      element.setAttribute("aria-valuemin", "0");
      element.setAttribute("aria-valuemax", String(runtime() - 1));
      element.setAttribute("aria-valuenow", "0");
      element.tabIndex = 0;
      element.addEventListener("keydown", pressed);
      element.addEventListener("blur", function () { chart.dispatchAction({ type: "hideTip" }); });
    }

    function choose(n) {
      var moment = moments.find(function (m) { return m.n === n; });
      if (!moment) return;
      selected = n;
      readAt = null;
      draw();
      remember();
      if (!globalThis.DailiesComments) return;
      globalThis.DailiesComments.show(moment.from_second, moment.until, n);
      globalThis.DailiesComments.raise(element);
    }

    function clicked(x, y) {
      if (!element.dataset.comments || !globalThis.DailiesComments) return;
      for (var i = 0; i < lanes; i++) {
        if (!chart.containPixel({ gridIndex: i }, [x, y])) continue;
        readAround(Math.floor(chart.convertFromPixel({ xAxisIndex: i }, x)));
        return;
      }
    }

    /** Read what was written around a second, in as wide a stretch as a finger covers. */
    function readAround(second) {
      if (!element.dataset.comments || !globalThis.DailiesComments) return;
      var shown = (range.to || runtime()) - (range.from || 0);
      var reach = Math.max(5, Math.min(30, Math.round(shown / 240)));
      var from = Math.max(0, second - reach);
      selected = null;
      readAt = second;
      draw();
      remember();
      globalThis.DailiesComments.show(from, from + 2 * reach, null);
      globalThis.DailiesComments.raise(element);
    }

    element.tabIndex = -1; // where the focus returns to from the sheet, until keys are taken
    element.addEventListener("moment", function (event) {
      selected = event.detail;
      readAt = null;
      draw();
      remember();
    });
    again.addEventListener("click", load);
    load();
  }

  // ---- plays of each day ----

  function days(element) {
    read(element.dataset.viewing).then(function (answer) {
      var chart = echarts.init(element, null, { renderer: "canvas" });
      function draw() {
        chart.resize();
        chart.setOption(charts.days({ viewing: answer }, Object.assign(look(element), {
          height: element.clientHeight,
        })), { notMerge: true });
      }
      draw();
      keepDrawn(element, draw);
    }).catch(function () { element.hidden = true; });
  }

  var timelineElement = document.getElementById("timeline");
  var daysElement = document.getElementById("days");
  if (timelineElement) timeline(timelineElement);
  if (daysElement && daysElement.dataset.viewing) days(daysElement);
})();
