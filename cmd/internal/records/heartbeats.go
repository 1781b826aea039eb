package records

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Heartbeats is what a command has seen of heartbeats. A candidate whose counter changes
// is alive, even if its wall clock is wrong. The zero value has seen nothing.
type Heartbeats struct {
	first map[election.Identity]election.Candidate
	// Ahead is how far the clock of each candidate is ahead of the local clock: the time
	// of a heartbeat less the time of the read that saw it first.
	Ahead map[election.Identity]time.Duration
}

// See adds the candidates of one read, which returned at wall.
func (h *Heartbeats) See(candidates []election.Candidate, wall time.Time) {
	initial := h.first == nil
	if initial {
		h.first, h.Ahead = make(map[election.Identity]election.Candidate), make(map[election.Identity]time.Duration)
	}
	for i := range candidates {
		c := &candidates[i]
		first, known := h.first[c.Identity]
		switch {
		case initial:
			h.first[c.Identity] = *c
		case !h.Seen(c.Identity) && (!known || !SameHeartbeat(&first, c)): // a candidate that has registered since is alive, too
			h.Ahead[c.Identity] = c.LastHeartbeat.Sub(wall)
		}
	}
}

// Seen reports whether a new heartbeat of a candidate was seen.
func (h *Heartbeats) Seen(id election.Identity) bool {
	_, seen := h.Ahead[id]
	return seen
}

// TimedOut returns the candidates that look dead by the clocks, and of which no new
// heartbeat was seen.
func (h *Heartbeats) TimedOut(candidates []election.Candidate, config *fdbelection.Config, wall time.Time) (late []election.Candidate) {
	for i := range candidates {
		if c := &candidates[i]; LooksDead(c, config, wall) && !h.Seen(c.Identity) {
			late = append(late, *c)
		}
	}
	return late
}

// LooksDead reports whether the clocks do not show that a candidate is alive: its last
// heartbeat is older than the candidate timeout, or in the future. The candidate may be
// alive all the same, because clocks may be wrong.
func LooksDead(c *election.Candidate, config *fdbelection.Config, wall time.Time) bool {
	age := wall.Sub(c.LastHeartbeat)
	return age > config.CandidateTimeout || age < -ClockTolerance(config)
}

// ClockTolerance is how far two clocks may differ before a subcommand reports it.
func ClockTolerance(config *fdbelection.Config) time.Duration {
	return max(config.EffectiveMargin(), 100*time.Millisecond)
}

// HeartbeatWindow is the time within which a live candidate sends a heartbeat: half of the candidate
// timeout or a heartbeat interval, whichever is longer, and some time more for delays.
func HeartbeatWindow(config *fdbelection.Config) time.Duration {
	return max(config.CandidateTimeout*2/3, config.HeartbeatInterval*3/2)
}

// TooSlow reports whether a store takes so long to answer that heartbeats and renewals may
// be late because of it.
func TooSlow(config *fdbelection.Config, took time.Duration) bool {
	return took > RenewalTime(config)/4 || took > config.EffectiveMargin()/2
}

// ReadInterval is the time between two reads of an observation that takes total.
func ReadInterval(total time.Duration) time.Duration {
	return min(max(total/30, 5*time.Millisecond), 250*time.Millisecond)
}

// SameHeartbeat reports whether a candidate sent no heartbeat between two reads.
func SameHeartbeat(a, b *election.Candidate) bool {
	return a.Identity == b.Identity && a.Versionstamp == b.Versionstamp && a.Heartbeats == b.Heartbeats
}

// RenewalTime is the time that a leader has for one renewal.
func RenewalTime(c *fdbelection.Config) time.Duration {
	return c.LeaseDuration - c.EffectiveMargin() - c.HeartbeatInterval
}
