// Starts the page that the address names, and tells whether what it shows is fresh.

import { cut, h, set, show, visible, word } from './dom.js';
import { actual, coarse, freeze, stamp } from './time.js';
import { follow } from './stream.js';
import { list } from './list.js';
import { election } from './election.js';
import { group } from './group.js';

const $ = (id) => document.getElementById(id);
const health = { store: null, down: null, paused: false, title: '' };

/** say has a screen reader say a text, without a change of focus. */
function say(text) {
  set($('announce'), text);
}

/** entitle sets the title of the page. */
function entitle(text) {
  health.title = text;
  document.title = `${document.body.classList.contains('stale') ? '! Not live: ' : ''}${text} - fdbelect`;
}

/** judge shows how fresh the data is. */
function judge() {
  const { store, down } = health;
  const away = down ?? (store && !store.ok ? store : null);
  const state = away ? 'away' : health.paused ? 'paused' : store ? 'live' : 'wait';
  $('link').dataset.state = state;
  set($('link-text'), { away: 'not live', live: 'live', paused: 'paused', wait: 'connecting' }[state]);
  document.body.classList.toggle('stale', Boolean(away || health.paused));
  freeze(Boolean(away || health.paused));
  if (health.title) entitle(health.title);
  show($('banner'), Boolean(away));
  if (!away) {
    set($('banner'), '');
    return;
  }
  const what = down ? 'No connection to the server of this page' : 'The store is away';
  const text = cut(visible(away.error || 'no answer'), 300);
  const since = h('span', { class: 'banner-for', 'aria-hidden': 'true' });
  $('banner').replaceChildren(
    h('strong', {}, `${what} since ${stamp(away.at)}.`), ' ', since,
    h('span', { class: 'banner-why' }, h('bdi', {}, text), '. What you see below is old. This page goes on by itself.'),
  );
}

const link = {
  up() {
    health.down = null;
    health.paused = false;
    judge();
  },
  down(error) {
    health.down ??= { error, at: actual() };
    health.down.error = error;
    judge();
  },
  pause() {
    health.paused = true;
    judge();
  },
  token: ask,
};

/** store takes the event of the same name. */
function store(state) {
  health.store = { ...state, at: Date.parse(state.since) };
  judge();
}

/** ask shows a form for the token, and returns what was typed. */
function ask() {
  return new Promise((resolve) => {
    const field = h('input', { type: 'password', id: 'token', autocomplete: 'current-password', required: true });
    const again = sessionStorage.getItem('fdbelect-token') !== null;
    const dialog = h('dialog', { class: 'token', 'aria-labelledby': 'token-title' });
    const form = h('form', {
      submit(event) {
        event.preventDefault();
        dialog.close();
      },
    },
    h('h2', { id: 'token-title' }, 'This server asks for a token'),
    h('p', {}, again ? 'The server did not accept the token that you gave.' : 'The operator of the server has it in a file. This tab keeps it until you close it.'),
    h('label', { for: 'token' }, 'Token'), field, h('button', { type: 'submit' }, 'Continue'));
    dialog.append(form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(field.value.trim());
    });
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
  });
}

function start() {
  const kinds = { '/election': ['election', election], '/group': ['group', group] };
  const [kind, show] = kinds[location.pathname] ?? [];
  const named = kind ? new URL(location.href).searchParams.get('name') : null;
  const main = $('main');
  if (named === null) {
    $('crumbs').append(h('span', { 'aria-current': 'page' }, 'Overview'));
    follow('/api/v1/stream', { store, ...list(main, say, entitle) }, link);
    return;
  }
  $('crumbs').append(
    h('a', { href: '/' }, 'Overview'), h('span', { class: 'slash', 'aria-hidden': 'true' }, '/'),
    h('span', { class: 'crumb', 'aria-current': 'page' }, word(named)),
  );
  follow(`/api/v1/stream?${kind}=${encodeURIComponent(named)}`, { store, ...show(main, named, say, entitle) }, link);
}

// The clocks of the data stand still, but the outage goes on.
setInterval(() => {
  const text = document.querySelector('.banner-for');
  const away = health.down ?? health.store;
  if (text && away) set(text, `For ${coarse((actual() - away.at) / 1000)} now.`);
}, 1000);

start();
