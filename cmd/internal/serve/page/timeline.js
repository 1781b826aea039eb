// The history as a line of time: a bar for each tenure, and a red one for each gap.

import { attr, cut, h, s, visible } from './dom.js';
import { date, every, hour, wall } from './time.js';
import { at, colours } from './tenures.js';
import { describe, Inspector, Legend } from './inspector.js';

const HEIGHT = 64;
const LANE = { top: 14, height: 30 };
const THIN = 2; // pixels. Thinner parts are merged
const WINDOWS = [['15 min', 900], ['1 h', 3600], ['6 h', 21600], ['24 h', 86400], ['All', Infinity]];
const STEPS = [0.1, 1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000];
const SHORTEST = 1000; // milliseconds on the screen, at least

/** Timeline shows the parts that tenuresOf returns. */
export class Timeline {
  constructor() {
    this.parts = [];
    this.width = 0;
    this.hovered = null; // an item that was drawn
    this.selected = -1; // an index of parts
    this.svg = s('svg', { class: 'line', height: HEIGHT, 'aria-hidden': 'true' });
    this.frame = h('div', {
      class: 'line-frame', id: 'timeline', tabindex: 0, role: 'slider', 'aria-label': 'Tenures and gaps, by time', 'aria-orientation': 'horizontal',
      'aria-describedby': 'timeline-keys', 'aria-valuemin': 0, 'aria-valuemax': 0, 'aria-valuenow': 0, 'aria-valuetext': 'empty',
      keydown: (event) => this.key(event),
      pointermove: (event) => this.hover(event), pointerdown: (event) => this.press(event),
      pointerleave: () => { this.hovered = null; this.draw(); },
      focus: () => { if (this.selected < 0) this.select(this.parts.length - 1); },
    }, this.svg);
    this.frame.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    this.buttons = WINDOWS.map(([text, seconds]) => h('button', { type: 'button', 'aria-pressed': 'false', click: () => this.pick(seconds) }, text));
    this.inspector = new Inspector();
    this.legend = new Legend();
    this.node = h('div', { class: 'timeline' },
      h('div', { class: 'windows', role: 'group', 'aria-label': 'Time that is shown' }, ...this.buttons),
      this.frame, this.inspector.node, this.legend.node,
      h('p', { class: 'hint', id: 'timeline-keys' }, 'Arrow keys go from one tenure to the next. ', h('kbd', {}, '+'), ' and ', h('kbd', {}, '−'), ' zoom.'));
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry.contentRect.width);
      this.draw();
    }).observe(this.frame);
    this.drawn = 0;
    every(() => { if (this.follows && wall() - this.drawn > Math.max(500, (this.end - this.begin) / this.width / 2)) this.draw(); });
  }

  /** update shows other parts. current is the term that goes on, or null. */
  update(parts, current) {
    const chosen = this.parts[this.selected];
    this.parts = parts;
    this.current = current;
    this.colours = colours(parts.flatMap((p) => (p.id === undefined ? [] : [p.id])));
    this.selected = chosen ? parts.findLastIndex((p) => p.term === chosen.term && p.kind === chosen.kind) : -1;
    if (this.span === undefined && parts.length > 0) this.pick(this.fitting());
    else this.draw();
  }

  /** fitting is the shortest window that shows the last changes. */
  fitting() {
    const some = this.parts.at(-Math.min(4, this.parts.length));
    return WINDOWS.find(([, seconds]) => seconds * 900 > wall() - some.from)[1];
  }

  /** pick shows the last seconds up to now. */
  pick(seconds) {
    this.span = seconds;
    this.follows = true;
    this.buttons.forEach((b, i) => attr(b, 'aria-pressed', String(WINDOWS[i][1] === seconds)));
    this.draw();
  }

  /** zoom changes the length of the window, and keeps a time in its place. */
  zoom(factor, around) {
    const longest = wall() - (this.parts[0]?.from ?? wall() - 60_000);
    const length = Math.min(Math.max((this.end - this.begin) * factor, SHORTEST), longest * 1.05);
    const part = (around - this.begin) / (this.end - this.begin);
    this.move(around - length * part, length);
  }

  /** move shows a window that the buttons do not name. */
  move(begin, length) {
    const last = wall();
    this.begin = Math.min(begin, last - length);
    this.end = this.begin + length;
    this.span = length / 1000;
    this.follows = this.end >= last - length * 0.001;
    for (const b of this.buttons) attr(b, 'aria-pressed', 'false');
    this.draw();
  }

  x(ms) {
    return (Math.min(Math.max(ms, this.begin), this.end) - this.begin) / (this.end - this.begin) * this.width;
  }

  draw() {
    if (this.width === 0 || this.span === undefined) return;
    this.drawn = wall();
    if (this.follows) {
      this.end = this.drawn;
      const first = this.parts[0]?.from ?? this.end - 60_000;
      this.begin = this.end - (this.span === Infinity ? Math.max(this.end - first, SHORTEST) : this.span * 1000);
    }
    this.items = this.merge();
    const marked = this.hovered ?? this.selectedItem();
    attr(this.svg, 'viewBox', `0 0 ${this.width} ${HEIGHT}`);
    attr(this.svg, 'width', this.width);
    this.svg.replaceChildren(...this.axis(), ...this.items.map((item) => this.bar(item, marked)), ...this.marks());
    const part = this.hovered ? null : this.parts[this.selected];
    this.inspector.show(part ? { parts: [part], first: this.selected } : marked ?? this.lastItem(), this);
    this.legend.show(this);
    const spoken = this.parts[this.selected] ?? this.parts.at(-1);
    attr(this.frame, 'aria-valuemax', Math.max(0, this.parts.length - 1));
    attr(this.frame, 'aria-valuenow', this.selected < 0 ? Math.max(0, this.parts.length - 1) : this.selected);
    attr(this.frame, 'aria-valuetext', spoken ? describe(spoken, this.current) : 'no tenure yet');
  }

  /** merge returns what is drawn: single parts, and runs of parts that are too thin. */
  merge() {
    const items = [];
    let run = null;
    const flush = () => { if (run) items.push(run); run = null; };
    for (let i = Math.max(0, at(this.parts, this.begin)); i < this.parts.length; i++) {
      const p = this.parts[i];
      if (p.from > this.end) break;
      const from = this.x(p.from);
      const to = this.x(p.to ?? Infinity);
      if (to <= 0 && p.to !== null && p.to < this.begin) continue;
      if (to - from >= THIN) {
        flush();
        items.push({ parts: [p], first: i, from, to });
        continue;
      }
      if (run && to - run.from > THIN * 1.5) flush();
      run ??= { parts: [], first: i, from, to };
      run.parts.push(p);
      run.to = to;
    }
    flush();
    return items;
  }

  bar(item, marked) {
    const [p] = item.parts;
    const gap = item.parts.some((one) => one.kind === 'gap');
    const same = item.parts.every((one) => one.kind === 'gap' || one.id === p.id);
    const kind = gap ? 'gap' : same ? `c${this.colours.get(p.id)}` : 'many';
    const width = Math.max(item.to - item.from - (item.to - item.from > 4 ? 1 : 0), 1.5);
    const rect = s('rect', { class: `bar ${kind}${item === marked ? ' marked' : ''}`, x: item.from.toFixed(2), y: LANE.top, width: width.toFixed(2), height: LANE.height, rx: width > 6 ? 4 : 0 });
    if (item.parts.length > 1 || width < 40) return rect;
    const text = cut(p.kind === 'gap' ? 'no leader' : visible(p.id), Math.floor((width - 14) / 7));
    return s('g', {}, rect, s('svg', { x: item.from, y: LANE.top, width, height: LANE.height },
      s('text', { class: `bar-text ${p.kind === 'gap' ? 'on-gap' : ''}`, x: 9, y: LANE.height / 2, 'dominant-baseline': 'central' }, text)));
  }

  /** marks shows duplicate ids as diamonds above the bars. */
  marks() {
    const at = new Set(this.parts.flatMap((p) => p.duplicates).map((d) => Date.parse(d.time)).filter((ms) => ms >= this.begin && ms <= this.end).map((ms) => Math.round(this.x(ms))));
    return [...at].map((x) => s('path', { class: 'duplicate', d: `M${x} 1l5 5-5 5-5-5z` }));
  }

  axis() {
    const length = this.end - this.begin;
    const step = 1000 * (STEPS.find((seconds) => seconds * 1000 / length * this.width > 92) ?? STEPS.at(-1));
    const out = [s('rect', { class: 'lane', x: 0, y: LANE.top, width: this.width, height: LANE.height, rx: 4 })];
    for (let ms = Math.ceil(this.begin / step) * step; ms <= this.end; ms += step) {
      const x = this.x(ms);
      const midnight = ms % 86_400_000 === 0;
      const text = step >= 86_400_000 || midnight ? date(ms) : hour(ms, step < 60_000);
      out.push(s('path', { class: 'tick', d: `M${x.toFixed(1)} ${LANE.top + LANE.height}v5` }));
      const anchor = x < 24 ? 'start' : x > this.width - 24 ? 'end' : 'middle';
      out.push(s('text', { class: 'tick-text', x: x.toFixed(1), y: HEIGHT - 4, 'text-anchor': anchor }, text));
    }
    return out;
  }

  selectedItem() {
    return this.items.find((item) => this.selected >= item.first && this.selected < item.first + item.parts.length) ?? null;
  }

  lastItem() {
    const part = this.parts.at(-1);
    return part ? { parts: [part], first: this.parts.length - 1 } : null;
  }

  /** under returns the item at a pointer. A thin gap is easier to hit than it looks. */
  under(event) {
    const x = event.clientX - this.frame.getBoundingClientRect().left;
    const near = this.items.filter((item) => x >= item.from - 4 && x <= item.to + 4);
    return near.find((item) => item.to - item.from < 8 && item.parts.some((p) => p.kind === 'gap')) ?? near.find((item) => x >= item.from && x <= item.to) ?? null;
  }

  hover(event) {
    if (!this.items || event.pointerType === 'touch') return;
    const item = this.under(event);
    if (item?.first === this.hovered?.first && item?.parts.length === this.hovered?.parts.length) return;
    this.hovered = item;
    this.draw();
    this.hovered &&= this.items.find((one) => one.first === item.first) ?? null;
  }

  press(event) {
    const item = this.items && this.under(event);
    if (item) this.select(item.first + item.parts.length - 1);
  }

  /** select chooses a part and brings it onto the screen. */
  select(index) {
    if (this.parts.length === 0) return;
    this.hovered = null;
    this.selected = Math.min(Math.max(index, 0), this.parts.length - 1);
    const p = this.parts[this.selected];
    const length = this.end - this.begin;
    if ((p.to ?? Infinity) <= this.begin || p.from >= this.end) this.move(p.from - length / 3, length);
    else this.draw();
  }

  key(event) {
    const here = this.selected < 0 ? this.parts.length - 1 : this.selected;
    const moves = { ArrowLeft: here - 1, ArrowDown: here - 1, ArrowRight: here + 1, ArrowUp: here + 1, Home: 0, End: this.parts.length - 1, PageUp: here + 10, PageDown: here - 10 };
    if (event.ctrlKey || event.metaKey || event.altKey || this.parts.length === 0) return;
    if (Object.hasOwn(moves, event.key)) this.select(moves[event.key]);
    else if ('+=-_'.includes(event.key)) this.zoom('+='.includes(event.key) ? 0.5 : 2, Math.min(Math.max(this.parts[here].from, this.begin), this.end));
    else return;
    event.preventDefault();
  }

  wheel(event) {
    if (!event.ctrlKey || this.parts.length === 0) return;
    event.preventDefault();
    const part = (event.clientX - this.frame.getBoundingClientRect().left) / this.width;
    this.zoom(Math.exp(event.deltaY * 0.01), this.begin + part * (this.end - this.begin));
  }
}
