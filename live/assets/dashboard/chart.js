// A small line chart of the last minutes: lines that differ in dash as well as colour, axes with units, and values at
// the pointer, or at the arrow keys' cursor, in the legend, where they cover nothing.

import { element, write } from './page.js';
import { SECONDS } from './series.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 132;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 8, 8, 20];
const MINUTE = 60;
/** Below this width, in pixels, there is a label for every other minute. */
const NARROW = 440;

function svg(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The next of 1, 2, 5, 10, 20 … */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

/** Without zeros at the end of a fraction. */
function short(text) {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

export class Chart {
  /** `lines`: `{name, of}`, the name in the legend and the point's value; `form` writes a value; `least` is the least top. */
  constructor(title, hint, lines, form, least) {
    Object.assign(this, { lines, form, least, points: [], cursor: null, width: 0 });
    this.when = element('span', { className: 'quiet when' });
    this.values = lines.map(() => element('b'));
    const legend = lines.map((line, at) => {
      const key = svg('svg', { width: 22, height: 10, 'aria-hidden': 'true' });
      key.append(svg('path', { d: 'M1 5H21', class: `line line-${at}` }));
      return element('span', { className: 'legend' }, key, `${line.name} `, this.values[at]);
    });
    this.drawing = svg('svg', { height: HEIGHT, 'aria-hidden': 'true' });
    this.grid = this.drawing.appendChild(svg('g', { class: 'grid' }));
    this.paths = lines.map((_, at) => this.drawing.appendChild(svg('path', { class: `line line-${at}` })));
    this.mark = this.drawing.appendChild(svg('path', { class: 'mark' }));
    this.plot = element('div', { className: 'plot', tabIndex: 0, role: 'group', 'aria-label': `${title}, last 5 minutes; arrow keys move to a second` });
    this.plot.append(this.drawing);
    const caption = element('figcaption', {}, element('h3', { title: hint }, title), this.when, element('div', { className: 'legends' }, ...legend));
    this.figure = element('figure', {}, caption, this.plot);
    this.#listen();
  }

  #listen() {
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry.contentRect.width);
      this.drawing.setAttribute('width', this.width);
      this.draw(this.points);
    }).observe(this.plot);
    const move = (cursor) => {
      this.cursor = cursor === null ? null : Math.min(SECONDS - 1, Math.max(0, cursor));
      this.#tell();
    };
    this.plot.addEventListener('pointermove', (event) => {
      const inside = event.clientX - this.drawing.getBoundingClientRect().left - LEFT;
      move(Math.round((inside / this.#inner()) * (SECONDS - 1)));
    });
    this.plot.addEventListener('pointerleave', () => move(null));
    this.plot.addEventListener('blur', () => move(null));
    this.plot.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
      if (event.key === 'Escape') move(null);
      if (!step) return;
      event.preventDefault();
      move((this.cursor ?? SECONDS - 1) + step);
    });
  }

  #inner() {
    return Math.max(1, this.width - LEFT - RIGHT);
  }

  #x(at) {
    return LEFT + (at / (SECONDS - 1)) * this.#inner();
  }

  draw(points) {
    this.points = points;
    if (!this.width) return;
    const values = points.flatMap((point) => (point ? this.lines.map((line) => line.of(point) ?? 0) : []));
    const top = ceiling(Math.max(this.least, ...values));
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    this.#axes(top, y);
    const first = SECONDS - points.length;
    this.lines.forEach((line, which) => {
      let path = '';
      let pen = 'M';
      points.forEach((point, at) => {
        const value = point ? line.of(point) : null;
        if (value === null || value === undefined) {
          pen = 'M';
          return;
        }
        path += `${pen}${this.#x(first + at).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = 'L';
      });
      this.paths[which].setAttribute('d', path);
    });
    this.#tell();
  }

  #axes(top, y) {
    const signature = `${this.width} ${top}`;
    if (this.grid.dataset.drawn === signature) return;
    this.grid.dataset.drawn = signature;
    const parts = [];
    const label = (x, at, anchor, text) => {
      const made = svg('text', { x, y: at, 'text-anchor': anchor });
      made.textContent = text;
      parts.push(made);
    };
    for (const value of [0, top / 2, top]) {
      parts.push(svg('path', { d: `M${LEFT} ${y(value)}H${this.width - RIGHT}` }));
      label(LEFT - 6, y(value) + 4, 'end', value === 0 ? '0' : short(this.form(value)));
    }
    const step = this.width < NARROW ? 2 * MINUTE : MINUTE;
    for (let back = 0; back <= SECONDS; back += step) {
      const anchor = back === 0 ? 'end' : back === SECONDS ? 'start' : 'middle';
      label(this.#x(SECONDS - 1 - Math.min(back, SECONDS - 1)), HEIGHT - 4, anchor, back === 0 ? 'now' : `−${back / MINUTE} min`);
    }
    this.grid.replaceChildren(...parts);
  }

  /** The values at the cursor, or the last. */
  #tell() {
    const first = SECONDS - this.points.length;
    const at = this.cursor ?? SECONDS - 1;
    const point = this.points[at - first];
    this.lines.forEach((line, which) => {
      const value = point ? line.of(point) : null;
      write(this.values[which], value === null || value === undefined ? '–' : this.form(value));
    });
    const back = SECONDS - 1 - at;
    write(this.when, this.cursor === null ? 'now' : `${back} s ago`);
    this.mark.setAttribute('d', this.cursor === null ? '' : `M${this.#x(at)} ${TOP}V${HEIGHT - BOTTOM}`);
  }
}
