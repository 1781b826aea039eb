package simulation

import (
	"github.com/fdbelection/fdbelection/election"
)

// checkIntent is invariant 25. It proves that a request or a challenge is about
// the term that its author named, also where it is sent again late, and that it
// is written only while that term stands.
func (w *World) checkIntent(c *commit) {
	after := &c.after.Request
	if !c.intent || after.Kind == election.NoRequest || *after == c.before.Request {
		return
	}
	leader := &c.before.Leader
	if b := &c.before.Request; after.Kind == election.PreemptionRequest && after.Nonce == b.Nonce && after.Counter > b.Counter {
		w.pressed[leader.Token()] = true
	}
	if c.entry.ReadVersion < w.removed.leaderAt {
		return // the seat that it saw was deleted meanwhile; the next claim removes it
	}
	if after.Term != leader.Term || leader.Vacant() {
		w.violated(NamedTerm, "%s wrote %s under %s", c.name(), after, leader)
	}
	if after.Kind == election.PreemptionRequest {
		if c.who() != after.Identity {
			w.violated(NamedTerm, "%s wrote %s", c.name(), after)
		} else {
			w.checkHoldOff(c)
			w.checkDelay(c)
		}
		if p := w.processOf(leader.Identity); p != nil && p.tenure != nil && p.tenure.drained && !p.tenure.returned {
			w.situation("preemption during drain")
		}
		if b := &c.before.Request; b.Kind == election.PreemptionRequest && b.Term == after.Term && b.Identity != after.Identity {
			w.situation("challenger outbid")
		}
		return
	}
	if named, ok := w.requests[after.Nonce]; !ok || named != after.Term {
		w.violated(NamedTerm, "%s wrote %s, asked for was term %d", c.name(), after, named)
	}
}

// checkAuthor is the rest of invariant 25. It proves that a challenge does not
// outlive its author, nor a request to transfer its target: if the candidate is gone,
// has restarted or is an observer, its intent keeps every other challenge about that
// term out. It also proves that the holder is not an observer.
func (w *World) checkAuthor(c *commit) {
	if c.after.Leader.Vacant() {
		return
	}
	holder := w.records[c.after.Leader.ID]
	if c.after.Leader.HeldBy(holder.Identity) && holder.Role != election.Voter && (c.leader || !c.missing) {
		w.violated(Voter, "%s leaves %s the seat, which is an observer", c.name(), c.after.Leader)
	}
	intent := &c.after.Request
	if intent.Kind != election.PreemptionRequest && intent.Kind != election.TransferRequest {
		return
	}
	if w.removed.orphans[intent.Nonce] {
		return
	}
	author, there := w.records[intent.ID]
	if !there || author.Identity != intent.Identity || author.Role != election.Voter {
		w.violated(NamedTerm, "%s leaves the %s, registered is %v", c.name(), intent, author)
	}
	if intent.Kind == election.PreemptionRequest && author.Priority < intent.Priority {
		w.violated(NamedTerm, "%s leaves the %s, whose author has priority %d", c.name(), intent, author.Priority)
	}
}

// checkRaised is the model of RaiseTerm: an operator ends every tenure up to a term
// that it names, and nothing is lowered.
func (w *World) checkRaised(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	w.excused[before.Token()] = true
	if after.Ballot <= before.Ballot || after.Term < before.Term || !after.Vacant() || after.Ballot < after.Term {
		w.violated(Ballot, "%s raised %s to %s", c.name(), before, after)
	}
	if c.after.Request.Kind != election.NoRequest || c.after.Term.Term != after.Term || c.after.Term.Held {
		w.violated(Transition, "%s raised the term, and left %s and %+v", c.name(), c.after.Request, c.after.Term)
	}
}
