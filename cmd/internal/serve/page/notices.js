// What is unusual about an election: a request, delays, a disabled election, damage.

import { h, word } from './dom.js';
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

  /** update shows what a status and its candidates say. candidates is null before they are known. It changes nothing if that is the same. */
  update(status, candidates) {
    const notices = [...damage(status), ...disabled(status), ...handed(status), ...request(status), ...unready(candidates), ...delays(status)];
    const now = JSON.stringify(notices);
    if (now === this.shown) return;
    this.shown = now;
    this.node.hidden = notices.length === 0;
    this.node.replaceChildren(...notices.map(({ level, title, text, until, more }) => h('li', { 'data-level': level },
      h('strong', {}, title), text ? h('span', {}, text) : null, until ? h('span', { 'data-until': until, class: 'until' }, ends(until)) : null,
      more ? h('span', { class: 'remedy' }, more) : null)));
  }
}

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
