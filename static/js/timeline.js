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
    var data = {}, range = { from: null, to: null }, chart = null, lanes = 0;

    function view() {
      return Object.assign(look(element), {
        runtime_s: Number(element.dataset.runtime), moments: moments, selected: selected,
        from: range.from, to: range.to,
      });
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
      chart.setOption(option, { notMerge: true, lazyUpdate: false });
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
      range = { from: zoom.startValue, to: zoom.endValue };
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    }

    function choose(n) {
      var moment = moments.find(function (m) { return m.n === n; });
      if (!moment) return;
      selected = n;
      draw();
      if (!globalThis.DailiesComments) return;
      globalThis.DailiesComments.show(moment.from_second, moment.until, n);
      globalThis.DailiesComments.raise(element);
    }

    function clicked(x, y) {
      if (!element.dataset.comments || !globalThis.DailiesComments) return;
      for (var i = 0; i < lanes; i++) {
        if (!chart.containPixel({ gridIndex: i }, [x, y])) continue;
        var second = Math.floor(chart.convertFromPixel({ xAxisIndex: i }, x));
        var shown = (range.to || Number(element.dataset.runtime)) - (range.from || 0);
        var reach = Math.max(5, Math.min(30, Math.round(shown / 240)));
        var from = Math.max(0, second - reach);
        selected = null;
        draw();
        globalThis.DailiesComments.show(from, from + 2 * reach, null);
        globalThis.DailiesComments.raise(element);
        return;
      }
    }

    element.tabIndex = -1; // where the focus returns to from the sheet; keys have the list
    element.addEventListener("moment", function (event) {
      selected = event.detail;
      draw();
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
