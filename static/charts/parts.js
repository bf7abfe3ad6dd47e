/* What all charts of Dailies are made of: colours, words, numbers, reading of answers, buckets.
 *
 * The files in this folder build ECharts options from what REST answers. The same files run in the
 * page and, inside mini-racer, for the PDF. Pure: no DOM, no imports, no clock. This one goes
 * first; each other adds its builders to `DailiesCharts`.
 *
 * data  {resource: answer}: the REST answers (`rows`), or `data: {column: [..]}`, of the families
 *       that are granted.
 * view  {language: "zh-hans"|"en", theme: "light"|"dark", width, height, compact, print, font};
 *       without `height` a chart is as high as it wants to be.
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
      good: "#2b7f5f", pale: "#dfe6f0", faint: "#f3f5f8",
      several: ["#1f4e8c", "#c98a0c", "#6b4fa0", "#2b7f5f", "#c8432b", "#5b89a6", "#a0527a"],
    },
    dark: {
      ink: "#e8ebf1", grey: "#9aa3b2", line: "#2b313d", axis: "#4a5261", card: "#171b23",
      retention: "#79aaea", stops: "#f0836d", rewatch: "#e3b04b", danmu: "#ad95e6",
      typical: "#8d95a3", rest: "#8b94a5", band: 0.2, fill: 0.24, pinText: "#12161d",
      good: "#6cc7a3", pale: "#2a3546", faint: "#1e242e",
      several: ["#79aaea", "#e3b04b", "#ad95e6", "#6cc7a3", "#f0836d", "#9cc3da", "#e08db9"],
    },
  };

  var WORDS = {
    "zh-hans": {
      nothing: "暂无数据",
      below_floor: "人数未达公开下限", waiting: "等待达到公开下限", not_measured: "尚未统计",
      too_uncertain: "误差过大，不予显示", too_few_partners: "可比的合作方不足",
      reaches_outside: "含时段之外的日期",
      width: function (s) {
        if (s === 1) return "每秒";
        if (s % 60) return "每 " + s + " 秒";
        return s === 60 ? "每分钟" : "每 " + s / 60 + " 分钟";
      },
      day: function (m, d) { return m + "月" + d + "日"; },
    },
    en: {
      nothing: "No data yet",
      below_floor: "Fewer viewers than the floor", waiting: "Waiting for the floor",
      not_measured: "Not measured yet", too_uncertain: "Too uncertain to be shown",
      too_few_partners: "Too few partners to compare with",
      reaches_outside: "Counts days outside of the period",
      width: function (s) {
        if (s === 1) return "each second";
        if (s % 60) return "per " + s + " s";
        return s === 60 ? "per minute" : "per " + s / 60 + " min";
      },
      day: function (m, d) {
        return d + " " + "JanFebMarAprMayJunJulAugSepOctNovDec".substr(m * 3 - 3, 3);
      },
    },
  };

  function isChinese(view) {
    return String(view.language || "zh-hans").toLowerCase().indexOf("en") !== 0;
  }

  /** The words that all charts share, and those of `more` ({language: words}), in the reader's
   * language. */
  function words(view, more) {
    var language = isChinese(view) ? "zh-hans" : "en";
    return Object.assign({}, WORDS[language], more ? more[language] : null);
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
    if (isChinese(view)) {
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

  var REASON = new RegExp("below_floor|waiting|not_measured|too_uncertain|too_few_partners|" +
    "reaches_outside");

  /** Why `name` of a row is empty, in words; `said` is its hidden_reason, of the whole row or by
   * column. */
  function reason(said, name, text) {
    var pieces = String(said || "").split(";"), whole = "";
    for (var i = 0; i < pieces.length; i++) {
      var parts = pieces[i].split(":"), code = parts[parts.length - 1];
      if (parts.length > 1 && parts[0].trim() === name) return text[code] || text.nothing;
      if (parts.length === 1) whole = code.trim();
    }
    return text[whole] || text.nothing;
  }

  /** Why a resource has no numbers, in words. */
  function whyEmpty(resource, text) {
    var reasons = column(resource, "hidden_reason").filter(Boolean);
    for (var i = 0; i < reasons.length; i++) {
      var known = REASON.exec(reasons[i]);
      if (known) return text[known[0]];
    }
    return text.nothing;
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

  // ---- drawing ----

  function visible(points, range) {
    return points.filter(function (p) {
      return p[1] !== null && p[0] >= range.from && p[0] <= range.to;
    }).map(function (p) { return p[1]; });
  }

  function short(value, view) {
    return value >= 1e3 ? count(value, view) : String(Number(value.toPrecision(4)));
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

  function layout(view) {
    return view.compact
      ? { width: view.width || 390, left: 40, right: 12, head: 18, gap: 8, name: 11, scale: 0.8 }
      : { width: view.width || 1100, left: 54, right: 18, head: 20, gap: 10, name: 12, scale: 1 };
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

  /** About how wide a text is: a Chinese character a whole em, of others what each kind is. */
  function widthOf(text, size) {
    var ems = 0;
    for (var i = 0; i < text.length; i++) {
      var code = text.charCodeAt(i);
      ems += code > 0x2e80 && (code < 0xdc00 || code > 0xdfff) ? 1 : EMS[text[i]] || 0.6;
    }
    return size * ems;
  }

  var EMS = {};
  [["mwMW%@", 0.88], ["ABCDEFGHJKLNOPQRSTUVXYZ&≥≈", 0.7], ["frt()-/\"", 0.4],
    ["ijlI.,:;'|! ", 0.32]].forEach(function (kind) {
    Array.from(kind[0]).forEach(function (character) { EMS[character] = kind[1]; });
  });

  /** What every option of ours begins with. */
  function base(view, colours) {
    return {
      animation: false, backgroundColor: "transparent",
      textStyle: { fontFamily: view.font || FONT, color: colours.ink },
    };
  }

  /** How a tooltip of ours looks: drawn on the canvas, since the page allows no inline style. */
  function tooltip(view, colours, trigger, formatter) {
    if (view.print) return { show: false };
    return {
      trigger: trigger, renderMode: "richText", confine: true, transitionDuration: 0,
      backgroundColor: colours.card, borderColor: colours.axis, borderWidth: 1, padding: [6, 9],
      shadowBlur: 0, shadowOffsetX: 0, shadowOffsetY: 0,
      textStyle: {
        color: colours.ink, fontSize: small(view) + 1, fontFamily: view.font || FONT,
      },
      formatter: formatter,
    };
  }

  function small(view) {
    return view.compact ? 10 : 11;
  }

  /** A quiet word in the middle of a chart that has nothing to show. */
  function emptyTitle(said, view, colours) {
    return {
      text: said, left: "center", top: "middle",
      textStyle: {
        fontFamily: view.font || FONT, fontSize: 12, fontWeight: 400, color: colours.grey,
      },
    };
  }

  function top(values) {
    return values.reduce(function (most, v) { return v > most ? v : most; }, 0);
  }

  // ---- text of strangers ----

  var CONTROL = new RegExp("[\\u0000-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\ufeff\\ufffe\\uffff]", "g");
  var LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(^|[^\ud800-\udbff])[\udc00-\udfff]/g;

  /** Text that somebody wrote, in one line of at most `most` characters: no marks that XML cannot
   * hold or that turn the line around, and none that ECharts would read as a style. */
  function plain(text, most) {
    var said = String(text === null || text === undefined ? "" : text).slice(0, 4 * most)
      .replace(CONTROL, " ").replace(LONE, "$1\ufffd").replace(/\s+/g, " ").trim()
      .replace(/\{/g, "｛").replace(/\}/g, "｝");
    var characters = Array.from(said);
    return characters.length > most ? characters.slice(0, most - 1).join("") + "…" : said;
  }

  /** The longest beginning of `text` that `px` have room for. */
  function fitted(text, size, px) {
    if (widthOf(text, size) <= px) return text;
    var room = px - size, kept = "";
    Array.from(text).some(function (character) {
      room -= widthOf(character, size);
      if (room < 0) return true;
      kept += character;
      return false;
    });
    return kept ? kept + "…" : "";
  }

  /** What `make` makes of `data` and `view`, whatever the height, made once for both the height
   * and the chart. */
  function once(name, data, view, make) {
    var key = name + JSON.stringify(Object.assign({}, view, { height: null }));
    if (kept.data !== data || kept.key !== key) kept = { data: data, key: key, made: make() };
    return kept.made;
  }

  var kept = {};

  // ---- the builders ----

  var heights = {};

  /** How high the chart `name` wants to be, in px, so that the page can make room. */
  function heightOf(name, data, view) {
    return heights[name] ? Math.round(heights[name](data, view)) : view.height || 150;
  }

  globalThis.DailiesCharts = {
    clock: clock, count: count, heightOf: heightOf,
    parts: {
      FONT: FONT, THEMES: THEMES, reason: reason, STEPS: STEPS, isChinese: isChinese, words: words, theme: theme, clock: clock,
      percent: percent, thousands: thousands, count: count, short: short, niceMax: niceMax,
      stepFor: stepFor, column: column, number: number, bySecond: bySecond, hasValues: hasValues,
      whyEmpty: whyEmpty, buckets: buckets, means: means, outline: outline, at: at,
      visible: visible, line: line, histogram: histogram, layout: layout, grid: grid,
      steps: steps, widthOf: widthOf, base: base, tooltip: tooltip, small: small,
      emptyTitle: emptyTitle, top: top, plain: plain, fitted: fitted, once: once, heights: heights,
    },
  };
})();
