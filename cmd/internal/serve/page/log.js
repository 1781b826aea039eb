// A table of what has happened, newest first. It shows more on demand.

import { h, order, rowOf, set, show, tableOf } from './dom.js';

/** Log is the table. What it shows does not change, so each row is made once. */
export class Log {
  /** columns are the titles. key names an event, cells returns the nodes of its row, and page is how many rows are shown at first. */
  constructor(label, columns, page, key, cells) {
    this.key = key;
    this.make = (e) => rowOf(columns, cells(e));
    this.events = [];
    this.rows = new Map();
    this.limit = page;
    this.body = h('tbody', { role: 'rowgroup' });
    this.more = h('button', { type: 'button', class: 'more', click: () => { this.limit += page; this.arrange(); } }, 'Show more');
    this.count = h('span', { class: 'count' });
    this.node = h('div', { class: 'events' },
      tableOf('events-table', label, columns, this.body),
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
      const key = this.key(e);
      rows.set(key, this.rows.get(key) ?? this.make(e));
    }
    this.rows = rows;
    order(this.body, [...rows.values()]);
    show(this.more, this.events.length > this.limit);
    set(this.count, this.events.length > this.limit ? `${shown.length} of ${this.events.length} events` : `${shown.length} events`);
  }
}
