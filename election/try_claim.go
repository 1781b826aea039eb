package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// TryClaimLeadership claims, renews or requests preemption as RunElectionCycle does, but
// writes no heartbeat. The candidate is taken as its record describes it. What this
// incarnation has seen of the leader is what its heartbeats have noted in that record
// (HeartbeatCandidate, RunElectionCycle).
//
// A holder renews, and must itself do what a request asks. If a cycle of RunElectionCycle has
// seen a request that stands, ValidUntil is never later than the ValidUntil of that cycle.
// A holder whose record says that it is not ready does not renew (Draining). To vacate
// leadership, it calls RunElectionCycle, or passes WorkEnded.
//
// Errors: those of RunElectionCycle, ErrElectionDisabled, ErrNotVoting, ErrNotReady.
func (e *LeaderElection) TryClaimLeadership(tr kv.Transaction, me Identity, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	start := e.clock.Now()
	v, err := e.readForCandidate(tr, me)
	switch {
	case err != nil:
		return CycleResult{}, err
	case v.own == nil:
		return CycleResult{}, orUnregistered(v.unreadable.own)
	case v.own.Role != Voter:
		return CycleResult{}, fdbelection.ErrNotVoting
	case !v.config.ElectionEnabled:
		return CycleResult{}, fdbelection.ErrElectionDisabled
	}
	c := e.newCaller(&v, v.own.Registration, now, opts)
	if c.mayNotLead() && !v.leader.HeldBy(me) {
		return CycleResult{}, notReady(v.own)
	}
	c.coverPromises(&v)
	limit := c.promisedUntil(&v)
	c.notes.request = seenRequest{} // only RunElectionCycle acts on requests, since only it can store notes
	d := decide(&v, &c)
	result, err := e.carryOut(tr, &v, &c, d)
	if err != nil {
		return CycleResult{}, err
	}
	valid := c.conclude(&v, d, &result.Leader, start)
	if d.action == Renewed && !limit.IsZero() {
		valid = min(valid, max(limit.Sub(start), 0))
	}
	if d.action.Leads() {
		result.ValidUntil = now.Add(valid)
	}
	return result, nil
}
