// How many shards of a group are led, as a bar.

import { attr, h, set } from './dom.js';
import { count } from './state.js';

/** Share is the bar. Its rest is red: these shards are free or damaged. label names it for a screen reader. */
export class Share {
  constructor(label) {
    this.led = h('span', { class: 'share-led' });
    this.free = h('span', { class: 'share-free' });
    this.track = h('span', { class: 'share-track', role: 'meter', 'aria-label': label, 'aria-valuemin': 0 }, this.led, this.free);
    this.text = h('span', { class: 'share-text' });
    this.node = h('span', { class: 'share-bar' }, this.track, this.text);
  }

  /** update takes a status or an element of the list. */
  update({ shards, free_shards: free, damaged_shards: damaged }) {
    const led = shards - free - damaged;
    const part = (n) => `${shards > 0 ? (n / shards * 100).toFixed(2) : 0}%`;
    this.led.style.width = part(led);
    this.free.style.width = part(shards - led);
    attr(this.track, 'aria-valuemax', Math.max(shards, 1));
    attr(this.track, 'aria-valuenow', led);
    attr(this.track, 'aria-valuetext', `${led} of ${shards}`);
    set(this.text, led === shards ? count(shards) : `${count(led)} of ${count(shards)}`);
  }
}
