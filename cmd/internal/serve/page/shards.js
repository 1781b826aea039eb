// Finds shards by name, by leader, or the free ones.

import { attr, h, name, order, rowOf, show, tableOf, word } from './dom.js';
import { coarse, wall } from './time.js';
import { get } from './stream.js';

const COLUMNS = ['Shard', 'Leader', 'Term', 'Since', 'Why', 'Wanted'];
const MOST = 50;
const PAUSE = 250; // milliseconds after the last key

/** Shards is the search. */
export class Shards {
  constructor(group, say) {
    this.group = group;
    this.say = say;
    this.field = h('input', { type: 'search', id: 'shard', placeholder: 'Part of a name', autocomplete: 'off', spellcheck: 'false', input: () => this.later() });
    this.free = h('button', { type: 'button', class: 'toggle', 'aria-pressed': 'false', click: () => {
      this.free.setAttribute('aria-pressed', String(this.free.getAttribute('aria-pressed') !== 'true'));
      this.find();
    } }, 'Free only');
    this.body = h('tbody', { role: 'rowgroup' });
    this.table = tableOf('shards', 'Shards that were found', COLUMNS, this.body);
    this.note = h('p', { class: 'none' });
    show(this.table, false);
    this.node = h('div', {}, h('div', { class: 'tools' }, h('label', { class: 'search', for: 'shard' }, h('span', { class: 'hidden' }, 'Find shards by a part of their name'), this.field), this.free), this.table, this.note);
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find(), PAUSE);
  }

  async find() {
    const free = this.free.getAttribute('aria-pressed') === 'true';
    const text = this.field.value.trim();
    const asked = `${free} ${text}`;
    this.asked = asked;
    if (text === '' && !free) {
      this.answer([], '');
      return;
    }
    const query = new URLSearchParams({ group: this.group, limit: MOST + 1, ...(text && { name: text }), ...(free && { free: 'true' }) });
    try {
      const list = await get(`/api/v1/group/shards?${query}`);
      if (this.asked !== asked) return;
      this.answer(list.slice(0, MOST), list.length > MOST ? `There are more. These are the first ${MOST}.` : list.length > 0 ? '' : free ? 'No free shard matches.' : `No shard has ${word(text)} in its name.`);
    } catch (error) {
      if (this.asked === asked) this.answer([], `The server does not say: ${word(error.message, 200)}`);
    }
  }

  answer(list, note) {
    order(this.body, list.map(row));
    show(this.table, list.length > 0);
    this.note.textContent = note;
    if (list.length > 0 || note) this.say(list.length > 0 ? `${list.length} shards found` : note);
  }
}

function row(s) {
  const since = Date.parse(s.since);
  const leader = s.damaged ? h('span', { class: 'state', 'data-level': 'bad' }, 'damaged') : s.leader ? name(s.leader.id, 60) : h('span', { class: 'state', 'data-level': 'bad' }, 'free');
  const wanted = [s.pin && `pinned to ${word(s.pin, 60)}`, s.asked && `asked to ${s.asked}`].filter(Boolean).join(', ');
  const cells = [name(s.shard), leader, String(s.term), s.damaged ? '–' : `${coarse(Math.max(0, (wall() - since) / 1000))} ago`, s.reason || '–', wanted || '–'];
  const node = rowOf(COLUMNS, cells);
  attr(node, 'data-level', s.free || s.damaged ? 'bad' : null);
  return node;
}
