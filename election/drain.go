package election

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// This file is how a leader that only calls RunElectionCycle treats a request. It notes the
// request, drains for the grace, and then hands over or resigns. A leader that is not ready
// drains until its last ValidUntil, and then resigns.

// noteRequest notes the request about the caller's own term, if the caller keeps its
// observation in its candidate record.
func (e *LeaderElection) noteRequest(tr kv.Transaction, v *view, c *caller) error {
	if c.observed {
		return nil
	}
	c.coverPromises(v)
	asked := v.leader.HeldBy(c.Identity) && v.request.about(v.leader.Term)
	if asked {
		if err := e.readNamed(tr, v); err != nil {
			return err
		}
	}
	if asked && v.requestIsLegal(c) {
		c.noteSeen(v)
	} else {
		c.notes.request = seenRequest{}
	}
	return nil
}

// noteSeen notes the request that stands, and whether its author was seen to be alive.
func (c *caller) noteSeen(v *view) {
	n, request := &c.notes, &v.request
	before := n.request
	if before.nonce == request.Nonce {
		if before.counter == request.Counter {
			return
		}
		n.request.counter, n.request.changed = request.Counter, c.at
		if before.since.IsZero() {
			n.request.since = c.at
		}
		return
	}
	c.coverClaims(v)
	n.request = seenRequest{kind: request.Kind, nonce: request.Nonce, counter: request.Counter}
	switch {
	case request.Kind != PreemptionRequest:
		n.request.since = c.at
	case before.kind == PreemptionRequest: // a stronger challenger does not restart the grace
		n.request.since = before.since
	}
}

// coverPromises notes for a holder that is not ready until when it may have been told to
// lead. It does not vacate leadership before that.
func (c *caller) coverPromises(v *view) {
	if !c.observed && c.mayNotLead() && v.leader.HeldBy(c.Identity) {
		c.coverClaims(v)
	}
}

// coverClaims notes what TryClaimLeadership may have promised. If the last cycle did not
// write the ballot that stands, TryClaimLeadership may have. It stores no notes, but what it
// promised ends with the lease of that record.
func (c *caller) coverClaims(v *view) {
	n := &c.notes
	if end := c.at.Add(v.leader.LeaseDuration); n.seen.Ballot != v.leader.Ballot && end.After(n.validUntil) {
		n.validUntil = end
	}
}

// requestIsLegal reports whether the holder may do now what the request asks.
func (v *view) requestIsLegal(c *caller) bool {
	switch {
	case !v.leader.Accepted || !v.request.about(v.leader.Term):
		return false
	case v.request.Kind == ResignRequest:
		return true
	case !v.namesSuccessor():
		return false
	}
	return v.request.Kind != PreemptionRequest || !isProtected(v, c)
}

// requestCounts reports whether the holder has to do what the request asks: it is legal,
// and its author is alive. It is false with WithObservation.
func (c *caller) requestCounts(v *view) bool {
	return !c.observed && v.requestIsLegal(c) && c.notes.request.alive(c.at, v.config.HeartbeatInterval)
}

// graceEnd returns when the holder's grace for the request ends, on its own clock.
func (c *caller) graceEnd(v *view) time.Time {
	return c.notes.request.since.Add(v.config.PreemptionGrace)
}

// mustHandOver reports whether the holder does now what the request asks. It waits for the
// end of the grace and of every ValidUntil that a cycle has returned, or for WorkEnded.
func (c *caller) mustHandOver(v *view) bool {
	if !c.requestCounts(v) {
		return false
	}
	return c.workEnded || !c.at.Before(c.graceEnd(v)) && !c.at.Before(c.notes.validUntil)
}

// promisedUntil returns the end of what the cycles of a holder have promised, if they have
// noted the request that stands, and zero otherwise. The cycle that hands over waits for
// it, so a claim must not promise more.
func (c *caller) promisedUntil(v *view) time.Time {
	noted := &c.notes.request
	switch {
	case noted.kind == NoRequest, noted.nonce != v.request.Nonce:
		return time.Time{}
	case !noted.since.IsZero() && c.graceEnd(v).Before(c.notes.validUntil):
		return c.graceEnd(v)
	}
	return c.notes.validUntil
}
