/* The timeline of a title: one axis of content time, a lane a measure, pins for the moments.
 *
 * view  beside what all charts take: {runtime_s, most, from, to, selected, drag, moments: [{n,
 *       kind, from_second, to_second}]}; `drag`: a drag picks what is zoomed to, else it moves. Without `height` it is as high as it wants to be, up to `most`;
 *       `from` and `to` zoom in, down to one second. The page listens to `datazoom` and calls
 *       `timeline` again with the new `from` and `to`.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate;
  var clock = P.clock, grid = P.grid, layout = P.layout, number = P.number, stepFor = P.stepFor,
    steps = P.steps, theme = P.theme, widthOf = P.widthOf;

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
    danmu_peak: "danmu", danmu_minute: "danmu", rewatch: "rewatch", stop: "stops",
    opening: "retention", steady: "retention",
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
    var whole = P.lanes.length(data, view);
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
    var shape = layout(view), colours = theme(view), text = P.lanes.words(view);
    var px = Math.max(50, shape.width - shape.left - shape.right);
    var range = rangeOf(data, view);
    var lanes = P.once("timeline", data, view, function () {
      return P.lanes.of(data, view, range, px, colours, text);
    });
    var pins = pinRows(view.moments || [], range, px);
    return {
      px: px, range: range, lanes: lanes, pins: pins, colours: colours, text: text,
      placed: place(lanes, pins, view),
    };
  }

  function timeline(data, view) {
    var p = prepare(data, view), colours = p.colours, range = p.range;
    var shape = p.placed.shape, moments = view.moments || [];
    var font = view.font || P.FONT, small = P.small(view);
    var tick = stepFor(range.to - range.from, Math.max(2, p.px / (view.compact ? 72 : 84)));
    var grids = [], xAxes = [], yAxes = [], series = [], still = [];

    p.lanes.forEach(function (lane, i) {
      var box = p.placed.tops[i], last = i === p.lanes.length - 1;
      grids.push(grid(shape, box.top, box.height));
      xAxes.push(xAxis(i, range, tick, last, colours, small, clock));
      yAxes.push({
        id: lane.id, gridIndex: i, type: "value", show: false, min: 0, max: lane.max,
        inverse: !!lane.inverse, axisPointer: { show: false },
      });
      still = still.concat(frame(lane, shape, box, p.px, last, view, colours),
        head(lane, shape, box, p.px, view, colours));
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
      xAxes.push(xAxis(index, range, tick, false, colours, small, clock));
      yAxes.push({ gridIndex: index, type: "value", show: false, min: 0,
        max: p.placed.pinSpace / 24 });
      series.push(pinSeries(p.pins, index, view, colours));
    }

    series.push(plate.series([{ shapes: still }], view, true));

    return Object.assign(P.base(view, colours), {
      aria: { enabled: !view.print, label: { description: describe(p) } },
      grid: grids, xAxis: xAxes, yAxis: yAxes, series: series,
      axisPointer: {
        link: [{ xAxisIndex: "all" }],
        label: { show: false },
        lineStyle: { color: colours.grey, width: 1, type: "solid" },
      },
      tooltip: tooltip(p, view, colours),
      dataZoom: view.print ? [] : zoom(p, view, colours, small),
      toolbox: view.drag ? selecting(p, colours) : { show: false },
    });
  }

  /** Only the last lane's axis is drawn as such: each costs as much as a lane. */
  function xAxis(i, range, tick, labelled, colours, small, label) {
    var values = steps(range, tick);
    return {
      gridIndex: i, type: "value", show: labelled, min: 0, max: range.length, interval: tick,
      axisLine: { show: true, onZero: false, lineStyle: { color: colours.axis } },
      axisTick: { lineStyle: { color: colours.axis }, customValues: values },
      axisLabel: {
        color: colours.grey, fontSize: small, hideOverlap: true, formatter: label,
        customValues: values,
      },
      splitLine: { show: false },
      axisPointer: { show: true, snap: false, label: { show: false } },
    };
  }

  /** A lane's scale: a line and a number at each step. */
  function frame(lane, shape, box, px, last, view, colours) {
    var low = box.top + box.height, shapes = [], right = shape.left + px;
    var base = lane.inverse && !last ? box.top : low;
    for (var n = 0; !lane.empty && n * lane.ticks <= lane.max * 1.0001; n++) {
      var share = n * lane.ticks / lane.max, top = share > 0.9999;
      var y = lane.inverse ? box.top + share * box.height : low - share * box.height;
      shapes.push(plate.rule(shape.left, y, right, y, colours.line));
      if (n || !lane.inverse) {
        shapes.push(plate.text(shape.left - 6, y, lane.label(n * lane.ticks), view, {
          colour: colours.grey, align: "right",
          at: n === 0 ? "bottom" : !top ? "middle" : lane.inverse ? "bottom" : "top",
        }));
      }
    }
    if (!last) shapes.push(plate.rule(shape.left, base, right, base, colours.axis));
    return shapes;
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

  /** A lane's name, its note, a word at the right end in the lane's colour; or why it is empty. */
  function head(lane, shape, box, px, view, colours) {
    var y = box.top - shape.head / 2 - 1, note = noteWithRoom(lane, shape, px);
    var left = shape.left + 1.15 * widthOf(lane.name, shape.name) + 6;
    var shapes = [plate.text(shape.left, y, lane.name, view, {
      colour: lane.colour, bold: true, size: shape.name,
    })];
    if (note) {
      shapes.push(plate.text(left, y, note, view, { colour: colours.grey, size: shape.name - 1 }));
    }
    if (lane.aside) {
      shapes.push(plate.text(shape.left + px, y, lane.aside, view, {
        colour: lane.colour, align: "right", size: shape.name - 1,
      }));
    }
    if (lane.empty) {
      shapes.push(plate.text(shape.left + px / 2, box.top + box.height / 2, lane.empty, view, {
        colour: colours.grey, align: "center", size: shape.name,
      }));
    }
    return shapes;
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
            fontWeight: 700, color: colours.pinText, fontFamily: view.font || P.FONT,
            textBorderWidth: 0,
          },
        };
      }),
    };
  }

  /** What every lane says of a second: its clock, then a line a lane. */
  function readingAt(p, t) {
    var lines = [clock(t)];
    p.lanes.forEach(function (lane) {
      var said = lane.say(t);
      if (said) lines.push(said[0] + "  " + said[1]);
    });
    return lines;
  }

  /** The same for who moves along the axis by keys. */
  function reading(data, view, t) {
    return readingAt(prepare(data, view), t);
  }

  function tooltip(p, view, colours) {
    var made = P.tooltip(view, colours, "axis", function (params) {
      var first = Array.isArray(params) ? params[0] : params;
      var t = Math.floor(first.axisValue !== undefined ? first.axisValue : first.value[0]);
      return readingAt(p, t).join("\n");
    });
    if (!view.print) made.axisPointer = { type: "line", snap: false };
    return made;
  }

  function axesOf(p) {
    var axes = p.placed.tops.map(function (_, i) { return i; });
    if (p.pins.length && p.lanes.length) axes.push(p.lanes.length);
    return axes;
  }

  /** Lets the page switch on that a drag over the lanes picks what is zoomed to; its own buttons
   * lie outside of the chart. */
  function selecting(p, colours) {
    return {
      itemSize: 0, showTitle: false, right: -100, top: 0,
      feature: { dataZoom: {
        xAxisIndex: axesOf(p), yAxisIndex: "none", filterMode: "none",
        brushStyle: { color: colours.retention, opacity: colours.band, borderWidth: 0 },
      } },
    };
  }

  function zoom(p, view, colours, small) {
    var axes = axesOf(p);
    var common = {
      xAxisIndex: axes, filterMode: "none", startValue: p.range.from, endValue: p.range.to,
      minValueSpan: Math.min(20, p.range.length), throttle: 60,
    };
    return [
      Object.assign({
        id: "inside", type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false,
        moveOnMouseMove: !view.drag, preventDefaultMouseMove: false,
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

  P.heights.timeline = height;
  P.pinRows = pinRows;
  P.lane = { place: place, axis: xAxis, frame: frame, head: head };
  Object.assign(globalThis.DailiesCharts, {
    timeline: timeline, height: height, reading: reading,
  });
})();
