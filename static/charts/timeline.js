/* Builds the ECharts options of Dailies from what REST answers: the same file runs in the page
 * and, inside mini-racer, for the PDF. Pure: no DOM, no imports, no clock.
 *
 * data  {retention, rewatch, danmu}: the REST answers (`rows`), or `data: {column: [..]}`, of the
 *       families that are granted; an absent family has no lane.
 * view  {language: "zh-hans"|"en", theme: "light"|"dark", width, height, most, compact, print,
 *        runtime_s, from, to, moments: [{n, kind, from_second, to_second}], selected, font};
 *        without `height` the timeline is as high as it wants to be, up to `most`
 *
 * Seconds are put together into buckets about as wide as a drawn step (shares by their mean,
 * counts by their sum, and the lane says how wide); `from` and `to` zoom in, down to one second.
 * The page listens to `datazoom` and calls `timeline` again with the new `from` and `to`.
 */
(function () {
  "use strict";

  var FONT =
    '"Noto Sans SC", system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", sans-serif';
  var STEPS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600];

  var THEMES = {
    light: {
      ink: "#161b26", grey: "#6b7383", line: "#e6e9ee", axis: "#b9c0cb", card: "#ffffff",
      retention: "#1f4e8c", stops: "#c8432b", rewatch: "#c98a0c", danmu: "#6b4fa0",
      typical: "#8d95a3", rest: "#7b8494", band: 0.1, fill: 0.16, pinText: "#ffffff",
    },
    dark: {
      ink: "#e8ebf1", grey: "#9aa3b2", line: "#2b313d", axis: "#4a5261", card: "#171b23",
      retention: "#79aaea", stops: "#f0836d", rewatch: "#e3b04b", danmu: "#ad95e6",
      typical: "#8d95a3", rest: "#8b94a5", band: 0.2, fill: 0.24, pinText: "#12161d",
    },
  };

  var WORDS = {
    "zh-hans": {
      retention: "留存", stops: "离开", rewatch: "回看", danmu: "弹幕", plays: "播放次数",
      meanOf: function (w) { return w + "平均"; },
      leaving: function (w) { return "在看者中" + w + "离开的比例"; },
      leavingBrief: function (w) { return w + "离开的比例"; },
      again: function (w) { return "每百次播放的回看次数，" + w + "平均"; },
      againBrief: function (w) { return "每百次播放，" + w + "平均"; },
      againCount: function (w) { return w + "回看次数"; },
      comments: function (w) { return w + "条数"; },
      typical: "虚线为同类中位", typicalShort: "同类中位",
      below_floor: "人数未达公开下限", waiting: "等待达到公开下限", not_measured: "尚未统计",
      nothing: "暂无数据", upTo: function (v) { return "至 " + v; },
      width: function (s) {
        if (s === 1) return "每秒";
        if (s % 60) return "每 " + s + " 秒";
        return s === 60 ? "每分钟" : "每 " + s / 60 + " 分钟";
      },
      day: function (m, d) { return m + "月" + d + "日"; },
      again1: "回看（每百次播放）", comments1: "弹幕条数", leaving1: "离开", stops1: "离开次数",
    },
    en: {
      retention: "Retention", stops: "Stops", rewatch: "Rewatches", danmu: "Danmu",
      plays: "Plays",
      meanOf: function (w) { return w === "each second" ? w : "mean " + w; },
      leaving: function (w) { return "share of those watching, " + w; },
      leavingBrief: function (w) { return "share leaving, " + w; },
      again: function (w) { return "rewatches per 100 plays, mean " + w; },
      againBrief: function (w) { return "per 100 plays, mean " + w; },
      againCount: function (w) { return "rewatches, " + w; },
      comments: function (w) { return "comments, " + w; },
      typical: "dashed: typical", typicalShort: "Typical",
      below_floor: "Fewer viewers than the floor", waiting: "Waiting for the floor",
      not_measured: "Not measured yet", nothing: "No data yet",
      upTo: function (v) { return "to " + v; },
      width: function (s) {
        if (s === 1) return "each second";
        if (s % 60) return "per " + s + " s";
        return s === 60 ? "per minute" : "per " + s / 60 + " min";
      },
      day: function (m, d) {
        return d + " " + "JanFebMarAprMayJunJulAugSepOctNovDec".substr(m * 3 - 3, 3);
      },
      again1: "Rewatches per 100 plays", comments1: "Comments", leaving1: "Share who stop",
      stops1: "Stops",
    },
  };

  function words(view) {
    return WORDS[String(view.language || "zh-hans").toLowerCase().indexOf("en") ? "zh-hans" : "en"];
  }

  function theme(view) {
    return THEMES[view.theme] || THEMES.light;
  }

  // ---- numbers ----

  /** Seconds as h:mm:ss. */
  function clock(seconds) {
    var s = Math.max(0, Math.floor(seconds + 1e-6));
    var two = function (n) { return (n < 10 ? "0" : "") + n; };
    return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  }

  function percent(share) {
    var p = share * 100;
    var digits = p >= 10 || p === 0 ? 0 : p >= 1 ? 1 : 2;
    return Number(p.toFixed(digits)) + "%";
  }

  function thousands(n) {
    return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
  }

  /** A count in the reader's units: 万 and 亿 in Chinese. */
  function count(n, view) {
    if (words(view) === WORDS["zh-hans"]) {
      if (n >= 1e8) return Number((n / 1e8).toFixed(2)) + " 亿";
      if (n >= 1e4) return Number((n / 1e4).toFixed(1)) + " 万";
    }
    return thousands(n);
  }

  function niceMax(value) {
    if (!(value > 0)) return 1;
    var power = Math.pow(10, Math.floor(Math.log10(value)));
    var steps = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
    for (var i = 0; i < steps.length; i++) {
      if (value <= steps[i] * power * 1.0000001) return Number((steps[i] * power).toPrecision(3));
    }
    return 10 * power;
  }

  function stepFor(span, most) {
    for (var i = 0; i < STEPS.length; i++) if (span / STEPS[i] <= most) return STEPS[i];
    return STEPS[STEPS.length - 1];
  }

  // ---- reading answers ----

  function column(resource, name) {
    if (!resource) return [];
    if (resource.data) return resource.data[name] || [];
    return (resource.rows || []).map(function (row) {
      return row[name] === undefined ? null : row[name];
    });
  }

  function number(value) {
    return value === null || value === undefined || value === "" ? null : Number(value);
  }

  /** One value for each content second; null where nothing is published. */
  function bySecond(resource, name, seconds, length) {
    var values = column(resource, name);
    var dense = new Array(length).fill(null);
    for (var i = 0; i < seconds.length; i++) {
      var t = number(seconds[i]);
      if (t !== null && t >= 0 && t < length) dense[t] = number(values[i]);
    }
    return dense;
  }

  function hasValues(dense) {
    return dense.some(function (v) { return v !== null; });
  }

  function whyEmpty(resource, text) {
    var reasons = column(resource, "hidden_reason").filter(Boolean);
    for (var i = 0; i < reasons.length; i++) {
      var known = /below_floor|waiting|not_measured/.exec(reasons[i]);
      if (known) return text[known[0]];
    }
    return text.nothing;
  }

  /** What one play is worth: plays, read back from a count and the share made of it. */
  function plays(counts, shares) {
    var best = 0, result = 0;
    for (var t = 0; t < counts.length; t++) {
      if (counts[t] > best && shares[t] > 0) {
        best = counts[t];
        result = counts[t] / shares[t];
      }
    }
    return result;
  }

  /** Buckets [{from, to, sum, n}] of `step` seconds over [from, to). */
  function buckets(dense, from, to, step) {
    var list = [];
    for (var start = Math.floor(from / step) * step; start < to; start += step) {
      var end = Math.min(start + step, dense.length), sum = 0, n = 0;
      for (var t = start; t < end; t++) {
        if (dense[t] !== null) {
          sum += dense[t];
          n += 1;
        }
      }
      if (end > start) list.push({ from: start, to: end, sum: sum, n: n });
    }
    return list;
  }

  function means(list) {
    return list.map(function (b) {
      return [b.from + (b.to - b.from - 1) / 2, b.n ? b.sum / b.n : null];
    });
  }

  /** The outline of a histogram: each bucket keeps its true edges. */
  function outline(list, height) {
    var points = [];
    list.forEach(function (b) {
      var h = height(b);
      points.push([b.from, h], [b.to, h]);
    });
    return points;
  }

  function at(list, t) {
    for (var i = 0; i < list.length; i++) if (t >= list[i].from && t < list[i].to) return list[i];
    return null;
  }

  // ---- lanes ----

  function length(data, view) {
    var longest = view.runtime_s || 0;
    ["retention", "rewatch", "danmu"].forEach(function (family) {
      column(data[family], "content_second").forEach(function (t) {
        if (t !== null && t >= longest) longest = Number(t) + 1;
      });
    });
    return Math.max(longest, 1);
  }

  function lanesOf(data, view, range, px, colours, text) {
    var lanes = [];
    var n = range.length, narrow = view.compact ? 2.5 : 4;
    var fine = stepFor(range.to - range.from, px);
    var coarse = stepFor(range.to - range.from, px / narrow);
    var perPlay = 0;

    if (data.retention) {
      var seconds = column(data.retention, "content_second");
      var retention = bySecond(data.retention, "retention", seconds, n);
      var sessions = bySecond(data.retention, "sessions", seconds, n);
      var stops = bySecond(data.retention, "stops", seconds, n);
      var typical = bySecond(data.retention, "typical_retention", seconds, n);
      lanes.push(retentionLane(data, retention, typical, fine, range, colours, text));
      lanes.push(stopsLane(data, stops, sessions, coarse, range, colours, text));
    }
    if (data.rewatch) {
      var at2 = column(data.rewatch, "content_second");
      var again = bySecond(data.rewatch, "rewatches", at2, n);
      var times = bySecond(data.rewatch, "times_played", at2, n);
      var ratio = bySecond(data.rewatch, "audience_watch_ratio", at2, n);
      perPlay = plays(times, ratio);
      lanes.push(rewatchLane(data, again, perPlay, fine, range, colours, text, view));
    }
    if (data.danmu) {
      var at3 = column(data.danmu, "content_second");
      var comments = bySecond(data.danmu, "comments", at3, n);
      lanes.push(danmuLane(data, comments, coarse, range, colours, text, view));
    }
    lanes.forEach(function (lane) { if (lane.empty) lane.weight = Math.min(lane.weight, 44); });
    return lanes;
  }

  function retentionLane(data, retention, typical, step, range, colours, text) {
    var list = buckets(retention, range.left, range.right, step);
    var note = text.meanOf(text.width(step));
    var series = [line("retention", means(list), colours.retention, 1.8)];
    if (hasValues(typical)) {
      note += " · " + text.typical;
      var dashed = line("typical", means(buckets(typical, range.left, range.right, step)),
        colours.typical, 1.2);
      dashed.lineStyle.type = [4, 3];
      series.unshift(dashed);
    }
    return {
      id: "retention", colour: colours.retention, name: text.retention, note: note, weight: 170,
      series: series, max: 1, ticks: 0.5, label: percent,
      empty: hasValues(retention) ? "" : whyEmpty(data.retention, text),
      say: function (t) {
        var b = at(list, t);
        return b && b.n ? [text.retention, percent(b.sum / b.n)] : null;
      },
    };
  }

  /** Of those watching, the share who leave within a bucket: stops / sessions a second, times
   * its width. Most leave at the end, which is no news: the scale is that of the first 90 %,
   * and what passes it is cut at the edge, and the lane's head says how far it goes. */
  function stopsLane(data, stops, sessions, step, range, colours, text) {
    var list = buckets(stops, range.left, range.right, step);
    var watching = buckets(sessions, range.left, range.right, step);
    var rate = function (b, i) {
      var w = watching[i];
      return b.n && w && w.sum > 0 ? Math.min(1, (b.sum / w.sum) * (b.to - b.from)) : null;
    };
    list.forEach(function (b, i) { b.rate = rate(b, i); });
    var completed = 0.9 * range.length;
    var seen = list.filter(function (b) { return b.to > range.from && b.from < range.to; });
    var early = seen.filter(function (b) { return b.to <= completed; });
    var top = niceMax(Math.max.apply(null, [0].concat((early.length ? early : seen).map(
      function (b) { return b.rate || 0; }))));
    var cut = seen.filter(function (b) { return b.rate > top; });
    var series = [histogram("stops", outline(list, function (b) {
      return b.rate === null ? null : Math.min(b.rate, top);
    }), colours.stops, 0.75)];
    var worst = cut.reduce(function (a, b) { return a && a.rate >= b.rate ? a : b; }, null);
    return {
      id: "stops", colour: colours.stops, name: text.stops,
      note: text.leaving(text.width(step)), brief: text.leavingBrief(text.width(step)),
      weight: 64, series: series, max: top,
      ticks: top, inverse: true, label: percent,
      aside: worst ? clock(worst.from) + " " + text.upTo(percent(worst.rate)) : "",
      empty: hasValues(stops) ? "" : whyEmpty(data.retention, text),
      say: function (t) {
        var b = at(list, t);
        return b && b.rate !== null ? [text.leaving1, percent(b.rate)] : null;
      },
    };
  }

  function rewatchLane(data, again, perPlay, step, range, colours, text, view) {
    var list = buckets(again, range.left, range.right, step);
    var scale = perPlay > 0 ? 100 / perPlay : 0;
    var value = function (b) { return !b.n ? null : scale ? (b.sum / b.n) * scale : b.sum; };
    var points = list.map(function (b) {
      return [b.from + (b.to - b.from - 1) / 2, value(b)];
    });
    var top = niceMax(Math.max.apply(null, [0].concat(visible(points, range))));
    var drawn = line("rewatch", points, colours.rewatch, 1.4);
    drawn.areaStyle = { color: colours.rewatch, opacity: colours.fill, origin: "start" };
    var wide = text.width(step);
    return {
      id: "rewatch", colour: colours.rewatch, name: text.rewatch,
      note: scale ? text.again(wide) : text.againCount(wide),
      brief: scale ? text.againBrief(wide) : text.againCount(wide), weight: 76, series: [drawn],
      max: top, ticks: top / 2, label: function (v) { return short(v, view); },
      empty: hasValues(again) ? "" : whyEmpty(data.rewatch, text),
      say: function (t) {
        var b = at(list, t);
        var v = b ? value(b) : null;
        if (v === null) return null;
        return [scale ? text.again1 : text.rewatch, Number(v.toFixed(1))];
      },
    };
  }

  function danmuLane(data, comments, step, range, colours, text, view) {
    var list = buckets(comments, range.left, range.right, step);
    var points = outline(list, function (b) { return b.n ? b.sum : null; });
    var top = niceMax(Math.max.apply(null, [0].concat(visible(points, range))));
    return {
      id: "danmu", colour: colours.danmu, name: text.danmu,
      note: text.comments(text.width(step)), weight: 104,
      series: [histogram("danmu", points, colours.danmu, 0.7)],
      max: top, ticks: top / 2, label: function (v) { return short(v, view); },
      empty: hasValues(comments) ? "" : whyEmpty(data.danmu, text),
      say: function (t) {
        var b = at(list, t);
        if (!b || !b.n) return null;
        var span = b.to - b.from > 1 ? " (" + clock(b.from) + "–" + clock(b.to) + ")" : "";
        return [text.comments1, thousands(b.sum) + span];
      },
    };
  }

  function visible(points, range) {
    return points.filter(function (p) {
      return p[1] !== null && p[0] >= range.from && p[0] <= range.to;
    }).map(function (p) { return p[1]; });
  }

  function short(value, view) {
    return value >= 1e4 ? count(value, view) : String(Number(value.toPrecision(4)));
  }

  function line(id, points, colour, width) {
    return {
      id: id, name: id, type: "line", data: points, showSymbol: false, connectNulls: false,
      animation: false, lineStyle: { color: colour, width: width }, itemStyle: { color: colour },
      emphasis: { disabled: true }, z: 3,
    };
  }

  function histogram(id, points, colour, opacity) {
    var series = line(id, points, colour, 0);
    series.areaStyle = { color: colour, opacity: opacity, origin: "start" };
    series.symbol = "none";
    return series;
  }

  // ---- moments ----

  /** Pins stand in rows of their own above the lanes; neighbours that would touch go one row up. */
  function pinRows(moments, range, px) {
    var lastAt = [];
    return moments.slice().sort(function (a, b) {
      return a.from_second - b.from_second || a.n - b.n;
    }).map(function (m) {
      var middle = (m.from_second + m.to_second) / 2;
      var x = ((middle - range.from) / (range.to - range.from)) * px;
      var row = 0;
      while (row < 5 && lastAt[row] !== undefined && x - lastAt[row] < 21) row += 1;
      lastAt[row] = x;
      return { moment: m, middle: middle, row: row };
    });
  }

  var MOMENT_COLOURS = {
    danmu_peak: "danmu", danmu_minute: "danmu", rewatch: "rewatch", stop: "stops", opening: "retention",
    steady: "retention",
  };

  function momentColour(moment, colours) {
    return colours[MOMENT_COLOURS[moment.kind]] || colours.ink;
  }

  function bands(moments, view, colours) {
    return {
      silent: true, animation: false, z: 1,
      data: moments.map(function (m) {
        var strong = view.selected === m.n ? 2.2 : 1;
        return [
          {
            xAxis: m.from_second,
            itemStyle: { color: momentColour(m, colours), opacity: colours.band * strong },
          },
          { xAxis: m.to_second },
        ];
      }),
    };
  }

  // ---- the option ----

  function rangeOf(data, view) {
    var whole = length(data, view);
    var from = Math.max(0, Math.min(number(view.from) || 0, whole - 1));
    var to = number(view.to);
    to = to === null ? whole : Math.max(from + 1, Math.min(to, whole));
    var span = to - from;
    // One window more at each side, so that a short drag finds something drawn.
    return {
      length: whole, from: from, to: to,
      left: Math.max(0, from - span), right: Math.min(whole, to + span),
    };
  }

  function layout(view) {
    return view.compact
      ? { width: view.width || 390, left: 40, right: 12, head: 18, gap: 8, name: 11, scale: 0.8 }
      : { width: view.width || 1100, left: 54, right: 18, head: 20, gap: 10, name: 12, scale: 1 };
  }

  /** Where each lane stands: fits `view.height`, or says how high the chart wants to be. */
  function place(lanes, pins, view) {
    var shape = layout(view);
    var pinSpace = pins.length ? 24 * (1 + Math.max.apply(null, pins.map(function (p) {
      return p.row;
    }))) : 0;
    var foot = 22 + (view.print ? 0 : 34);
    var fixed = pinSpace + foot + lanes.length * (shape.head + shape.gap);
    var weights = lanes.reduce(function (sum, lane) { return sum + lane.weight; }, 0) || 1;
    var height = view.height ||
      Math.min(view.most || Infinity, Math.round(fixed + weights * shape.scale));
    var scale = Math.max(0.2, (height - fixed) / weights);
    var y = pinSpace;
    var tops = lanes.map(function (lane) {
      var top = y + shape.head;
      y = top + lane.weight * scale + shape.gap;
      return { top: Math.round(top), height: Math.round(lane.weight * scale) };
    });
    return { shape: shape, pinSpace: pinSpace, tops: tops, height: height };
  }

  function prepare(data, view) {
    var shape = layout(view), colours = theme(view), text = words(view);
    var px = Math.max(50, shape.width - shape.left - shape.right);
    var range = rangeOf(data, view);
    var lanes = lanesOf(data, view, range, px, colours, text);
    var pins = pinRows(view.moments || [], range, px);
    return {
      px: px, range: range, lanes: lanes, pins: pins, colours: colours, text: text,
      placed: place(lanes, pins, view),
    };
  }

  function timeline(data, view) {
    var p = prepare(data, view), colours = p.colours, range = p.range;
    var shape = p.placed.shape, moments = view.moments || [];
    var font = view.font || FONT, small = view.compact ? 10 : 11;
    var tick = stepFor(range.to - range.from, Math.max(2, p.px / (view.compact ? 72 : 84)));
    var grids = [], xAxes = [], yAxes = [], series = [], titles = [];

    p.lanes.forEach(function (lane, i) {
      var box = p.placed.tops[i], last = i === p.lanes.length - 1;
      grids.push(grid(shape, box.top, box.height));
      xAxes.push(xAxis(i, range, tick, last, lane.inverse && !last, colours, small));
      yAxes.push({
        gridIndex: i, type: "value", min: 0, max: lane.max, interval: lane.ticks,
        inverse: !!lane.inverse, axisLine: { show: false }, axisTick: { show: false },
        axisLabel: {
          show: !lane.empty,
          color: colours.grey, fontSize: small, margin: 6, formatter: lane.label,
          showMinLabel: lane.inverse ? false : undefined,
          verticalAlignMinLabel: "bottom", verticalAlignMaxLabel: lane.inverse ? "bottom" : "top",
        },
        axisPointer: { show: false },
        splitLine: { show: !lane.empty, lineStyle: { color: colours.line, width: 1 } },
      });
      titles.push(laneName(lane, shape, box, p.px, colours, font));
      if (lane.aside) titles.push(aside(lane, shape, box, font));
      if (lane.empty) titles.push(emptyNote(lane, shape, box, p.px, colours, font));
      lane.series.forEach(function (s, k) {
        s.xAxisIndex = i;
        s.yAxisIndex = i;
        if (k === 0 && moments.length) s.markArea = bands(moments, view, colours);
        series.push(s);
      });
    });

    if (p.pins.length && p.lanes.length) {
      var index = p.lanes.length;
      grids.push(grid(shape, 0, p.placed.pinSpace));
      var hidden = xAxis(index, range, tick, false, false, colours, small);
      hidden.show = false;
      xAxes.push(hidden);
      yAxes.push({ gridIndex: index, type: "value", show: false, min: 0,
        max: p.placed.pinSpace / 24 });
      series.push(pinSeries(p.pins, index, view, colours));
    }

    return {
      animation: false,
      backgroundColor: "transparent",
      textStyle: { fontFamily: font, color: colours.ink },
      aria: { enabled: !view.print, label: { description: describe(p) } },
      title: titles, grid: grids, xAxis: xAxes, yAxis: yAxes, series: series,
      axisPointer: {
        link: [{ xAxisIndex: "all" }],
        label: { show: false },
        lineStyle: { color: colours.grey, width: 1, type: "solid" },
      },
      tooltip: view.print ? { show: false } : tooltip(p, view, colours, small),
      dataZoom: view.print ? [] : zoom(p, colours, small),
    };
  }

  /** All lanes share their left and right edge, whatever their labels need. */
  function grid(shape, top, height) {
    return {
      left: shape.left, right: shape.right, top: top, height: height, outerBoundsMode: "none",
    };
  }

  /** Zoomed in, the axis begins anywhere: labels stand at whole steps all the same. */
  function steps(range, tick) {
    var values = [];
    for (var t = Math.ceil(range.from / tick) * tick; t <= range.to; t += tick) values.push(t);
    return values;
  }

  function xAxis(i, range, tick, labelled, onTop, colours, small) {
    var values = steps(range, tick);
    return {
      gridIndex: i, type: "value", min: 0, max: range.length, interval: tick,
      position: onTop ? "top" : "bottom",
      axisLine: { show: true, onZero: false, lineStyle: { color: colours.axis } },
      axisTick: { show: labelled, lineStyle: { color: colours.axis }, customValues: values },
      axisLabel: {
        show: labelled, color: colours.grey, fontSize: small, hideOverlap: true,
        formatter: clock, customValues: values,
      },
      splitLine: { show: false },
      axisPointer: { show: true, snap: false, label: { show: false } },
    };
  }

  /** About how wide a text is: a Chinese character a whole em, others somewhat over a half. */
  function widthOf(text, size) {
    return size * Array.from(text).reduce(function (sum, character) {
      return sum + (character > "\u2e80" ? 1 : 0.56);
    }, 0);
  }

  /** The note that has room between the name and what stands at the right end: the whole one,
   * else the brief one, else none. */
  function noteWithRoom(lane, shape, px) {
    var small = shape.name - 1;
    var room = px - 1.15 * widthOf(lane.name, shape.name) // it is bold
      - (lane.aside ? widthOf(lane.aside, small) + 8 : 0);
    return [lane.note, lane.brief].filter(function (note) {
      return note && widthOf("  " + note, small) <= room;
    })[0] || "";
  }

  function laneName(lane, shape, box, px, colours, font) {
    var note = noteWithRoom(lane, shape, px);
    return {
      text: "{a|" + lane.name + "}" + (note ? "{b|  " + note + "}" : ""),
      left: shape.left - 2, top: box.top - shape.head, padding: 2,
      textStyle: {
        fontFamily: font, fontSize: shape.name, lineHeight: shape.head - 4,
        rich: {
          a: { color: lane.colour, fontWeight: 700, fontSize: shape.name, fontFamily: font },
          b: { color: colours.grey, fontWeight: 400, fontSize: shape.name - 1, fontFamily: font },
        },
      },
    };
  }

  /** A word at the right end of a lane's head, in the lane's colour. */
  function aside(lane, shape, box, font) {
    return {
      text: lane.aside, right: shape.right - 2, top: box.top - shape.head, padding: 2,
      textStyle: {
        fontFamily: font, fontSize: shape.name - 1, fontWeight: 400, color: lane.colour,
        lineHeight: shape.head - 4,
      },
    };
  }

  function emptyNote(lane, shape, box, px, colours, font) {
    return {
      text: lane.empty, left: shape.left + px / 2, textAlign: "center",
      top: box.top + box.height / 2 - 10, padding: 2,
      textStyle: { fontFamily: font, fontSize: shape.name, fontWeight: 400, color: colours.grey },
    };
  }

  function pinSeries(pins, index, view, colours) {
    return {
      id: "moments", name: "moments", type: "scatter", xAxisIndex: index, yAxisIndex: index,
      symbol: "circle", symbolSize: 18, animation: false, z: 5, cursor: "pointer", clip: true,
      data: pins.map(function (pin) {
        return {
          value: [pin.middle, pin.row + 0.5], n: pin.moment.n,
          from_second: pin.moment.from_second, to_second: pin.moment.to_second,
          itemStyle: {
            color: momentColour(pin.moment, colours), opacity: 1, borderColor: colours.ink,
            borderWidth: view.selected === pin.moment.n ? 2 : 0,
          },
          label: {
            show: true, position: "inside", formatter: String(pin.moment.n), fontSize: 10.5,
            fontWeight: 700, color: colours.pinText, fontFamily: view.font || FONT,
            textBorderWidth: 0,
          },
        };
      }),
    };
  }

  function tooltip(p, view, colours, small) {
    return {
      trigger: "axis", renderMode: "richText", confine: true, transitionDuration: 0,
      backgroundColor: colours.card, borderColor: colours.axis, borderWidth: 1, padding: [6, 9],
      shadowBlur: 0, shadowOffsetX: 0, shadowOffsetY: 0,
      textStyle: { color: colours.ink, fontSize: small + 1, fontFamily: view.font || FONT },
      axisPointer: { type: "line", snap: false },
      formatter: function (params) {
        var first = Array.isArray(params) ? params[0] : params;
        var t = Math.floor(first.axisValue !== undefined ? first.axisValue : first.value[0]);
        var lines = [clock(t)];
        p.lanes.forEach(function (lane) {
          var said = lane.say(t);
          if (said) lines.push(said[0] + "  " + said[1]);
        });
        return lines.join("\n");
      },
    };
  }

  function zoom(p, colours, small) {
    var axes = p.placed.tops.map(function (_, i) { return i; });
    if (p.pins.length && p.lanes.length) axes.push(p.lanes.length);
    var common = {
      xAxisIndex: axes, filterMode: "none", startValue: p.range.from, endValue: p.range.to,
      minValueSpan: Math.min(20, p.range.length), throttle: 60,
    };
    return [
      Object.assign({
        id: "inside", type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false,
        preventDefaultMouseMove: false,
      }, common),
      Object.assign({
        id: "slider", type: "slider", bottom: 6, height: 18, left: p.placed.shape.left,
        right: p.placed.shape.right, showDataShadow: false, brushSelect: false,
        showDetail: false, borderColor: colours.line, fillerColor: colours.retention + "22",
        backgroundColor: "transparent", handleSize: "110%",
        handleStyle: { color: colours.card, borderColor: colours.axis },
        moveHandleSize: 0, emphasis: { handleStyle: { borderColor: colours.retention } },
        textStyle: { color: colours.grey, fontSize: small },
        labelFormatter: function (v) { return clock(v); },
      }, common),
    ];
  }

  function describe(p) {
    return p.lanes.map(function (lane) { return lane.name + ": " + lane.note; }).join("; ") +
      ". 0:00:00–" + clock(p.range.length) + ".";
  }

  /** How high `timeline` wants to be, in px, so that the page can make room. */
  function height(data, view) {
    return prepare(data, Object.assign({}, view, { height: null })).placed.height;
  }

  // ---- viewing ----

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
    var colours = theme(view), text = words(view), font = view.font || FONT;
    var small = view.compact ? 10 : 11, shape = layout(view);
    var points = playsByDay(data.viewing || data);
    var top = niceMax(Math.max.apply(null, [0].concat(points.map(function (d) { return d[1]; }))));
    var said = function (day) {
      var parts = String(day).split("-");
      return text.day(Number(parts[1]), Number(parts[2]));
    };
    return {
      animation: false, backgroundColor: "transparent",
      textStyle: { fontFamily: font, color: colours.ink },
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
      title: points.length ? [] : [{
        text: text.nothing, left: "center", top: "middle",
        textStyle: { fontFamily: font, fontSize: 12, fontWeight: 400, color: colours.grey },
      }],
      tooltip: view.print ? { show: false } : {
        trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colours.card,
        borderColor: colours.axis, borderWidth: 1, shadowBlur: 0, transitionDuration: 0,
        textStyle: { color: colours.ink, fontSize: small + 1, fontFamily: font },
        axisPointer: { type: "shadow" },
        formatter: function (params) {
          return said(params[0].name) + "\n" + text.plays + "  " + thousands(params[0].value);
        },
      },
    };
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

  globalThis.DailiesCharts = {
    timeline: timeline, height: height, days: days, sparkline: sparkline, clock: clock,
    count: count,
  };
})();
