/* Whose fans they are: how many times likelier the title's viewers are in a fan set than the
 * platform's, with the 95 % interval, and the share of the title's viewers.
 *
 * `view.fan_sets` has the names of fan sets by slug.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate;
  var TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];
  var ROW = 26, TOP = 46, MOST = 20;

  var WORDS = {
    "zh-hans": {
      lift: "提升度（对全平台观看者，横线为 95% 区间）", liftBrief: "提升度", share: "占本作品观看人数",
      shareBrief: "占比", times: " 倍", common: "共同观看人数",
      left: function (n) { return "另有 " + n + " 个粉丝群见数据文件"; },
    },
    en: {
      lift: "Lift, with its 95 % bounds", liftBrief: "Lift",
      share: "Share of viewers", shareBrief: "Share", times: "×",
      common: "Viewers in common",
      left: function (n) { return n + " more fan sets are in the data files"; },
    },
  };

  function rowsOf(data, view) {
    var resource = data.fanbases, part = P.slice(resource, view);
    var columns = {};
    ["fan_set", "viewers_in_common", "share_of_title", "lift", "lift_low", "lift_high",
      "hidden_reason"].forEach(function (name) { columns[name] = P.column(resource, name); });
    var rows = part.rows.filter(function (i) { return columns.fan_set[i]; }).map(function (i) {
      var slug = String(columns.fan_set[i]);
      return {
        name: P.plain((view.fan_sets && view.fan_sets[slug]) || slug, 60),
        common: P.number(columns.viewers_in_common[i]),
        share: P.number(columns.share_of_title[i]), lift: P.number(columns.lift[i]),
        low: P.number(columns.lift_low[i]), high: P.number(columns.lift_high[i]),
        reason: columns.hidden_reason[i],
      };
    }).sort(function (a, b) {
      return (b.lift === null ? -1 : b.lift) - (a.lift === null ? -1 : a.lift) ||
        (b.common || 0) - (a.common || 0) || (a.name < b.name ? -1 : 1);
    });
    return { part: part, rows: rows };
  }

  function height(data, view) {
    var rows = rowsOf(data, view).rows;
    if (!rows.length) return 90;
    return TOP + Math.min(rows.length, MOST) * ROW + 22 + (rows.length > MOST ? 18 : 0);
  }

  function fanSets(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), found = rowsOf(data, view);
    if (!found.rows.length) {
      return plate.nothing(P.whyEmpty(data.fanbases, text), view, colours);
    }
    var rows = found.rows.slice(0, MOST), size = P.small(view), width = view.width || 658;
    var names = Math.min(width * 0.32, P.top(rows.map(function (r) {
      return P.widthOf(r.name, size);
    })) + 12);
    var shares = view.compact ? 84 : 150, left = names, right = width - shares - 70;
    var scale = scaleOf(rows, left, right), bottom = TOP + rows.length * ROW;
    var head = P.heading(Object.assign({}, found.part, { viewers: null }), view);
    var still = [
      plate.text(0, 8, head, view, { colour: colours.grey }),
      plate.text(left, 30, view.compact ? text.liftBrief : P.fitted(text.lift, size,
        width - shares - left - 8), view, { colour: colours.ink, bold: true }),
      plate.text(width - shares, 30, view.compact ? text.shareBrief : P.fitted(text.share, size,
        shares), view, { colour: colours.ink, bold: true }),
    ];
    scale.ticks.forEach(function (tick) {
      var x = scale.x(tick);
      still.push(plate.rule(x, TOP - 4, x, bottom, tick === 1 ? colours.grey : colours.line));
      still.push(plate.text(x, bottom + 10, String(tick), view, {
        colour: colours.grey, align: "center", size: size - 1,
      }));
    });
    if (found.rows.length > MOST) {
      still.push(plate.text(0, bottom + 28, text.left(found.rows.length - MOST), view, {
        colour: colours.grey,
      }));
    }
    var most = P.top(rows.map(function (r) { return r.share || 0; }));
    var items = [{ shapes: still }].concat(rows.map(function (row, i) {
      return rowItem(row, {
        y: TOP + i * ROW, names: names, left: left, right: right, width: width, shares: shares,
        most: most, scale: scale,
      }, view, colours, text);
    }));
    return plate.option(items, head, view, colours);
  }

  /** A logarithmic axis from the lowest to the highest bound, with 1 inside of it. */
  function scaleOf(rows, left, right) {
    var low = 0.8, high = 1.25;
    rows.forEach(function (row) {
      if (row.lift === null) return;
      low = Math.min(low, Math.max(0.05, row.low || 0.05));
      high = Math.max(high, Math.min(50, row.high || row.lift));
    });
    low /= 1.1;
    high *= 1.1;
    var x = function (value) {
      var inside = Math.min(high, Math.max(low, value));
      return left + (right - left) * Math.log(inside / low) / Math.log(high / low);
    };
    return { x: x, ticks: TICKS.filter(function (t) { return t >= low && t <= high; }) };
  }

  function rowItem(row, at, view, colours, text) {
    var size = P.small(view), middle = at.y + ROW / 2;
    var shapes = [plate.text(0, middle, P.fitted(row.name, size, at.names - 10), view, {
      colour: colours.ink,
    })];
    var say = [row.name];
    if (row.lift === null) {
      var why = P.reason(row.reason, "lift", text);
      shapes.push(plate.hidden(at.left, at.y + 5, at.right - at.left + 62, ROW - 10, colours));
      shapes.push(plate.text(at.left + 6, middle,
        P.fitted(why, size, at.right - at.left + 50), view, { colour: colours.grey }));
      say.push(text.liftBrief + "  " + why);
    } else {
      var x = at.scale.x(row.lift), a = at.scale.x(row.low === null ? row.lift : row.low);
      var b = at.scale.x(row.high === null ? row.lift : row.high);
      shapes.push(plate.rule(a, middle, b, middle, colours.danmu, { lineWidth: 2 }));
      [a, b].forEach(function (end) {
        shapes.push(plate.rule(end, middle - 4, end, middle + 4, colours.danmu, { lineWidth: 2 }));
      });
      shapes.push({
        type: "circle", silent: true, shape: { cx: x, cy: middle, r: 4.5 },
        style: { fill: colours.danmu },
      });
      shapes.push(plate.text(at.right + 60, middle, said(row.lift) + text.times, view, {
        colour: colours.ink, align: "right",
      }));
      say.push(text.liftBrief + "  " + said(row.lift) + text.times +
        (row.low === null ? "" : " (" + said(row.low) + "–" + said(row.high) + ")"));
    }
    sharePart(row, at, middle, shapes, say, view, colours, text);
    if (row.common !== null) say.push(text.common + "  " + P.thousands(row.common));
    return { shapes: shapes, say: say };
  }

  function sharePart(row, at, middle, shapes, say, view, colours, text) {
    var size = P.small(view), x = at.width - at.shares;
    if (row.share === null) {
      var why = P.reason(row.reason, "share_of_title", text);
      shapes.push(plate.hidden(x, at.y + 5, at.shares, ROW - 10, colours));
      shapes.push(plate.text(x + 6, middle, P.fitted(why, size, at.shares - 10), view, {
        colour: colours.grey,
      }));
      say.push(text.share + "  " + why);
      return;
    }
    var wide = at.most ? Math.max(1, (at.shares - 42) * row.share / at.most) : 1;
    shapes.push(plate.rect(x, at.y + 7, wide, ROW - 14, P.pale(colours), { r: 2 }));
    shapes.push(plate.text(x + wide + 5, middle, P.percent(row.share), view, {
      colour: colours.grey,
    }));
    say.push(text.share + "  " + P.percent(row.share));
  }

  function said(value) {
    return String(Number(value.toFixed(value < 10 ? 2 : 0)));
  }

  P.heights.fan_sets = height;
  Object.assign(globalThis.DailiesCharts, { fan_sets: fanSets });
})();
