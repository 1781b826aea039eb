// The picture of a group over time: who led how many shards, which were free, and the moves.

import { attr, h, name, order, rename, s, set } from './dom.js';
import { date, every, hour, stamp, wall } from './time.js';
import { columnsOf, movesText, spansOf } from './series.js';
import { colours } from './tenures.js';
import { count } from './state.js';

const AREA = { top: 4, height: 150 };
const MOVES = { top: 164, height: 36 };
const HEIGHT = 222;
const COLUMN = 3; // pixels
const BANDS = 24; // members with a band of their own. The others share one
const WINDOWS = [['1 min', 60], ['5 min', 300], ['15 min', 900], ['1 h', 3600]];
const STEPS = [10, 15, 30, 60, 120, 300, 600, 900];

/** Loads shows what the stream tells of a group. */
export class Loads {
  constructor() {
    this.seconds = new Map();
    this.width = 0;
    this.chosen = null; // the column that is pointed at or chosen by keys, counted from the right
    this.svg = s('svg', { class: 'line', height: HEIGHT, 'aria-hidden': 'true' });
    this.frame = h('div', {
      class: 'line-frame', id: 'loads', tabindex: 0, role: 'slider', 'aria-label': 'Shards of each member, and moves, by time', 'aria-orientation': 'horizontal',
      'aria-valuemin': 0, 'aria-valuemax': 0, 'aria-valuenow': 0, 'aria-valuetext': 'empty', 'aria-describedby': 'loads-keys',
      keydown: (event) => this.key(event), blur: () => this.choose(null),
      pointermove: (event) => this.choose(this.under(event)), pointerdown: (event) => this.choose(this.under(event)), pointerleave: () => this.choose(null),
    }, this.svg);
    this.buttons = WINDOWS.map(([text, seconds]) => h('button', { type: 'button', 'aria-pressed': 'false', click: () => this.pick(seconds) }, text));
    this.when = h('strong', {});
    this.what = h('span', { class: 'inspector-what' });
    this.legend = h('ul', { class: 'legend', 'aria-label': 'Shards of each member' });
    this.rows = new Map();
    this.node = h('div', { class: 'timeline' },
      h('div', { class: 'windows', role: 'group', 'aria-label': 'Time that is shown' }, ...this.buttons), this.frame,
      h('p', { class: 'loads-at', id: 'loads-at' }, this.when, this.what), this.legend,
      h('p', { class: 'hint', id: 'loads-keys' }, 'Arrow keys go back and forth in time. The bars below are moves: red ones replace a member that died.'));
    this.drawn = 0;
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry.contentRect.width);
      this.draw();
    }).observe(this.frame);
    every(() => { if (wall() - this.drawn > Math.max(500, this.window * 1000 * COLUMN / this.width)) this.draw(); });
  }

  /** change takes an event of the stream. */
  change({ reset, set: changed, gone }) {
    if (reset) this.seconds.clear();
    for (const key of gone) this.seconds.delete(Number(key));
    for (const one of changed) this.seconds.set(one.second, one);
  }

  /** update takes the members and the status of now, and draws. */
  update(members, status) {
    this.members = members;
    this.status = status;
    if (this.window === undefined) this.pick(this.fitting());
    else this.draw();
  }

  /** fitting is the shortest window with the last moves. */
  fitting() {
    const last = Math.max(...this.seconds.keys(), 0);
    return (WINDOWS.find(([, seconds]) => wall() / 1000 - last < seconds * 0.9) ?? WINDOWS[1])[1];
  }

  /** pick shows the last seconds up to now. */
  pick(seconds) {
    this.window = seconds;
    this.chosen = null;
    this.buttons.forEach((b, i) => attr(b, 'aria-pressed', String(WINDOWS[i][1] === seconds)));
    this.draw();
  }

  draw() {
    if (this.width < COLUMN || !this.status || this.window === undefined) return;
    this.drawn = wall();
    const end = Math.ceil(wall() / 1000);
    const spans = spansOf([...this.seconds.values()], this.members.map((m) => [m.id, m.shards]), this.status.free_shards, end);
    this.columns = columnsOf(spans, end - this.window, end, Math.floor(this.width / COLUMN));
    this.bands = bandsOf(this.columns);
    const colour = colours(this.bands.filter((b) => b.id !== undefined).map((b) => b.id));
    for (const band of this.bands) band.class = band.class ?? `c${colour.get(band.id)}`;
    attr(this.svg, 'viewBox', `0 0 ${this.width} ${HEIGHT}`);
    attr(this.svg, 'width', this.width);
    this.svg.replaceChildren(...this.areas(), ...this.bars(), ...this.axis(end), ...this.cursor());
    this.tell();
  }

  /** areas stacks the bands. */
  areas() {
    const most = Math.max(1, ...this.columns.map(({ span }) => sum(span)));
    const y = (n) => (AREA.top + AREA.height - n / most * AREA.height).toFixed(1);
    const floors = this.columns.map(() => 0);
    return [s('rect', { class: 'lane', x: 0, y: AREA.top, width: this.width, height: AREA.height, rx: 4 }), ...this.bands.map((band) => {
      const low = floors.slice();
      this.columns.forEach((c, i) => { floors[i] += band.of(c.span); });
      return s('path', { class: `area ${band.class}`, d: outline(floors, low, this.width / this.columns.length, y) });
    })];
  }

  /** bars shows the moves. */
  bars() {
    const most = Math.max(1, ...this.columns.map((c) => c.total));
    const step = this.width / this.columns.length;
    const bar = (i, n, floor, kind) => s('rect', {
      class: kind, x: (i * step).toFixed(1), width: Math.max(1, step - 0.5).toFixed(1),
      y: (MOVES.top + MOVES.height - (floor + n) / most * MOVES.height).toFixed(1), height: Math.max(n / most * MOVES.height, 1.5).toFixed(1),
    });
    return this.columns.flatMap((c, i) => {
      const dead = c.moves.expiry ?? 0;
      return [dead > 0 ? bar(i, dead, 0, 'gap') : null, c.total > dead ? bar(i, c.total - dead, dead, 'moved') : null].filter(Boolean);
    });
  }

  axis(end) {
    const step = STEPS.find((seconds) => seconds / this.window * this.width > 92) ?? STEPS.at(-1);
    const out = [s('path', { class: 'tick', d: `M0 ${MOVES.top + MOVES.height + 0.5}H${this.width}` })];
    for (let at = Math.ceil((end - this.window) / step) * step; at <= end; at += step) {
      const x = (at - end + this.window) / this.window * this.width;
      const anchor = x < 30 ? 'start' : x > this.width - 30 ? 'end' : 'middle';
      out.push(s('text', { class: 'tick-text', x: x.toFixed(1), y: HEIGHT - 6, 'text-anchor': anchor }, at % 86_400 === 0 ? date(at * 1000) : hour(at * 1000, step < 60)));
    }
    return out;
  }

  cursor() {
    if (this.chosen === null) return [];
    const x = (this.columns.length - 0.5 - this.chosen) * this.width / this.columns.length;
    return [s('path', { class: 'cursor', d: `M${x.toFixed(1)} 0V${MOVES.top + MOVES.height}` })];
  }

  /** tell shows in words what is chosen, or the moves of the window and the loads of now. */
  tell() {
    const at = this.chosen === null ? this.columns.at(-1) : this.columns.at(-1 - this.chosen);
    const moves = {};
    for (const c of this.chosen === null ? this.columns : [at]) {
      for (const [reason, n] of Object.entries(c.moves)) moves[reason] = (moves[reason] ?? 0) + n;
    }
    set(this.when, this.chosen === null ? `Last ${WINDOWS.find(([, seconds]) => seconds === this.window)[0]}` : stamp(at.begin * 1000));
    set(this.what, movesText(moves));
    order(this.legend, this.bands.filter((b) => b.id !== undefined || b.of(at.span) > 0).map((b) => this.row(b, b.of(at.span))));
    attr(this.frame, 'aria-valuemax', this.columns.length - 1);
    attr(this.frame, 'aria-valuenow', this.columns.length - 1 - (this.chosen ?? 0));
    attr(this.frame, 'aria-valuetext', `${stamp(at.begin * 1000)}, ${movesText(moves)}, ${at.span?.free ?? 0} free`);
  }

  row(band, n) {
    const key = band.id ?? ` ${band.text}`;
    let row = this.rows.get(key);
    if (!row) {
      row = { dot: h('span', {}), who: name(''), part: h('span', { class: 'share' }) };
      row.node = h('li', {}, row.dot, row.who, row.part);
      this.rows.set(key, row);
    }
    attr(row.dot, 'class', `dot ${band.class}`);
    rename(row.who, band.id ?? band.text, 24);
    set(row.part, count(n));
    return row.node;
  }

  under(event) {
    if (!this.columns) return null;
    const x = event.clientX - this.frame.getBoundingClientRect().left;
    return Math.min(Math.max(this.columns.length - 1 - Math.floor(x / this.width * this.columns.length), 0), this.columns.length - 1);
  }

  choose(column) {
    if (column === this.chosen) return;
    this.chosen = column;
    this.draw();
  }

  key(event) {
    const last = (this.columns?.length ?? 1) - 1;
    const here = this.chosen ?? 0;
    const moves = { ArrowLeft: here + 1, ArrowDown: here + 1, ArrowRight: here - 1, ArrowUp: here - 1, Home: last, End: 0, PageUp: here - 10, PageDown: here + 10 };
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    this.choose(Math.min(Math.max(moves[event.key], 0), last));
  }
}

