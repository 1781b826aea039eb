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

// checkCandidates is invariants 11 and 12.
func (w *World) checkCandidates(c *commit) {
	ranks := c.rank
	for _, id := range c.candidates {
		before, known := w.records[id]
		w.checkCandidate(c, id)
		after, there := w.records[id]
		ranks = ranks || known != there || before.Role != after.Role || before.Priority != after.Priority ||
			before.Versionstamp != after.Versionstamp
	}
	if ranks { // else it is as it was checked before
		w.checkRank(c)
	}
}

// checkCandidate is invariants 11 and 12 for one record. Invariant 11 proves that
// the set of candidates changes by registrations, departures and evictions only;
// that an eviction is never decided on a heartbeat that is not the last, nor
// before the timeout, nor against the holder. Invariant 12 proves that the
// versionstamp is the commit of the registration and stays so.
func (w *World) checkCandidate(c *commit, id string) {
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
	} else if at, ok := w.enlisted[record.Identity]; ok && c.op != nil && c.op.what.Kind == machine.ElectionCycle {
		since.registered = at // its record was removed under a leader, who has renewed
	}
	w.records[id], w.enlisted[record.Identity] = since, since.registered
	switch {
	case c.who() != record.Identity:
		w.violated(Candidates, "%s wrote the record of %s", c.name(), record.Identity)
	case !known || before.Identity != record.Identity:
		if want := (memkv.CommitResult{Version: c.entry.Version, Batch: c.entry.Batch}).Stamp(); record.Versionstamp.Transaction != want {
			w.violated(Stamp, "%s registered %s with the stamp of another commit", c.name(), record.Identity)
		}
		if known {
			w.checkTakeOver(c, &before)
		}
	case record.Versionstamp != before.Versionstamp:
		w.violated(Stamp, "%s changed the versionstamp of %s", c.name(), record.Identity)
	case record.Heartbeats != before.Heartbeats+1:
		w.violated(Candidates, "%s took the heartbeats of %s from %d to %d", c.name(), record.Identity, before.Heartbeats, record.Heartbeats)
	}
}

// checkTakeOver is a part of invariant 11. It proves that a process takes over no id
// from a live one: the record has stood still for the candidate timeout, or its holder
// has not renewed the seat for its lease, both on the clock of the newcomer.
func (w *World) checkTakeOver(c *commit, before *candidateSince) {
	seat := &c.before.Leader
	switch {
	case c.op != nil && c.op.what.Kind != machine.Register:
		w.violated(Candidates, "%s replaced %s", c.name(), before.Identity)
	case c.op == nil || w.silence(c, before) >= w.timeout:
	case seat.HeldBy(before.Identity) && c.by.clocks.scaled(w.now-max(w.seatAt, before.at))+2 >= seat.LeaseDuration:
		w.situation("id taken over after a lease")
	default:
		w.violated(Candidates, "%s took the id of %s, silent for %s", c.name(), before.Identity, w.now-before.at)
	}
}

func (w *World) checkRemoval(c *commit, before *candidateSince) {
	if c.who() == before.Identity {
		return // it left
	}
	byForce := c.by == w.operator
	evicts := byForce || c.by != nil && c.by.application || c.op != nil && c.op.what.Kind == machine.Evict
	switch {
	case !evicts:
		w.violated(Candidates, "%s removed %s", c.name(), before.Identity)
	case c.before.Leader.HeldBy(before.Identity) && !c.missing:
		w.violated(Candidates, "%s evicted the holder %s", c.name(), before.Identity)
	case before.version > c.entry.ReadVersion:
		w.violated(Candidates, "%s evicted %s by a heartbeat that was not its last", c.name(), before.Identity)
	case !byForce && w.silence(c, before) < w.timeout:
		w.violated(Candidates, "%s evicted %s, silent for %s", c.name(), before.Identity, w.now-before.at)
	}
	if p := w.processOf(before.Identity); p != nil {
		w.situation("living candidate evicted")
	}
}

// silence is how long a candidate has not been heard of, at most, as whoever evicts
// it may judge. By the clock that goes by the stamp of its record, which is older
// than the commit that wrote it.
func (w *World) silence(c *commit, before *candidateSince) time.Duration {
	if c.op == nil && c.before.Config.Expiry == fdbelection.ExpiryByClock {
		return c.by.now().Wall.Sub(before.LastHeartbeat)
	}
	return c.by.clocks.scaled(w.now-before.at) + 2
}

