// The table of the candidates of an election.

import { attr, h, name, order, rename, rowOf, set, show, tableOf, tag, visible, word } from './dom.js';
import { arrived, coarse, every, isFrozen, now } from './time.js';
import { compare, short } from './state.js';

const COLUMNS = ['Rank', 'Candidate', 'Role', 'Priority', 'Ready', 'Heartbeat', 'Tags'];
const FIRST = 25; // how many are shown at first

/** Candidates is the table. all has the members by rank. */
export class Candidates {
  constructor() {
    this.all = [];
    this.loaded = false;
    this.rows = new Map();
    this.whole = false;
    this.summary = h('p', { class: 'summary', id: 'candidates-summary' });
    this.body = h('tbody', { role: 'rowgroup' });
    this.more = h('button', { type: 'button', class: 'more', click: () => { this.whole = true; this.arrange(); } });
    this.table = tableOf('candidates', 'Candidates', COLUMNS, this.body);
    this.node = h('div', {}, this.summary, this.table, this.more);
    every(() => { for (const c of this.shown ?? []) this.rows.get(c.id).tick(); });
  }

  /** configure tells the candidate timeout. */
  configure({ config }) {
    this.timeout = config.candidate_timeout_seconds;
  }

  /** change takes an event of the stream. */
  change({ reset, set: changed, gone }) {
    const kept = reset ? new Set(changed.map((c) => c.id)) : null;
    for (const id of kept ? [...this.rows.keys()].filter((k) => !kept.has(k)) : gone) this.rows.delete(id);
    this.loaded = true;
    let moved = reset || gone.length > 0;
    for (const c of changed) {
      let row = this.rows.get(c.id);
      if (!row) this.rows.set(c.id, row = new Row(this));
      moved = row.update(c) || moved;
    }
    if (moved) this.arrange();
    this.tell();
  }

  arrange() {
    this.all = [...this.rows.values()].map((row) => row.data).sort((a, b) => compare(a.rank, b.rank));
    this.shown = this.whole ? this.all : this.all.slice(0, FIRST);
    order(this.body, this.shown.map((c) => this.rows.get(c.id).node));
    show(this.table, this.all.length > 0);
    show(this.more, this.shown.length < this.all.length);
    set(this.more, `Show all ${this.all.length}`);
    for (const c of this.shown) this.rows.get(c.id).tick();
  }

  tell() {
    const alive = this.all.filter((c) => c.timed_out !== true);
    const ready = alive.filter((c) => c.role === 'voter' && c.ready);
    const none = 'No process is registered.';
    set(this.summary, this.all.length === 0 ? none : `${this.all.length} registered, ${alive.length} alive, ${ready.length} ready to lead`);
  }
}

/** Row is one candidate. */
class Row {
  constructor(table) {
    this.table = table;
    this.rank = h('span', {});
    this.id = name('');
    this.incarnation = h('span', { class: 'incarnation mono' });
    this.leads = h('span', { class: 'state', 'data-level': 'ok' }, 'leads');
    this.role = h('span', {});
    this.priority = h('span', {});
    this.ready = h('span', { class: 'ready' });
    this.heartbeat = h('span', { class: 'heartbeat' });
    this.tags = h('ul', { class: 'tags', 'aria-label': 'Tags' });
    const cells = [this.rank, h('span', { class: 'who' }, this.id, this.incarnation, this.leads), this.role, this.priority, this.ready, this.heartbeat, this.tags];
    this.node = rowOf(COLUMNS, cells);
  }

  /** update shows c. It returns whether rows may have to move, or the summary to change. */
  update(c) {
    const before = this.data;
    this.data = c;
    this.seen = arrived() - c.age_seconds * 1000;
    set(this.rank, c.rank);
    rename(this.id, c.id);
    set(this.incarnation, short(visible(c.incarnation)));
    attr(this.incarnation, 'title', visible(c.incarnation));
    show(this.leads, c.leads);
    set(this.role, c.role);
    set(this.priority, c.priority);
    const why = c.not_ready ? visible(c.not_ready) : '';
    set(this.ready, c.ready ? 'ready' : `not ready${why ? `: ${word(why, 120)}` : ''}`);
    attr(this.ready, 'title', c.ready ? null : why);
    attr(this.ready, 'data-level', c.ready ? 'ok' : 'warn');
    attr(this.node, 'data-level', c.timed_out ? 'bad' : c.ready ? null : 'warn');
    tag(this.tags, c.tags);
    this.tick();
    return !before || before.rank !== c.rank || before.leads !== c.leads || before.ready !== c.ready || before.timed_out !== c.timed_out || before.role !== c.role;
  }

  /** tick counts on. */
  tick() {
    if (!this.data || isFrozen()) return;
    const age = (now() - this.seen) / 1000;
    const late = this.data.timed_out === true;
    set(this.heartbeat, `${age < 0 ? `clock ahead by ${coarse(-age)}` : age < 1 ? 'just now' : `${coarse(age)} ago`}${late ? ', timed out' : ''}`);
    attr(this.heartbeat, 'data-level', late ? 'bad' : this.table.timeout && age > this.table.timeout ? 'warn' : null);
  }
}
