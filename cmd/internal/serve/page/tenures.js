// Turns the events of the history into tenures and the gaps between them.

import { word } from './dom.js';
import { compare } from './state.js';
import { coarse } from './time.js';

const KINDS = { began: 0, duplicate: 1, ended: 2 };

/** newest sorts events: the newest term first, and within a term ended, duplicate, began. */
export const newest = (a, b) => compare(b.term, a.term) || (KINDS[b.event] ?? 3) - (KINDS[a.event] ?? 3);

/**
 * tenuresOf returns tenures and gaps, oldest first. Each has from and to in milliseconds. to is
 * null if it goes on. Times are those of different hosts, so they are put in the order of the terms.
 */
export function tenuresOf(events) {
  const terms = new Map();
  for (const event of events) {
    if (!terms.has(event.term)) terms.set(event.term, { term: event.term, duplicates: [] });
    const t = terms.get(event.term);
    if (event.event === 'duplicate') t.duplicates.push(event);
    else if (Object.hasOwn(KINDS, event.event)) t[event.event] = event;
  }
  const all = [...terms.values()].sort((a, b) => compare(a.term, b.term));
  const out = [];
  let floor = -Infinity;
  const later = (ms) => (floor = Math.max(floor, Number.isFinite(ms) ? ms : floor));
  for (const t of all) {
    const last = out.at(-1);
    if (t.began) {
      const from = later(Date.parse(t.began.time));
      if (last && last.to === null) Object.assign(last, { to: from, next: t.began });
      out.push({ kind: 'tenure', term: t.term, id: t.began.to?.id ?? '', incarnation: t.began.to?.incarnation ?? '', from, to: null, began: t.began, gap: last?.kind === 'gap' ? last : null, duplicates: t.duplicates });
    } else if (last?.kind === 'tenure') {
      last.duplicates.push(...t.duplicates);
    }
    if (t.ended) {
      const to = later(Date.parse(t.ended.time));
      const own = out.at(-1);
      if (own && own.to === null) own.to = to;
      if (t.began) own.ended = t.ended;
      out.push({ kind: 'gap', term: t.term, from: to, to: null, ended: t.ended, duplicates: [] });
    }
  }
  return out.filter((o) => Number.isFinite(o.from));
}

const BEGINNINGS = {
  vacancy: () => 'claimed the vacant leadership',
  expiry: (id) => `took over after the lease of ${id} had expired`,
  preemption: (id) => `took over from ${id}, which had a lower priority`,
  transfer: (id) => `took over from ${id}, by a transfer`,
  reclaim: () => 'claimed again after its own tenure had ended',
};

/** whyBegan says how a tenure began. */
export function whyBegan(t) {
  const { reason, from } = t.began;
  if (reason === 'vacancy' && t.gap) {
    return `claimed the leadership ${coarse((t.from - t.gap.from) / 1000)} after ${word(t.gap.ended.from?.id ?? 'its predecessor')} had left it (${word(t.gap.ended.reason, 200)})`;
  }
  if (Object.hasOwn(BEGINNINGS, reason) && (from || !['expiry', 'preemption', 'transfer'].includes(reason))) {
    return BEGINNINGS[reason](from ? word(from.id) : '');
  }
  return from ? `${word(reason, 200)}, after ${word(from.id)}` : word(reason, 200);
}

const ENDINGS = {
  expiry: (id) => `its lease expired, and ${id} took over`,
  preemption: (id) => `${id} has a higher priority, and took over`,
  transfer: (id) => `handed over to ${id}`,
  reclaim: (id) => `ended, and ${id} claimed again`,
};

/** whyEnded says why a tenure ended. It is null if the tenure goes on. */
export function whyEnded(t) {
  if (t.ended) return word(t.ended.reason, 200);
  if (!t.next) return null;
  const { reason, to } = t.next;
  const id = word(to?.id ?? 'another process');
  return Object.hasOwn(ENDINGS, reason) ? ENDINGS[reason](id) : `${id} took over (${word(reason, 200)})`;
}

/** at returns the index of the last part that begins at or before a time, or -1. */
export function at(parts, ms) {
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (parts[middle].from <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const COLOURS = 8;

/** colours gives each id a colour by its hash. Ids that would share one get the next free one. */
export function colours(ids) {
  const given = new Map();
  const used = new Set();
  for (const id of [...new Set(ids)].sort()) {
    let hash = 2166136261;
    for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619);
    let colour = (hash >>> 0) % COLOURS;
    while (used.has(colour) && used.size < COLOURS) colour = (colour + 1) % COLOURS;
    used.add(colour);
    given.set(id, colour);
  }
  return given;
}
