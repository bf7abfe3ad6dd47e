/* Small charts of viewing: plays of each day, and a line beside a title in a list. */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var column = P.column, count = P.count, layout = P.layout, line = P.line, niceMax = P.niceMax,
    number = P.number, theme = P.theme, thousands = P.thousands;

  var WORDS = { "zh-hans": { plays: "播放次数" }, en: { plays: "Plays" } };

  /** Plays of each day from the viewing answer: [[iso day, plays]], single days of all devices. */
  function playsByDay(resource) {
    var since = column(resource, "from"), until = column(resource, "until");
    var device = column(resource, "device"), territory = column(resource, "territory");
    var values = column(resource, "plays"), sums = {}, seen = {};
    for (var i = 0; i < since.length; i++) {
      var days = (Date.parse(until[i]) - Date.parse(since[i])) / 86400000;
      var key = since[i] + " " + territory[i];
      var plays = number(values[i]);
      if (days !== 1 || device[i] !== "*" || plays === null || seen[key]) continue;
      seen[key] = true;
      sums[since[i]] = (sums[since[i]] || 0) + plays;
    }
    return Object.keys(sums).sort().map(function (day) { return [day, sums[day]]; });
  }

  function days(data, view) {
    var colours = theme(view), text = P.words(view, WORDS), font = view.font || P.FONT;
    var small = P.small(view), shape = layout(view);
    var points = playsByDay(data.viewing || data);
    var top = niceMax(Math.max.apply(null, [0].concat(points.map(function (d) { return d[1]; }))));
    var said = function (day) {
      var parts = String(day).split("-");
      return text.day(Number(parts[1]), Number(parts[2]));
    };
    return Object.assign(P.base(view, colours), {
      grid: { left: shape.left, right: shape.right, top: 10, bottom: 24 },
      xAxis: {
        type: "category", data: points.map(function (d) { return d[0]; }),
        axisTick: { show: false }, axisLine: { lineStyle: { color: colours.axis } },
        axisLabel: {
          color: colours.grey, fontSize: small, formatter: said,
          interval: Math.max(0, Math.ceil(points.length / Math.max(2, shape.width / 90)) - 1),
        },
      },
      yAxis: {
        type: "value", min: 0, max: top, interval: top / 2,
        axisLabel: {
          color: colours.grey, fontSize: small, formatter: function (v) { return count(v, view); },
        },
        splitLine: { lineStyle: { color: colours.line } },
      },
      series: [{
        id: "plays", name: text.plays, type: "bar", barMaxWidth: 18, barCategoryGap: "25%",
        animation: false, itemStyle: { color: colours.rest },
        data: points.map(function (d) { return d[1]; }),
      }],
      title: points.length ? [] : [P.emptyTitle(text.nothing, view, colours)],
      tooltip: P.tooltip(view, colours, "axis", function (params) {
        return said(params[0].name) + "\n" + text.plays + "  " + thousands(params[0].value);
      }),
    });
  }

  /** A small line without axes: `values` are numbers or null, oldest first. */
  function sparkline(values, view) {
    var colours = theme(view);
    var drawn = line("spark", values.map(function (v, i) { return [i, number(v)]; }),
      colours[view.colour] || colours.rest, 1.4);
    drawn.areaStyle = { color: colours[view.colour] || colours.rest, opacity: colours.fill };
    return {
      animation: false, backgroundColor: "transparent",
      grid: { left: 1, right: 1, top: 2, bottom: 2 },
      xAxis: { type: "value", show: false, min: 0, max: Math.max(1, values.length - 1) },
      yAxis: { type: "value", show: false, min: 0 },
      series: [drawn], tooltip: { show: false },
    };
  }

  P.heights.days = function () { return 150; };
  P.heights.sparkline = function () { return 30; };
  Object.assign(globalThis.DailiesCharts, { days: days, sparkline: sparkline });
})();
