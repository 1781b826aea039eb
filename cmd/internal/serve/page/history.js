// The events of an election, and those of a group, as tables.

import { h, name, word } from './dom.js';
import { day, hour, local } from './time.js';
import { Log } from './log.js';
import { short } from './state.js';

/** history is the table of the events of an election. */
export const history = () => new Log('Events, newest first', ['Time', 'Term', 'Event', 'From', 'To', 'Why', 'Ballot'], 50,
  (e) => JSON.stringify([String(e.term), e.event, e.nonce, e.time, e.reason]),
  (e) => [time(e), String(e.term), kind(e), party(e.from), party(e.to), why(e), String(e.ballot)]);

/** changes is the table of the events of a group. */
export const changes = () => new Log('Changes, newest first', ['Time', 'Term', 'Event', 'Name', 'From', 'To', 'Why'], 20,
  (e) => String(e.number),
  (e) => [time(e), String(e.term) === '0' ? '–' : String(e.term), kind(e), subject(e), party(e.from), party(e.to), why(e)]);

function time({ time: at }) {
  const ms = Date.parse(at);
  const text = Number.isFinite(ms) ? `${day(ms)} ${hour(ms)}` : '–';
  return h('time', { title: local(ms), ...(Number.isFinite(ms) && { datetime: new Date(ms).toISOString() }) }, text);
}

const kind = (e) => h('span', { class: 'event', 'data-event': e.event }, e.event.replaceAll('_', ' '));
const party = (p) => (p ? h('span', { title: `incarnation ${short(p.incarnation)}` }, name(p.id, 60)) : h('span', { class: 'nobody' }, '–'));
const why = (e) => h('span', { class: 'why', title: word(e.reason, 2000) }, word(e.reason, 200));
const subject = (e) => (e.shard || e.member ? name(e.shard || e.member.id, 60) : h('span', { class: 'nobody' }, '–'));
