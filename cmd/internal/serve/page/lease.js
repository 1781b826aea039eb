// The lease that runs down, as a bar.

import { h, attr, set } from './dom.js';
import { arrived, coarse, isFrozen, now, tenths } from './time.js';
import { limits } from './state.js';

/**
 * Lease is a bar. update tells it what is known, and tick counts on.
 * label names it for a screen reader. With marks it shows when a renewal is overdue.
 */
export class Lease {
  constructor(label, marks = false) {
    this.bar = h('span', { class: 'lease-bar' });
    this.marks = marks ? [h('span', { class: 'lease-mark' }), h('span', { class: 'lease-mark' })] : [];
    this.track = h('span', { class: 'lease-track', role: 'meter', 'aria-label': label, 'aria-valuemin': 0 }, this.bar, ...this.marks);
    this.text = h('span', { class: 'lease-text' });
    this.node = h('span', { class: 'lease' }, this.track, this.text);
  }

  /** update takes a lease in seconds and its rest, as of the arrival. null means that there is none. */
  update(lease, remaining, config) {
    this.lease = lease;
    this.until = remaining === null || !(lease > 0) ? null : arrived() + remaining * 1000;
    if (this.until !== null) {
      this.limits = limits(lease, config);
      attr(this.track, 'aria-valuemax', lease);
      [this.limits.overdue, this.limits.stop].forEach((rest, i) => {
        if (this.marks[i]) this.marks[i].style.left = `${Math.min(100, Math.max(0, rest / lease * 100))}%`;
      });
    }
    this.tick();
  }

  /** tick draws what is left now. */
  tick() {
    if (this.until === null || this.until === undefined || isFrozen()) {
      this.draw('none', 0, isFrozen() ? 'unknown' : '–', 'unknown');
      return;
    }
    const rest = (this.until - now()) / 1000;
    const level = rest <= this.limits.stop ? 'bad' : rest <= this.limits.overdue ? 'warn' : 'ok';
    const part = Math.min(1, Math.max(0, rest / this.lease));
    const text = rest >= 60 ? coarse(rest) : rest > 0 ? tenths(rest) : `expired ${coarse(-rest)} ago`;
    this.draw(level, part, text, rest > 0 ? `${Math.ceil(rest)} of ${this.lease} seconds left` : text);
  }

  draw(level, part, text, spoken) {
    attr(this.node, 'data-level', level);
    this.bar.style.transform = `scaleX(${part.toFixed(3)})`;
    set(this.text, text);
    attr(this.track, 'aria-valuenow', Math.ceil(part * (this.lease || 1)));
    attr(this.track, 'aria-valuetext', spoken);
    if (!this.lease) attr(this.track, 'aria-valuemax', 1);
  }
}
