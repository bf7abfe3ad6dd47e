/* What they say: reactions and phrases of danmu along content time, the discussion by day.
 *
 * `view.runtime_s` is how long the title is; without it the axis ends with the last second told.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate, counts = P.counts;
  var REACTIONS = [
    ["laughter", "rewatch"], ["tears", "retention"], ["shock", "danmu"], ["praise", "good"],
    ["complaint", "stops"],
  ];
  var LANE = 44, MOST_PHRASES = 28, LONGEST = 12, DISCUSSION = 180;

  var WORDS = {
    "zh-hans": {
      laughter: "笑", tears: "泪目", shock: "惊讶", praise: "赞", complaint: "吐槽",
      comments: function (w) { return "弹幕条数，" + w + "；各行各有比例，右侧为最高值"; },
      commentsBrief: function (w) { return "弹幕条数，" + w + "；右侧为最高值"; },
      posts: "帖子", replies: "回复", byWeek: "按周合计",
      phrases: "在该处明显比全片其他部分说得更多的词；字越大，条数越多", phrasesBrief: "字越大，条数越多",
      times: function (lift, n) { return lift + " 倍，" + n + " 条"; },
    },
    en: {
      laughter: "Laughter", tears: "Tears", shock: "Shock", praise: "Praise",
      complaint: "Complaint",
      comments: function (w) {
        return "Danmu " + w + "; each row has its own scale, its peak stands at the right";
      },
      commentsBrief: function (w) { return "Danmu " + w + "; peaks at the right"; },
      posts: "Posts", replies: "Replies", byWeek: "summed by week",
      phrases: "Said more there than elsewhere in the title; the larger, the more danmu",
      phrasesBrief: "The larger, the more danmu",
      times: function (lift, n) { return lift + " times, " + n + " danmu"; },
    },
  };

  // ---- reactions ----

  function reactionsHeight(data, view) {
    return 26 + REACTIONS.length * LANE * (view.compact ? 0.85 : 1) + 24;
  }

  function reactions(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), size = P.small(view);
    var resource = data.danmu, seconds = P.column(resource, "content_second");
    var lanes = REACTIONS.map(function (r) {
      return {
        id: r[0], name: text[r[0]], colour: colours[r[1]], values: P.column(resource, r[0]),
      };
    });
    var height = view.height || reactionsHeight(data, view);
    var made = counts.along(lanes, seconds, view, colours, text);
    if (!made.drawn.some(function (d) { return d.shown; })) {
      return plate.nothing(P.whyEmpty(resource, text), view, colours);
    }
    var box = { left: made.box.left, right: made.box.right + 22, top: 26, bottom: 22 };
    var lane = (height - box.top - box.bottom) / lanes.length, width = view.width || 658;
    var note = text.comments(text.width(made.step));
    if (P.widthOf(note, size) > width) note = text.commentsBrief(text.width(made.step));
    var still = [plate.text(0, 8, note, view, { colour: colours.grey })];
    made.drawn.forEach(function (d, n) {
      var y = box.top + (n + 1) * lane, colour = d.lane.colour;
      still.push(plate.text(box.left - 10, y - lane / 2 + 4, d.lane.name, view, {
        colour: colour, bold: true, align: "right", size: size + 1,
      }));
      still.push(plate.rule(box.left, y, width - box.right, y, colours.line));
      still.push(plate.text(d.shown ? width - box.right + 4 : box.left + 8, y - lane * 0.84 + 6,
        d.shown ? P.short(d.most, view) : P.reason(P.column(resource, "hidden_reason")[0],
          d.lane.id, text), view, { colour: colours.grey, size: size - 1 }));
    });
    made.drawn.filter(function (d) { return d.shown; }).forEach(function (d, n) {
      var px = (width - box.left - box.right) / made.length, floor = box.top + (d.row + 1) * lane;
      still.push(plate.polygon(counts.silhouette(d.list, function (t) {
        return box.left + t * px;
      }, function (b) {
        return floor - (d.most > 0 && b.n ? 0.84 * lane * b.sum / d.most : 0);
      }, floor), d.lane.colour, 0.8));
    });
    return Object.assign(P.base(view, colours), {
      aria: { enabled: !view.print, label: { description: note } },
      grid: Object.assign({ outerBoundsMode: "none" }, box),
      xAxis: counts.contentAxis(made, view, colours),
      yAxis: { type: "value", show: false, min: 0, max: 1 },
      series: [plate.series([{ shapes: still }], view, true)].concat(
        view.print ? [] : [counts.pointed(made)]),
      tooltip: alongTooltip(made, view, colours),
    });
  }

  function alongTooltip(made, view, colours) {
    return P.tooltip(view, colours, "axis", function (params) {
      var t = params[0].axisValue, first = P.at(made.drawn[0].list, t);
      if (!first) return "";
      return [P.clock(first.from) + "–" + P.clock(first.to)].concat(made.drawn.filter(
        function (d) { return d.shown; }).map(function (d) {
          var b = P.at(d.list, t);
          return d.lane.name + "  " + (b && b.n ? P.thousands(b.sum) : "—");
        })).join("\n");
    });
  }

  // ---- phrases ----

  /** Those said most and most unlike elsewhere, in the order of content. */
  function phrasesOf(data, view) {
    var resource = data.danmu_phrases, from = P.column(resource, "from_second");
    var to = P.column(resource, "to_second"), phrase = P.column(resource, "phrase");
    var n = P.column(resource, "comments"), lift = P.column(resource, "lift");
    return phrase.map(function (said, i) {
      var comments = P.number(n[i]) || 0, times = P.number(lift[i]) || 1;
      return {
        said: said, from: P.number(from[i]), to: P.number(to[i]), comments: comments,
        lift: times, score: comments * Math.log(1 + times),
      };
    }).filter(function (p) { return p.said && p.from !== null; }).sort(function (a, b) {
      return b.score - a.score || a.from - b.from || (a.said < b.said ? -1 : 1);
    }).slice(0, view.compact ? MOST_PHRASES / 2 : MOST_PHRASES);
  }

  /** Each phrase in the lowest row in which it touches no other. */
  function arranged(data, view) {
    var list = phrasesOf(data, view), width = view.width || 658, rows = [];
    var length = counts.lengthOf(list.map(function (p) { return p.to - 1; }), view);
    var most = P.top(list.map(function (p) { return p.comments; }));
    var left = 20, right = 20, px = width - left - right;
    list.forEach(function (p) {
      var least = view.compact ? 10 : 11;
      p.size = Math.round(least + (most > 0 ? 7 * Math.sqrt(p.comments / most) : 0));
      p.text = P.plain(p.said, LONGEST);
      p.wide = P.widthOf(p.text, p.size);
      p.at = left + px * ((p.from + p.to) / 2) / length;
      p.x = Math.max(0, Math.min(width - p.wide, p.at - p.wide / 2));
      for (p.row = 0; touches(rows[p.row] || [], p); p.row++);
      (rows[p.row] = rows[p.row] || []).push(p);
    });
    return {
      list: list, rows: rows.length, length: length, left: left, px: px,
      tick: P.stepFor(length, Math.max(2, px / (view.compact ? 72 : 84))),
    };
  }

  function phraseMap(data, view) {
    return P.once("phrases", data, view, function () { return arranged(data, view); });
  }

  function touches(row, p) {
    return row.some(function (other) {
      return p.x < other.x + other.wide + 10 && other.x < p.x + p.wide + 10;
    });
  }

  var PHRASE = 22;

  function phrasesHeight(data, view) {
    var made = phraseMap(data, view);
    return made.list.length ? 22 + made.rows * PHRASE + 30 : 90;
  }

  function phrases(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), made = phraseMap(data, view);
    if (!made.list.length) {
      return plate.nothing(P.whyEmpty(data.danmu_phrases, text), view, colours);
    }
    var size = P.small(view), width = view.width || 658, floor = 22 + made.rows * PHRASE + 6;
    var note = P.widthOf(text.phrases, size) <= width ? text.phrases : text.phrasesBrief;
    var still = [
      plate.text(0, 8, note, view, { colour: colours.grey }),
      plate.rule(made.left, floor, made.left + made.px, floor, colours.axis),
    ];
    for (var t = 0; t <= made.length; t += made.tick) {
      var x = made.left + made.px * t / made.length;
      still.push(plate.rule(x, floor, x, floor + 4, colours.axis));
      still.push(plate.text(Math.max(18, Math.min(width - 18, x)), floor + 13, P.clock(t), view, {
        colour: colours.grey, align: "center",
      }));
    }
    var items = [{ shapes: still }].concat(made.list.map(function (p) {
      var y = floor - 6 - (p.row + 0.5) * PHRASE;
      return {
        shapes: [
          plate.rule(p.at, y + p.size / 2 + 2, p.at, floor, colours.line),
          plate.rect(p.at - 1.5, floor - 3, 3, 3, colours.danmu),
          plate.rect(p.x - 3, y - p.size / 2 - 2, p.wide + 6, p.size + 4,
            view.print ? "#ffffff" : colours.card, { style: { opacity: 0.9 } }),
          plate.text(p.x, y, p.text, view, { colour: colours.danmu, size: p.size }),
        ],
        say: [
          P.plain(p.said, 60), P.clock(p.from) + "–" + P.clock(p.to),
          text.times(Number(p.lift.toFixed(1)), P.thousands(p.comments)),
        ],
      };
    }));
    // Stalks first, so that none crosses a word.
    items = [{ shapes: still.concat(items.slice(1).map(function (i) { return i.shapes.shift(); })) }]
      .concat(items.slice(1));
    return plate.option(items, note, view, colours);
  }

  // ---- discussion ----

  function discussion(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS);
    var days = counts.byDay(data.discussion, ["posts", "replies"]), found = counts.bars(days);
    if (!found.bars.length) {
      return plate.nothing(P.whyEmpty(data.discussion, text), view, colours);
    }
    var stack = [["posts", colours.retention], ["replies", P.pale(colours)]].map(function (part) {
      return {
        id: part[0], name: text[part[0]], colour: part[1],
        values: found.bars.map(function (bar) { return sumOver(days, bar, "", part[0]); }),
      };
    });
    var legend = plate.legend(stack, 0, 8, view.width || 658, view, colours).shapes;
    if (found.step === 7) {
      legend.push(plate.text(view.width || 658, 8, text.byWeek, view, {
        colour: colours.grey, align: "right",
      }));
    }
    var box = { left: view.compact ? 40 : 48, right: 24, top: 28, bottom: 22 };
    var shape = Object.assign({}, view, { height: view.height || DISCUSSION });
    var items = counts.stacked(found, stack, box, shape, colours, text);
    items[0].shapes = items[0].shapes.concat(legend);
    var said = stack.map(function (part) { return part.name; }).join(", ");
    return plate.option(items, said, view, colours);
  }

  /** The sum of a column over a bar's days; null where none of them was told. */
  function sumOver(days, bar, key, name) {
    return bar.days.reduce(function (sum, day) {
      var told = days[day] && days[day][key] ? days[day][key][name] : null;
      return told === null || told === undefined ? sum : (sum || 0) + told;
    }, null);
  }

  counts.sumOver = sumOver;
  P.alongTooltip = alongTooltip;
  P.heights.reactions = reactionsHeight;
  P.heights.phrases = phrasesHeight;
  P.heights.discussion = function () { return DISCUSSION; };
  Object.assign(globalThis.DailiesCharts, {
    reactions: reactions, phrases: phrases, discussion: discussion,
  });
})();
