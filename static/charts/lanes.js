/* The lanes of the timeline: retention, stops, rewatches, danmu, each a family's by content second.
 *
 * Seconds are put together into buckets about as wide as a drawn step: shares by their mean, counts
 * by their sum, and the lane says how wide.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var at = P.at, buckets = P.buckets, bySecond = P.bySecond, clock = P.clock, column = P.column,
    hasValues = P.hasValues, histogram = P.histogram, line = P.line, means = P.means,
    niceMax = P.niceMax, outline = P.outline, percent = P.percent, short = P.short,
    stepFor = P.stepFor, thousands = P.thousands, visible = P.visible, whyEmpty = P.whyEmpty;

  var WORDS = {
    "zh-hans": {
      retention: "留存", stops: "离开", rewatch: "回看", danmu: "弹幕", ratio: "观看比",
      meanOf: function (w) { return w + "平均"; },
      leaving: function (w) { return "在看者中" + w + "离开的比例"; },
      leavingBrief: function (w) { return w + "离开的比例"; },
      again: function (w) { return "每百次播放的回看次数，" + w + "平均"; },
      againBrief: function (w) { return "每百次播放，" + w + "平均"; },
      againCount: function (w) { return w + "回看次数"; },
      comments: function (w) { return w + "条数"; },
      typical: "虚线为同类中位",
      times: function (w) { return "每次播放看过该秒的次数，" + w + "平均"; },
      timesBrief: function (w) { return w + "平均"; },
      upTo: function (v) { return "至 " + v; },
      again1: "回看（每百次播放）", comments1: "弹幕条数", leaving1: "离开", stops1: "离开次数",
    },
    en: {
      retention: "Retention", stops: "Stops", rewatch: "Rewatches", danmu: "Danmu",
      ratio: "Watch ratio",
      meanOf: function (w) { return w === "each second" ? w : "mean " + w; },
      leaving: function (w) { return "share of those watching, " + w; },
      leavingBrief: function (w) { return "share leaving, " + w; },
      again: function (w) { return "rewatches per 100 plays, mean " + w; },
      againBrief: function (w) { return "per 100 plays, mean " + w; },
      againCount: function (w) { return "rewatches, " + w; },
      comments: function (w) { return "comments, " + w; },
      times: function (w) { return "times a second is played per play, " +
        (w === "each second" ? w : "mean " + w); },
      timesBrief: function (w) { return w === "each second" ? w : "mean " + w; },
      typical: "dashed: typical", upTo: function (v) { return "to " + v; },
      again1: "Rewatches per 100 plays", comments1: "Comments", leaving1: "Share who stop",
      stops1: "Stops",
    },
  };

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
      var beside = bySecond(data.rewatch, "typical_audience_watch_ratio", at2, n);
      if (hasValues(beside)) lanes.push(ratioLane(ratio, beside, fine, range, colours, text));
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
      series.unshift(dashed("typical", means(buckets(typical, range.left, range.right, step)), colours));
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

  /** Where there is something typical to lay beside it: how often each second is played for each
   * play, repeats included. */
  function ratioLane(ratio, typical, step, range, colours, text) {
    var list = buckets(ratio, range.left, range.right, step);
    var beside = buckets(typical, range.left, range.right, step);
    var points = means(list), others = means(beside);
    var max = niceMax(P.top(visible(points, range).concat(visible(others, range))));
    var wide = text.width(step);
    return {
      id: "ratio", colour: colours.rewatch, name: text.ratio,
      note: text.times(wide) + " · " + text.typical,
      brief: text.timesBrief(wide) + " · " + text.typical, weight: 76,
      series: [dashed("typical-ratio", others, colours), line("ratio", points, colours.rewatch, 1.6)],
      max: max, ticks: max / 2, label: function (v) { return String(Number(v.toPrecision(3))); },
      empty: "",
      say: function (t) {
        var b = at(list, t);
        return b && b.n ? [text.ratio, Number((b.sum / b.n).toFixed(2))] : null;
      },
    };
  }

  function dashed(id, points, colours) {
    var drawn = line(id, points, colours.typical, 1.2);
    drawn.lineStyle.type = [4, 3];
    return drawn;
  }

  P.lanes = {
    length: length, of: lanesOf,
    words: function (view) { return P.words(view, WORDS); },
  };
})();
