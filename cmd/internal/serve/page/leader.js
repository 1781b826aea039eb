// The card at the top: who leads, since when, why, and what is left of the lease.

import { attr, cut, h, name, rename, set, show, visible, word } from './dom.js';
import { coarse, every, isFrozen, local, stamp, wall } from './time.js';
import { Lease } from './lease.js';
import { judge, short } from './state.js';
import { whyBegan } from './tenures.js';

const REASONS = {
  vacancy: 'claimed the vacant leadership', expiry: 'took over after the lease before had expired', preemption: 'took over from a leader of a lower priority',
  transfer: 'took over by a transfer', reclaim: 'claimed again after its own tenure had ended',
};

/** Leader is the card. */
export class Leader {
  constructor(named) {
    this.named = named;
    this.state = h('span', { class: 'state', id: 'state' });
    this.who = name('');
    this.heading = h('p', { class: 'leader-name', id: 'leader' }, this.who);
    this.since = h('time', {});
    this.age = h('strong', { class: 'age' });
    this.held = h('p', { class: 'leader-since' }, this.age, this.since);
    this.why = h('p', { class: 'leader-why', id: 'why' });
    this.lease = new Lease('Lease', true);
    this.of = h('span', { class: 'lease-of' });
    this.key = h('p', { class: 'lease-key' });
    this.term = h('dd', { id: 'term' });
    this.ballot = h('dd', {});
    this.priority = h('dd', {});
    this.incarnation = h('dd', { class: 'mono' });
    this.store = name('');
    const fact = (title, node) => h('div', {}, h('dt', {}, title), node);
    this.node = h('section', { class: 'leader', 'aria-labelledby': 'election-name' },
      h('h1', { id: 'election-name' }, name(named)), h('p', { class: 'place' }, this.store),
      h('div', { class: 'leader-card' },
        h('div', { class: 'leader-main' }, this.state, this.heading, this.held, this.why),
        h('div', { class: 'leader-lease' }, h('p', { class: 'label' }, 'Lease', this.of), this.lease.node, this.key),
        h('dl', { class: 'facts' }, fact('Term', this.term), fact('Ballot', this.ballot), fact('Priority', this.priority), fact('Incarnation', this.incarnation))));
    every(() => this.tick());
  }

  /** update shows a status. tenure is the part of the history with the same term, last the newest part. */
  update(status, tenure, last) {
    this.status = status;
    const { leader, tenure: held } = status;
    // A damaged record of a candidate does not hide who leads. The notices tell of it.
    const { level, word: text } = judge(leader ? { ...status, unreadable: [] } : status, status.unreadable);
    attr(this.node, 'data-level', level);
    attr(this.state, 'data-level', level);
    set(this.state, text);
    rename(this.who, leader ? leader.id : 'No leader');
    rename(this.store, `${status.store}${status.root ? `, below ${status.root}` : ''}`);
    set(this.term, status.term);
    set(this.ballot, status.ballot);
    set(this.priority, held ? held.priority : '–');
    set(this.incarnation, leader ? short(visible(leader.incarnation)) : '–');
    attr(this.incarnation, 'title', leader ? visible(leader.incarnation) : null);
    this.began = held ? Date.parse(held.since) : last?.kind === 'gap' && !leader ? last.from : NaN;
    show(this.held, Number.isFinite(this.began));
    attr(this.since, 'title', local(this.began));
    attr(this.since, 'datetime', Number.isFinite(this.began) ? new Date(this.began).toISOString() : null);
    set(this.why, this.reason(tenure, last));
    show(this.lease.node.parentElement, Boolean(leader));
    if (held) {
      set(this.of, ` of ${coarse(held.lease_seconds)}`);
      this.lease.update(held.lease_seconds, status.lease_remaining_seconds, status.config);
      const [overdue, stop] = [this.lease.limits?.overdue, this.lease.limits?.stop];
      set(this.key, overdue ? `Below ${round(overdue)} s a renewal is overdue. At ${round(stop)} s the leader stops.` : '');
    } else {
      this.lease.update(0, null);
    }
    this.title = `${(level === 'ok' || level === 'idle') && status.unreadable.length === 0 ? '' : '! '}${leader ? `${titled(leader.id)} leads ` : 'No leader: '}${titled(this.named)}`;
    this.tick();
  }

  /** reason says why this leader leads, or why there is none. */
  reason(tenure, last) {
    const { leader, tenure: held, term } = this.status;
    if (!leader) {
      if (last?.kind === 'gap') return `${word(last.ended.from?.id ?? 'The leader before')} left: ${word(last.ended.reason, 200)}.`;
      return String(term) === '0' ? 'No candidate has led yet.' : '';
    }
    if (tenure) return `It ${whyBegan(tenure)}.`;
    const known = held && Object.hasOwn(REASONS, held.acquire_reason);
    return known ? `It ${REASONS[held.acquire_reason]}.` : '';
  }

  /** tick counts on. */
  tick() {
    this.lease.tick();
    attr(this.node, 'data-lease', this.lease.node.dataset.level);
    if (!this.status || isFrozen() || !Number.isFinite(this.began)) return;
    set(this.age, `for ${coarse((wall() - this.began) / 1000)}`);
    set(this.since, `since ${stamp(this.began)}`);
  }
}

const titled = (text) => cut(visible(text), 40);
const round = (seconds) => Number(seconds.toFixed(1));
