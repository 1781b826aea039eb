// The page of one group.

import { attr, cut, h, name, rename, section, set, show, visible, word } from './dom.js';
import { coarse, duration } from './time.js';
import { changes } from './history.js';
import { count, judgeGroup, plural } from './state.js';
import { Loads } from './loads.js';
import { Members } from './members.js';
import { Notices, ofGroup } from './notices.js';
import { Share } from './share.js';
import { Shards } from './shards.js';

const FACTS = [
  ['To move', (s) => s.moving ?? 'unknown'], ['Free', (s) => count(s.free_shards)], ['Pins', (s) => s.pins], ['Drains', (s) => s.drains], ['Requests', (s) => s.requests],
  ['Lease', (s) => duration(s.group_config?.lease_seconds)], ['Heartbeat', (s) => duration(s.group_config?.heartbeat_seconds)],
  ['Settle delay', (s) => duration(s.group_config?.settle_delay_seconds)], ['Moves at a time', (s) => s.group_config?.max_moves ?? '–'],
  ['Log goes back', (s) => coarse(s.log_seconds)],
];

/** group shows the page in main, and returns the handlers of its events. */
export function group(main, named, say, entitle) {
  const card = new Card(named);
  const notices = new Notices();
  const loads = new Loads();
  const members = new Members();
  const shards = new Shards(named, say);
  const log = changes();
  const missing = h('div', { class: 'empty' }, h('h1', {}, `There is no group ${word(named)}`),
    h('p', {}, 'This page shows it as soon as it exists. To make it:'),
    h('pre', {}, h('code', {}, `fdbelect group create ${/^[\w.-]+$/.test(named) ? named : 'NAME'} --store STORE --shards 64`)),
    h('p', {}, h('a', { href: '/' }, 'Show all elections and groups')));
  const waiting = h('p', { class: 'empty' }, 'Reading the group');
  const body = h('div', { class: 'election' }, card.node, notices.node, section('Shards over time', 'over-time', loads.node),
    section('Members', 'members', members.node), section('Find a shard', 'find', shards.node), section('Changes', 'events', log.node));
  main.append(missing, waiting, body);
  show(missing, false);
  show(body, false);
  entitle(cut(visible(named), 40));

  const events = new Map();
  let status;
  let spoken;

  /** refresh shows what a status and the members say together. */
  function refresh() {
    if (!status) return;
    const judged = judgeGroup({ ...status, silent: members.all.filter((m) => m.silent === true).length });
    card.update(status, judged);
    notices.show(ofGroup(status, members.all));
    loads.update(members.all, status);
    entitle(`${judged.level === 'bad' || judged.level === 'warn' ? '! ' : ''}${cut(visible(named), 40)}: ${judged.word}`);
    if (spoken !== undefined && spoken !== judged.word && judged.level !== 'warn') say(`${word(named)}: ${judged.word}`);
    spoken = judged.word;
  }

  return {
    group(next) {
      status = next;
      show(waiting, false);
      show(missing, next === null);
      show(body, next !== null);
      if (next === null) entitle(`No group ${cut(visible(named), 40)}`);
      else refresh();
    },
    members(change) {
      members.change(change);
      if (!change.reset) refresh(); // the status comes after the first members
    },
    seconds(change) {
      loads.change(change);
    },
    events({ reset, set: changed, gone }) {
      if (reset) events.clear();
      for (const key of gone) events.delete(key);
      for (const e of changed) events.set(String(e.number), e);
      log.update([...events.values()].sort((a, b) => b.number - a.number));
    },
  };
}

/** Card is at the top: how many shards are led, and the facts. */
class Card {
  constructor(named) {
    this.state = h('span', { class: 'state', id: 'state' });
    this.shards = h('p', { class: 'leader-name', id: 'shards' });
    this.of = h('p', { class: 'leader-since', id: 'of' });
    this.share = new Share('Shards that are led');
    this.values = FACTS.map(() => h('dd', {}));
    this.store = name('');
    this.node = h('section', { class: 'leader', 'aria-labelledby': 'group-name' },
      h('h1', { id: 'group-name' }, name(named)), h('p', { class: 'place' }, this.store),
      h('div', { class: 'leader-card' },
        h('div', { class: 'leader-main' }, this.state, this.shards, this.of),
        h('div', { class: 'leader-lease' }, h('p', { class: 'label' }, 'Led'), this.share.node),
        h('dl', { class: 'facts' }, ...FACTS.map(([title], i) => h('div', {}, h('dt', {}, title), this.values[i])))));
  }

  update(status, { level, word: text }) {
    attr(this.node, 'data-level', level);
    attr(this.state, 'data-level', level);
    set(this.state, text);
    rename(this.store, `${status.store}${status.root ? `, below ${status.root}` : ''}`);
    set(this.shards, `${count(status.shards)} ${status.shards === 1 ? 'shard' : 'shards'}`);
    set(this.of, `led by ${plural(status.members, 'member')}`);
    this.share.update(status);
    FACTS.forEach(([, value], i) => set(this.values[i], value(status)));
  }
}
