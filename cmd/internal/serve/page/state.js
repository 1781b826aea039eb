// What the data means: whether an election has a leader, and whether its lease is in danger.

/**
 * judge names the state of an election. level is "bad", "warn", "idle" or "ok".
 * l is an element of the list, or a status. records are those that cannot be read.
 */
export function judge(l, records = l.unreadable) {
  const known = !records.some((r) => r.record === 'config');
  const enabled = !known || (l.enabled ?? l.config.enabled);
  if (l.unreadable.length > 0) return { level: 'bad', word: 'damaged' };
  if (!enabled) return { level: 'warn', word: 'disabled' };
  if (l.leader === null) return { level: 'bad', word: 'no leader' };
  if (l.tenure && !l.tenure.accepted) return { level: 'warn', word: 'handed over, not accepted' };
  if (l.settled === false) return { level: 'bad', word: 'lease expired' };
  if (l.settled === null) return { level: 'idle', word: 'not confirmed yet' };
  return { level: 'ok', word: 'leads' };
}

/** judgeGroup names the state of a group in the same way. g is an element of the list, or a status. */
export function judgeGroup(g) {
  const enabled = g.enabled ?? g.group_config?.enabled ?? true;
  const silent = g.members_silent ?? g.silent ?? 0;
  if (g.unreadable.length > 0) return { level: 'bad', word: 'damaged' };
  if (!enabled) return { level: 'warn', word: 'disabled' };
  if (g.shards === 0) return { level: 'idle', word: 'no shards' };
  if (g.members === 0) return { level: 'bad', word: 'no members' };
  if (g.free_shards > 0) return { level: 'bad', word: `${count(g.free_shards)} free` };
  if (silent > 0) return { level: 'bad', word: `${silent} silent` };
  if (g.moving > 0) return { level: 'warn', word: `${count(g.moving)} to move` };
  return { level: 'ok', word: 'balanced' };
}

/** plural is a number of things, as in "2 groups". */
export const plural = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** count is a number with separators, as in "10,000". */
export const count = (n) => n.toLocaleString('en');

/** rank orders the levels, worst first. */
export const rank = { bad: 0, warn: 1, idle: 2, ok: 2 };

/**
 * limits returns at which rest of a lease a renewal is overdue, and at which the leader stops its
 * work. The rules are those of DeadlinesOf in internal/machine. Without a config it takes the defaults.
 */
export function limits(lease, config) {
  if (!config || !(config.lease_seconds > 0)) return { overdue: lease / 2, stop: lease * 0.3 };
  const usable = lease - config.margin_seconds * Math.min(1, lease / config.lease_seconds);
  const heartbeat = config.heartbeat_seconds;
  const reserve = Math.max(0, Math.min(lease / 5, (usable - heartbeat) / 2));
  const stop = usable - reserve;
  const overdue = Math.min(Math.max(lease / 2, heartbeat + (stop - heartbeat) / 4), stop);
  return { overdue: lease - overdue, stop: lease - stop };
}

/** short is the part of an incarnation that people compare. */
export const short = (incarnation) => String(incarnation).slice(0, 8);

/** compare orders numbers, also BigInt. */
export const compare = (a, b) => (a < b ? -1 : Number(a > b));
