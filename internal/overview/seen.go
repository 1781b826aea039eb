package overview

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Election is one election of a Reading.
type Election struct {
	Name string
	// Err says why the config or the leader record cannot be read (ErrInvalidState). Then
	// the rest is empty.
	Err error
	election.Overview
	// Led says that there is a leader that has accepted and whose lease has not expired.
	Led bool
	// Renewed says that a new ballot has been seen since the first read, or since the records
	// were restored, or since a pause (Options.Pauses). Until then, Led depends on wall clocks.
	Renewed bool
	// BallotSince is when the present ballot was first seen, on the process clock.
	BallotSince time.Time
	// Liveness has an element for each of Candidates.
	Liveness []Liveness
}

// Liveness is what was seen of the heartbeats of a candidate.
type Liveness struct {
	TimedOut bool
	// Since is when its last heartbeat was first seen, on the process clock.
	Since time.Time
	// Ahead is how far the wall clock of the candidate is ahead of the one of this process.
	// It is known if Heard: a new heartbeat has been seen.
	Ahead time.Duration
	Heard bool
}

// seen is what this process has seen of one election, over several reads.
type seen struct {
	leader     election.Observation
	renewed    bool // the ballot has risen since the first read
	heartbeats map[election.Identity]heartbeat
	started    bool      // there was a read before
	readAt     time.Time // when it returned
}

// heartbeat is what was seen of the counter of a candidate. initial says that the count was
// there at the first read, or after a pause.
type heartbeat struct {
	count   uint64
	since   time.Time
	ahead   time.Duration
	initial bool
}

// next returns an election after a read that returned at local and wall. It keeps what it
// needs of the read. With pauses, what has changed during a pause proves nothing.
func (s *seen) next(name string, o election.Overview, local, wall time.Time, pauses bool) Election {
	var pause time.Duration
	if pauses {
		pause = local.Sub(s.readAt)
	}
	if s.restored(o.Leader) {
		s.renewed, s.started, s.heartbeats = false, false, nil
	}
	s.renewed = s.started && (s.renewed || o.Leader.Ballot != s.leader.Ballot) && (pause == 0 || pause < o.Leader.LeaseDuration)
	s.leader = s.leader.Next(o.Leader, local)
	e := Election{Name: name, Overview: o, Renewed: s.renewed, BallotSince: s.leader.BallotSince}
	if l := o.Leader; !l.Vacant() {
		e.Led = l.Accepted && !l.Lost() && s.live(o.Config.Expiry, l, local, wall)
	}
	e.Liveness = s.liveness(&o, local, wall, s.started && (pause == 0 || pause < o.Config.CandidateTimeout))
	s.started, s.readAt = true, local
	return e
}

// restored reports whether the records were replaced by older ones, or by those of another election
// under this name. They may tell of processes that are dead, like those of the first read.
func (s *seen) restored(leader election.LeaderRecord) bool {
	if !s.started || leader.Lost() { // the ballot of a lost record is derived
		return false
	}
	return leader.Ballot < s.leader.Ballot || leader.Ballot == s.leader.Ballot && leader.Nonce != s.leader.Nonce
}

// live reports whether the lease of a leader has not expired. By observation, a ballot that
// has changed since the first read proves that the leader was alive, whatever its wall clock
// says, and an unchanged one proves the contrary after a lease. After the first read only
// the wall clocks say something.
func (s *seen) live(mode fdbelection.ExpiryMode, leader election.LeaderRecord, local, wall time.Time) bool {
	if election.LeaseExpired(mode, leader, s.leader, wall, local) {
		return false
	}
	return mode == fdbelection.ExpiryByClock || s.renewed || !leader.ExpiredAt(wall)
}

// liveness returns the liveness of each candidate. proven says that a heartbeat that is new has
// happened since a read not long ago.
func (s *seen) liveness(o *election.Overview, local, wall time.Time, proven bool) []Liveness {
	all := make([]Liveness, len(o.Candidates))
	now := make(map[election.Identity]heartbeat, len(o.Candidates))
	for i := range o.Candidates {
		c := &o.Candidates[i]
		beat, known := s.heartbeats[c.Identity]
		if !known || beat.count != c.Heartbeats {
			beat = heartbeat{c.Heartbeats, local, c.LastHeartbeat.Sub(wall), !proven}
		}
		now[c.Identity] = beat
		silence := local.Sub(beat.since)
		if beat.initial { // it may have timed out before the first read
			silence = max(silence, wall.Sub(c.LastHeartbeat))
		}
		all[i] = Liveness{TimedOut: silence >= o.Config.CandidateTimeout, Since: beat.since, Ahead: beat.ahead, Heard: !beat.initial}
	}
	s.heartbeats = now
	return all
}
