/* Draws the charts below the timeline, each once it comes near the window, from what REST answers
 * (data- attributes). What is drawn is static/charts/'s. */
(function () {
  "use strict";

  var charts = globalThis.DailiesCharts;
  var echarts = globalThis.echarts;
  var dark = matchMedia("(prefers-color-scheme: dark)");
  var language = document.documentElement.lang === "en" ? "en" : "zh-hans";
  var answers = {};

  /** One answer for all charts of a resource. */
  function read(url) {
    answers[url] = answers[url] ||
      fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
        .then(function (response) {
          if (!response.ok) throw new Error(String(response.status));
          return response.json();
        });
    return answers[url];
  }

  /** Names of territories in the reader's language, by code, where the browser has them. */
  var names = (function () {
    if (!globalThis.Intl || !Intl.DisplayNames) return {};
    var known = new Intl.DisplayNames([document.documentElement.lang], { type: "region" });
    return function (rows) {
      var found = {};
      rows.forEach(function (row) {
        [row.territory, row.region].forEach(function (code) {
          if (/^[A-Z]{2}$/.test(code || "")) found[code] = known.of(code);
        });
      });
      return found;
    };
  })();

  function start(element) {
    var state = element.previousElementSibling, data = {}, chart = null, width = 0;

    function draw() {
      width = element.clientWidth;
      var view = {
        language: language, theme: dark.matches ? "dark" : "light", width: width,
        compact: width < 560, runtime_s: Number(element.dataset.runtime) || 0,
        names: typeof names === "function" ? names(data[element.dataset.resource].rows || []) : {},
      };
      view.height = charts.heightOf(element.dataset.chart, data, view);
      element.style.height = view.height + "px";
      chart = chart || echarts.init(element, null, { renderer: "canvas" });
      chart.resize({ width: width, height: view.height });
      chart.setOption(charts[element.dataset.chart](data, view), { notMerge: true });
    }

    state.textContent = state.dataset.busy;
    element.setAttribute("aria-busy", "true");
    read(element.dataset.url).then(function (answer) {
      data[element.dataset.resource] = answer;
      draw();
      state.textContent = "";
      dark.addEventListener("change", draw);
      new ResizeObserver(function () {
        if (element.clientWidth !== width) draw();
      }).observe(element);
    }).catch(function () {
      state.textContent = state.dataset.failed;
    }).finally(function () { element.removeAttribute("aria-busy"); });
  }

  var near = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (!entry.isIntersecting) return;
      near.unobserve(entry.target);
      start(entry.target);
    });
  }, { rootMargin: "300px" });
  document.querySelectorAll(".panel[data-url]").forEach(function (element) {
    near.observe(element);
  });
})();
