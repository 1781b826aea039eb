package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// beats is what a command has seen of heartbeats. A candidate whose counter moves is
// alive, whatever its wall clock says. The zero value has seen nothing.
type beats struct {
	first map[election.Identity]election.Candidate
	// ahead is how far the clock of each candidate that was seen to write is ahead of
	// the one here: its stamp against the time of the look that found it.
	ahead map[election.Identity]time.Duration
}

// see takes in the candidates of one look, which returned at wall.
func (b *beats) see(candidates []election.Candidate, wall time.Time) {
	begins := b.first == nil
	if begins {
		b.first, b.ahead = make(map[election.Identity]election.Candidate), make(map[election.Identity]time.Duration)
	}
	for i := range candidates {
		c := &candidates[i]
		first, known := b.first[c.Identity]
		switch {
		case begins:
			b.first[c.Identity] = *c
		case !b.moved(c.Identity) && (!known || !unchanged(&first, c)): // one that has come meanwhile is alive, too
			b.ahead[c.Identity] = c.LastHeartbeat.Sub(wall)
		}
	}
}

// moved reports whether a candidate was seen to write.
func (b *beats) moved(who election.Identity) bool {
	_, moved := b.ahead[who]
	return moved
}

// unheard returns the candidates that look dead by the clocks, and were not seen to
// write.
func (b *beats) unheard(candidates []election.Candidate, config *fdbelection.Config, wall time.Time) (unheard []election.Candidate) {
	for i := range candidates {
		if c := &candidates[i]; looksDead(c, config, wall) && !b.moved(c.Identity) {
			unheard = append(unheard, *c)
		}
	}
	return unheard
}

// looksDead reports whether the clocks do not show that a candidate is alive: its last
// heartbeat is older than the candidate timeout, or of the future. That proves nothing.
func looksDead(c *election.Candidate, config *fdbelection.Config, wall time.Time) bool {
	age := wall.Sub(c.LastHeartbeat)
	return age > config.CandidateTimeout || age < -clockTolerance(config)
}

// clockTolerance is how far two clocks may differ before it is worth a word.
func clockTolerance(config *fdbelection.Config) time.Duration {
	return max(config.EffectiveMargin(), 100*time.Millisecond)
}

// beatWindow is the time within which a live candidate writes: a third of the candidate
// timeout at most, or a heartbeat, and half of that for what delays it.
func beatWindow(config *fdbelection.Config) time.Duration {
	return max(config.CandidateTimeout/2, config.HeartbeatInterval*3/2)
}

// tooSlow reports whether the store takes so long for an answer that a candidate or a
// leader may be late because of it.
func tooSlow(config *fdbelection.Config, took time.Duration) bool {
	return took > spare(config)/4 || took > config.EffectiveMargin()/2
}

// listen reads the candidates. If the clocks do not show that all of them are alive, it
// goes on reading until each of those was seen to write, or a beatWindow has passed. With
// an id it listens to that candidate only.
func (s *session) listen(ctx context.Context, quick bool, id string) (*roll, error) {
	c, p := s.app.clock, s.app.newProgress()
	defer p.done()
	var heard beats
	var slowest time.Duration
	for begin := c.Now(); ; {
		before := c.Now()
		seen, err := look(ctx, s, func(tr kv.ReadTransaction) (roll, error) { return readRoll(s.election, tr) })
		if err != nil {
			return nil, err
		}
		seen.at = c.Wall()
		heard.see(seen.candidates, seen.at)
		passed, limit := c.Now().Sub(begin), beatWindow(&seen.config)
		slowest = max(slowest, c.Now().Sub(before))
		seen.heard, seen.slowest, seen.slow = heard, slowest, tooSlow(&seen.config, slowest)
		seen.judged = passed >= limit && !seen.slow
		if quick || seen.slow || passed >= limit || !slices.ContainsFunc(heard.unheard(seen.candidates, &seen.config, seen.at),
			func(c election.Candidate) bool { return id == "" || c.ID == id }) {
			return &seen, nil
		}
		p.say(fmt.Sprintf("listening for heartbeats: %s of %s", tenths(passed), tenths(limit)))
		if err := clock.Sleep(ctx, c, min(lookPace(limit), limit-passed)); err != nil {
			return nil, fmt.Errorf("interrupted while the command listened for heartbeats: %w", err)
		}
	}
}

// lookPace is the time between two looks of those that take a whole time.
func lookPace(whole time.Duration) time.Duration {
	return min(max(whole/30, 5*time.Millisecond), 250*time.Millisecond)
}
