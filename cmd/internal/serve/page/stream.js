// Reads server-sent events with fetch, so that it can send a token, and connects again.

import { sync } from './time.js';

const QUIET = 45_000; // milliseconds without a byte, after which the connection counts as dead
const FIRST_WAIT = 500;
const LAST_WAIT = 5_000;
const HIDDEN = 20_000; // for how long a page can be hidden before it lets its connection go
const KEY = 'fdbelect-token';

/** parse reads JSON. Integers above 2^53 become BigInt if the browser has their source. */
export function parse(text) {
  return JSON.parse(text, (_, value, context) => {
    const source = context?.source;
    const large = typeof value === 'number' && !Number.isSafeInteger(value) && source && /^-?\d+$/.test(source);
    return large ? BigInt(source) : value;
  });
}

/**
 * seen returns when the page is on the screen. A browser opens six connections to one server, so
 * the tabs in the background must not keep them.
 */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener('visibilitychange', () => resolve(), { once: true })).then(seen);
}

/** unseen calls back once the page has been hidden for a while. It returns a function that ends that. */
function unseen(call) {
  let timer;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(call, HIDDEN);
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}

/**
 * follow calls on[event](data) for each event of a stream, and never ends.
 * link.up() is called with the first event of a connection, link.down(text) after its end,
 * link.pause() when a hidden page lets the connection go, and link.token() to ask for a token
 * after a 401.
 */
export async function follow(url, on, link) {
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LAST_WAIT)) {
    let problem = 'the connection has ended';
    try {
      await read(url, on, () => {
        wait = FIRST_WAIT / 2;
        link.up();
      });
    } catch (error) {
      if (error.status === 401) {
        sessionStorage.setItem(KEY, await link.token());
        wait = FIRST_WAIT / 2;
        continue;
      }
      if (error.paused) {
        link.pause();
        await seen();
        wait = FIRST_WAIT / 2;
        continue;
      }
      problem = error.status ? error.message : 'it does not answer';
    }
    link.down(problem);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** get asks once, with the token. It throws an error that says why there is no answer. */
export async function get(url) {
  const response = await fetch(url, { headers: authorization(), cache: 'no-store' });
  if (!response.ok) throw await failure(response);
  return parse(await response.text());
}

function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** read reads one connection until it ends. */
async function read(url, on, opened) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), QUIET);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), QUIET);
  };
  const shown = unseen(() => abort.abort(Object.assign(new Error('hidden'), { paused: true })));
  try {
    const headers = { Accept: 'text/event-stream', ...authorization() };
    const response = await fetch(url, { headers, cache: 'no-store', signal: abort.signal });
    if (!response.ok) throw await failure(response);
    sync(response.headers.get('date'));
    await split(response.body, on, opened, alive);
  } catch (error) {
    throw abort.signal.reason ?? error; // some browsers tell only that the body was aborted, and not why
  } finally {
    clearTimeout(timer);
    shown();
    abort.abort();
  }
}

async function failure(response) {
  let text = `it answers ${response.status}`;
  try {
    const { error } = parse(await response.text());
    if (error) text += `: ${error}`;
  } catch { /* the status alone */ }
  return Object.assign(new Error(text), { status: response.status });
}

/** split cuts a stream into events and delivers them. */
async function split(body, on, opened, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let parts = [];
  let event = '';
  let data = [];
  let first = true;
  const line = (text) => {
    if (text === '') {
      if (data.length > 0) {
        if (first) opened();
        first = false;
        on[event]?.(parse(data.join('\n')));
      }
      event = '';
      data = [];
    } else if (text.startsWith('event:')) {
      event = text.slice(6).trim();
    } else if (text.startsWith('data:')) {
      data.push(text.slice(5).replace(/^ /, ''));
    }
  };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const lines = value.split('\n');
    parts.push(lines[0]);
    for (const text of lines.slice(1)) {
      line(parts.join('').replace(/\r$/, ''));
      parts = [text];
    }
  }
}
