/* A drawing by pixels inside an ECharts chart: for what has names and bars, but no axis.
 *
 * An item is {shapes, say}: what is drawn, and the lines of its tooltip. All items are one custom
 * series, so that a plate of fifty bars costs as much as one.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;

  function rect(x, y, width, height, colour, more) {
    return {
      type: "rect", silent: !!(more && more.silent),
      shape: { x: x, y: y, width: Math.max(0, width), height: height, r: (more && more.r) || 0 },
      style: Object.assign({ fill: colour }, more && more.style),
    };
  }

  /** A place where a number would stand that is not shown. */
  function hidden(x, y, width, height, colours) {
    return rect(x + 0.5, y + 0.5, width - 1, height - 1, colours.faint, {
      r: 2, style: { stroke: colours.axis, lineWidth: 1, lineDash: [3, 3] },
    });
  }

  /** `more`: {size, colour, bold, align, at: "top"|"middle"|"bottom"}. */
  function text(x, y, said, view, more) {
    var m = more || {};
    return {
      type: "text", silent: true,
      style: {
        text: said, x: x, y: y, fill: m.colour, align: m.align || "left",
        verticalAlign: m.at || "middle",
        fontSize: m.size || P.small(view), fontFamily: view.font || P.FONT,
        fontWeight: m.bold ? 700 : 400,
      },
    };
  }

  function rule(x1, y1, x2, y2, colour, more) {
    return {
      type: "line", silent: true, shape: { x1: x1, y1: y1, x2: x2, y2: y2 },
      style: Object.assign({ stroke: colour, lineWidth: 1 }, more),
    };
  }

  function polyline(points, colour, width) {
    return {
      type: "polyline", silent: true, shape: { points: points },
      style: { stroke: colour, lineWidth: width, fill: null },
    };
  }

  function polygon(points, colour, opacity) {
    return {
      type: "polygon", silent: true, shape: { points: points },
      style: { fill: colour, opacity: opacity },
    };
  }

  /** Many rectangles of one colour, [[x, y, width, height]]: one path, at the cost of one shape. */
  function rects(boxes, colour) {
    return {
      type: "path", silent: true, style: { fill: colour },
      shape: {
        pathData: boxes.map(function (b) {
          var right = tidy(b[0] + b[2]), low = tidy(b[1] + b[3]), x = tidy(b[0]), y = tidy(b[1]);
          return "M" + x + " " + y + "L" + right + " " + y + "L" + right + " " + low + "L" + x +
            " " + low + "Z";
        }).join(""),
      },
    };
  }

  function tidy(n) {
    return Math.round(n * 100) / 100;
  }

  /** A row of coloured squares and what they stand for, from `x` on; runs on into further lines. */
  function legend(entries, x, y, px, view, colours) {
    var size = P.small(view), left = x, at = y, shapes = [];
    entries.forEach(function (entry) {
      var wide = 15 + P.widthOf(entry.name, size);
      if (left > x && left + wide > x + px) {
        left = x;
        at += size + 6;
      }
      shapes.push(entry.hidden
        ? hidden(left, at - 5, 10, 10, colours)
        : rect(left, at - 5, 10, 10, entry.colour, { r: 2, silent: true }));
      shapes.push(text(left + 14, at, entry.name, view, { colour: colours.grey }));
      left += wide + 16;
    });
    return { shapes: shapes, bottom: at + size / 2 + 4 };
  }

  /** `under` lies beneath what axes hold, and is not pointed at. */
  function series(items, view, under) {
    return {
      id: under ? "under" : "plate", type: "custom", coordinateSystem: "none", animation: false,
      clip: false, silent: !!(view.print || under), z: under ? 0 : 4,
      data: items.map(function (_, i) { return [i]; }),
      renderItem: function (params) {
        return { type: "group", children: items[params.dataIndex].shapes };
      },
    };
  }

  /** A chart that is one plate; `said` describes it to those who do not see it. */
  function option(items, said, view, colours) {
    return Object.assign(P.base(view, colours), {
      aria: { enabled: !view.print, label: { description: said } },
      series: [series(items, view)],
      tooltip: P.tooltip(view, colours, "item", function (params) {
        var said = items[params.dataIndex].say;
        return said ? said.join("\n") : "";
      }),
    });
  }

  /** A chart with nothing in it but why. */
  function nothing(said, view, colours) {
    return Object.assign(P.base(view, colours), {
      aria: { enabled: !view.print, label: { description: said } },
      title: [P.emptyTitle(said, view, colours)], series: [], tooltip: { show: false },
    });
  }

  P.plate = {
    rect: rect, hidden: hidden, text: text, rule: rule, polyline: polyline,
    polygon: polygon, rects: rects, legend: legend, series: series,
    option: option, nothing: nothing,
  };
})();