const sum = (span) => (span ? [...span.loads.values()].reduce((all, n) => all + n, 0) + span.free + span.unknown : 0);

/** bandsOf returns what is stacked, from below: members by id, the others, unknown leaders, and free shards. */
function bandsOf(columns) {
  const most = new Map();
  for (const { span } of columns) {
    for (const [id, n] of span?.loads ?? []) most.set(id, Math.max(most.get(id) ?? 0, n));
  }
  const largest = [...most].sort((a, b) => b[1] - a[1]).slice(0, BANDS).map(([id]) => id).sort();
  const own = new Set(largest);
  const others = (span) => [...span.loads].reduce((all, [id, n]) => (own.has(id) ? all : all + n), 0);
  const of = (call) => (span) => (span ? call(span) : 0);
  return [
    ...largest.map((id) => ({ id, of: of((span) => span.loads.get(id) ?? 0) })),
    { text: `${most.size - own.size} others`, class: 'many', of: of(others) },
    { text: 'led, not known by whom', class: 'unknown', of: of((span) => span.unknown) },
    { text: 'free', class: 'gap', of: of((span) => span.free) },
  ];
}

/** outline is the path around a band, in steps. */
function outline(high, low, step, y) {
  const go = (values, from, to, by) => {
    let d = '';
    let last;
    for (let i = from; i !== to; i += by) {
      const at = y(values[i]);
      if (at === last) continue;
      const x = ((by > 0 ? i : i + 1) * step).toFixed(1);
      d += last === undefined ? `L${x} ${at}` : `H${x}V${at}`;
      last = at;
    }
    return d;
  };
  const n = high.length;
  return `M0 ${y(low[0])}${go(high, 0, n, 1)}H${(n * step).toFixed(1)}${go(low, n - 1, -1, -1)}H0Z`;
}
