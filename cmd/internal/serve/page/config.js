// The config of an election, folded.

import { h, set } from './dom.js';
import { duration } from './time.js';

const ROWS = [
  ['Revision', (c) => c.revision], ['Enabled', (c) => yes(c.enabled)], ['Lease', (c) => duration(c.lease_seconds)],
  ['Heartbeat', (c) => duration(c.heartbeat_seconds)], ['Margin', (c) => duration(c.margin_seconds)],
  ['Candidate timeout', (c) => duration(c.candidate_timeout_seconds)], ['Expiry by', (c) => c.expiry],
  ['Preemption', (c) => yes(c.preemption)], ['Preemption grace', (c) => duration(c.preemption_grace_seconds)],
  ['Minimum tenure', (c) => duration(c.minimum_tenure_seconds)], ['Preempt delay', (c) => duration(c.preempt_delay_seconds)],
  ['Terms of history', (c) => c.history_limit],
];

const yes = (value) => (value ? 'yes' : 'no');

/** Config shows each setting. */
export class Config {
  constructor() {
    this.values = ROWS.map(() => h('dd', {}));
    this.node = h('details', { class: 'config' }, h('summary', {}, 'Config'),
      h('dl', { class: 'facts' }, ...ROWS.map(([title], i) => h('div', {}, h('dt', {}, title), this.values[i]))));
  }

  update({ config }) {
    ROWS.forEach(([, text], i) => set(this.values[i], text(config)));
  }
}
