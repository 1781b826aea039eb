// The events of the history as a table, newest first.

import { h, name, order, set, show, word } from './dom.js';
import { day, hour, local } from './time.js';
import { short } from './state.js';

const COLUMNS = ['Time', 'Term', 'Event', 'From', 'To', 'Why', 'Ballot'];
const PAGE = 50;

/** History is the table. Events do not change, so each row is made once. */
export class History {
  constructor() {
    this.events = [];
    this.rows = new Map();
    this.limit = PAGE;
    this.body = h('tbody', { role: 'rowgroup' });
    this.more = h('button', { type: 'button', class: 'more', click: () => { this.limit += PAGE; this.arrange(); } }, 'Show more');
    this.count = h('span', { class: 'count' });
    this.node = h('div', { class: 'events' },
      h('table', { class: 'events-table cards', role: 'table', 'aria-label': 'Events, newest first' },
        h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...COLUMNS.map((text) => h('th', { scope: 'col', role: 'columnheader' }, text)))), this.body),
      h('p', { class: 'events-more' }, this.more, this.count));
  }

  /** update takes all events, newest first. */
  update(events) {
    this.events = events;
    this.arrange();
  }

  arrange() {
    const shown = this.events.slice(0, this.limit);
    const rows = new Map();
    for (const e of shown) {
      const key = JSON.stringify([String(e.term), e.event, e.nonce, e.time, e.reason]);
      rows.set(key, this.rows.get(key) ?? row(e));
    }
    this.rows = rows;
    order(this.body, [...rows.values()]);
    show(this.more, this.events.length > this.limit);
    set(this.count, this.events.length > this.limit ? `${shown.length} of ${this.events.length} events` : `${shown.length} events`);
  }
}

const party = (p) => (p ? h('span', { title: `incarnation ${short(p.incarnation)}` }, name(p.id, 60)) : h('span', { class: 'nobody' }, '–'));

function row(e) {
  const ms = Date.parse(e.time);
  const text = Number.isFinite(ms) ? `${day(ms)} ${hour(ms)}` : '–';
  const time = h('time', { title: local(ms), ...(Number.isFinite(ms) && { datetime: new Date(ms).toISOString() }) }, text);
  const cells = [time, String(e.term), h('span', { class: 'event', 'data-event': e.event }, e.event), party(e.from), party(e.to), h('span', { class: 'why', title: word(e.reason, 2000) }, word(e.reason, 200)), String(e.ballot)];
  return h('tr', { role: 'row' }, ...cells.map((cell, i) => h('td', { role: 'cell', 'data-label': COLUMNS[i], class: `c-${COLUMNS[i].toLowerCase()}` }, cell)));
}
