// The page of all elections and groups: tables with search. An event changes only the rows that it names.

import { attr, h, name, order, rename, rowOf, set, show, tableOf, visible, word } from './dom.js';
import { coarse, every, isFrozen, local, stamp, wall } from './time.js';
import { Groups } from './groups.js';
import { Lease } from './lease.js';
import { judge, plural, rank } from './state.js';

const COLUMNS = ['Election', 'Leader', 'Leads for', 'Lease', 'Ready', 'Term', 'State'];

/** list shows the page in main, and returns the handlers of its events. */
export function list(main, say, entitle) {
  const rows = new Map(); // by the name of the election
  const seen = new Set(); // the rows on the screen
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target.row);
      else seen.delete(target.row);
      if (isIntersecting) target.row.tick();
    }
  }, { rootMargin: '100px' });
  let loaded = false;
  let planned = false;
  let leftOut = 0;
  const groups = new Groups();
  let known = 0; // kinds whose first event has come
  let counted = false; // the one of the groups has

  const search = h('input', {
    type: 'search', id: 'search', placeholder: 'Election, leader or group', autocomplete: 'off', spellcheck: 'false',
    'aria-keyshortcuts': '/', input: () => arrange(), keydown: (event) => { if (event.key === 'Escape') { search.value = ''; arrange(); } },
  });
  const only = h('button', { type: 'button', class: 'toggle', 'aria-pressed': 'false', click() {
    attr(only, 'aria-pressed', String(only.getAttribute('aria-pressed') !== 'true'));
    arrange();
  } });
  const summary = h('p', { class: 'summary', id: 'summary' }, 'Reading the elections');
  const body = h('tbody', { role: 'rowgroup' });
  const table = tableOf('elections listed', 'Elections', COLUMNS, body);
  const empty = h('div', { class: 'empty' });
  const tools = h('div', { class: 'tools' },
    h('label', { class: 'search', for: 'search' }, h('span', { class: 'hidden' }, 'Search elections, leaders and groups'), search, h('kbd', { 'aria-hidden': 'true' }, '/')), only);
  show(table, false);
  show(empty, false);
  show(tools, false);
  const title = h('h1', {}, 'Elections');
  main.append(h('div', { class: 'headline' }, title, summary), tools, table, groups.node, empty);

  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, dialog')) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
  every(() => { for (const row of seen) row.tick(); });

  /** arrange sorts and filters the rows, worst first. */
  function arrange() {
    planned = false;
    const wanted = search.value.trim().toLowerCase();
    const bad = only.getAttribute('aria-pressed') === 'true';
    const all = [...rows.values()].sort((a, b) => a.rank - b.rank || a.collate(b));
    const shown = all.filter((row) => (!bad || row.rank < rank.idle) && row.matches(wanted));
    order(body, shown.map((row) => row.node));
    tell(all, shown, wanted, groups.arrange(wanted, bad, all.length === 0));
  }

  function tell(all, shown, wanted, ofGroups) {
    const pools = ofGroups.all.length;
    const problems = all.filter((row) => row.rank < rank.idle).length + ofGroups.problems;
    const count = (test) => all.filter((row) => test(row.data)).length;
    const parts = all.length > 0 || pools === 0 ? [plural(all.length, 'election')] : [];
    const add = (n, text) => { if (n > 0) parts.push(`${n} ${text}`); };
    add(count((l) => judge(l).word === 'no leader'), 'without a leader');
    add(count((l) => judge(l).word === 'lease expired'), 'with an expired lease');
    add(count((l) => l.unreadable.length > 0), 'damaged');
    add(count((l) => judge(l).word === 'disabled'), 'disabled');
    add(leftOut, 'more are not shown');
    if (pools > 0) parts.push(plural(pools, 'group'), ...groups.summary());
    const both = [all.length > 0 || pools === 0 ? plural(all.length, 'election') : '', pools > 0 ? plural(pools, 'group') : ''].filter(Boolean).join(' and ');
    const calm = problems === 0 && leftOut + groups.leftOut === 0 && all.length + pools > 0;
    set(summary, calm ? `${both}, ${all.length + pools === 1 ? 'no problem' : 'no problems'}` : parts.join(', '));
    set(only, `Problems only (${problems})`);
    set(title, pools === 0 ? 'Elections' : all.length === 0 ? 'Groups' : 'Elections and groups');
    entitle(`${problems > 0 ? `${plural(problems, 'problem')} in ` : ''}${both}`);
    show(tools, all.length + pools > 0);
    show(table, shown.length > 0);
    const nothing = shown.length + ofGroups.shown.length === 0;
    show(empty, known === 2 && nothing);
    if (all.length + pools === 0) {
      empty.replaceChildren(h('h2', {}, 'There is no election and no group yet'),
        h('p', {}, 'Make one in this store, and it appears here by itself:'),
        h('pre', {}, h('code', {}, 'fdbelect init --store STORE --election orders')),
        h('pre', {}, h('code', {}, 'fdbelect group create indexer --store STORE --shards 64')));
    } else if (nothing) {
      empty.replaceChildren(h('p', {}, wanted ? `No election, leader or group matches ${word(search.value.trim())}.` : 'No election and no group has a problem.'));
    }
  }

  return {
    elections({ reset, set: changed, gone, left_out: rest = 0 }) {
      leftOut = rest;
      const fresh = loaded;
      const news = [];
      const kept = reset ? new Set(changed.map((l) => l.election)) : null;
      for (const key of kept ? [...rows.keys()].filter((k) => !kept.has(k)) : gone) {
        const row = rows.get(key);
        if (row) {
          watch.unobserve(row.node);
          seen.delete(row);
          rows.delete(key);
        }
      }
      let moved = !fresh || reset || gone.length > 0;
      for (const l of changed) {
        let row = rows.get(l.election);
        if (!row) {
          row = new Row(l);
          rows.set(l.election, row);
          watch.observe(row.node);
          moved = true;
        } else if (leader(row.data) !== leader(l)) {
          news.push(l.leader ? `${word(l.leader.id)} leads ${word(l.election)}` : `${word(l.election)} has no leader`);
        }
        moved = row.update(l) || moved;
      }
      if (!loaded) known++;
      loaded = true;
      if (news.length > 0 && fresh) say(news.length > 3 ? `${news.length} leaders have changed` : news.join('. '));
      if (moved && !planned) {
        planned = true;
        if (document.hidden || !fresh) arrange();
        else requestAnimationFrame(arrange);
      }
    },
    groups(change) {
      const news = groups.change(change);
      if (!counted) known++;
      else if (news.length > 0) say(news.join('. '));
      counted = true;
      arrange();
    },
  };
}

