// Draws the charts of a page as SVG from the data beside them. Drag zooms, a double click resets, the legend hides series; the same by
// keyboard: arrows read, + and - zoom, Escape resets. Sizes are in CSS pixels: a chart is drawn anew when its width changes.

const DASHES = ["", "8 4", "2 3", "10 3 2 3"];
const HIT = 40;
// Width of a chart on paper, where two stand side by side.
const PRINTED = 440;

const put = (parent, name, attributes = {}, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};
const add = (parent, name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};
const line = (index) => `var(--line-${index})`;
const ofSaid = (said) => (said === "better" ? line(0) : said === "worse" ? line(1) : "var(--rest)");

const extent = (values, log) => {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || value === undefined || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : log ? [1, 10] : [0, 1];
};
// The last place whose x is not beyond `x`.
const place = (xs, x) => {
  let [low, high] = [0, xs.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (xs[middle] <= x) low = middle; else high = middle - 1;
  }
  return low;
};
const nearest = (series, x) => {
  const at = place(series.x, x);
  return !series.steps && at + 1 < series.x.length && series.x[at + 1] - x < x - series.x[at] ? at + 1 : at;
};

const mark = (parent, x, y, look, size, colour) => {
  const fill = colour ?? line(look.colour);
  const forms = [
    () => put(parent, "circle", { cx: x, cy: y, r: size, fill }),
    () => put(parent, "rect", { x: x - size, y: y - size, width: 2 * size, height: 2 * size, fill }),
    () => put(parent, "path", { d: `M${x} ${y - size * 1.2}L${x + size * 1.2} ${y + size}H${x - size * 1.2}Z`, fill }),
    () => put(parent, "path", { d: `M${x} ${y - size * 1.4}L${x + size * 1.4} ${y}L${x} ${y + size * 1.4}L${x - size * 1.4} ${y}Z`, fill }),
  ];
  return forms[look.dash % 4]();
};
const sign = (parent, series, form) => {
  const svg = put(parent, "svg", { width: 24, height: 12, "aria-hidden": "true" });
  if (form === "box") put(svg, "rect", { x: 4, y: 1, width: 16, height: 10, rx: 2, fill: series.fill ?? line(series.colour) });
  else if (form === "dot") mark(svg, 12, 6, series, 4.5, series.fill);
  else put(svg, "path", { d: "M0 6H24", fill: "none", stroke: line(series.colour), "stroke-width": 2.5, "stroke-dasharray": DASHES[series.dash] });
};

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.data = JSON.parse(figure.querySelector("script").textContent);
    this.kind = this.data.kind;
    this.box = figure.querySelector(".plot");
    this.view = null;
    this.hidden = new Set();
    this.clip = figure.getAttribute("aria-labelledby") + "-clip";
    if (this.kind === "stacked") this.data.series.forEach((series) => { series.x = this.data.at; });
    this.legend();
    this.svg = put(this.box, "svg", { role: "img", tabindex: 0, "aria-label": this.spoken() });
    this.tip = add(this.box, "div", "tip");
    this.tip.setAttribute("role", "status");
    this.tip.hidden = true;
    this.resetter = add(this.box, "button", "reset", "Reset zoom");
    this.resetter.type = "button";
    this.resetter.hidden = true;
    this.resetter.onclick = () => this.zoom(null);
    this.listen();
    new ResizeObserver(() => this.resize(this.box.clientWidth)).observe(this.box);
  }
  resize(pixels) {
    const width = Math.round(pixels);
    if (!width || width === this.width) return;
    this.width = width;
    this.draw();
  }
  spoken() {
    const names = this.data.series?.map((series) => series.name) ?? this.data.rows?.map((row) => row.name ?? row) ?? this.data.dots.map((dot) => dot.name);
    return `${this.data.title}. ${names.slice(0, 20).join(", ")}. Arrow keys read values, plus and minus zoom, Escape resets.`;
  }
  legend() {
    const legend = document.createElement("div");
    legend.className = "legend";
    const form = this.kind === "stacked" || this.kind === "bars" ? "box" : "line";
    const series = this.data.series ?? [];
    series.forEach((one, index) => {
      if (series.length === 1 && !one.name) return;
      const button = add(legend, "button", "");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      sign(button, one, form);
      add(button, "span", "", one.name);
      button.onclick = () => {
        if (!this.hidden.delete(index)) this.hidden.add(index);
        button.setAttribute("aria-pressed", String(!this.hidden.has(index)));
        this.draw();
      };
    });
    for (const one of this.data.marks ?? []) {
      const key = add(legend, "span", "key");
      sign(key, { ...one, dash: one.dash || 1 }, "line");
      add(key, "span", "", `${one.name} ${told(one.on_x ? this.data.x : this.data.y, one.at)}`);
    }
    const said = this.kind === "intervals" ? new Set(this.data.rows.map((row) => row.said)) : [];
    for (const word of ["better", "worse", "no evidence of a difference"]) {
      if (!said.has?.(word)) continue;
      const key = add(legend, "span", "key");
      sign(key, { fill: ofSaid(word), dash: 1 }, "dot");
      add(key, "span", "", word);
    }
    if (this.kind === "heat") {
      const key = add(legend, "span", "key");
      add(key, "span", "", told(this.data.y, 0));
      add(key, "span", "ramp");
      add(key, "span", "", told(this.data.y, this.data.most));
    }
    if (legend.children.length) this.box.before(legend);
  }
  shown() { return (this.data.series ?? []).filter((_, index) => !this.hidden.has(index)); }
  zoom(view) {
    this.view = view;
    this.resetter.hidden = !view;
    this.read(null);
    this.draw();
  }

  draw() {
    this.svg.replaceChildren();
    this.items = [];
    this.chosen = undefined;
    const rows = this.kind === "bars" || this.kind === "intervals" || this.kind === "heat";
    if (rows) this.layRows(); else this.layPlane();
    const { left, top, right, bottom } = this.area;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const clip = put(put(this.svg, "clipPath", { id: this.clip }), "rect", { x: left, y: top - 1, width: Math.max(0, right - left), height: bottom - top + 2 });
    clip.setAttribute("data-of", this.kind);
    this.grid();
    this.ground = put(this.svg, "g", { "clip-path": `url(#${this.clip})` });
    put(this.svg, "path", { class: "frame", d: `M${left} ${top}V${bottom}H${right}` });
    this.above = put(this.svg, "g");
    this[this.kind]();
    this.cursor = put(this.svg, "g", { "pointer-events": "none" });
    if (!this.items.length && !this.sweeps()) this.say("nothing to show");
    if (this.sweeps() && !this.shown().some((series) => series.x.length)) this.say("nothing to show");
  }
  say(text) {
    const { left, top, right, bottom } = this.area;
    put(this.above, "text", { class: "soft", x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" }, text);
  }
  sweeps() { return this.kind === "lines" || this.kind === "stacked"; }

  // Both axes carry values.
  layPlane() {
    const { x, y } = this.data;
    this.height = this.width < 520 ? 270 : 310;
    const top = 26, bottom = this.height - 40;
    const points = this.points();
    const marks = this.data.marks ?? [];
    let across = extent(points.map((point) => point[0]).concat(marks.filter((one) => one.on_x).map((one) => one.at)), x.log);
    if (this.kind === "scatter" && !x.log) across = [across[0] - (across[1] - across[0]) * 0.06, across[1] + (across[1] - across[0]) * 0.06];
    if (this.view) across = [this.view[0], this.view[1]];
    const within = this.view ? points.filter((point) => point[0] >= across[0] && point[0] <= across[1]) : points;
    let up = extent((within.length ? within : points).map((point) => point[1]).concat(marks.filter((one) => !one.on_x).map((one) => one.at)), y.log);
    if (y.zero && !y.log) up = [Math.min(0, up[0]), Math.max(0, up[1])];
    if (this.kind === "scatter" && !y.log) up = [up[0] - (up[1] - up[0]) * 0.08, up[1] + (up[1] - up[0]) * 0.08];
    if (this.view?.length === 4) up = [this.view[2], this.view[3]];
    this.y = new Scale(y, up[0], up[1], bottom, top, 5, !y.log && this.view?.length !== 4);
    const widest = Math.max(...this.y.ticks.map((tick) => tick.text.length), 1);
    this.area = { left: Math.round(widest * 7 + 10), top, right: this.width - 10, bottom };
    const whole = x.number && points.every((point) => Number.isInteger(point[0]));
    this.x = new Scale({ ...x, whole }, across[0], across[1], this.area.left, this.area.right, Math.max(2, Math.floor((this.area.right - this.area.left) / 75)), false);
  }
  points() {
    if (this.kind === "scatter") return this.data.dots.map((dot) => [dot.x, dot.y]);
    if (this.kind === "stacked") {
      const layers = this.shown();
      return this.data.at.map((x, index) => [x, layers.reduce((sum, layer) => sum + layer.y[index], 0)]).concat(this.data.at.map((x) => [x, 0]));
    }
    const points = [];
    for (const series of this.shown()) {
      series.x.forEach((x, index) => {
        points.push([x, series.y[index]]);
        if (series.low) points.push([x, series.low[index]], [x, series.high[index]]);
      });
    }
    return points;
  }

  // Rows from top to bottom, values to the right.
  layRows() {
    const { rows, x, y } = this.data;
    const above = this.kind !== "heat" && this.width < 560;
    const names = rows.map((row) => row.name ?? row);
    const longest = Math.max(0, ...names.map((name) => name.length)) * 6.9 + 16;
    const left = above ? 10 : Math.min(longest, this.width * (this.kind === "heat" ? 0.3 : 0.36));
    const bars = Math.max(1, this.shown().length);
    this.row = this.kind === "heat" ? Math.max(8, Math.min(22, 600 / rows.length)) : (this.kind === "bars" ? bars * 16 + 8 : 26) + (above ? 18 : 0);
    const top = this.kind === "heat" ? 8 : 10;
    const bottom = top + Math.max(1, rows.length) * this.row;
    this.height = bottom + 42;
    this.area = { left: Math.round(left), top, right: this.width - (this.kind === "bars" ? 74 : 12), bottom };
    let span;
    if (this.kind === "heat") span = [this.data.from, this.data.to];
    else {
      const values = this.kind === "bars" ? this.shown().flatMap((series) => [...series.values, ...(series.low ?? []), ...(series.high ?? [])]) : rows.flatMap((row) => row.value ?? []);
      span = extent(values.concat(y.log ? [] : [0]), y.log);
      if (y.log) span[0] = Math.min(span[0], span[1] / 10) * 0.8;
    }
    if (this.view) span = [this.view[0], this.view[1]];
    const wanted = Math.max(2, Math.floor((this.area.right - this.area.left) / 80));
    this.x = new Scale(this.kind === "heat" ? x : y, span[0], span[1], this.area.left, this.area.right, wanted, !this.view && this.kind !== "heat" && !y.log);
    this.y = null;
    this.namesAbove = above;
  }
  names() {
    const { left, top } = this.area;
    const every = Math.ceil(13 / this.row);
    this.data.rows.forEach((row, index) => {
      if (index % every) return;
      const name = row.name ?? row;
      const most = Math.floor((this.namesAbove ? this.area.right - left : left - 12) / 6.9);
      const cut = name.length > most ? name.slice(0, Math.max(1, most - 1)) + "…" : name;
      const at = this.namesAbove ? { x: left, y: top + index * this.row + 15 } : { x: left - 8, y: top + (index + 0.5) * this.row + 4, "text-anchor": "end" };
      put(put(this.above, "text", at, cut), "title", {}, name);
    });
  }
  middle(index) { return this.area.top + (index + 0.5) * this.row + (this.namesAbove ? 9 : 0); }

  grid() {
    const { left, top, right, bottom } = this.area;
    for (const tick of this.y?.ticks ?? []) {
      const y = Math.round(this.y.at(tick.at)) + 0.5;
      if (y < top - 1 || y > bottom + 1) continue;
      put(this.svg, "path", { class: "grid", d: `M${left} ${y}H${right}` });
      put(this.svg, "text", { class: "soft", x: left - 6, y: y + 4, "text-anchor": "end" }, tick.text);
    }
    let free = -Infinity;
    for (const tick of this.x.ticks) {
      const x = Math.round(this.x.at(tick.at)) + 0.5;
      if (x < left - 1 || x > right + 1) continue;
      put(this.svg, "path", { class: "grid", d: `M${x} ${top}V${bottom}` });
      const half = tick.text.length * 3.4;
      const at = Math.min(Math.max(x, half), this.width - half);
      if (at - half < free) continue;
      put(this.svg, "text", { class: "soft", x: at, y: bottom + 17, "text-anchor": "middle" }, tick.text);
      free = at + half + 8;
    }
    const label = (axis, word) => (axis.label && word ? `${axis.label} [${word}]` : axis.label || word);
    const below = put(this.svg, "text", { class: "label", x: (left + right) / 2, y: bottom + 35, "text-anchor": "middle" }, label(this.x.axis, this.x.word));
    if (below.textContent.length * 6.2 > this.width) below.setAttribute("textLength", this.width - 16);
    if (this.y) put(this.svg, "text", { class: "label", x: 2, y: 13 }, label(this.y.axis, this.y.word));
  }

  lines() {
    for (const one of this.data.marks) {
      const { left, top, right, bottom } = this.area;
      const d = one.on_x ? `M${this.x.at(one.at)} ${top}V${bottom}` : `M${left} ${this.y.at(one.at)}H${right}`;
      put(this.ground, "path", { d, fill: "none", stroke: line(one.colour), "stroke-width": 1.5, "stroke-dasharray": DASHES[one.dash || 1] });
    }
    for (const series of this.shown()) {
      if (series.low) put(this.ground, "path", { d: this.path(series, series.high) + this.path(series, series.low, true) + "Z", fill: line(series.colour), "fill-opacity": 0.2 });
    }
    for (const series of this.shown()) {
      const look = { fill: "none", stroke: line(series.colour), "stroke-width": 2, "stroke-dasharray": DASHES[series.dash], "stroke-linejoin": "round" };
      put(this.ground, "path", { d: this.path(series, series.y), ...look });
      if (series.x.length === 1) mark(this.ground, this.x.at(series.x[0]), this.y.at(series.y[0]), series, 4);
    }
  }
  path(series, heights, backwards) {
    let d = "", before = null;
    const order = series.x.map((_, index) => index);
    if (backwards) order.reverse();
    for (const index of order) {
      const height = heights[index];
      if (height === null || (this.y.axis.log && height <= 0) || (this.x.axis.log && series.x[index] <= 0)) continue;
      const x = this.x.at(series.x[index]).toFixed(1), y = this.y.at(height).toFixed(1);
      if (before === null) d += (backwards ? "L" : "M") + x + " " + y;
      else d += (series.steps ? (backwards ? "V" + y + "H" + x : "H" + x + "V" + y) : "L" + x + " " + y);
      before = y;
    }
    return d;
  }
  stacked() {
    const base = this.data.at.map(() => 0);
    for (const layer of this.shown()) {
      const low = base.slice();
      layer.y.forEach((height, index) => { base[index] += height; });
      const shape = { x: this.data.at };
      put(this.ground, "path", { d: this.path(shape, base.slice()) + this.path(shape, low, true) + "Z", fill: line(layer.colour), "fill-opacity": 0.75 - 0.2 * (layer.dash % 3), stroke: "var(--card)", "stroke-width": 0.7 });
    }
  }
  bars() {
    this.names();
    const zero = this.x.at(this.data.y.log ? this.x.from : 0);
    const shown = this.shown();
    this.data.rows.forEach((row, index) => {
      shown.forEach((series, nth) => {
        const value = series.values[index];
        if (value === null || value === undefined) return;
        const y = this.middle(index) + (nth - (shown.length - 1) / 2) * 16;
        const end = this.x.at(value);
        put(this.ground, "rect", { x: Math.min(zero, end), y: y - 6, width: Math.max(1, Math.abs(end - zero)), height: 12, fill: line(series.colour), "fill-opacity": series.low ? 0.75 : 1 });
        let free = end;
        const known = series.low && series.low[index] !== null;
        if (known) free = Math.max(end, this.whisker(series.low[index], series.high[index], y, "var(--ink)"));
        if (free <= this.area.right + 1) put(this.above, "text", { x: Math.max(free, zero) + 5, y: y + 4 }, told(this.data.y, value));
        const bounds = known ? ` (${told(this.data.y, series.low[index])} to ${told(this.data.y, series.high[index])})` : "";
        this.items.push({ x: end, y, title: row, rows: [[series.name, told(this.data.y, value) + bounds, series, "box"]] });
      });
    });
  }
  whisker(low, high, y, stroke) {
    const [from, to] = [this.x.at(low), this.x.at(high)];
    put(this.ground, "path", { d: `M${from} ${y}H${to}M${from} ${y - 5}v10M${to} ${y - 5}v10`, fill: "none", stroke, "stroke-width": 2 });
    return to;
  }
  intervals() {
    this.names();
    const { top, bottom } = this.area;
    const zero = this.x.at(0);
    put(this.ground, "path", { d: `M${zero} ${top}V${bottom}`, stroke: "var(--ink)", "stroke-width": 1 });
    this.data.rows.forEach((row, index) => {
      const y = this.middle(index);
      const colour = ofSaid(row.said);
      const value = row.value && row.value[0] !== null ? row.value : null;
      if (value) {
        if (value[1] !== null && value[2] !== null) this.whisker(value[1], value[2], y, colour);
        mark(this.ground, this.x.at(value[0]), y, { dash: 1 }, 4.5, colour);
      } else {
        const inside = zero + 90 < this.area.right;
        put(this.above, "text", { class: "soft halo", x: inside ? zero + 8 : zero - 8, y: y + 4, "text-anchor": inside ? "start" : "end" }, row.said === "baseline" ? "baseline" : "without bound");
      }
      const rows = value ? [[row.said, told(this.data.y, value[0]), { fill: colour, dash: 1 }, "dot"], ["from", told(this.data.y, value[1])], ["to", told(this.data.y, value[2])]] : [[row.said, ""]];
      this.items.push({ x: value ? this.x.at(value[0]) : zero, y, title: row.name, rows });
    });
  }
  scatter() {
    const dots = this.data.dots.map((dot) => ({ ...dot, px: this.x.at(dot.x), py: this.y.at(dot.y) }));
    const front = dots.filter((dot) => dot.front).sort((a, b) => a.x - b.x);
    put(this.ground, "path", { d: front.map((dot, index) => (index ? "L" : "M") + dot.px + " " + dot.py).join(""), fill: "none", stroke: "var(--quiet)", "stroke-width": 1.5, "stroke-dasharray": "5 4" });
    const taken = dots.map((dot) => ({ l: dot.px - 7, r: dot.px + 7, t: dot.py - 7, b: dot.py + 7 }));
    const { left, top, right, bottom } = this.area;
    // Those in front first: they keep their names where there is no room for all.
    for (const dot of dots.slice().sort((a, b) => b.front - a.front)) {
      if (dot.px < left || dot.px > right || dot.py < top || dot.py > bottom) continue;
      if (dot.front) put(this.ground, "circle", { cx: dot.px, cy: dot.py, r: 9, fill: "none", stroke: "var(--ink)", "stroke-width": 1.5 });
      mark(this.ground, dot.px, dot.py, dot, 5);
      const wide = dot.name.length * 6.6;
      const spots = [[dot.px + 14, dot.py, "start"], [dot.px - 14, dot.py, "end"], [dot.px, dot.py - 16, "middle"], [dot.px, dot.py + 18, "middle"]];
      for (const [x, y, anchor] of spots) {
        const start = anchor === "start" ? x : anchor === "end" ? x - wide : x - wide / 2;
        const room = { l: start, r: start + wide, t: y - 7, b: y + 7 };
        if (room.l < left || room.r > this.width || room.t < top || room.b > bottom) continue;
        if (taken.some((other) => room.l < other.r && other.l < room.r && room.t < other.b && other.t < room.b)) continue;
        taken.push(room);
        put(this.above, "text", { class: "halo", x, y: y + 4, "text-anchor": anchor, "font-weight": dot.front ? 600 : 400 }, dot.name);
        break;
      }
      this.items.push({ x: dot.px, y: dot.py, title: dot.name, rows: [[this.data.x.label, told(this.data.x, dot.x), dot, "dot"], [this.data.y.label, told(this.data.y, dot.y)]] });
    }
  }
  heat() {
    this.names();
    const { rows, cells, each, columns, from, to, most } = this.data;
    const edge = (column) => from + ((to - from) * Math.min(column * each, columns)) / columns;
    const pixel = (column) => Math.round(this.x.at(edge(column)));
    rows.forEach((name, index) => {
      const row = cells[index] ?? [];
      const y = this.area.top + index * this.row;
      for (let start = 0, end; start < row.length; start = end) {
        for (end = start + 1; end < row.length && row[end] === row[start];) end += 1;
        if (row[start]) put(this.ground, "rect", { x: pixel(start), y, width: pixel(end) - pixel(start), height: this.row - (this.row > 10 ? 1 : 0), fill: "var(--heat)", "fill-opacity": row[start] / 100, "shape-rendering": "crispEdges" });
      }
      row.forEach((cell, column) => {
        const x = (this.x.at(edge(column)) + this.x.at(edge(column + 1))) / 2;
        if (x < this.area.left || x > this.area.right) return;
        this.items.push({ x, y: y + this.row / 2, title: name, rows: [[`${told(this.data.x, edge(column))} to ${told(this.data.x, edge(column + 1))}`, told(this.data.y, (cell * most) / 100)]] });
      });
    });
  }

  // Shows what stands at a point, or nothing.
  read(point) {
    this.cursor?.replaceChildren();
    this.tip.hidden = true;
    this.point = point;
    if (!point) return;
    const { left, top, right, bottom } = this.area;
    let found = null;
    if (this.sweeps()) {
      const shown = this.shown().filter((series) => series.x.length);
      if (!shown.length) return;
      const x = this.x.back(Math.min(Math.max(point[0], left), right));
      found = { x: this.x.at(x), y: point[1], title: told(this.data.x, x), rows: [] };
      put(this.cursor, "path", { class: "cursor", d: `M${found.x} ${top}V${bottom}` });
      let base = 0;
      for (const series of shown) {
        const at = nearest(series, x);
        const known = series.low ? ` (${told(this.data.y, series.low[at])} to ${told(this.data.y, series.high[at])})` : "";
        found.rows.push([series.name, told(this.data.y, series.y[at]) + known, series, this.kind === "stacked" ? "box" : "line"]);
        if (this.kind === "stacked") base += series.y[at];
        const y = this.y.at(this.kind === "stacked" ? base : series.y[at]);
        const px = this.x.at(series.x[at]);
        if (series.y[at] !== null && y >= top - 1 && y <= bottom + 1 && px >= left - 1 && px <= right + 1) put(this.cursor, "circle", { cx: series.steps ? found.x : px, cy: y, r: 3.5, fill: line(series.colour), stroke: "var(--card)" });
      }
    } else {
      const far = (item) => (this.kind === "scatter" ? Math.hypot(item.x - point[0], item.y - point[1]) : Math.abs(item.y - point[1]) * 1e3 + Math.abs(item.x - point[0]));
      found = this.items.reduce((best, item) => (best === null || far(item) < far(best) ? item : best), null);
      if (!found || (this.kind === "scatter" && far(found) > HIT)) return;
      if (this.kind === "scatter") put(this.cursor, "circle", { cx: found.x, cy: found.y, r: 12, class: "cursor", fill: "none" });
    }
    this.tip.replaceChildren();
    add(this.tip, "b", "", found.title);
    for (const [name, value, look, form] of found.rows) {
      const row = add(this.tip, "span", "");
      if (look) sign(row, look, form);
      add(row, "span", "", name);
      add(row, "span", "", value);
    }
    this.tip.hidden = false;
    const scale = this.box.clientWidth / this.width;
    const [px, py] = [found.x * scale, found.y * scale];
    const wide = this.tip.offsetWidth;
    const x = px + 14 + wide <= this.box.clientWidth ? px + 14 : px - wide - 14;
    this.tip.style.left = `${Math.min(Math.max(0, x), Math.max(0, this.box.clientWidth - wide))}px`;
    this.tip.style.top = `${Math.max(0, Math.min(py - this.tip.offsetHeight - 12, this.box.clientHeight - this.tip.offsetHeight))}px`;
  }

  listen() {
    const at = (event) => {
      const box = this.svg.getBoundingClientRect();
      return [((event.clientX - box.left) * this.width) / box.width, ((event.clientY - box.top) * this.height) / box.height];
    };
    let from = null, drawn = null;
    const plane = () => this.kind === "scatter";
    const end = () => { drawn?.remove(); from = drawn = null; };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button === 0) { from = at(event); this.svg.setPointerCapture(event.pointerId); }
    });
    this.svg.addEventListener("pointermove", (event) => {
      const to = at(event);
      this.read(to);
      if (!from || Math.abs(to[0] - from[0]) < 6) return;
      const { left, top, right, bottom } = this.area;
      drawn ??= put(this.svg, "rect", { class: "chosen" });
      const [a, b] = [from[0], to[0]].map((x) => Math.min(Math.max(x, left), right)).sort((one, other) => one - other);
      const [c, d] = plane() ? [from[1], to[1]].map((y) => Math.min(Math.max(y, top), bottom)).sort((one, other) => one - other) : [top, bottom];
      for (const [key, value] of Object.entries({ x: a, y: c, width: b - a, height: d - c })) drawn.setAttribute(key, value);
      drawn.span = [a, b, c, d];
    });
    this.svg.addEventListener("pointerup", () => {
      const span = drawn?.span;
      end();
      if (!span || span[1] - span[0] < 8) return;
      const [a, b] = [this.x.back(span[0]), this.x.back(span[1])];
      this.zoom(plane() && span[3] - span[2] > 8 ? [a, b, this.y.back(span[3]), this.y.back(span[2])] : [a, b]);
    });
    this.svg.addEventListener("pointercancel", end);
    this.svg.addEventListener("pointerleave", () => { if (!from) this.read(null); });
    this.svg.addEventListener("dblclick", () => this.zoom(null));
    this.svg.addEventListener("blur", () => this.read(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }
  key(event) {
    const { left, top, right, bottom } = this.area;
    const point = this.point ?? [(left + right) / 2, (top + bottom) / 2];
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step && this.sweeps()) this.read([Math.min(Math.max(point[0] + (step[0] * (right - left)) / 50, left), right), point[1]]);
    else if (step) {
      const order = this.items.slice().sort(this.kind === "scatter" ? (a, b) => a.x - b.x : (a, b) => a.y - b.y || a.x - b.x);
      const rows = this.kind === "heat" && step[1] ? Math.max(1, this.items.length / this.data.rows.length) : 1;
      this.chosen = Math.min(Math.max((this.chosen ?? -1) + (step[0] + step[1]) * Math.round(rows), 0), order.length - 1);
      if (order.length) this.read([order[this.chosen].x, order[this.chosen].y]);
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const factor = event.key === "-" ? 2 : 0.5;
      const edges = [left, right].map((edge) => this.x.back(point[0] + (edge - point[0]) * factor));
      this.zoom(event.key === "-" && !this.view ? null : edges);
    } else if (event.key === "Escape") this.zoom(null);
    else return;
    event.preventDefault();
  }
}
