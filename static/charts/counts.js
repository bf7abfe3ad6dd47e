/* Charts of counts: by day in stacked bars, and along content time in one lane under the other. */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate;
  var DAY = 86400000, MOST_BARS = 120;

  function iso(at) {
    return new Date(at).toISOString().slice(0, 10);
  }

  /** Sums by day of `columns` over the rows of each day; where a day is told over all
   * territories (`*`), that row alone. `key` names a column to keep apart by.
   * {days: {iso day: {key: {column: sum or null}}}} */
  function byDay(resource, columns, key) {
    var day = P.column(resource, "day"), territory = P.column(resource, "territory");
    var keys = key ? P.column(resource, key) : [], values = {}, days = {}, whole = {};
    columns.forEach(function (name) { values[name] = P.column(resource, name); });
    day.forEach(function (d, i) { if (d && territory[i] === "*") whole[d] = true; });
    day.forEach(function (d, i) {
      if (!d || (whole[d] && territory[i] !== "*")) return;
      var k = key ? String(keys[i]) : "", at = days[d] = days[d] || {};
      var sums = at[k] = at[k] || {};
      columns.forEach(function (name) {
        var n = P.number(values[name][i]);
        if (n !== null) sums[name] = (sums[name] || 0) + n;
        else if (!(name in sums)) sums[name] = null;
      });
    });
    return days;
  }

  /** The days from the first to the last, or their weeks (Monday first) where they are many:
   * {step: 1|7, bars: [{day, until, days: [iso]}]} */
  function bars(days) {
    var known = Object.keys(days).sort();
    if (!known.length) return { step: 1, bars: [] };
    var first = Date.parse(known[0]), last = Date.parse(known[known.length - 1]), list = [];
    var step = (last - first) / DAY + 1 > MOST_BARS ? 7 : 1;
    if (step === 7) first -= ((new Date(first).getUTCDay() + 6) % 7) * DAY;
    for (var at = first; at <= last; at += step * DAY) {
      var within = [];
      for (var d = 0; d < step; d++) within.push(iso(at + d * DAY));
      list.push({ day: iso(at), last: within[step - 1], days: within });
    }
    return { step: step, bars: list };
  }

  function dayName(day, text) {
    var parts = day.split("-");
    return text.day(Number(parts[1]), Number(parts[2]));
  }

  /** Stacked bars in `box` ({left, right, top, bottom}) with their scale and days: the items of a
   * plate. `stack` is [{name, colour, values}], a value for each bar or null. */
  function stacked(found, stack, box, view, colours, text) {
    var size = P.small(view), width = (view.width || 658) - box.left - box.right;
    var tall = view.height - box.top - box.bottom, floor = box.top + tall;
    var sums = found.bars.map(function (_, i) {
      return stack.reduce(function (sum, part) { return sum + (part.values[i] || 0); }, 0);
    });
    var most = P.niceMax(P.top(sums)), still = [];
    [0, 0.5, 1].forEach(function (part) {
      var y = Math.round(floor - part * tall) + 0.5;
      still.push(plate.rule(box.left, y, box.left + width, y, part ? colours.line : colours.axis));
      still.push(plate.text(box.left - 6, y, P.short(part * most, view), view, {
        colour: colours.grey, align: "right", at: part ? "middle" : "bottom",
      }));
    });
    var step = width / found.bars.length, bar = Math.min(22, step * (step < 8 ? 0.88 : 0.72));
    var every = Math.max(1, Math.ceil(found.bars.length / Math.max(2, width / 64)));
    var boxes = stack.map(function () { return []; });
    var items = found.bars.map(function (one, i) {
      var middle = box.left + (i + 0.5) * step, y = floor;
      var shapes = view.print ? [] : [
        plate.rect(middle - step / 2, box.top, step, tall, "rgba(0,0,0,0)"),
      ];
      if (i % every === 0) {
        still.push(plate.text(middle, floor + 11, dayName(one.day, text), view, {
          colour: colours.grey, align: "center",
        }));
      }
      stack.forEach(function (part, k) {
        var high = most ? tall * (part.values[i] || 0) / most : 0;
        if (high <= 0) return;
        y -= high;
        boxes[k].push([middle - bar / 2, y, bar, high]);
      });
      return {
        shapes: shapes,
        say: [barName(one, found.step, text)].concat(stack.filter(function (part) {
          return part.values[i] !== null;
        }).map(function (part) { return part.name + "  " + P.thousands(part.values[i]); })),
      };
    });
    boxes.forEach(function (list, k) {
      if (list.length) still.push(plate.rects(list, stack[k].colour));
    });
    return [{ shapes: still }].concat(view.print ? [] : items);
  }

  function barName(bar, step, text) {
    if (step === 1) return dayName(bar.day, text);
    return dayName(bar.day, text) + " – " + dayName(bar.last, text);
  }

  // ---- along content time ----

  function lengthOf(seconds, view) {
    var longest = view.runtime_s || 0;
    seconds.forEach(function (t) {
      if (t !== null && t >= longest) longest = Number(t) + 1;
    });
    return Math.max(1, longest);
  }

  /** Lanes one under the other, each with a scale of its own: `lanes` is [{id, name, colour,
   * values}], a value for each content second or null. One pair of axes holds them all. */
  function along(lanes, seconds, view, colours, text) {
    var width = view.width || 658, size = P.small(view);
    var names = P.top(lanes.map(function (l) { return 1.15 * P.widthOf(l.name, size + 1); }));
    var box = { left: Math.ceil(Math.max(names, view.compact ? 40 : 48)) + 12, right: 16 };
    var px = width - box.left - box.right, length = lengthOf(seconds, view);
    var step = P.stepFor(length, px / (view.compact ? 2.5 : 4));
    var tick = P.stepFor(length, Math.max(2, px / (view.compact ? 72 : 84)));
    var drawn = lanes.map(function (lane, n) {
      var dense = P.bySecond({ data: { v: lane.values } }, "v", seconds, length);
      var list = P.buckets(dense, 0, length, step), shown = P.hasValues(dense);
      var most = P.top(list.map(function (b) { return b.n ? b.sum : 0; }));
      return { lane: lane, list: list, most: most, shown: shown, row: n };
    });
    return { box: box, length: length, step: step, tick: tick, drawn: drawn, px: px };
  }

  /** The points of a polygon over buckets that stand on `floor`. */
  function silhouette(list, x, y, floor) {
    var points = [[x(list[0].from), floor]];
    list.forEach(function (b) {
      var top = y(b);
      points.push([x(b.from), top], [x(b.to), top]);
    });
    points.push([x(list[list.length - 1].to), floor]);
    return points;
  }

  /** A series that is not seen: an axis' tooltip asks for one with points. */
  function pointed(made) {
    return P.line("pointed", made.drawn[0].list.map(function (b) {
      return [(b.from + b.to) / 2, 0];
    }), "transparent", 0);
  }

  function contentAxis(made, view, colours) {
    return {
      type: "value", min: 0, max: made.length, interval: made.tick,
      axisLine: { show: true, onZero: false, lineStyle: { color: colours.axis } },
      axisTick: { show: true, lineStyle: { color: colours.axis } }, splitLine: { show: false },
      axisLabel: {
        color: colours.grey, fontSize: P.small(view), formatter: P.clock, hideOverlap: true,
        showMaxLabel: made.length % made.tick === 0,
      },
      axisPointer: { show: !view.print, snap: false, label: { show: false } },
    };
  }

  P.counts = {
    byDay: byDay, bars: bars, stacked: stacked, barName: barName, along: along,
    contentAxis: contentAxis, silhouette: silhouette,
    pointed: pointed, lengthOf: lengthOf,
  };
})();
