// The table of the members of a group, with bars of their load.

import { attr, h, name, order, rename, rowOf, set, show, tableOf, tag, visible, word } from './dom.js';
import { arrived, coarse, every, isFrozen, now } from './time.js';
import { count, plural, short } from './state.js';

const COLUMNS = ['Member', 'Shards', 'State', 'Heartbeat', 'Share', 'Tags'];
const FIRST = 25; // how many are shown at first
const LEVELS = { ready: 'ok', 'not ready': 'warn', draining: 'warn', silent: 'bad', damaged: 'bad' };

/** Members is the table. all has the members by id. */
export class Members {
  constructor() {
    this.all = [];
    this.rows = new Map();
    this.whole = false;
    this.summary = h('p', { class: 'summary', id: 'members-summary' });
    this.body = h('tbody', { role: 'rowgroup' });
    this.more = h('button', { type: 'button', class: 'more', click: () => { this.whole = true; this.arrange(); } });
    this.table = tableOf('members', 'Members', COLUMNS, this.body);
    this.node = h('div', {}, this.summary, this.table, this.more);
    every(() => { for (const m of this.shown ?? []) this.rows.get(m.id).tick(); });
  }

  /** change takes an event of the stream. */
  change({ reset, set: changed, gone }) {
    const kept = reset ? new Set(changed.map((m) => m.id)) : null;
    for (const id of kept ? [...this.rows.keys()].filter((k) => !kept.has(k)) : gone) this.rows.delete(id);
    for (const m of changed) {
      if (!this.rows.has(m.id)) this.rows.set(m.id, new Row());
      this.rows.get(m.id).update(m);
    }
    this.all = [...this.rows.values()].map((row) => row.data).sort((a, b) => (a.id < b.id ? -1 : 1));
    this.arrange();
  }

  arrange() {
    this.shown = this.whole ? this.all : this.all.slice(0, FIRST);
    order(this.body, this.shown.map((m) => this.rows.get(m.id).node));
    const most = Math.max(1, ...this.all.map((m) => m.shards));
    for (const m of this.shown) this.rows.get(m.id).draw(most);
    show(this.table, this.all.length > 0);
    show(this.more, this.shown.length < this.all.length);
    set(this.more, `Show all ${this.all.length}`);
    const counts = Object.keys(LEVELS).map((state) => [this.all.filter((m) => m.state === state).length, state]).filter(([n]) => n > 0);
    set(this.summary, this.all.length === 0 ? 'No process takes part.' : `${plural(this.all.length, 'member')}: ${counts.map(([n, state]) => `${n} ${state}`).join(', ')}`);
  }
}

/** Row is one member. */
class Row {
  constructor() {
    this.id = name('');
    this.incarnation = h('span', { class: 'incarnation mono' });
    this.bar = h('span', { class: 'load-bar' });
    this.shards = h('span', { class: 'load-text' });
    this.state = h('span', { class: 'state' });
    this.why = h('span', { class: 'state-why' });
    this.heartbeat = h('span', { class: 'heartbeat' });
    this.share = h('span', {});
    this.tags = h('ul', { class: 'tags', 'aria-label': 'Tags' });
    const load = h('span', { class: 'load' }, h('span', { class: 'load-track', 'aria-hidden': 'true' }, this.bar), this.shards);
    const cells = [h('span', { class: 'who' }, this.id, this.incarnation), load, h('span', {}, this.state, this.why), this.heartbeat, this.share, this.tags];
    this.node = rowOf(COLUMNS, cells);
  }

  update(m) {
    this.data = m;
    this.seen = m.silent_seconds === null ? null : arrived() - m.silent_seconds * 1000;
    rename(this.id, m.id);
    set(this.incarnation, short(visible(m.incarnation)));
    attr(this.incarnation, 'title', visible(m.incarnation));
    set(this.shards, count(m.shards));
    set(this.state, m.state);
    attr(this.state, 'data-level', LEVELS[m.state] ?? 'idle');
    set(this.why, m.not_ready ? word(m.not_ready, 120) : m.drained ? 'by an operator' : '');
    attr(this.why, 'title', m.not_ready ? visible(m.not_ready).slice(0, 2000) : null);
    set(this.share, `weight ${m.weight}${m.capacity > 0 ? `, at most ${count(m.capacity)}` : ''}`);
    tag(this.tags, m.tags);
    this.tick();
  }

  /** draw shows the load beside the largest one. */
  draw(most) {
    this.bar.style.width = `${(this.data.shards / most * 100).toFixed(2)}%`;
  }

  /** tick counts on. */
  tick() {
    if (isFrozen()) return;
    const age = this.seen === null ? null : (now() - this.seen) / 1000;
    set(this.heartbeat, age === null ? 'none' : age < 1 ? 'just now' : `${coarse(age)} ago`);
    attr(this.heartbeat, 'data-level', this.data.silent === true ? 'bad' : null);
  }
}
