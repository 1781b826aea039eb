package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// listen reads the candidates. If the clocks do not show that all of them are alive, it
// reads on until it has seen a heartbeat of each, or until HeartbeatWindow has passed.
// With an id it waits for that candidate only.
func listen(ctx context.Context, s *session.Session, quick bool, id string) (*census, error) {
	c, p := s.Program.Clock, s.Program.NewProgress()
	defer p.Done()
	var heartbeats records.Heartbeats
	var slowest time.Duration
	for begin := c.Now(); ; {
		before := c.Now()
		seen, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (census, error) {
			seen, err := records.ReadListing(s.Election, tr)
			return census{Listing: seen}, err
		})
		if err != nil {
			return nil, err
		}
		seen.at = c.Wall()
		heartbeats.See(seen.Candidates, seen.at)
		passed, limit := c.Now().Sub(begin), records.HeartbeatWindow(&seen.Config)
		slowest = max(slowest, c.Now().Sub(before))
		seen.heartbeats, seen.slowest, seen.slow = heartbeats, slowest, records.TooSlow(&seen.Config, slowest)
		seen.judged = passed >= limit && !seen.slow
		if quick || seen.slow || passed >= limit || !slices.ContainsFunc(heartbeats.TimedOut(seen.Candidates, &seen.Config, seen.at),
			func(c election.Candidate) bool { return id == "" || c.ID == id }) {
			return &seen, nil
		}
		p.Show(fmt.Sprintf("waiting for heartbeats: %s of %s", output.Tenths(passed), output.Tenths(limit)), int64(passed), int64(limit))
		if err := clock.Sleep(ctx, c, min(records.ReadInterval(limit), limit-passed)); err != nil {
			return nil, fmt.Errorf("interrupted while waiting for heartbeats: %w", err)
		}
	}
}
