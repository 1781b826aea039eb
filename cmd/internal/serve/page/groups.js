// The table of all groups, on the page of the list.

import { attr, h, name, order, rowOf, set, show, tableOf, word } from './dom.js';
import { judgeGroup, rank } from './state.js';
import { Share } from './share.js';

const COLUMNS = ['Group', 'Members', 'Shards led', 'Moving', 'State'];

/** Groups is the table. rows has the groups by name. */
export class Groups {
  constructor() {
    this.rows = new Map();
    this.leftOut = 0;
    this.body = h('tbody', { role: 'rowgroup' });
    this.heading = h('h2', { id: 'groups' }, 'Groups');
    this.table = tableOf('groups listed', 'Groups', COLUMNS, this.body);
    this.node = h('div', { class: 'groups-part' }, this.heading, this.table);
    show(this.node, false);
  }

  /** change takes an event of the stream, and returns what is to be said of it. */
  change({ reset, set: changed, gone, left_out: leftOut }) {
    this.leftOut = leftOut;
    const news = [];
    const kept = reset ? new Set(changed.map((l) => l.group)) : null;
    for (const key of kept ? [...this.rows.keys()].filter((k) => !kept.has(k)) : gone) this.rows.delete(key);
    for (const l of changed) {
      let row = this.rows.get(l.group);
      if (!row) {
        row = new Row(l);
        this.rows.set(l.group, row);
      } else if (judgeGroup(row.data).word !== judgeGroup(l).word && judgeGroup(l).level === 'bad') {
        news.push(`${word(l.group)}: ${judgeGroup(l).word}`);
      }
      row.update(l);
    }
    return news;
  }

  /** arrange shows the rows that match a text, worst first, or those with a problem only. */
  arrange(wanted, bad, alone) {
    const all = [...this.rows.values()].sort((a, b) => a.rank - b.rank || collator.compare(a.key, b.key));
    const shown = all.filter((row) => (!bad || row.rank < rank.idle) && row.key.toLowerCase().includes(wanted));
    order(this.body, shown.map((row) => row.node));
    show(this.heading, !alone);
    show(this.node, shown.length > 0);
    return { all, shown, problems: all.filter((row) => row.rank < rank.idle).length };
  }

  /** summary returns texts about the groups. */
  summary() {
    const all = [...this.rows.values()].map((row) => row.data);
    const parts = [];
    const add = (n, text) => { if (n > 0) parts.push(`${n} ${text}`); };
    add(all.filter((l) => l.free_shards > 0).length, 'with free shards');
    add(all.filter((l) => l.members_silent > 0).length, 'with silent members');
    add(all.filter((l) => l.unreadable.length > 0).length, 'damaged');
    add(this.leftOut, 'more are not shown');
    return parts;
  }
}

/** Row is one group of the table. */
class Row {
  constructor(l) {
    this.key = l.group;
    this.link = h('a', { href: `/group?name=${encodeURIComponent(l.group)}` }, name(l.group));
    this.members = h('span', {});
    this.share = new Share(`Shards of ${word(l.group)} that are led`);
    this.moving = h('span', {});
    this.state = h('span', { class: 'state' });
    const cells = [this.link, this.members, this.share.node, this.moving, this.state];
    this.node = rowOf(COLUMNS, cells);
  }

  update(l) {
    const { level, word: text } = judgeGroup(l);
    this.data = l;
    this.rank = rank[level];
    set(this.members, l.members_ready === l.members ? l.members : `${l.members_ready} of ${l.members} ready`);
    this.share.update(l);
    set(this.moving, l.moving ?? '–');
    set(this.state, text);
    attr(this.state, 'data-level', level);
    attr(this.node, 'data-level', level);
  }
}

const collator = new Intl.Collator('en', { numeric: true });
