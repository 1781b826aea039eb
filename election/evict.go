package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// MaxEvictions bounds what one transaction evicts; call again for more.
const MaxEvictions = 500

// EvictDeadCandidates removes candidates that were silent for longer than the
// candidate timeout, by the wall clock, and returns their ids. It skips the
// holder of the seat, whatever its record says, and records that cannot be
// read. Their challenges go with them.
//
// A heartbeat that arrives meanwhile makes it conflict, and never the other
// way round for candidates that it leaves alone.
//
// Errors: ErrNotInitialized, ErrExpiryMode (the election judges by
// observation: use EvictUnchanged), ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) EvictDeadCandidates(tr kv.Transaction, now time.Time) ([]string, error) {
	load := e.begin(tr)
	begin, end := within(e.keys.candidates)
	rows := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{})
	v, err := load.await()
	if err != nil {
		return nil, err
	}
	candidates, err := e.decodeCandidates(rows) // awaited in any case: what fails unseen fails the commit
	if candidates == nil {
		return nil, err
	}
	if v.config.Expiry != fdbelection.ExpiryByClock {
		return nil, fdbelection.ErrExpiryMode
	}
	var dead []Candidate
	for i := range candidates {
		c := &candidates[i]
		silent := now.Sub(c.LastHeartbeat) > v.config.CandidateTimeout
		if silent && !v.leader.HeldBy(c.Identity) && len(dead) < MaxEvictions {
			dead = append(dead, *c)
		}
	}
	return e.evict(tr, &v, dead)
}

// EvictUnchanged removes those of the given candidates whose records still
// stand exactly as the caller saw them, and returns their ids. The caller
// answers for having seen each of them unchanged, by Heartbeats,
// Incarnation and Versionstamp (a registration begins the counter anew), for the
// candidate timeout on its own clock. No wall clock takes part. More than MaxEvictions are left for another call.
//
// Errors: ErrNotInitialized, ErrRegistrationPending, ErrInvalidState.
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
		c, err := loads[i].await()
		if err != nil {
			return nil, err
		}
		if c != nil && c.Incarnation == seen[i].Incarnation &&
			c.Versionstamp == seen[i].Versionstamp && c.Heartbeats == seen[i].Heartbeats {
			dead = append(dead, *c)
		}
	}
	return e.evict(tr, &v, dead)
}

// evict removes candidates, but for the holder of the seat. It depends on the
// record of each, and on nobody taking the seat meanwhile.
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
		if err := e.dropIntent(tr, v, c.Identity); err != nil {
			return nil, err
		}
	}
	if evicted == nil {
		return nil, nil
	}
	return evicted, conflictOn(tr, e.keys.term)
}
