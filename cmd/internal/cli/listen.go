package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// listen reads the candidates. If the clocks do not show that all of them are alive, it
// goes on reading until each of those was seen to write, or a beatWindow has passed. With
// an id it listens to that candidate only.
func listen(ctx context.Context, s *session, quick bool, id string) (*roll, error) {
	c, p := s.program.clock, s.program.newProgress()
	defer p.done()
	var heard beats
	var slowest time.Duration
	for begin := c.Now(); ; {
		before := c.Now()
		seen, err := look(ctx, s, func(tr kv.ReadTransaction) (roll, error) {
			seen, err := readListing(s.election, tr)
			return roll{listing: seen}, err
		})
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
