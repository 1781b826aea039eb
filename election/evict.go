package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// MaxEvictions is how many candidates one call evicts. Call again for more.
const MaxEvictions = 500

// EvictDeadCandidates removes candidates that have timed out, with the requests that name
// them, and returns their ids. It skips the holder of leadership and unreadable records.
//
// In an election by observation, a candidate has timed out if e has seen the same heartbeat
// of it for the candidate timeout, on the clock of e. Only this LeaderElection remembers
// that, so keep it and call regularly. The first eviction comes after one timeout. In an
// election by clock, now is compared with the time of the last heartbeat.
//
// It conflicts with a heartbeat of a candidate that it evicts, and with no other heartbeat.
// It is safe to run again.
//
// Errors: ErrNotInitialized, ErrRegistrationPending, ErrInvalidState (of the
// config or the leader record).
func (e *LeaderElection) EvictDeadCandidates(tr kv.Transaction, now time.Time) ([]string, error) {
	reads := e.beginReads(tr)
	rows := e.scanCandidates(tr)
	v, err := reads.await()
	if err != nil {
		return nil, err
	}
	candidates, err := e.decodeCandidates(rows) // a failed read also fails the commit, so always await it
	if candidates == nil {
		return nil, err
	}
	if err := v.decidable(); err != nil {
		return nil, err
	}
	timedOut := func(c *Candidate) bool { return now.Sub(c.LastHeartbeat) > v.config.CandidateTimeout }
	if v.config.Expiry == fdbelection.ExpiryByObservation {
		at := e.clock.Now()
		e.heartbeats.observe(candidates, at)
		timedOut = func(c *Candidate) bool { return e.heartbeats.age(c, at) >= v.config.CandidateTimeout }
	}
	var dead []Candidate
	for i := range candidates {
		c := &candidates[i]
		if timedOut(c) && !v.leader.HeldBy(c.Identity) && len(dead) < MaxEvictions {
			dead = append(dead, *c)
		}
	}
	return e.evict(tr, &v, dead)
}

// EvictUnchanged removes those of the given candidates whose records are still exactly as
// the caller saw them, and returns their ids. The caller must have seen each of them
// unchanged for the candidate timeout on its own clock, by Heartbeats, Incarnation and
// Versionstamp (a registration resets the counter). No wall clock is compared. It looks at
// the first MaxEvictions of them.
//
// Errors: ErrNotInitialized, ErrRegistrationPending, ErrInvalidState (of the
// config or the leader record).
func (e *LeaderElection) EvictUnchanged(tr kv.Transaction, seen []Candidate) ([]string, error) {
	seen = seen[:min(len(seen), MaxEvictions)]
	reads := e.beginReads(tr)
	records := make([]candidateRead, len(seen))
	for i := range seen {
		records[i] = e.readCandidate(tr.Snapshot(), seen[i].ID)
	}
	v, err := reads.await()
	if err != nil {
		return nil, err
	}
	var dead []Candidate
	for i := range records {
		c, _, err := records[i].await()
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

// evict removes candidates, except the holder of leadership. It depends on the record of
// each, and on the term record, as none of them may have become the leader.
func (e *LeaderElection) evict(tr kv.Transaction, v *view, dead []Candidate) ([]string, error) {
	var evicted []string
	var last *Candidate
	for i := range dead {
		c := &dead[i]
		if v.leader.HeldBy(c.Identity) {
			continue
		}
		if err := record.ConflictOn(tr, e.keys.candidate(c.ID)); err != nil {
			return nil, err
		}
		e.remove(tr, c)
		evicted, last = append(evicted, c.ID), c
		if err := e.dropRequest(tr, v, c.Identity); err != nil {
			return nil, err
		}
	}
	if last == nil {
		return nil, nil
	}
	e.noteRemoval(tr, last)
	return evicted, record.ConflictOn(tr, e.keys.term)
}
