/* Where they are: the provinces as a grid of tiles, and as bars what is no province of its own
 * (merged areas, other territories). No map: a tile says where about, and its number how many.
 *
 * `view.names` has the names of territories by code.
 */
(function () {
  "use strict";

  var P = globalThis.DailiesCharts.parts;
  var plate = P.plate;
  var COLUMNS = 8, ROWS = 8, TOP = 24, BAR = 21, FOOT = 26, MOST_BARS = 10, LARGEST = 5;

  /** Code: column, row, Chinese and English name. */
  var TILES = {
    HL: [7, 0, "黑龙江", "Heilongjiang"], NM: [5, 1, "内蒙古", "Inner Mongolia"],
    JL: [7, 1, "吉林", "Jilin"], XJ: [0, 2, "新疆", "Xinjiang"], GS: [2, 2, "甘肃", "Gansu"],
    NX: [3, 2, "宁夏", "Ningxia"], SX: [4, 2, "山西", "Shanxi"], BJ: [5, 2, "北京", "Beijing"],
    TJ: [6, 2, "天津", "Tianjin"], LN: [7, 2, "辽宁", "Liaoning"], QH: [2, 3, "青海", "Qinghai"],
    SN: [3, 3, "陕西", "Shaanxi"], HA: [4, 3, "河南", "Henan"], HE: [5, 3, "河北", "Hebei"],
    SD: [6, 3, "山东", "Shandong"], XZ: [1, 4, "西藏", "Xizang"], SC: [2, 4, "四川", "Sichuan"],
    CQ: [3, 4, "重庆", "Chongqing"], HB: [4, 4, "湖北", "Hubei"], AH: [5, 4, "安徽", "Anhui"],
    JS: [6, 4, "江苏", "Jiangsu"], SH: [7, 4, "上海", "Shanghai"], YN: [2, 5, "云南", "Yunnan"],
    GZ: [3, 5, "贵州", "Guizhou"], HN: [4, 5, "湖南", "Hunan"], JX: [5, 5, "江西", "Jiangxi"],
    ZJ: [6, 5, "浙江", "Zhejiang"], GX: [3, 6, "广西", "Guangxi"],
    GD: [4, 6, "广东", "Guangdong"], FJ: [5, 6, "福建", "Fujian"], TW: [6, 6, "台湾", "Taiwan"],
    HI: [3, 7, "海南", "Hainan"], MO: [4, 7, "澳门", "Macao"], HK: [5, 7, "香港", "Hong Kong"],
  };
  var AREAS = {
    north: ["华北", "North China"], northeast: ["东北", "Northeast China"],
    east: ["华东", "East China"], central: ["华中", "Central China"],
    south: ["华南", "South China"], southwest: ["西南", "Southwest China"],
    northwest: ["西北", "Northwest China"],
  };
  var APART = { HK: true, MO: true, TW: true };

  var WORDS = {
    "zh-hans": {
      share: "颜色越深，占观看人数越多", merged: "与其他省份合计", absent: "无单独数字",
      largest: "人数最多的省份", rest: "合计与其他", restOf: "其他", unknown: "未知",
      everywhere: "全部", restAll: "其余地区", viewers: "观看人数", finished: "完播",
      more: function (n) { return "另外 " + n + " 个"; },
    },
    en: {
      share: "the darker, the more viewers", merged: "counted with others",
      absent: "no number of its own", largest: "Largest provinces", rest: "Merged and elsewhere",
      restOf: "others", unknown: "Unknown", everywhere: "All", restAll: "Other regions",
      viewers: "Viewers", finished: "finished",
      more: function (n) { return n + " more"; },
    },
  };

  function codeOf(region) {
    var code = region.indexOf("CN-") === 0 ? region.slice(3) : APART[region] ? region : "";
    return TILES[code] ? code : "";
  }

  function areaName(region, view, text) {
    var pieces = /^CN-([a-z]+)(-rest)?$/.exec(region);
    if (!pieces || !AREAS[pieces[1]]) return "";
    var name = AREAS[pieces[1]][P.isChinese(view) ? 0 : 1];
    if (!pieces[2]) return name;
    return P.isChinese(view) ? name + text.restOf : name + ", " + text.restOf;
  }

  /** A region as people call it: a province, an area, a territory, or the code itself. */
  function regionName(region, view) {
    var text = P.words(view, WORDS), code = codeOf(region || "");
    if (code) return TILES[code][P.isChinese(view) ? 2 : 3];
    if (region === "*") return text.everywhere;
    if (region === "rest") return text.restAll;
    if (region === "unknown") return text.unknown;
    return areaName(region || "", view, text) || P.place(region, view);
  }

  function found(data, view) {
    var resource = data.geography, part = P.slice(resource, view);
    var region = P.column(resource, "region"), viewers = P.column(resource, "viewers");
    var finishers = P.column(resource, "finishers");
    var reasons = P.column(resource, "hidden_reason");
    var cells = part.rows.map(function (i) {
      return {
        region: region[i], code: codeOf(region[i]), name: regionName(region[i], view),
        viewers: P.number(viewers[i]), finishers: P.number(finishers[i]), reason: reasons[i],
      };
    }).sort(function (a, b) {
      return (b.viewers || 0) - (a.viewers || 0) || (a.region < b.region ? -1 : 1);
    });
    var tiles = {};
    cells.forEach(function (cell) { if (cell.code) tiles[cell.code] = cell; });
    var mainland = cells.some(function (c) { return /^CN-/.test(c.region); });
    return { part: part, cells: cells, tiles: tiles, mainland: mainland };
  }

  /** The bars: the largest provinces by their whole names, then what is no tile. */
  function barsOf(all, text) {
    var largest = all.mainland
      ? all.cells.filter(function (c) { return c.code; }).slice(0, LARGEST) : [];
    var others = all.cells.filter(function (c) { return !c.code; });
    var shown = others.length > MOST_BARS ? others.slice(0, MOST_BARS - 1) : others;
    var left = others.slice(shown.length);
    if (left.length && left.every(function (c) { return c.viewers !== null; })) {
      shown = shown.concat([{
        region: "", name: text.more(left.length), finishers: null, reason: "",
        viewers: left.reduce(function (n, c) { return n + c.viewers; }, 0),
      }]);
    }
    return [
      { name: text.largest, cells: largest }, { name: all.mainland ? text.rest : "", cells: shown },
    ].filter(function (group) { return group.cells.length; });
  }

  function shapeOf(all, bars, view) {
    var width = view.width || 658, wide = width >= 520;
    var lines = bars.reduce(function (n, g) { return n + g.cells.length + (g.name ? 1 : 0); }, 0);
    var barsTall = lines * BAR + Math.max(0, bars.length - 1) * 8;
    if (!all.mainland) return { width: width, tile: 0, x: 0, y: TOP, height: TOP + barsTall + 4 };
    var grid = wide ? Math.min(400, width * 0.58) : width;
    var tile = Math.floor(grid / COLUMNS), tall = Math.min(tile, 44) * ROWS;
    var shape = { width: width, tile: tile, row: Math.min(tile, 44), x: 0, y: TOP };
    if (wide) {
      shape.x = tile * COLUMNS + 28;
      shape.height = TOP + Math.max(tall + FOOT, barsTall) + 2;
    } else {
      shape.y = TOP + tall + FOOT + 26; // the legend may take two lines
      shape.height = shape.y + barsTall + 4;
    }
    return shape;
  }

  function height(data, view) {
    var all = found(data, view);
    if (!all.cells.length) return 90;
    return shapeOf(all, barsOf(all, P.words(view, WORDS)), view).height;
  }

  function mix(from, to, t) {
    return "#" + [1, 3, 5].map(function (i) {
      var a = parseInt(from.substr(i, 2), 16), b = parseInt(to.substr(i, 2), 16);
      return ("0" + Math.round(a + (b - a) * t).toString(16)).slice(-2);
    }).join("");
  }

  function regions(data, view) {
    var colours = P.theme(view), text = P.words(view, WORDS), all = found(data, view);
    var known = all.cells.filter(function (c) { return c.viewers !== null; });
    if (!known.length) {
      var why = all.cells.length ? P.reason(all.cells[0].reason, "viewers", text)
        : P.whyEmpty(data.geography, text);
      return plate.nothing(why, view, colours);
    }
    var sum = known.reduce(function (n, c) { return n + c.viewers; }, 0);
    var bars = barsOf(all, text), shape = shapeOf(all, bars, view), head = P.heading(all.part, view);
    var items = [{ shapes: [plate.text(0, 8, head, view, { colour: colours.grey })] }];
    if (all.mainland) tiles(all, sum, shape, items, view, colours, text);
    barItems(bars, sum, shape, items, view, colours, text);
    return plate.option(items, head, view, colours);
  }

  function tiles(all, sum, shape, items, view, colours, text) {
    var most = P.top(Object.keys(all.tiles).map(function (code) {
      return all.tiles[code].viewers || 0;
    })) / sum;
    var strength = function (share) { return most > 0 ? Math.sqrt(share / most) : 0; };
    Object.keys(TILES).forEach(function (code) {
      var cell = all.tiles[code], tile = TILES[code];
      var x = tile[0] * shape.tile, y = TOP + tile[1] * shape.row;
      var name = P.isChinese(view) ? tile[2] : code, size = shape.tile < 40 ? 9 : 10;
      var middle = x + shape.tile / 2 - 1;
      if (!cell || cell.viewers === null) {
        items.push({
          shapes: [
            plate.hidden(x, y, shape.tile - 2, shape.row - 2, colours),
            plate.text(middle, y + shape.row / 2 - 1, name, view, {
              colour: colours.grey, align: "center", size: size,
            }),
          ],
          say: [tile[P.isChinese(view) ? 2 : 3], cell ? P.reason(cell.reason, "viewers", text)
            : APART[code] ? text.absent : text.merged],
        });
        return;
      }
      var share = cell.viewers / sum, t = strength(share);
      var ink = t > 0.45 ? colours.pinText : colours.ink;
      items.push({
        shapes: [
          plate.rect(x, y, shape.tile - 2, shape.row - 2, mix(colours.pale, colours.retention, t),
            { r: 2 }),
          plate.text(middle, y + shape.row / 2 - 8, name, view, {
            colour: ink, align: "center", size: size,
          }),
          plate.text(middle, y + shape.row / 2 + 6, P.percent(share), view, {
            colour: ink, align: "center", size: size, bold: true,
          }),
        ],
        say: says(cell, share, text),
      });
    });
    items[0].shapes = items[0].shapes.concat(plate.legend([
      { name: text.share, colour: colours.retention }, { name: text.merged, hidden: true },
    ], 0, TOP + shape.row * ROWS + 13, shape.tile * COLUMNS, view, colours).shapes);
  }

  function says(cell, share, text) {
    var lines = [cell.name, text.viewers + "  " + P.thousands(cell.viewers) + " · " +
      P.percent(share)];
    if (cell.finishers !== null && cell.viewers) {
      lines.push(text.finished + "  " + P.percent(cell.finishers / cell.viewers));
    }
    return lines;
  }

  function barItems(groups, sum, shape, items, view, colours, text) {
    var size = P.small(view), y = shape.y, wide = shape.width - shape.x, tail = 88;
    var names = Math.min(wide * 0.42, P.top(groups.map(function (group) {
      return P.top(group.cells.map(function (c) { return P.widthOf(c.name, size); }));
    })) + 10);
    var most = P.top(groups.map(function (group) {
      return P.top(group.cells.map(function (c) { return c.viewers || 0; }));
    }));
    groups.forEach(function (group, n) {
      if (n) y += 8;
      if (group.name) {
        items[0].shapes.push(plate.text(shape.x, y + BAR / 2 - 1, group.name, view, {
          colour: colours.ink, bold: true,
        }));
        y += BAR;
      }
      group.cells.forEach(function (cell) {
        var left = shape.x + names, middle = y + BAR / 2 - 1, share = cell.viewers / sum;
        var shapes = [plate.text(left - 8, middle, P.fitted(cell.name, size, names - 10), view, {
          colour: colours.ink, align: "right",
        })];
        if (cell.viewers === null) {
          var why = P.reason(cell.reason, "viewers", text);
          shapes.push(plate.hidden(left, y + 3, wide - names, BAR - 8, colours));
          shapes.push(plate.text(left + 6, middle, P.fitted(why, size, wide - names - 12), view, {
            colour: colours.grey,
          }));
          items.push({ shapes: shapes, say: [cell.name, why] });
        } else {
          var bar = most ? Math.max(10, wide - names - tail) * cell.viewers / most : 0;
          shapes.push(plate.rect(left, y + 3, Math.max(1, bar), BAR - 8, colours.retention, { r: 2 }));
          shapes.push(plate.text(left + bar + 6, middle,
            P.percent(share) + " · " + P.count(cell.viewers, view), view, { colour: colours.grey }));
          items.push({ shapes: shapes, say: says(cell, share, text) });
        }
        y += BAR;
      });
    });
  }

  P.regionName = regionName;
  P.heights.regions = height;
  Object.assign(globalThis.DailiesCharts, { regions: regions });
})();
