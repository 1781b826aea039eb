// What is unusual about an election or a group: requests, delays, damage, and so on.

import { h, word } from './dom.js';
import { plural } from './state.js';
import { coarse, every, stamp, wall } from './time.js';

/** Notices is a list of short texts. It is empty while all is as usual. */
export class Notices {
  constructor() {
    this.node = h('ul', { class: 'notices', 'aria-label': 'Notices' });
    this.shown = '';
    every(() => {
      for (const node of this.node.querySelectorAll('[data-until]')) node.textContent = ends(Number(node.dataset.until));
    });
  }

  /** show shows notices. It changes nothing if they are the same. */
  show(notices) {
    const now = JSON.stringify(notices);
    if (now === this.shown) return;
    this.shown = now;
    this.node.hidden = notices.length === 0;
    this.node.replaceChildren(...notices.map(({ level, title, text, until, more }) => h('li', { 'data-level': level },
      h('strong', {}, title), text ? h('span', {}, text) : null, until ? h('span', { 'data-until': until, class: 'until' }, ends(until)) : null,
      more ? h('span', { class: 'remedy' }, more) : null)));
  }
}

/** ofElection returns what a status and its candidates say. candidates is null before they are known. */
export const ofElection = (status, candidates) => [
  ...damage(status), ...disabled(status), ...handed(status), ...request(status), ...unready(candidates), ...delays(status),
];

/** ofGroup returns what the status of a group and its members say. */
export const ofGroup = (status, members) => [...damage(status), ...stopped(status), ...deserted(status, members), ...silent(members), ...steered(status)];

const ends = (ms) => (ms > wall() ? `ends in ${coarse((ms - wall()) / 1000 + 1)}` : `ended at ${stamp(ms)}`);

function damage({ unreadable }) {
  return unreadable.map((r) => ({
    level: 'bad', title: `The ${word(r.record)} record cannot be read`, text: `${word(r.key, 120)}: ${word(r.problem, 300)}`, more: r.do ? `What to do: ${word(r.do, 600)}` : '',
  }));
}

function disabled({ config, unreadable }) {
  if (config.enabled || unreadable.some((r) => r.record === 'config')) return [];
  return [{ level: 'warn', title: 'This election is disabled', text: 'No candidate may claim or renew until fdbelect config enable.' }];
}

function handed({ leader, tenure }) {
  if (!leader || !tenure || tenure.accepted) return [];
  return [{ level: 'warn', title: 'Handed over, not accepted yet', text: `${word(leader.id)} holds leadership and does not lead before its first renewal. If it does not accept, others may claim after the lease.` }];
}

function request({ request: r, leader, term }) {
  if (!r || r.term !== term || !leader) return [];
  const who = word(r.candidate?.id ?? 'a candidate');
  const texts = {
    challenge: ['Preemption request', `${who} has priority ${r.priority}, and asks ${word(leader.id)} to hand over.`],
    transfer: ['Transfer request', `An operator asks ${word(leader.id)} to hand over to ${who}.`],
    resign: ['Resign request', `An operator asks ${word(leader.id)} to resign.`],
  };
  const [title, text] = Object.hasOwn(texts, r.kind) ? texts[r.kind] : ['Request', word(r.kind)];
  return [{ level: 'warn', title, text }];
}

/** unready tells if no other voter could take over. */
function unready(candidates) {
  if (candidates === null) return [];
  const able = candidates.filter((c) => c.role === 'voter' && c.ready && c.timed_out !== true);
  if (candidates.length === 0) return [{ level: 'warn', title: 'No candidate', text: 'No process is registered in this election.' }];
  if (able.length === 0) return [{ level: 'bad', title: 'No candidate is ready', text: 'Every voter has timed out or is not ready.' }];
  if (able.length === 1 && able[0].leads) return [{ level: 'warn', title: 'No standby', text: `If ${word(able[0].id)} stops, no other candidate is ready to lead.` }];
  return [];
}

function delays({ delays: all }) {
  return all.map((d) => ({ level: 'idle', title: 'Delayed', text: `${word(d.candidate?.id ?? 'A candidate')} does not claim yet (${word(d.rule)}),`, until: Date.parse(d.until) || 0 }));
}

function stopped({ group_config: config }) {
  if (config === null || config.enabled) return [];
  return [{ level: 'warn', title: 'This group is disabled', text: 'No member may lead a shard until fdbelect group config enable.' }];
}

function deserted({ shards, free_shards: free }, members) {
  if (members.length === 0) return [{ level: shards > 0 ? 'bad' : 'idle', title: 'No member', text: 'No process takes part in this group, so no shard is led.' }];
  if (shards === 0) return [{ level: 'idle', title: 'No shard', text: 'Create some with fdbelect group create.' }];
  const ready = members.filter((m) => m.state === 'ready');
  if (free > 0 && ready.length === 0) return [{ level: 'bad', title: 'No member is ready', text: 'Free shards wait for one.' }];
  return [];
}

function silent(members) {
  return members.filter((m) => m.silent === true).map((m) => ({
    level: 'bad', title: `${word(m.id)} is silent`, text: 'No heartbeat was seen for its lease. Another member evicts it, and its shards become free.',
  }));
}

function steered({ pins, requests, drains }) {
  const parts = [[drains, 'drain'], [pins, 'pin'], [requests, 'request']].filter(([n]) => n > 0).map(([n, noun]) => plural(n, noun));
  if (parts.length === 0) return [];
  return [{ level: 'idle', title: 'Operators want', text: `${parts.join(', ')}. The commands fdbelect group unpin, cancel and undrain take them back.` }];
}
