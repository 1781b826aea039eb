// Clocks and durations. Ages count on by the monotonic clock of the page, and stand still while
// the data is old.

let frozen = null;
let offset = Date.now() - performance.now();
const tickers = new Set();

/** now is the monotonic time in milliseconds. It stands still while the data is old. */
export const now = () => frozen ?? performance.now();

/** arrived is now, for what has just come from the server. It never stands still. */
export const arrived = () => performance.now();

/** wall is the time in milliseconds since 1970, by the clock of the server. */
export const wall = () => now() + offset;

/** actual is wall, and goes on while the data is old. */
export const actual = () => performance.now() + offset;

/** isFrozen says whether the data is old. */
export const isFrozen = () => frozen !== null;

/** freeze stops the clocks, or lets them go on. */
export function freeze(stop) {
  if (stop === isFrozen()) return;
  frozen = stop ? performance.now() : null;
  tick();
}

/** sync sets the wall clock by the Date header of the server, if they clearly differ. */
export function sync(header) {
  const server = Date.parse(header ?? '');
  const local = Date.now() - performance.now();
  if (Number.isNaN(server)) return;
  const ahead = server + 500 - Date.now();
  offset = Math.abs(ahead) > 1500 ? local + ahead : local;
}

/** every calls a function four times a second. */
export function every(call) {
  tickers.add(call);
}

function tick() {
  if (!document.hidden) for (const call of tickers) call();
}

setInterval(() => { if (!isFrozen()) tick(); }, 250);
document.addEventListener('visibilitychange', tick);

const UNITS = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];

/** duration is a text with at most two units, as in "2 h 14 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.floor(seconds));
  if (seconds < 10 && seconds > 0 && seconds !== whole) return tenths(seconds);
  const first = UNITS.findIndex(([, size]) => whole >= size);
  if (first < 0) return '0 s';
  const [unit, size] = UNITS[first];
  const head = `${Math.floor(whole / size)} ${unit}`;
  if (first === UNITS.length - 1) return head;
  const [below, smaller] = UNITS[first + 1];
  const rest = Math.floor((whole % size) / smaller);
  return rest === 0 ? head : `${head} ${rest} ${below}`;
}

/** coarse is duration without tenths, for what changes in front of the reader. */
export const coarse = (seconds) => duration(Math.floor(seconds));

/** tenths is a text like "8.4 s". */
export const tenths = (seconds) => `${(Math.max(0, seconds)).toFixed(1)} s`;

const two = (n) => String(n).padStart(2, '0');

/** day is a date like "2026-11-30", in UTC. */
export function day(ms) {
  const t = new Date(ms);
  return `${t.getUTCFullYear()}-${two(t.getUTCMonth() + 1)}-${two(t.getUTCDate())}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** date is a short date like "Nov 30", in UTC. */
export const date = (ms) => `${MONTHS[new Date(ms).getUTCMonth()]} ${new Date(ms).getUTCDate()}`;

/** hour is a time of day, in UTC. */
export function hour(ms, seconds = true) {
  const t = new Date(ms);
  return `${two(t.getUTCHours())}:${two(t.getUTCMinutes())}${seconds ? `:${two(t.getUTCSeconds())}` : ''}`;
}

/** stamp is a time in UTC, with its date unless that is today. */
export function stamp(ms) {
  if (!Number.isFinite(ms)) return 'an unknown time';
  return `${day(ms) === day(wall()) ? '' : `${day(ms)} `}${hour(ms)} UTC`;
}

/** local is the same time where the reader is. */
export const local = (ms) => (Number.isFinite(ms) ? new Date(ms).toString() : '');
