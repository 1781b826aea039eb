// The page of one election.

import { cut, h, section, show, visible, word } from './dom.js';
import { Candidates } from './candidates.js';
import { Config } from './config.js';
import { history } from './history.js';
import { Leader } from './leader.js';
import { Notices, ofElection } from './notices.js';
import { newest, tenuresOf } from './tenures.js';
import { Timeline } from './timeline.js';

/** election shows the page in main, and returns the handlers of its events. */
export function election(main, named, say, entitle) {
  const leader = new Leader(named);
  const notices = new Notices();
  const timeline = new Timeline();
  const candidates = new Candidates();
  const events = history();
  const config = new Config();
  const missing = h('div', { class: 'empty' }, h('h1', {}, `There is no election ${word(named)}`),
    h('p', {}, 'This page shows it as soon as it exists. To make it:'),
    h('pre', {}, h('code', {}, `fdbelect init --store STORE --election ${/^[\w.-]+$/.test(named) ? named : 'NAME'}`)),
    h('p', {}, h('a', { href: '/' }, 'Show all elections')));
  const waiting = h('p', { class: 'empty' }, 'Reading the election');
  const unwritten = h('p', { class: 'none' }, 'There are no events. Either no candidate has led yet, or the config keeps no history.');
  const log = section('Events', 'events', events.node);
  const body = h('div', { class: 'election' }, leader.node, notices.node, section('History', 'history', timeline.node, unwritten),
    section('Candidates', 'candidates', candidates.node), log, config.node);
  main.append(missing, waiting, body);
  show(missing, false);
  show(body, false);
  entitle(cut(visible(named), 40));

  let status;
  const past = new Map();
  let parts = [];

  /** past events and the status belong together, so both show what follows from the other. */
  function refresh() {
    if (!status) return;
    const current = status.leader ? status.term : null;
    timeline.update(parts, current);
    leader.update(status, parts.findLast((p) => p.kind === 'tenure' && p.term === status.term), parts.at(-1));
    notices.show(ofElection(status, candidates.loaded ? candidates.all : null));
    show(timeline.node, parts.length > 0);
    show(log, past.size > 0);
    show(unwritten, past.size === 0);
    entitle(leader.title);
  }

  return {
    status(next) {
      const before = status;
      status = next;
      show(waiting, false);
      show(missing, next === null);
      show(body, next !== null);
      if (next === null) {
        entitle(`No election ${cut(visible(named), 40)}`);
        return;
      }
      config.update(next);
      candidates.configure(next);
      refresh();
      if (before && idOf(before) !== idOf(next)) {
        say(next.leader ? `${word(next.leader.id)} leads now, in term ${next.term}` : 'There is no leader now');
      } else if (before?.tenure && next.tenure && !before.tenure.accepted && next.tenure.accepted) {
        say(`${word(next.leader.id)} has accepted leadership`);
      }
    },
    candidates(change) {
      candidates.change(change);
      if (status) notices.show(ofElection(status, candidates.loaded ? candidates.all : null));
    },
    history({ reset, set: changed, gone }) {
      if (reset) past.clear();
      for (const key of gone ?? []) past.delete(key);
      for (const event of changed) past.set(`${event.term}/${event.event}`, event);
      const all = [...past.values()].sort(newest);
      parts = tenuresOf(all);
      events.update(all);
      refresh();
    },
  };
}

const idOf = (status) => (status.leader ? `${status.term} ${status.leader.incarnation}` : 'none');
