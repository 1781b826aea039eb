package monitor

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// seen is what this process has seen of one election, over several reads.
type seen struct {
	leader election.Observation
	// renewed says that the ballot has changed since the first read.
	renewed    bool
	heartbeats map[election.Identity]heartbeat
	events     map[event]struct{}      // of the last read
	counts     [len(eventKinds)]uint64 // of the new events since the first read
	started    bool                    // there was a read before
}

// heartbeat is when the counter of a candidate has changed, on the process clock. initial
// says that it has not changed since the first read of the candidate.
type heartbeat struct {
	count   uint64
	since   time.Time
	initial bool
}

// event identifies an event of the history.
type event struct {
	term uint64
	kind election.EventKind
	at   int64
	to   election.Identity
}

// next returns the view of an election after a read that returned at local and wall. It
// keeps what it needs of the read.
func (s *seen) next(name string, o *election.Overview, local, wall time.Time) view {
	leader := o.Leader
	v := view{
		name: name, known: true, unreadable: o.Unreadable != nil,
		term: leader.Term, ballot: leader.Ballot, enabled: o.Config.ElectionEnabled, changed: leader.AcquiredAt,
	}
	s.renewed = s.renewed || s.started && leader.Ballot != s.leader.Ballot
	s.leader = s.leader.Next(leader, local)
	if !leader.Vacant() {
		v.holder, v.reason = safeLabel(leader.ID), leader.AcquireReason.String()
		v.hasLeader = leader.Accepted && !leader.Lost() && s.live(o.Config.Expiry, leader, local, wall)
		v.leaseRemaining, v.leaseKnown = leader.LeaseExpiry.Sub(wall), !leader.Lost()
	}
	s.countCandidates(&v, o, local, wall)
	s.countEvents(o.History)
	v.events = s.counts
	s.started = true
	return v
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

// countCandidates counts the candidates by role and liveness.
func (s *seen) countCandidates(v *view, o *election.Overview, local, wall time.Time) {
	now := make(map[election.Identity]heartbeat, len(o.Candidates))
	for i := range o.Candidates {
		c := &o.Candidates[i]
		beat, known := s.heartbeats[c.Identity]
		if !known || beat.count != c.Heartbeats {
			beat = heartbeat{c.Heartbeats, local, !known && !s.started}
		}
		now[c.Identity] = beat
		role, liveness := voters, alive
		if c.Role == election.Observer {
			role = observers
		}
		silence := local.Sub(beat.since)
		if beat.initial { // it may have timed out before the first read
			silence = max(silence, wall.Sub(c.LastHeartbeat))
		}
		if silence >= o.Config.CandidateTimeout {
			liveness = timedOut
		}
		v.candidates[role][liveness]++
		if role == voters && liveness == alive && !c.Ready() {
			v.unready++
		}
	}
	s.heartbeats = now
}

// countEvents counts the events that the last read did not have.
func (s *seen) countEvents(history []election.Event) {
	now := make(map[event]struct{}, len(history))
	for i := range history {
		h := &history[i]
		e := event{h.Term, h.Kind, h.At.UnixNano(), h.To}
		now[e] = struct{}{}
		if _, known := s.events[e]; known || !s.started || int(h.Kind) >= len(s.counts) || h.Kind < 0 {
			continue
		}
		s.counts[h.Kind]++
	}
	s.events = now
}
