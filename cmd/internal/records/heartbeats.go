package records

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// beats is what a command has seen of heartbeats. A candidate whose counter moves is
// alive, whatever its wall clock says. The zero value has seen nothing.
type Heartbeats struct {
	first map[election.Identity]election.Candidate
	// ahead is how far the clock of each candidate that was seen to write is ahead of
	// the one here: its stamp against the time of the look that found it.
	Ahead map[election.Identity]time.Duration
}

// see takes in the candidates of one look, which returned at wall.
func (b *Heartbeats) See(candidates []election.Candidate, wall time.Time) {
	begins := b.first == nil
	if begins {
		b.first, b.Ahead = make(map[election.Identity]election.Candidate), make(map[election.Identity]time.Duration)
	}
	for i := range candidates {
		c := &candidates[i]
		first, known := b.first[c.Identity]
		switch {
		case begins:
			b.first[c.Identity] = *c
		case !b.Seen(c.Identity) && (!known || !SameHeartbeat(&first, c)): // one that has come meanwhile is alive, too
			b.Ahead[c.Identity] = c.LastHeartbeat.Sub(wall)
		}
	}
}

// moved reports whether a candidate was seen to write.
func (b *Heartbeats) Seen(who election.Identity) bool {
	_, moved := b.Ahead[who]
	return moved
}

// unheard returns the candidates that look dead by the clocks, and were not seen to
// write.
func (b *Heartbeats) TimedOut(candidates []election.Candidate, config *fdbelection.Config, wall time.Time) (unheard []election.Candidate) {
	for i := range candidates {
		if c := &candidates[i]; LooksDead(c, config, wall) && !b.Seen(c.Identity) {
			unheard = append(unheard, *c)
		}
	}
	return unheard
}

// looksDead reports whether the clocks do not show that a candidate is alive: its last
// heartbeat is older than the candidate timeout, or of the future. That proves nothing.
func LooksDead(c *election.Candidate, config *fdbelection.Config, wall time.Time) bool {
	age := wall.Sub(c.LastHeartbeat)
	return age > config.CandidateTimeout || age < -ClockTolerance(config)
}

// clockTolerance is how far two clocks may differ before it is worth a word.
func ClockTolerance(config *fdbelection.Config) time.Duration {
	return max(config.EffectiveMargin(), 100*time.Millisecond)
}

// beatWindow is the time within which a live candidate writes: a third of the candidate
// timeout at most, or a heartbeat, and half of that for what delays it.
func HeartbeatWindow(config *fdbelection.Config) time.Duration {
	return max(config.CandidateTimeout/2, config.HeartbeatInterval*3/2)
}

// tooSlow reports whether the store takes so long for an answer that a candidate or a
// leader may be late because of it.
func TooSlow(config *fdbelection.Config, took time.Duration) bool {
	return took > RenewalTime(config)/4 || took > config.EffectiveMargin()/2
}

// lookPace is the time between two looks of those that take a whole time.
func ReadInterval(whole time.Duration) time.Duration {
	return min(max(whole/30, 5*time.Millisecond), 250*time.Millisecond)
}

// unchanged reports whether a candidate has not written between two looks.
func SameHeartbeat(a, b *election.Candidate) bool {
	return a.Identity == b.Identity && a.Versionstamp == b.Versionstamp && a.Heartbeats == b.Heartbeats
}

// spare is the time that a leader has for one renewal.
func RenewalTime(c *fdbelection.Config) time.Duration {
	return c.LeaseDuration - c.EffectiveMargin() - c.HeartbeatInterval
}
