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
	// Renewed says that a new ballot has been seen since the first read. Until then, Led
	// depends on wall clocks.
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
	renewed    bool // the ballot has changed since the first read
	heartbeats map[election.Identity]heartbeat
	started    bool // there was a read before
}

// heartbeat is what was seen of the counter of a candidate. initial says that the candidate
// was there at the first read and its counter has not changed since.
type heartbeat struct {
	count   uint64
	since   time.Time
	ahead   time.Duration
	initial bool
}

// next returns an election after a read that returned at local and wall. It keeps what it
// needs of the read.
func (s *seen) next(name string, o election.Overview, local, wall time.Time) Election {
	s.renewed = s.renewed || s.started && o.Leader.Ballot != s.leader.Ballot
	s.leader = s.leader.Next(o.Leader, local)
	e := Election{Name: name, Overview: o, Renewed: s.renewed, BallotSince: s.leader.BallotSince}
	if l := o.Leader; !l.Vacant() {
		e.Led = l.Accepted && !l.Lost() && s.live(o.Config.Expiry, l, local, wall)
	}
	e.Liveness = s.liveness(&o, local, wall)
	s.started = true
	return e
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

// liveness returns the liveness of each candidate.
func (s *seen) liveness(o *election.Overview, local, wall time.Time) []Liveness {
	all := make([]Liveness, len(o.Candidates))
	now := make(map[election.Identity]heartbeat, len(o.Candidates))
	for i := range o.Candidates {
		c := &o.Candidates[i]
		beat, known := s.heartbeats[c.Identity]
		if !known || beat.count != c.Heartbeats {
			beat = heartbeat{c.Heartbeats, local, c.LastHeartbeat.Sub(wall), !known && !s.started}
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