// checkRank is a part of invariant 11: the rank index names every voter once, in
// its place, and no other candidate, apart from what a deletion has left behind.
func (w *World) checkRank(c *commit) {
	voters, ranked := w.ranks(c)
	r := &w.removed
	ranked = slices.DeleteFunc(ranked, func(e election.RankEntry) bool { return r.extra[e] && !slices.Contains(voters, e) })
	voters = slices.DeleteFunc(voters, func(e election.RankEntry) bool { return r.missing[e] && !slices.Contains(ranked, e) })
	if !slices.Equal(voters, ranked) {
		w.violated(Candidates, "%s left the rank %v for the voters %v", c.name(), ranked, voters)
	}
}

// ranks returns the voters as they should be in the rank index, and what is there.
func (w *World) ranks(c *commit) (voters, ranked []election.RankEntry) {
	candidates, err := w.election.ListCandidates(&w.shadow)
	if err != nil {
		w.violated(Candidates, "%s: %v", c.name(), err)
	}
	for i := range candidates {
		if v := &candidates[i]; v.Role == election.Voter {
			voters = append(voters, election.RankEntry{ID: v.ID, Priority: v.Priority, Versionstamp: v.Versionstamp})
		}
	}
	if ranked, err = w.election.Preferred(&w.shadow, 1000); err != nil {
		w.violated(Candidates, "%s: %v", c.name(), err)
	}
	return voters, ranked
}

// checkWrites is invariant 15. It proves that whoever does not change the seat
// writes nothing that others depend on: a follower its own record and its own
// challenge, and makes nobody conflict; an eviction those of the dead; nobody but
// an operator the config.
func (w *World) checkWrites(c *commit) {
	k := &w.keys
	switch {
	case c.by == nil || c.by == w.operator:
		if (c.leader || c.term) && !c.forced(labelDepose) && !c.forced(labelRaise) {
			w.violated(OwnWrites, "%s wrote the seat", c.name())
		}
		return
	case c.config && c.before.Config.Revision != 0:
		w.violated(OwnWrites, "%s wrote the config", c.name())
	case c.history && c.op != nil && c.op.what.Kind == machine.Register: // it has found a duplicate
	case !c.leader && (c.term || c.history):
		w.violated(OwnWrites, "%s wrote the term or the history without a change of the seat", c.name())
	}
	if c.op == nil || c.leader {
		return
	}
	kind := c.op.what.Kind
	for _, r := range c.entry.WriteConflicts {
		if bytes.Equal(r.Begin, k.leader) && kind != machine.Settle {
			w.violated(OwnWrites, "%s makes writers of the seat conflict", c.name())
		}
	}
	for _, id := range c.candidates {
		if id != c.by.me.ID && kind != machine.Evict {
			w.violated(OwnWrites, "%s wrote the record of %s", c.name(), id)
		}
	}
	if kind == machine.ElectionCycle && !c.intent && slices.ContainsFunc(c.entry.ReadConflicts, func(r memkv.Range) bool {
		return bytes.Compare(r.Begin, k.leader) <= 0 && bytes.Compare(k.leader, r.End) < 0
	}) {
		w.violated(OwnWrites, "%s depends on the seat and does not write it", c.name())
	}
}

// The bounds of one commit.
const (
	mostWrites = 12
	mostBytes  = 4096
)

// checkBounds is invariant 22. It proves that nothing is written outside of the
// subspace of the election, that an act writes a bounded number of keys and bytes,
// and that the history keeps no more terms than it is to.
func (w *World) checkBounds(c *commit) {
	if c.elsewhere != nil {
		w.violated(Bounds, "%s wrote %q", c.name(), c.elsewhere)
	}
	size := 0
	for i := range c.entry.Mutations {
		size += len(c.entry.Mutations[i].Key) + len(c.entry.Mutations[i].Value)
	}
	if n := len(c.entry.Mutations); n > mostWrites || size > mostBytes {
		w.violated(Bounds, "%s wrote %d keys, %d bytes", c.name(), n, size)
	}
	term, limit := c.after.Leader.Term, uint64(c.after.Config.HistoryLimit)
	if !c.leader || term == c.before.Leader.Term {
		return
	}
	events, err := w.election.History(&w.shadow, 0)
	if err != nil || len(events) > 0 && events[len(events)-1].Term+limit <= term {
		w.violated(Bounds, "%s: the history of %d terms reaches from %d to %d", c.name(), limit, events[len(events)-1].Term, term)
	}
}

// checkOwner is invariant 21 in the log: a transaction that its caller has given
// up leaves no trace. That the election does not commit, retry or set options is
// watched by spyTransaction.
func (w *World) checkOwner(c *commit) {
	if c.entry.Client == "nobody" {
		w.violated(Ownership, "a transaction that was given up is in the log")
	}
}
