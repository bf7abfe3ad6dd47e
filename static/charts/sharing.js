/* Where they pass the link on: by channel and day, and at which second of the content.
 *
 * Shares, visits and new viewers of a channel are summed over days and territories. Visits that
 * one row lacks are not summed at all. New viewers are told in pieces that may end before the last
 * day does: their sum is then said to be at least so many.
 *
 * `view.channels` has the names of channels by what the platform calls them.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate, counts = P.counts;
  var MOST = 7, ROW = 22, TOP = 26, DAYS = 150;
  var MEASURES = ["shares", "visits", "new_viewers"];

  var WORDS = {
    "zh-hans": {
      shares: "分享数", visits: "带来的访问", new_viewers: "新观众", byDay: "每日分享数",
      byWeek: "每周分享数", others: "其他渠道", atLeast: function (n) { return "≥ " + n; },
      along: function (w) { return "分享数，" + w; },
      wechat: "微信", "wechat-moments": "朋友圈", weibo: "微博", xiaohongshu: "小红书", qq: "QQ",
      qzone: "QQ 空间", douyin: "抖音", kuaishou: "快手", bilibili: "哔哩哔哩",
      "copy-link": "复制链接", douban: "豆瓣", zhihu: "知乎",
    },
    en: {
      shares: "Shares", visits: "Visits", new_viewers: "New viewers", byDay: "Shares of each day",
      byWeek: "Shares of each week", others: "Other channels",
      atLeast: function (n) { return "≥ " + n; },
      along: function (w) { return "Shares " + w; },
      wechat: "WeChat", "wechat-moments": "WeChat Moments", weibo: "Weibo",
      xiaohongshu: "Xiaohongshu", qq: "QQ", qzone: "Qzone", douyin: "Douyin",
      kuaishou: "Kuaishou", bilibili: "Bilibili", "copy-link": "Copied link", douban: "Douban",
      zhihu: "Zhihu",
    },
  };

  function channelName(channel, view, text) {
    var given = view.channels && view.channels[channel];
    var own = Object.prototype.hasOwnProperty.call(WORDS.en, channel) &&
      MEASURES.indexOf(channel) < 0 && typeof text[channel] === "string" ? text[channel] : null;
    return P.plain(given || own || channel, 24);
  }

  /** {channels: [{key, name, shares, visits, new_viewers, missing: {column: reason}}]}, those with
   * the most shares first; beyond the seventh together. */
  function channelsOf(resource, view, text) {
    var channel = P.column(resource, "channel"), territory = P.column(resource, "territory");
    var day = P.column(resource, "day"), reasons = P.column(resource, "hidden_reason");
    var values = {}, whole = {}, by = {};
    MEASURES.forEach(function (m) { values[m] = P.column(resource, m); });
    day.forEach(function (d, i) { if (d && territory[i] === "*") whole[d] = true; });
    day.forEach(function (d, i) {
      if (!d || (whole[d] && territory[i] !== "*")) return;
      var key = String(channel[i]);
      var at = by[key] = by[key] || {
        keys: [key], name: channelName(key, view, text), shares: null, visits: null,
        new_viewers: null, missing: {},
      };
      MEASURES.forEach(function (m) {
        var n = P.number(values[m][i]);
        if (n !== null) at[m] = (at[m] || 0) + n;
        else at.missing[m] = P.reason(reasons[i], m, text);
      });
    });
    var list = Object.keys(by).map(function (key) { return by[key]; }).sort(function (a, b) {
      return (b.shares || 0) - (a.shares || 0) || (a.keys[0] < b.keys[0] ? -1 : 1);
    });
    if (list.length > MOST) {
      list = list.slice(0, MOST - 1).concat([together(list.slice(MOST - 1), text.others)]);
    }
    return list;
  }

  function together(list, name) {
    var sum = { keys: [], name: name, shares: null, visits: null, new_viewers: null, missing: {} };
    list.forEach(function (one) {
      sum.keys = sum.keys.concat(one.keys);
      MEASURES.forEach(function (m) {
        if (one[m] !== null) sum[m] = (sum[m] || 0) + one[m];
      });
      Object.assign(sum.missing, one.missing);
    });
    return sum;
  }

  function sharingHeight(data, view) {
    var list = channelsOf(data.sharing, view, P.words(view, WORDS));
    return list.length ? TOP + list.length * ROW + 14 + DAYS : 90;
  }

  function sharing(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS);
    var list = channelsOf(data.sharing, view, text);
    if (!list.length) return plate.nothing(P.whyEmpty(data.sharing, text), view, colours);
    var items = table(list, view, colours, text);
    var days = counts.byDay(data.sharing, ["shares"], "channel"), found = counts.bars(days);
    var top = TOP + list.length * ROW + 14;
    items[0].shapes.push(plate.text(0, top + 2, found.step === 7 ? text.byWeek : text.byDay, view, {
      colour: colours.ink, bold: true,
    }));
    var stack = list.map(function (channel, n) {
      return {
        id: "channel" + n, name: channel.name, colour: colours.several[n],
        values: found.bars.map(function (bar) {
          return channel.keys.reduce(function (sum, key) {
            var told = counts.sumOver(days, bar, key, "shares");
            return told === null ? sum : (sum || 0) + told;
          }, null);
        }),
      };
    });
    var box = { left: view.compact ? 40 : 48, right: 24, top: top + 18, bottom: 22 };
    var shape = Object.assign({}, view, { height: view.height || top + DAYS });
    items = items.concat(counts.stacked(found, stack, box, shape, colours, text));
    return plate.option(items, list.map(function (channel) {
      return channel.name + ": " + P.thousands(channel.shares || 0);
    }).join("; "), view, colours);
  }

  /** A row for each channel, a column of bars for each measure. */
  function table(list, view, colours, text) {
    var size = P.small(view), width = view.width || 658;
    var names = Math.min(width * 0.3, P.top(list.map(function (c) {
      return P.widthOf(c.name, size);
    })) + 26);
    var wide = (width - names) / 3, still = [];
    MEASURES.forEach(function (m, k) {
      still.push(plate.text(names + k * wide, 10, text[m], view, { colour: colours.ink, bold: true }));
    });
    var most = {}, tails = {};
    MEASURES.forEach(function (m) {
      tails[m] = 20 + P.top(list.map(function (c) {
        return c[m] === null ? 0 : P.widthOf(amount(c, m, view, text), size);
      }));
      most[m] = P.top(list.map(function (c) { return c[m] || 0; }));
    });
    return [{ shapes: still }].concat(list.map(function (channel, n) {
      var y = TOP + n * ROW, middle = y + ROW / 2 - 1, say = [channel.name];
      var shapes = [
        plate.rect(0, middle - 5, 10, 10, colours.several[n], { r: 2 }),
        plate.text(16, middle, P.fitted(channel.name, size, names - 22), view, {
          colour: colours.ink,
        }),
      ];
      MEASURES.forEach(function (m, k) {
        var x = names + k * wide, said = amount(channel, m, view, text);
        say.push(text[m] + "  " + amount(channel, m, view, text, true));
        if (said === null || channel[m] === null || (m === "visits" && channel.missing[m])) {
          var why = channel.missing[m] || text.nothing;
          shapes.push(plate.hidden(x, y + 3, wide - 14, ROW - 8, colours));
          shapes.push(plate.text(x + 5, middle, P.fitted(why, size - 1, wide - 26), view, {
            colour: colours.grey, size: size - 1,
          }));
          return;
        }
        var room = Math.max(8, wide - tails[m]);
        var bar = most[m] ? Math.max(1, room * channel[m] / most[m]) : 1;
        shapes.push(plate.rect(x, y + 4, bar, ROW - 10,
          k === 0 ? colours.several[n] : P.pale(colours), { r: 2 }));
        shapes.push(plate.text(x + bar + 5, middle, said, view, { colour: colours.grey }));
      });
      return { shapes: shapes, say: say };
    }));
  }

  function amount(channel, measure, view, text, exact) {
    var n = channel[measure], missing = channel.missing[measure];
    if (n === null || (measure === "visits" && missing)) return missing || text.nothing;
    var said = exact ? P.thousands(n) : P.count(n, view);
    return missing ? text.atLeast(said) : said;
  }

  // ---- along content time ----

  function offsetsHeight() {
    return 150;
  }

  function offsets(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), size = P.small(view);
    var resource = data.sharing_offsets, seconds = P.column(resource, "content_second");
    var made = counts.along([{
      name: "", values: P.column(resource, "shares"),
    }], seconds, view, colours, text);
    var only = made.drawn[0];
    if (!only.shown) return plate.nothing(P.whyEmpty(resource, text), view, colours);
    var box = { left: made.box.left, right: made.box.right + 8, top: 28, bottom: 22 };
    var most = P.niceMax(only.most), note = text.along(text.width(made.step));
    var drawn = P.histogram("shares", P.outline(only.list, function (b) {
      return b.n ? b.sum : null;
    }), colours.good, 0.8);
    return Object.assign(P.base(view, colours), {
      aria: { enabled: !view.print, label: { description: note } },
      grid: Object.assign({ outerBoundsMode: "none" }, box),
      xAxis: counts.contentAxis(made, view, colours),
      yAxis: {
        type: "value", axisLine: { show: false }, axisTick: { show: false }, min: 0, max: most, interval: most / 2,
        axisLabel: {
          color: colours.grey, fontSize: size, formatter: function (v) { return P.short(v, view); },
        },
        splitLine: { lineStyle: { color: colours.line } },
      },
      series: [drawn, plate.series([{
        shapes: [plate.text(0, 8, note, view, { colour: colours.grey })],
      }], view, true)],
      tooltip: P.tooltip(view, colours, "axis", function (params) {
        var b = P.at(only.list, params[0].axisValue);
        return b ? P.clock(b.from) + "–" + P.clock(b.to) + "\n" + text.shares + "  " +
          P.thousands(b.sum) : "";
      }),
    });
  }

  P.heights.sharing = sharingHeight;
  P.heights.sharing_offsets = offsetsHeight;
  Object.assign(globalThis.DailiesCharts, { sharing: sharing, sharing_offsets: offsets });
})();
