/* Small charts of viewing: plays of each day, and a line beside a title in a list. */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var column = P.column, layout = P.layout, line = P.line, number = P.number, theme = P.theme;

  var HEIGHT = 150;
  var WORDS = {
    "zh-hans": { plays: "播放次数", byWeek: "按周合计" },
    en: { plays: "Plays", byWeek: "summed by week" },
  };

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
    var colours = theme(view), text = P.words(view, WORDS), byDay = {}, shape = layout(view);
    playsByDay(data.viewing || data).forEach(function (d) { byDay[d[0]] = d[1]; });
    var found = P.counts.bars(byDay), height = view.height || HEIGHT;
    if (!found.bars.length) return P.plate.nothing(text.nothing, view, colours);
    var plays = {
      name: text.plays, colour: colours.rest, values: found.bars.map(function (bar) {
        return bar.days.reduce(function (sum, day) {
          return day in byDay ? (sum || 0) + byDay[day] : sum;
        }, null);
      }),
    };
    var box = { left: shape.left, right: shape.right, top: found.step === 7 ? 24 : 10, bottom: 22 };
    var items = P.counts.stacked(found, [plays], box,
      Object.assign({}, view, { height: height }), colours, text);
    if (found.step === 7) {
      items[0].shapes.push(P.plate.text(shape.left, 8, text.byWeek, view, { colour: colours.grey }));
    }
    return P.plate.option(items, text.plays, view, colours);
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

  P.heights.days = function () { return HEIGHT; };
  P.heights.sparkline = function () { return 30; };
  Object.assign(globalThis.DailiesCharts, { days: days, sparkline: sparkline, playsByDay: playsByDay });
})();
