package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// MaxEvictions bounds what one transaction evicts; call again for more.
const MaxEvictions = 500

// EvictDeadCandidates removes candidates that have sent no heartbeat for the
// candidate timeout, and returns their ids. It skips the holder of the leadership,
// whatever its record says, and records that cannot be read. The challenges of the
// evicted go with them.
//
// If the election expires leases by observation, a candidate is dead once e has
// seen the same heartbeat of it for the timeout, on the clock of e: call it
// regularly, on one LeaderElection that is kept, since that is what remembers. It
// evicts nothing before one timeout has passed. If expiry goes by clock, now is
// compared with the time of the last heartbeat.
//
// A heartbeat that arrives meanwhile makes it conflict, and never the other
// way round for candidates that it leaves alone. It is safe to run again.
//
// Errors: ErrNotInitialized, ErrRegistrationPending, ErrInvalidState (of the
// config or the leader record).
func (e *LeaderElection) EvictDeadCandidates(tr kv.Transaction, now time.Time) ([]string, error) {
	load := e.begin(tr)
	rows := e.scanCandidates(tr)
	v, err := load.await()
	if err != nil {
		return nil, err
	}
	candidates, err := e.decodeCandidates(rows) // awaited in any case: what fails unseen fails the commit
	if candidates == nil {
		return nil, err
	}
	if err := v.decidable(); err != nil {
		return nil, err
	}
	silent := func(c *Candidate) bool { return now.Sub(c.LastHeartbeat) > v.config.CandidateTimeout }
	if v.config.Expiry == fdbelection.ExpiryByObservation {
		at := e.clock.Now()
		e.silent.observe(candidates, at)
		silent = func(c *Candidate) bool { return e.silent.lasts(c, at) >= v.config.CandidateTimeout }
	}
	var dead []Candidate
	for i := range candidates {
		c := &candidates[i]
		if silent(c) && !v.leader.HeldBy(c.Identity) && len(dead) < MaxEvictions {
			dead = append(dead, *c)
		}
	}
	return e.evict(tr, &v, dead)
}

// EvictUnchanged removes those of the given candidates whose records still
// stand exactly as the caller saw them, and returns their ids. The caller
// answers for having seen each of them unchanged, by Heartbeats,
// Incarnation and Versionstamp (a registration starts the counter over), for the
// candidate timeout on its own clock. No wall clock is compared. More than
// MaxEvictions are left for another call.
//
// Errors: ErrNotInitialized, ErrRegistrationPending, ErrInvalidState (of the
// config or the leader record).
func (e *LeaderElection) EvictUnchanged(tr kv.Transaction, seen []Candidate) ([]string, error) {
	seen = seen[:min(len(seen), MaxEvictions)]
	load := e.begin(tr)
	loads := make([]candidateLoad, len(seen))
	for i := range seen {
		loads[i] = load.snapshot(seen[i].ID)
	}
	v, err := load.await()
	if err != nil {
		return nil, err
	}
	var dead []Candidate
	for i := range loads {
		c, _, err := loads[i].await()
		if err != nil {
			return nil, err
		}
		if c != nil && c.Incarnation == seen[i].Incarnation &&
			c.Versionstamp == seen[i].Versionstamp && c.Heartbeats == seen[i].Heartbeats {
			dead = append(dead, *c)
		}
	}
	if err := v.decidable(); err != nil {
		return nil, err
	}
	return e.evict(tr, &v, dead)
}

// evict removes candidates, but for the holder of the seat. It depends on the
// record of each, and on the tenure: none of them may have become the leader.
func (e *LeaderElection) evict(tr kv.Transaction, v *view, dead []Candidate) ([]string, error) {
	var evicted []string
	for i := range dead {
		c := &dead[i]
		if v.leader.HeldBy(c.Identity) {
			continue
		}
		if err := conflictOn(tr, e.keys.candidate(c.ID)); err != nil {
			return nil, err
		}
		e.remove(tr, c)
		evicted = append(evicted, c.ID)
		if err := e.dropRequest(tr, v, c.Identity); err != nil {
			return nil, err
		}
	}
	if evicted == nil {
		return nil, nil
	}
	return evicted, conflictOn(tr, e.keys.term)
}
