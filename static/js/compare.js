/* Draws the page that compares: reads each title's curves as REST answers them. */
(function () {
  "use strict";

  var charts = globalThis.DailiesCharts, echarts = globalThis.echarts;
  var element = document.getElementById("compare");
  if (!element) return;
  var items = JSON.parse(document.getElementById("compare-items").textContent);
  var state = document.getElementById("compare-state");
  var dark = matchMedia("(prefers-color-scheme: dark)"), chart = null, width = 0;

  function read(url) {
    return fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
      .then(function (response) {
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      });
  }

  function draw() {
    width = element.clientWidth;
    var view = {
      language: document.documentElement.lang === "en" ? "en" : "zh-hans",
      theme: dark.matches ? "dark" : "light", width: width, compact: width < 560,
      axis: element.dataset.axis,
    };
    view.height = charts.heightOf("compare", items, view);
    element.style.height = view.height + "px";
    chart = chart || echarts.init(element, null, { renderer: "canvas" });
    chart.resize({ width: width, height: view.height });
    chart.setOption(charts.compare(items, view), { notMerge: true });
  }

  state.textContent = state.dataset.busy;
  element.setAttribute("aria-busy", "true");
  Promise.all(items.map(function (item) {
    return Promise.all(Object.keys(item.urls).map(function (name) {
      return read(item.urls[name]).then(function (answer) { item[name] = answer; });
    }));
  })).then(function () {
    draw();
    state.textContent = "";
    dark.addEventListener("change", draw);
    new ResizeObserver(function () {
      if (element.clientWidth !== width) draw();
    }).observe(element);
  }).catch(function () {
    state.textContent = state.dataset.failed;
  }).finally(function () { element.removeAttribute("aria-busy"); });
})();
