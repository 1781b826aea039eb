package simulation

import (
	"bytes"
	"maps"
	"slices"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// checkNotices is invariant 29 for a commit. It writes the notices of what it changes, each
// with another value, and no others: in the steady state no watch fires. Nothing has a read
// conflict on a notice, and only a change of the tenure makes fenced work conflict. It runs
// before the other checks note what the commit writes.
func (w *world) checkNotices(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	leader, candidates := c.term, false
	if c.leader && after.Token() == before.Token() && after.Accepted && !before.Accepted {
		leader = true
	}
	for _, id := range c.candidates {
		old, known := w.records[id]
		record, err := w.election.GetCandidate(&w.shadow, id)
		if there := err == nil; known == there && (!there || sameRegistration(&old.Candidate, &record)) {
			continue
		}
		candidates = true
		if err == nil && before.HeldBy(record.Identity) {
			asBefore := record
			asBefore.NotReady = old.NotReady
			leader = leader || !known || !sameRegistration(&old.Candidate, &asBefore)
		}
	}
	// Whether a candidate holds leadership is decided on what its transaction read. If the
	// record has changed since then, it may be wrong, and the tenure had its own notice.
	if outdated := max(w.leaderWritten, w.deleted.leaderAt) > c.entry.ReadVersion || c.missing; c.leaderNotice != leader && !outdated {
		w.violated(invNotice, "%s wrote the leader notice: %v, and should have: %v", c.name(), c.leaderNotice, leader)
	}
	if c.candidatesNotice != candidates {
		w.violated(invNotice, "%s wrote the candidates notice: %v, and should have: %v", c.name(), c.candidatesNotice, candidates)
	}
	if c.leader {
		w.leaderWritten = c.entry.Version
	}
	w.checkNoticeKeys(c)
}

func (w *world) checkNoticeKeys(c *commit) {
	k := &w.keys
	// Its record was deleted, and it has registered twice at one instant.
	registered, known := w.registeredAt[c.who()]
	sameInstant := known && registered == w.now
	for i, key := range [][]byte{k.leaderNotice, k.candidatesNotice} {
		value, _ := w.shadow.Get(key).Get()
		if wrote := [2]bool{c.leaderNotice, c.candidatesNotice}; wrote[i] && !sameInstant && bytes.Equal(c.noticesBefore[i], value) {
			w.violated(invNotice, "%s wrote the notice %q again", c.name(), value)
		}
		if conflictsOn(c.entry.ReadConflicts, key) {
			w.violated(invNotice, "%s has a read conflict on a notice", c.name())
		}
	}
	if !c.term && conflictsOn(c.entry.WriteConflicts, k.term) {
		w.violated(invNotice, "%s makes fenced work conflict, and does not change the tenure", c.name())
	}
}

func conflictsOn(ranges []memkv.Range, key []byte) bool {
	return slices.ContainsFunc(ranges, func(r memkv.Range) bool {
		return bytes.Compare(r.Begin, key) <= 0 && bytes.Compare(key, r.End) < 0
	})
}

// sameRegistration reports whether two records differ in their heartbeats at most.
func sameRegistration(a, b *election.Candidate) bool {
	return a.Identity == b.Identity && a.Versionstamp == b.Versionstamp && a.Priority == b.Priority && a.Role == b.Role &&
		a.NotReady == b.NotReady && maps.Equal(a.Metadata, b.Metadata)
}

// told is what a process was told of metadata and of candidates.
type told struct {
	metadata map[string]string
	members  []machine.Member
	listed   bool
}

// checkTold is invariant 29 for a process. It is told of metadata and of candidates only if
// they differ from what it was told before.
func (w *world) checkTold(p *process, actions []machine.Action) {
	changed := func(action machine.Action) bool {
		switch action.(type) {
		case machine.LeaderChanged, machine.CandidatesChanged:
			return true
		}
		return false
	}
	if !slices.ContainsFunc(actions, changed) {
		return
	}
	view := p.machine.View()
	metadata := metadataOf(&view)
	for _, action := range actions {
		switch a := action.(type) {
		case machine.LeaderChanged:
			if a.Metadata && (a.Leader.Token() != p.lastSeen.Token() || maps.Equal(metadata, p.told.metadata)) {
				w.violated(invNotice, "%s sees new metadata %v of %s after %v of %s", p.name, metadata, a.Leader, p.told.metadata, p.lastSeen)
			}
			if a.Metadata {
				w.situation("metadata of a leader reported")
			}
			p.told.metadata = metadata
		case machine.CandidatesChanged:
			same := slices.EqualFunc(view.Members, p.told.members, func(a, b machine.Member) bool {
				return sameRegistration(&a.Candidate, &b.Candidate)
			})
			if p.told.listed && same || !view.Complete {
				w.violated(invNotice, "%s is told of candidates again: %v", p.name, view.Members)
			}
			p.told.members, p.told.listed = view.Members, true
			w.situation("change of candidates reported")
		}
	}
}

// metadataOf returns the metadata of the leader as a process knows it.
func metadataOf(view *machine.View) map[string]string {
	switch {
	case view.Leader.Vacant():
		return nil
	case view.Leader.HeldBy(view.Me.Identity):
		return view.Me.Metadata
	case view.Record == nil:
		return nil
	}
	return view.Record.Metadata
}

// checkKnown is invariant 29 at the end of the fault-free period. Each process knows the
// metadata of the leader, and all candidates if it follows them.
func (w *world) checkKnown(p *process) {
	view := p.machine.View()
	stored := w.records[w.state.Leader.ID]
	if metadata := metadataOf(&view); !maps.Equal(metadata, stored.Metadata) {
		w.violated(invNotice, "%s knows the metadata %v of the leader, which are %v", p.name, metadata, stored.Metadata)
	}
	if !p.follows {
		return
	}
	for _, m := range p.told.members {
		if record := w.records[m.ID]; !sameRegistration(&m.Candidate, &record.Candidate) || len(p.told.members) != len(w.records) {
			w.violated(invNotice, "%s was told of %v last, and the candidates are %v", p.name, p.told.members, w.records)
			return
		}
	}
}
