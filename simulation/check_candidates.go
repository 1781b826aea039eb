package simulation

import (
	"bytes"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// checkCandidates is invariants 11 and 12 for all candidate records that a commit writes.
func (w *world) checkCandidates(c *commit) {
	ranks := c.rank
	for _, id := range c.candidates {
		before, known := w.records[id]
		w.checkCandidate(c, id)
		after, there := w.records[id]
		ranks = ranks || known != there || before.Role != after.Role || before.Priority != after.Priority ||
			before.Versionstamp != after.Versionstamp || before.ReadySince != after.ReadySince
	}
	if ranks { // otherwise the rank index has not changed
		w.checkRank(c)
	}
}

// checkCandidate is invariants 11 and 12 for one candidate record. Invariant 11: the set
// of candidates changes only if a candidate registers, unregisters or is evicted. An
// eviction is decided on the last heartbeat, not before the candidate timeout, and never
// evicts the holder. Invariant 12: the versionstamp is that of the commit which registered
// the candidate, and it does not change.
func (w *world) checkCandidate(c *commit, id string) {
	before, known := w.records[id]
	record, err := w.election.GetCandidate(&w.shadow, id)
	if err != nil { // it is gone
		delete(w.records, id)
		w.forgetNotes(id)
		if known {
			w.checkRemoval(c, &before)
		}
		return
	}
	since := candidateSince{record, c.entry.Version, w.now, w.now}
	if known && before.Versionstamp == record.Versionstamp {
		since.registered = before.registered
	} else if at, ok := w.registeredAt[record.Identity]; ok && c.op != nil && c.op.what.Kind == machine.ElectionCycle {
		since.registered = at // its record was removed while it led, and it has renewed
	}
	w.records[id], w.registeredAt[record.Identity] = since, since.registered
	w.checkReadySince(c, &before, known, &record)
	switch {
	case c.who() != record.Identity:
		w.violated(invCandidates, "%s wrote the record of %s", c.name(), record.Identity)
	case !known || before.Identity != record.Identity:
		if want := (memkv.CommitResult{Version: c.entry.Version, Batch: c.entry.Batch}).Stamp(); record.Versionstamp.Transaction != want {
			w.violated(invStamp, "%s registered %s with the versionstamp of another commit", c.name(), record.Identity)
		}
		if known {
			w.checkTakeOver(c, &before)
		}
	case record.Versionstamp != before.Versionstamp:
		w.violated(invStamp, "%s changed the versionstamp of %s", c.name(), record.Identity)
	case record.Heartbeats != before.Heartbeats+1:
		w.violated(invCandidates, "%s took the heartbeats of %s from %d to %d", c.name(), record.Identity, before.Heartbeats, record.Heartbeats)
	}
}

// checkTakeOver is a part of invariant 11. A process does not take over the id of a live
// candidate. Either the record is unchanged for the candidate timeout, or its process is
// the holder and has not renewed for its lease, both on the clock of the new process.
func (w *world) checkTakeOver(c *commit, before *candidateSince) {
	leader := &c.before.Leader
	switch {
	case c.op != nil && c.op.what.Kind != machine.Register:
		w.violated(invCandidates, "%s replaced %s", c.name(), before.Identity)
	case c.op == nil || w.sinceHeartbeat(c, before) >= w.timeout:
	case leader.HeldBy(before.Identity) && c.by.clocks.scaled(w.now-max(w.leaderAt, before.at))+2 >= leader.LeaseDuration:
		w.situation("candidate replaced under its id after a lease")
	default:
		w.violated(invCandidates, "%s took the id of %s after %s without a heartbeat", c.name(), before.Identity, w.now-before.at)
	}
}

// checkRefusal is a part of invariant 11. A registration is refused only if another process
// has lived under the id since this one started. A late commit of a process that has died
// does not count.
func (w *world) checkRefusal(op *operation, a *machine.Answer) {
	p := op.process
	if op.what.Kind != machine.Register {
		return
	}
	for _, other := range w.clients {
		if other != p && other.me.ID == p.me.ID && (other.alive || other.endedAt > p.startedAt) {
			return
		}
	}
	w.violated(invCandidates, "%s is refused (%v), but no other process of this id has lived since", p.name, a.Err)
}

func (w *world) checkRemoval(c *commit, before *candidateSince) {
	if c.who() == before.Identity {
		return // it has unregistered
	}
	byForce := c.by == w.operator
	evicts := byForce || c.by != nil && c.by.application || c.op != nil && c.op.what.Kind == machine.Evict
	switch {
	case !evicts:
		w.violated(invCandidates, "%s removed %s", c.name(), before.Identity)
	case c.before.Leader.HeldBy(before.Identity) && !c.missing:
		w.violated(invCandidates, "%s evicted %s, which holds leadership", c.name(), before.Identity)
	case before.version > c.entry.ReadVersion:
		w.violated(invCandidates, "%s evicted %s, but had not read its last heartbeat", c.name(), before.Identity)
	case !byForce && w.sinceHeartbeat(c, before) < w.timeout:
		w.violated(invCandidates, "%s evicted %s after %s without a heartbeat", c.name(), before.Identity, w.now-before.at)
	}
	if p := w.processOf(before.Identity); p != nil {
		w.situation("live candidate evicted")
	}
}

// sinceHeartbeat returns the longest time for which the author of a commit may have seen
// no heartbeat of a candidate. With expiry by clock it counts from the time stamp in the
// record, which is earlier than the commit that wrote it, and the clock may have been set back since the
// author read it.
func (w *world) sinceHeartbeat(c *commit, before *candidateSince) time.Duration {
	if c.op == nil && c.before.Config.Expiry == fdbelection.ExpiryByClock {
		setBack := max(c.by.clocks.before-c.by.clocks.wall, 0)
		return c.by.now().Wall.Add(setBack).Sub(before.LastHeartbeat)
	}
	return c.by.clocks.scaled(w.now-before.at) + 2
}

// checkRank is a part of invariant 11. The rank index lists each ready voter once, in its
// rank, and no other candidate, except for what a deletion has left behind.
func (w *world) checkRank(c *commit) {
	voters, ranked := w.ranks(c)
	r := &w.deleted
	ranked = slices.DeleteFunc(ranked, func(e election.RankEntry) bool { return r.extraRanks[e] && !slices.Contains(voters, e) })
	voters = slices.DeleteFunc(voters, func(e election.RankEntry) bool { return r.missingRanks[e] && !slices.Contains(ranked, e) })
	if !slices.Equal(voters, ranked) {
		w.violated(invCandidates, "%s left the rank index %v for the voters %v", c.name(), ranked, voters)
	}
}

// ranks returns the entries that the rank index should have, and those that it has.
func (w *world) ranks(c *commit) (voters, ranked []election.RankEntry) {
	candidates, err := w.election.ListCandidates(&w.shadow)
	if err != nil {
		w.violated(invCandidates, "%s: %v", c.name(), err)
	}
	for i := range candidates {
		if v := &candidates[i]; v.Role == election.Voter && v.Ready() {
			voters = append(voters, election.RankEntry{ID: v.ID, Priority: v.Priority, Versionstamp: v.ReadySince})
		}
	}
	if ranked, err = w.election.Shortlist(&w.shadow, 1000); err != nil {
		w.violated(invCandidates, "%s: %v", c.name(), err)
	}
	return voters, ranked
}

// checkWrites is invariant 15. A commit that does not change leadership writes nothing
// that other processes depend on. A follower writes its own record and its own preemption
// request, and causes no conflicts. An eviction removes records of timed-out candidates.
// Only an operator writes the config.
func (w *world) checkWrites(c *commit) {
	k := &w.keys
	switch {
	case c.by == nil || c.by == w.operator:
		if (c.leader || c.term) && !c.forced(labelForceResign) && !c.forced(labelRaiseTerm) {
			w.violated(invOwnWrites, "%s wrote the leader record or the term record", c.name())
		}
		return
	case c.config && c.before.Config.Revision != 0:
		w.violated(invOwnWrites, "%s wrote the config", c.name())
	case c.history && c.op != nil && c.op.what.Kind == machine.Register: // it found a duplicate id
	case !c.leader && (c.term || c.history):
		w.violated(invOwnWrites, "%s wrote the term record or the history without the leader record", c.name())
	}
	if c.op == nil || c.leader {
		return
	}
	kind := c.op.what.Kind
	for _, r := range c.entry.WriteConflicts {
		if bytes.Equal(r.Begin, k.leader) && kind != machine.Settle {
			w.violated(invOwnWrites, "%s makes writers of the leader record conflict", c.name())
		}
	}
	for _, id := range c.candidates {
		if id != c.by.me.ID && kind != machine.Evict {
			w.violated(invOwnWrites, "%s wrote the record of %s", c.name(), id)
		}
	}
	if kind == machine.ElectionCycle && !c.request && slices.ContainsFunc(c.entry.ReadConflicts, func(r memkv.Range) bool {
		return bytes.Compare(r.Begin, k.leader) <= 0 && bytes.Compare(k.leader, r.End) < 0
	}) {
		w.violated(invOwnWrites, "%s has a read conflict on the leader record and does not write it", c.name())
	}
}

// The limits of one commit with five processes. An eviction of one more writes two keys more.
const (
	maxWrites = 12
	maxBytes  = 4096
)

// checkBounds is invariant 22. Nothing is written outside the subspace of the election, a
// commit writes a limited number of keys and bytes, and the history keeps no more terms
// than its limit.
func (w *world) checkBounds(c *commit) {
	if c.elsewhere != nil {
		w.violated(invBounds, "%s wrote %q", c.name(), c.elsewhere)
	}
	size := 0
	for i := range c.entry.Mutations {
		size += len(c.entry.Mutations[i].Key) + len(c.entry.Mutations[i].Value)
	}
	if n := len(c.entry.Mutations); n > maxWrites+2*max(0, len(w.hosts)-5) || size > maxBytes {
		w.violated(invBounds, "%s wrote %d keys, %d bytes", c.name(), n, size)
	}
	term, limit := c.after.Leader.Term, uint64(c.after.Config.HistoryLimit)
	otherConfig := c.after.Leader.Vacant() && w.configAt > c.entry.ReadVersion // leadership is given up under any
	if !c.leader || term == c.before.Leader.Term || otherConfig {
		return
	}
	events, err := w.election.History(&w.shadow, 0)
	if err != nil || len(events) > 0 && events[len(events)-1].Term+limit <= term {
		w.violated(invBounds, "%s: the history is limited to %d terms and has %d to %d", c.name(), limit, events[len(events)-1].Term, term)
	}
}

// checkOwner is invariant 21 for the commit log. A transaction that its caller does not
// commit is not in the log. spyTransaction checks that the election does not commit,
// retry or set options.
func (w *world) checkOwner(c *commit) {
	if c.entry.Client == abandonedClient {
		w.violated(invOwnership, "a transaction that was not committed by its caller is in the log")
	}
}
