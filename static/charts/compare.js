/* Two to four titles, cuts or windows over each other: one axis of content time, a lane a measure.
 *
 * data  [{name, runtime_s, retention, rewatch, danmu}], the answers that are granted of each.
 * view  beside what all charts take: {axis: "seconds"|"percent"}. In per cent each is as long as
 *       its own runtime.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var clock = P.clock, number = P.number, percent = P.percent, theme = P.theme;

  var DASHES = ["solid", [7, 3], [2, 2], [9, 3, 2, 3]];
  var PIECES = 200; // of a title's length, in per cent
  var WORDS = {
    "zh-hans": {
      retention: "留存", rewatch: "观看比", danmu: "弹幕", again: "每次播放看过该处的次数",
      staying: "在看者占播放的比例", often: "本作品平均密度的倍数",
    },
    en: {
      retention: "Retention", rewatch: "Watch ratio", danmu: "Danmu",
      again: "times played per play", staying: "share of plays",
      often: "how often, of the title's own mean",
    },
  };

  /** Points [x, value] of one curve: means over pieces of the axis. */
  function points(item, resource, name, axis, wide, asMultiple) {
    var answer = item[resource];
    if (!answer) return [];
    var seconds = P.column(answer, "content_second"), values = P.column(answer, name);
    var length = item.runtime_s || P.top(seconds) + 1;
    var sums = [], counts = [], total = 0, all = 0;
    for (var i = 0; i < seconds.length; i++) {
      var t = number(seconds[i]), v = number(values[i]);
      if (t === null || v === null || t >= length) continue;
      var piece = axis === "percent" ? Math.floor(t / length * wide) : Math.floor(t / wide);
      sums[piece] = (sums[piece] || 0) + v;
      counts[piece] = (counts[piece] || 0) + 1;
      total += v;
      all += 1;
    }
    var mean = asMultiple ? total / all : 1, made = [];
    for (var n = 0; n < sums.length; n++) {
      var x = axis === "percent" ? (n + 0.5) / wide * 100 : (n + 0.5) * wide;
      made.push([x, counts[n] && mean ? sums[n] / counts[n] / mean : null]);
    }
    return made;
  }

  /** The value of the piece that holds x, or null. */
  function near(list, x) {
    var best = null, apart = Infinity;
    list.forEach(function (p) {
      if (p[1] !== null && Math.abs(p[0] - x) < apart) {
        apart = Math.abs(p[0] - x);
        best = p;
      }
    });
    var step = list.length > 1 ? list[1][0] - list[0][0] : 1;
    return best && apart <= step ? best[1] : null;
  }

  function times(value) {
    return Number(value.toPrecision(3)) + "×";
  }

  function lanesOf(items, view, range, px, colours, text) {
    var isShare = view.axis === "percent";
    var fine = isShare ? PIECES : P.stepFor(range.to, px / 2);
    var coarse = isShare ? PIECES / 4 : Math.max(30, P.stepFor(range.to, px / 4));
    var measures = [
      { id: "retention", name: "retention", note: text.staying, weight: 190, wide: fine,
        label: percent, colour: colours.retention, max: 1 },
      { id: "rewatch", name: "audience_watch_ratio", note: text.again, weight: 110, wide: fine,
        label: times, colour: colours.rewatch },
      { id: "danmu", name: "comments", note: text.often, weight: 110, wide: coarse,
        label: times, colour: colours.danmu, multiple: true },
    ];
    return measures.map(function (m) {
      var curves = items.map(function (item) {
        return points(item, m.id, m.name, view.axis, m.wide, m.multiple);
      });
      if (!items.some(function (item) { return item[m.id]; })) return null;
      var values = [];
      curves.forEach(function (list) { values = values.concat(P.visible(list, range)); });
      var max = m.max || P.niceMax(P.top(values));
      return {
        id: m.id, name: text[m.id], note: m.note, brief: "", colour: m.colour, weight: m.weight,
        max: max, ticks: max / 2, label: m.label, empty: values.length ? "" : text.nothing,
        series: curves.map(function (list, k) {
          var drawn = P.line(m.id + k, list, colours.several[k], 1.7);
          drawn.lineStyle.type = DASHES[k];
          return drawn;
        }),
        say: function (x) {
          var said = items.map(function (item, k) {
            var v = near(curves[k], x);
            return v === null ? "" : "  " + item.name + "  " + m.label(v);
          }).filter(Boolean);
          return said.length ? [text[m.id]].concat(said) : [];
        },
      };
    }).filter(Boolean);
  }

  function prepare(items, view) {
    var shape = P.layout(view), colours = theme(view), text = P.words(view, WORDS);
    var px = Math.max(50, shape.width - shape.left - shape.right);
    var longest = view.axis === "percent" ? 100 : Math.max(1, P.top(items.map(function (item) {
      return item.runtime_s || P.top(P.column(item.retention || item.rewatch || item.danmu,
        "content_second")) + 1;
    })));
    var range = { length: longest, from: 0, to: longest, left: 0, right: longest };
    var lanes = lanesOf(items, view, range, px, colours, text);
    var legend = legendOf(items, shape, px, view, colours);
    return {
      shape: shape, colours: colours, text: text, px: px, range: range, lanes: lanes,
      legend: legend, placed: P.lane.place(lanes, [], Object.assign({}, view, {
        height: view.height ? view.height - legend.bottom : null, print: true,
      })),
    };
  }

  /** Which line is whose: a stroke of its colour and dash, and its name. */
  function legendOf(items, shape, px, view, colours) {
    var size = P.small(view) + 1, x = shape.left, y = 10, shapes = [];
    items.forEach(function (item, k) {
      var name = P.fitted(P.plain(item.name, 60), size, px - 40);
      var wide = 30 + P.widthOf(name, size);
      if (x > shape.left && x + wide > shape.left + px) {
        x = shape.left;
        y += size + 8;
      }
      shapes.push(P.plate.rule(x, y, x + 24, y, colours.several[k], {
        lineWidth: 2.2, lineDash: DASHES[k] === "solid" ? null : DASHES[k],
      }));
      shapes.push(P.plate.text(x + 30, y, name, view, { size: size, colour: colours.ink }));
      x += wide + 20;
    });
    return { shapes: shapes, bottom: y + 12 };
  }

  function compare(items, view) {
    var p = prepare(items, view), small = P.small(view), down = p.legend.bottom;
    var isShare = view.axis === "percent";
    var tick = isShare ? (view.compact ? 25 : 10)
      : P.stepFor(p.range.to, Math.max(2, p.px / (view.compact ? 72 : 84)));
    var label = isShare ? function (v) { return v + "%"; } : clock;
    var option = { grid: [], xAxis: [], yAxis: [], series: [] }, still = p.legend.shapes.slice();
    p.lanes.forEach(function (lane, i) {
      var placed = p.placed.tops[i], last = i === p.lanes.length - 1;
      var box = { top: placed.top + down, height: placed.height };
      option.grid.push(P.grid(p.shape, box.top, box.height));
      var axis = P.lane.axis(i, p.range, tick, last, p.colours, small, label);
      axis.axisLabel.alignMaxLabel = "right"; // else the last one is cut at the edge
      option.xAxis.push(axis);
      option.yAxis.push({
        id: lane.id, gridIndex: i, type: "value", show: false, min: 0, max: lane.max,
        axisPointer: { show: false },
      });
      still = still.concat(P.lane.frame(lane, p.shape, box, p.px, last, view, p.colours),
        P.lane.head(lane, p.shape, box, p.px, view, p.colours));
      lane.series.forEach(function (s) {
        s.xAxisIndex = s.yAxisIndex = i;
        option.series.push(s);
      });
    });
    option.series.push(P.plate.series([{ shapes: still }], view, true));
    return Object.assign(P.base(view, p.colours), option, {
      aria: { enabled: !view.print, label: { description: items.map(function (item) {
        return item.name;
      }).join("; ") } },
      axisPointer: {
        link: [{ xAxisIndex: "all" }], label: { show: false },
        lineStyle: { color: p.colours.grey, width: 1, type: "solid" },
      },
      tooltip: Object.assign(P.tooltip(view, p.colours, "axis", function (params) {
        var first = Array.isArray(params) ? params[0] : params;
        var x = first.axisValue !== undefined ? first.axisValue : first.value[0];
        var lines = [isShare ? Number(x.toFixed(1)) + "%" : clock(x)];
        p.lanes.forEach(function (lane) { lines = lines.concat(lane.say(x)); });
        return lines.join("\n");
      }), view.print ? {} : { axisPointer: { type: "line", snap: false } }),
    });
  }

  P.heights.compare = function (items, view) {
    var p = prepare(items, Object.assign({}, view, { height: null }));
    return p.placed.height + p.legend.bottom;
  };
  globalThis.DailiesCharts.compare = compare;
})();
