/* Who they are: ages by gender with those who finished, and how far each group came.
 *
 * The people families answer with a table for each published period and territory. A chart shows
 * one: `view.period` ({from, until}), else the latest; `view.territory`, else all of them (`*`),
 * else the one with the most viewers; and says which. Periods are never added up: a viewer
 * counts once in each.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate;
  var AGES = ["18-24", "25-30", "31-35", "36-40", "41-50", "51+", "unknown"];
  var GENDERS = ["female", "male", "unknown", "*"];
  var MOST_LINES = 6;

  var WORDS = {
    "zh-hans": {
      viewers: "观看人数", finishers: "完播人数", finished: "完播", female: "女性", male: "男性",
      unknown: "未知", all: "全部", allAges: "全部年龄", everywhere: "全部地区", other: "其他国家/地区",
      and: "、", mergedWith: "及未知", ofRuntime: "片长", came: "到达该处的观看人数占比",
      others: "其余各组", uncertain: function (n) { return n + " 组误差过大，不予显示"; },
      alone: function (n) { return n + " 组"; }, hidden: "未显示",
    },
    en: {
      viewers: "Viewers", finishers: "Finishers", finished: "finished", female: "Female",
      male: "Male", unknown: "Unknown", all: "All", allAges: "All ages",
      everywhere: "All territories", other: "Other territories", and: " and ",
      mergedWith: ", unknown", ofRuntime: "of the runtime", came: "share of viewers who came so far",
      others: "other groups", uncertain: function (n) {
        return n + (n === 1 ? " group is" : " groups are") + " too uncertain to be shown";
      },
      alone: function (n) { return n + " groups"; }, hidden: "Hidden",
    },
  };

  // ---- which rows ----

  /** The rows of one period and territory: {rows: [index], from, until, territory}. */
  function slice(resource, view) {
    var since = P.column(resource, "from"), until = P.column(resource, "until");
    var territory = P.column(resource, "territory"), viewers = P.column(resource, "viewers");
    var period = view.period, rows = [], sums = {}, chosen;
    since.forEach(function (from, i) {
      if (!from) return;
      if (!view.period && (!period || until[i] > period.until ||
        (until[i] === period.until && from < period.from))) {
        period = { from: from, until: until[i] };
      }
    });
    if (!period) return { rows: [], territory: null };
    since.forEach(function (from, i) {
      if (from !== period.from || until[i] !== period.until) return;
      rows.push(i);
      var n = P.number(viewers[i]);
      if (!(territory[i] in sums)) sums[territory[i]] = null;
      if (n !== null) sums[territory[i]] = (sums[territory[i]] || 0) + n;
    });
    chosen = view.territory || ("*" in sums ? "*" : Object.keys(sums).sort(function (a, b) {
      return sums[b] - sums[a] || (a < b ? -1 : 1);
    })[0]);
    return {
      from: period.from, until: period.until, territory: chosen, viewers: sums[chosen],
      rows: rows.filter(function (i) { return territory[i] === chosen; }),
    };
  }

  /** A territory's name: `view.names` has them by code. */
  function place(code, view, text) {
    if (code === "*") return text.everywhere;
    if (code === "other") return text.other;
    return (view.names && view.names[code]) || code;
  }

  /** What the chart shows: where, which days, how many viewers. */
  function heading(part, view, text) {
    var day = function (iso, back) {
      var at = new Date(Date.parse(iso) - (back ? 86400000 : 0));
      return text.day(at.getUTCMonth() + 1, at.getUTCDate());
    };
    var first = day(part.from), last = day(part.until, true);
    return [
      place(part.territory, view, text), first === last ? first : first + " – " + last,
    ].concat(part.viewers === null ? [] : [text.viewers + " " + P.count(part.viewers, view)])
      .join(" · ");
  }

  function ageName(band, text) {
    if (band === "*") return text.allAges;
    if (band === "unknown") return text.unknown;
    var pieces = band.split("|");
    return pieces[0].replace("-", "–") + (pieces.length > 1 ? text.mergedWith : "");
  }

  function genderName(gender, text) {
    if (gender === "*") return text.all;
    return gender.split("|").map(function (g, i) {
      return i ? String(text[g] || g).toLowerCase() : text[g] || g;
    }).join(text.and);
  }

  function rank(order, name) {
    var first = name.split("|")[0], at = order.indexOf(first);
    if (at >= 0) return at;
    for (var i = 0; i < order.length; i++) {
      if (order[i].split("-")[0].replace("+", "") === first.split("-")[0].replace("+", "")) return i;
    }
    return order.length;
  }

  // ---- ages ----

  function panelsOf(data, view) {
    var resource = data.demographics, part = slice(resource, view), by = {};
    var ages = P.column(resource, "age_band"), genders = P.column(resource, "gender");
    var viewers = P.column(resource, "viewers"), finishers = P.column(resource, "finishers");
    part.rows.forEach(function (i) {
      (by[genders[i]] = by[genders[i]] || []).push({
        age: ages[i], viewers: P.number(viewers[i]), finishers: P.number(finishers[i]), row: i,
      });
    });
    var panels = Object.keys(by).sort(function (a, b) {
      return rank(GENDERS, a) - rank(GENDERS, b);
    }).map(function (gender) {
      var cells = by[gender].sort(function (a, b) { return rank(AGES, a.age) - rank(AGES, b.age); });
      var sum = cells.reduce(function (n, c) { return n + (c.viewers || 0); }, 0);
      return { gender: gender, cells: cells, viewers: sum };
    });
    return { part: part, panels: panels };
  }

  var ROW = 21, PANEL_HEAD = 24, TOP = 22, FOOT = 24, GAP = 12;

  /** Where each panel stands: two beside each other where there is room. */
  function arranged(panels, view) {
    var width = view.width || 658, columns = width >= 520 && panels.length > 1 ? 2 : 1;
    var wide = (width - (columns - 1) * 24) / columns, y = TOP, row = 0;
    var places = panels.map(function (panel, i) {
      var column = i % columns, tall = PANEL_HEAD + panel.cells.length * ROW;
      if (column === 0 && i) {
        y += row + GAP;
        row = 0;
      }
      row = Math.max(row, tall);
      return { x: column * (wide + 24), y: y, width: wide };
    });
    return { places: places, bottom: y + row };
  }

  function agesHeight(data, view) {
    var panels = panelsOf(data, view).panels;
    return panels.length ? arranged(panels, view).bottom + FOOT : 90;
  }

  function ages(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), found = panelsOf(data, view);
    if (!found.panels.length) {
      return plate.nothing(P.whyEmpty(data.demographics, text), view, colours);
    }
    var box = arranged(found.panels, view), size = P.small(view);
    var reasons = P.column(data.demographics, "hidden_reason");
    var most = P.top(found.panels.map(function (panel) {
      return P.top(panel.cells.map(function (c) { return c.viewers || 0; }));
    }));
    var names = P.top(found.panels.map(function (panel) {
      return P.top(panel.cells.map(function (c) {
        return P.widthOf(ageName(c.age, text), size);
      }));
    })) + 10;
    var tail = P.top(found.panels.map(function (panel) {
      return P.top(panel.cells.map(function (c) {
        return P.widthOf(amount(c, view, text), size - 0.5);
      }));
    })) + 8;
    var still = [plate.text(0, 8, heading(found.part, view, text), view, { colour: colours.grey })];
    var items = [{ shapes: still }];
    found.panels.forEach(function (panel, n) {
      var at = box.places[n], all = found.part.viewers;
      var share = all ? P.percent(panel.viewers / all) : "";
      still.push(plate.text(at.x, at.y + 10, genderName(panel.gender, text), view, {
        colour: colours.ink, bold: true, size: size + 1,
      }));
      still.push(plate.text(at.x + at.width, at.y + 10, share, view, {
        colour: colours.grey, align: "right",
      }));
      panel.cells.forEach(function (cell, k) {
        items.push(ageRow(cell, panel, {
          x: at.x, y: at.y + PANEL_HEAD + k * ROW, width: at.width, names: names, most: most,
          tail: tail,
          reason: reasons[cell.row],
        }, view, colours, text));
      });
    });
    var legend = plate.legend([
      { name: text.viewers, colour: pale(colours) }, { name: text.finishers, colour: colours.retention },
    ], 0, box.bottom + 14, view.width || 658, view, colours);
    still.push.apply(still, legend.shapes);
    return plate.option(items, heading(found.part, view, text), view, colours);
  }

  function pale(colours) {
    return colours === P.THEMES.dark ? "#3b5678" : "#b5c8e2";
  }

  function rateOf(cell) {
    return cell.finishers === null || !cell.viewers ? null : cell.finishers / cell.viewers;
  }

  /** "4,284 · finished 57%" */
  function amount(cell, view, text) {
    if (cell.viewers === null) return "";
    var rate = rateOf(cell), said = P.count(cell.viewers, view);
    return rate === null ? said : said + " · " + text.finished + " " + P.percent(rate);
  }

  function ageRow(cell, panel, at, view, colours, text) {
    var size = P.small(view), room = Math.max(20, at.width - at.names - at.tail), left = at.x + at.names;
    var middle = at.y + ROW / 2 - 1;
    var shapes = [
      plate.text(left - 8, middle, ageName(cell.age, text), view, {
        colour: colours.ink, align: "right",
      }),
    ];
    var name = genderName(panel.gender, text) + " · " + ageName(cell.age, text);
    if (cell.viewers === null) {
      var why = P.reason(at.reason, "viewers", text);
      shapes.push(plate.hidden(left, at.y + 2, at.width - at.names, ROW - 6, colours));
      shapes.push(plate.text(left + 6, middle, P.fitted(why, size, at.width - at.names - 12), view, {
        colour: colours.grey,
      }));
      return { shapes: shapes, say: [name, why] };
    }
    var wide = at.most ? room * cell.viewers / at.most : 0;
    var rate = rateOf(cell);
    shapes.push(plate.rect(left, at.y + 2, wide, ROW - 6, pale(colours), { r: 2 }));
    if (rate !== null) {
      shapes.push(plate.rect(left, at.y + 2, wide * rate, ROW - 6, colours.retention, { r: 2 }));
    }
    shapes.push(plate.text(left + wide + 6, middle,
      amount(cell, view, text), view, { colour: colours.grey, size: size - 0.5 }));
    return {
      shapes: shapes,
      say: [
        name, text.viewers + "  " + P.thousands(cell.viewers),
        text.finishers + "  " + (cell.finishers === null
          ? P.reason(at.reason, "finishers", text) : P.thousands(cell.finishers)),
      ],
    };
  }

  // ---- how far they came ----

  /** The groups of a people family with their curves, those with the most viewers first. */
  function groupsOf(data, view) {
    var geography = view.of === "geography" || !data.demographics;
    var resource = geography ? data.geography : data.demographics;
    var part = slice(resource, view), text = P.words(view, WORDS), points = [], unsure = 0;
    for (var share = 5; share <= 100; share += 5) {
      points.push([share, P.column(resource, "survival_" + (share < 10 ? "0" : "") + share)]);
    }
    var viewers = P.column(resource, "viewers"), reasons = P.column(resource, "hidden_reason");
    var groups = part.rows.map(function (i) {
      return {
        name: geography ? P.regionName(P.column(resource, "region")[i], view)
          : named(P.column(resource, "age_band")[i], P.column(resource, "gender")[i], text),
        viewers: P.number(viewers[i]) || 0,
        points: [[0, 1]].concat(points.map(function (p) { return [p[0], P.number(p[1][i])]; })),
        why: P.reason(reasons[i], "survival_05", text),
      };
    }).filter(function (group) {
      var shown = group.points.slice(1).some(function (p) { return p[1] !== null; });
      if (!shown) unsure += 1;
      return shown;
    }).sort(function (a, b) { return b.viewers - a.viewers || (a.name < b.name ? -1 : 1); });
    return { part: part, groups: groups, unsure: unsure, resource: resource };
  }

  function named(age, gender, text) {
    if (gender === "*") return ageName(age, text);
    if (age === "*") return genderName(gender, text);
    return genderName(gender, text) + " " + ageName(age, text);
  }

  function survivalHeight(data, view) {
    return groupsOf(data, view).groups.length ? (view.compact ? 230 : 260) : 90;
  }

  function survival(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), found = groupsOf(data, view);
    if (!found.groups.length) {
      var row = found.part.rows[0];
      var why = row === undefined ? P.whyEmpty(found.resource, text)
        : P.reason(P.column(found.resource, "hidden_reason")[row], "survival_05", text);
      return plate.nothing(why, view, colours);
    }
    var size = P.small(view), width = view.width || 658;
    var height = view.height || survivalHeight(data, view);
    var named = found.groups.slice(0, MOST_LINES), others = found.groups.slice(MOST_LINES);
    var room = P.top(named.map(function (g) { return P.widthOf(g.name, size); })) + 16;
    var box = { left: 40, right: Math.min(room, width * 0.4), top: 44, bottom: 34 };
    var note = found.unsure ? text.uncertain(found.unsure) : "";
    var still = [
      plate.text(0, 8, heading(found.part, view, text), view, { colour: colours.grey }),
      plate.text(0, 26, text.came + (note ? " · " + note : ""), view, { colour: colours.grey }),
    ].concat(endLabels(named, box, width, height, view, colours));
    var lines = named.map(function (group, i) {
      return P.line("group" + i, group.points, colours.several[i], 1.6);
    });
    var rest = others.map(function (group) {
      return plate.polyline(group.points.filter(function (p) { return p[1] !== null; })
        .map(function (p) {
          return [
            box.left + p[0] / 100 * (width - box.left - box.right),
            height - box.bottom - p[1] * (height - box.top - box.bottom),
          ];
        }), colours.axis, 0.8);
    });
    return Object.assign(P.base(view, colours), {
      aria: { enabled: !view.print, label: { description: heading(found.part, view, text) } },
      grid: Object.assign({ outerBoundsMode: "none" }, box),
      xAxis: axis(colours, size, 0, 100, 20, function (v) { return v + "%"; }, {
        name: text.ofRuntime, nameLocation: "middle", nameGap: 20,
        nameTextStyle: { color: colours.grey, fontSize: size, fontFamily: view.font || P.FONT },
      }),
      yAxis: axis(colours, size, 0, 1, 0.25, P.percent, {
        axisLine: { show: false }, splitLine: { lineStyle: { color: colours.line } },
      }),
      series: [plate.series([{ shapes: rest.concat(still) }], view, true)].concat(lines),
      tooltip: P.tooltip(view, colours, "axis", function (params) {
        var at = Math.round(params[0].axisValue / 5);
        return [at * 5 + "% " + text.ofRuntime].concat(named.map(function (group) {
          var share = group.points[at] && group.points[at][1];
          return group.name + "  " + (share === null ? group.why : P.percent(share));
        })).join("\n");
      }),
    });
  }

  function axis(colours, size, min, max, step, label, more) {
    return Object.assign({
      type: "value", min: min, max: max, interval: step, axisTick: { show: false },
      axisLine: { show: true, lineStyle: { color: colours.axis } },
      splitLine: { show: false },
      axisLabel: { color: colours.grey, fontSize: size, formatter: label },
    }, more);
  }

  /** The groups' names at the end of their lines, moved apart where they would touch. */
  function endLabels(groups, box, width, height, view, colours) {
    var size = P.small(view), tall = height - box.top - box.bottom, gap = size + 3;
    var labels = groups.map(function (group, i) {
      var last = group.points.filter(function (p) { return p[1] !== null; }).pop();
      var y = box.top + (1 - last[1]) * tall;
      return { name: group.name, colour: colours.several[i], y: y };
    }).sort(function (a, b) { return a.y - b.y; });
    labels.forEach(function (label, i) {
      if (i) label.y = Math.max(label.y, labels[i - 1].y + gap);
    });
    for (var i = labels.length - 1; i >= 0; i--) {
      var limit = i === labels.length - 1 ? box.top + tall : labels[i + 1].y - gap;
      labels[i].y = Math.min(labels[i].y, limit);
    }
    return labels.map(function (label) {
      return plate.text(width - box.right + 6, label.y, P.fitted(label.name, size, box.right - 6),
        view, { colour: label.colour });
    });
  }

  P.slice = slice;
  P.place = function (code, view) { return place(code, view, P.words(view, WORDS)); };
  P.heading = function (part, view) { return heading(part, view, P.words(view, WORDS)); };
  P.pale = pale;
  P.heights.ages = agesHeight;
  P.heights.survival = survivalHeight;
  Object.assign(globalThis.DailiesCharts, { ages: ages, survival: survival });
})();