const leader = (l) => (l.leader ? `${l.leader.incarnation} ${l.leader.id}` : '');

/** Row is one election of the table. */
class Row {
  constructor(l) {
    this.key = l.election;
    this.link = h('a', { href: `/election?name=${encodeURIComponent(l.election)}` }, name(l.election));
    this.leader = name('');
    this.since = h('time', {});
    this.lease = new Lease(`Lease of ${word(l.election)}`);
    this.ready = h('span', {});
    this.term = h('span', {});
    this.state = h('span', { class: 'state' });
    const cells = [this.link, this.leader, this.since, this.lease.node, this.ready, this.term, this.state];
    this.node = rowOf(COLUMNS, cells);
    this.node.row = this;
  }

  /** update shows l. It returns whether the row may have to move. */
  update(l) {
    const before = this.data;
    const { level, word: text } = judge(l);
    this.data = l;
    this.rank = rank[level];
    rename(this.leader, l.leader ? l.leader.id : null);
    attr(this.leader, 'title', l.leader ? `${visible(l.leader.id)}, incarnation ${visible(l.leader.incarnation)}` : null);
    this.began = l.tenure ? Date.parse(l.tenure.since) : NaN;
    attr(this.since, 'datetime', l.tenure?.since && Number.isFinite(this.began) ? new Date(this.began).toISOString() : null);
    attr(this.since, 'title', Number.isFinite(this.began) ? `since ${stamp(this.began)}, ${local(this.began)}` : null);
    this.lease.update(l.tenure?.lease_seconds ?? 0, l.leader ? l.lease_remaining_seconds : null);
    set(this.ready, `${l.candidates_ready} of ${l.candidates}`);
    attr(this.ready, 'title', `${l.candidates_ready} ready, ${l.candidates_alive} alive, ${l.candidates} registered`);
    set(this.term, l.term);
    set(this.state, text);
    attr(this.state, 'data-level', level);
    attr(this.node, 'data-level', level);
    this.tick();
    return !before || leader(before) !== leader(l) || judge(before).word !== text;
  }

  /** tick counts on. */
  tick() {
    this.lease.tick();
    if (!isFrozen()) set(this.since, Number.isFinite(this.began) ? coarse((wall() - this.began) / 1000) : '–');
  }

  matches(wanted) {
    return wanted === '' || this.key.toLowerCase().includes(wanted) || Boolean(this.data.leader?.id.toLowerCase().includes(wanted));
  }

  collate(other) {
    return collator.compare(this.key, other.key);
  }
}

const collator = new Intl.Collator('en', { numeric: true });
