// What the timeline says about one tenure or gap, and its legend.

import { attr, h, name, order, rename, set, show, word } from './dom.js';
import { coarse, duration, local, stamp, wall } from './time.js';
import { short } from './state.js';
import { whyBegan, whyEnded } from './tenures.js';

/** lengthOf is how long a part took, or has taken. */
const lengthOf = (p) => duration(((p.to ?? wall()) - p.from) / 1000);

/** describe is one sentence for a screen reader. */
export function describe(p, current) {
  if (p.kind === 'gap') {
    return `No leader from ${stamp(p.from)}${p.to === null ? ' until now' : ` to ${stamp(p.to)}`}, ${lengthOf(p)}, after term ${p.term}.`;
  }
  const end = whyEnded(p);
  const to = p.to === null ? '' : ` to ${stamp(p.to)}`;
  return `${word(p.id)}, term ${p.term}, from ${stamp(p.from)}${to}, ${lengthOf(p)}. It ${whyBegan(p)}. ${end === null ? goesOn(p, current) : `End: ${end}`}.`;
}

const goesOn = (p, current) => (p.term === current ? 'It goes on' : 'Its end is not in the history');

/** Inspector shows who led, from when to when, and why it began and ended. */
export class Inspector {
  constructor() {
    this.dot = h('span', { class: 'dot' });
    this.who = name('');
    this.what = h('span', { class: 'inspector-what' });
    this.when = h('p', { class: 'inspector-when' });
    this.began = h('dd', {});
    this.ended = h('dd', {});
    this.endedTitle = h('dt', {}, 'Ended');
    this.duplicates = h('p', { class: 'inspector-duplicate' });
    this.reasons = h('dl', { class: 'reasons' }, h('dt', {}, 'Began'), this.began, this.endedTitle, this.ended);
    this.node = h('div', { class: 'inspector', id: 'inspector' },
      h('p', { class: 'inspector-who' }, this.dot, h('strong', {}, this.who), this.what), this.when, this.reasons, this.duplicates);
  }

  /** show shows an item of the timeline. null empties it. */
  show(item, { colours, current }) {
    show(this.node, item !== null);
    if (item === null) return;
    const [p] = item.parts;
    const gap = p.kind === 'gap';
    const single = item.parts.length === 1;
    const last = item.parts.at(-1);
    attr(this.node, 'data-kind', single ? p.kind : 'many');
    attr(this.dot, 'class', `dot ${!single ? 'many' : gap ? 'gap' : `c${colours.get(p.id)}`}`);
    rename(this.who, single ? (gap ? 'No leader' : p.id) : `${item.parts.length} tenures and gaps`);
    set(this.what, single ? (gap ? `after term ${p.term}` : `term ${p.term}, incarnation ${short(p.incarnation)}`) : `terms ${p.term} to ${last.term}`);
    const to = last.to === null ? 'now' : stamp(last.to);
    set(this.when, `${stamp(p.from)} to ${to}, ${duration(((last.to ?? wall()) - p.from) / 1000)}`);
    attr(this.when, 'title', local(p.from));
    show(this.reasons, single);
    if (!single) set(this.duplicates, 'They are too short to show at this zoom. Zoom in to tell them apart.');
    if (!single) return;
    set(this.began, gap ? `${word(p.ended.from?.id ?? 'the leader')} had left (${word(p.ended.reason, 200)})` : whyBegan(p));
    set(this.ended, gap ? (p.next ? `${word(p.next.to?.id ?? 'a process')} took over` : p.to === null ? 'no process has claimed leadership yet' : 'not in the history') : whyEnded(p) ?? goesOn(p, current).toLowerCase());
    set(this.endedTitle, p.to === null ? 'Now' : 'Ended');
    set(this.duplicates, p.duplicates.length === 0 ? '' : `A second process was started under the id ${word(p.duplicates[0].from?.id ?? '')}${p.duplicates.length > 1 ? ', and others' : ''}, at ${stamp(Date.parse(p.duplicates[0].time))}. It was refused.`);
  }
}

const SHOWN = 8;

/** Legend shows which share of the window each leader had. */
export class Legend {
  constructor() {
    this.node = h('ul', { class: 'legend', 'aria-label': 'Share of the time that is shown' });
    this.rows = new Map();
  }

  show({ items, begin, end, colours, parts }) {
    const time = new Map();
    const first = parts.length > 0 ? Math.max(begin, parts[0].from) : begin;
    for (const { parts: some } of items) {
      for (const p of some) {
        const ms = Math.min(p.to ?? end, end) - Math.max(p.from, begin);
        const key = p.kind === 'gap' ? null : p.id;
        if (ms > 0) time.set(key, (time.get(key) ?? 0) + ms);
      }
    }
    const gap = time.get(null);
    time.delete(null);
    const all = [...time].sort((a, b) => b[1] - a[1]);
    const shown = all.slice(0, SHOWN).map(([id, ms]) => this.row(id, `c${colours.get(id)}`, id, ms, end - first));
    if (gap) shown.push(this.row(null, 'gap', 'No leader', gap, end - first));
    if (all.length > SHOWN) shown.push(this.row(undefined, 'many', `${all.length - SHOWN} others`, all.slice(SHOWN).reduce((sum, [, ms]) => sum + ms, 0), end - first));
    order(this.node, shown);
  }

  row(key, colour, text, ms, whole) {
    let row = this.rows.get(key);
    if (!row) {
      row = { dot: h('span', { class: 'dot' }), who: name(''), part: h('span', { class: 'share' }) };
      row.node = h('li', {}, row.dot, row.who, row.part);
      this.rows.set(key, row);
    }
    attr(row.dot, 'class', `dot ${colour}`);
    rename(row.who, text, 24);
    const percent = ms / whole * 100;
    set(row.part, key === null ? coarse(ms / 1000) : percent < 1 ? '< 1 %' : `${Math.min(100, Math.round(percent))} %`);
    return row.node;
  }
}
