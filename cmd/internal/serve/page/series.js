// Turns the seconds of the stream into how many shards each member led, back in time.

import { plural } from './state.js';

/**
 * spansOf returns spans of time in which nothing moved, newest first: from and to in seconds since
 * 1970, loads by id, free, unknown, and the moves at its beginning by reason. loads and free are
 * those of now. seconds are those of the stream, in any order.
 */
export function spansOf(seconds, loads, free, now) {
  let current = { loads: new Map(loads), free, unknown: 0 };
  let to = Math.max(now, ...seconds.map((s) => s.second));
  const out = [];
  for (const s of [...seconds].sort((a, b) => b.second - a.second)) {
    out.push({ from: s.second, to, ...current, moves: s.moves });
    current = before(current, s);
    to = s.second;
  }
  out.push({ from: -Infinity, to, ...current, moves: {} });
  return out;
}

function before({ loads, free, unknown }, s) {
  const earlier = new Map(loads);
  for (const [id, n] of Object.entries(s.loads)) {
    const left = (earlier.get(id) ?? 0) - n;
    if (left > 0) earlier.set(id, left);
    else earlier.delete(id);
  }
  return { loads: earlier, free: Math.max(0, free - s.free_shards), unknown: Math.max(0, unknown - s.unknown) };
}

/**
 * columnsOf returns what to draw in columns of equal width between two times, oldest first: the span
 * in which most shards were free, and all moves by reason. A free shard is seen however short it was.
 */
export function columnsOf(spans, begin, end, n) {
  const width = (end - begin) / n;
  const columns = Array.from({ length: n }, (_, i) => ({ begin: begin + i * width, end: begin + (i + 1) * width, span: null, moves: {}, total: 0 }));
  for (const span of spans) {
    if (span.to <= begin && span.from < begin) break;
    const first = Math.max(0, Math.floor((span.from - begin) / width));
    const last = Math.min(n - 1, Math.ceil((span.to - begin) / width) - 1);
    for (let i = first; i <= last; i++) {
      if (columns[i].span === null || span.free > columns[i].span.free) columns[i].span = span;
    }
    if (span.from < begin || first >= n) continue;
    for (const [reason, moved] of Object.entries(span.moves)) {
      columns[first].moves[reason] = (columns[first].moves[reason] ?? 0) + moved;
      columns[first].total += moved;
    }
  }
  return columns;
}

/** movesText is a text like "12 moves: 10 balance, 2 expiry". */
export function movesText(moves) {
  const all = Object.entries(moves).sort((a, b) => b[1] - a[1]);
  const sum = all.reduce((total, [, n]) => total + n, 0);
  if (sum === 0) return 'no moves';
  return `${plural(sum, 'move')}: ${all.map(([reason, n]) => `${n} ${reason}`).join(', ')}`;
}
