package simulation

import (
	"github.com/fdbelection/fdbelection/election"
)

// checkRequest is invariant 25. A request is written only during the term that its author
// named, even if it is sent again or arrives late.
func (w *world) checkRequest(c *commit) {
	after := &c.after.Request
	if !c.request || after.Kind == election.NoRequest || *after == c.before.Request {
		return
	}
	leader := &c.before.Leader
	if b := &c.before.Request; after.Kind == election.PreemptionRequest && after.Nonce == b.Nonce && after.Counter > b.Counter {
		w.repeated[leader.Token()] = true
	}
	if c.entry.ReadVersion < w.deleted.leaderAt {
		return // the leader record was deleted meanwhile; the next claim removes the request
	}
	if after.Term != leader.Term || leader.Vacant() {
		w.violated(invNamedTerm, "%s wrote the %s under %s", c.name(), after, leader)
	}
	if after.Kind == election.PreemptionRequest {
		if c.who() != after.Identity {
			w.violated(invNamedTerm, "%s wrote the %s", c.name(), after)
		} else {
			w.checkHoldOff(c)
			w.checkDelay(c)
		}
		if p := w.processOf(leader.Identity); p != nil && p.tenure != nil && p.tenure.drained && !p.tenure.returned {
			w.situation("preemption during drain")
		}
		if b := &c.before.Request; b.Kind == election.PreemptionRequest && b.Term == after.Term && b.Identity != after.Identity {
			w.situation("challenger outranked")
		}
		return
	}
	if named, ok := w.requests[after.Nonce]; !ok || named != after.Term {
		w.violated(invNamedTerm, "%s wrote the %s, the operator named term %d", c.name(), after, named)
	}
}

// checkAuthor is a part of invariant 25. A preemption request is removed with its author, and
// a transfer request with its target: if that candidate is gone, has restarted, is an
// observer or is not ready, its request would keep all challengers out for the rest of the
// term. It is a part of invariant 13 too: the holder is not an observer.
func (w *world) checkAuthor(c *commit) {
	if c.after.Leader.Vacant() {
		return
	}
	holder := w.records[c.after.Leader.ID]
	if c.after.Leader.HeldBy(holder.Identity) && holder.Role != election.Voter && (c.leader || !c.missing) {
		w.violated(invVoter, "%s leaves leadership to %s, which is an observer", c.name(), c.after.Leader)
	}
	request := &c.after.Request
	if request.Kind != election.PreemptionRequest && request.Kind != election.TransferRequest {
		return
	}
	if w.deleted.orphanRequests[request.Nonce] {
		return
	}
	author, there := w.records[request.ID]
	if !there || author.Identity != request.Identity || author.Role != election.Voter || !author.Ready() {
		w.violated(invNamedTerm, "%s leaves the %s in place, registered is %v", c.name(), request, author)
	}
	if request.Kind == election.PreemptionRequest && author.Priority < request.Priority {
		w.violated(invNamedTerm, "%s leaves the %s in place, its author has priority %d", c.name(), request, author.Priority)
	}
}

// checkRaised is the model of RaiseTerm. An operator ends every tenure up to the term that
// it names, the floor. It lowers nothing, and does not end a tenure above the floor. If the
// leader record was lost, the operator cannot know its ballot.
func (w *world) checkRaised(c *commit) {
	before, after, floor := &c.before.Leader, &c.after.Leader, c.raiseFloor()
	w.overlapAllowed[before.Token()] = true
	if _, held := w.holders[after.Term]; !held {
		w.holders[after.Term] = after.Token() // no process will hold it
	}
	done := before.Term > floor || before.Term == floor && before.Vacant()
	switch {
	case !after.Vacant(), after.Term != max(before.Term, floor), after.Ballot <= before.Ballot, after.Ballot < after.Term,
		!c.missing && (done || after.Ballot != max(before.Ballot+1, floor)):
		w.violated(invBallot, "%s raised %s to %s", c.name(), before, after)
	case before.Vacant():
		w.situation("term of a vacant leadership raised")
	default:
		w.situation("term of a leader raised")
	}
	if c.after.Request.Kind != election.NoRequest || c.after.Term.Term != after.Term || c.after.Term.Held {
		w.violated(invTransition, "%s raised the term, and left %s and %+v", c.name(), c.after.Request, c.after.Term)
	}
}
