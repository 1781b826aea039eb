package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// How the bar of a lease begins in each colour.
const (
	leaseGood = "\x1b[32m█"
	leaseWarn = "\x1b[33m█"
	leaseBad  = "\x1b[31m█"
)

// The lease is yellow from when the leader is in jeopardy, which is never before a renewal
// is due, and red from when it has to stop its work.
func TestLeaseColour(t *testing.T) {
	for _, c := range []struct {
		heartbeat, passed time.Duration
		want              string
	}{
		{3 * time.Second, 0, leaseGood},
		{3 * time.Second, 4900 * time.Millisecond, leaseGood},
		{3 * time.Second, 5 * time.Second, leaseWarn},
		{3 * time.Second, 6900 * time.Millisecond, leaseWarn},
		{3 * time.Second, 7 * time.Second, leaseBad},
		{6 * time.Second, 6 * time.Second, leaseGood},
		{6 * time.Second, 6400 * time.Millisecond, leaseWarn},
		{6 * time.Second, 7500 * time.Millisecond, leaseBad},
		{8 * time.Second, 8 * time.Second, leaseGood},
		{8 * time.Second, 8500 * time.Millisecond, leaseBad},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := fdbelection.DefaultConfig()
			config.HeartbeatInterval = c.heartbeat
			seat := election.LeaderRecord{Term: 1, Ballot: 7, Identity: election.Identity{ID: demoFifth}, LeaseDuration: config.LeaseDuration}
			size := func() (int, int) { return 100, 40 }
			begin := time.Now()
			var foot bytes.Buffer
			l := newLanes(&foot, Virtual{}, palette{on: true}, size)
			l.sample(&listing{leader: seat, config: config})
			var out bytes.Buffer
			w := screenOf(&out, 100, 40)
			require.NoError(t, clock.Sleep(t.Context(), Virtual{}, c.passed))
			look := update{sight: &sight{Status: election.Status{Leader: seat, Config: config}}, seen: time.Now()}
			look.seat.BallotSince = begin
			foot.Reset()
			out.Reset()
			l.draw("")
			require.NoError(t, w.show(&look))
			w.close()
			for _, shown := range []string{foot.String(), out.String()} {
				_, shown, _ = strings.Cut(shown, "lease")
				require.Contains(t, shown, c.want, "heartbeat %s, %s passed: %q", c.heartbeat, c.passed, shown)
			}
		})
	}
}

// A leader that renews in time is green from one look of watch to the next, even if a look
// comes late. It is not while the store cannot be read.
func TestLeaseColourBetweenLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fdbelection.DefaultConfig()
		config.HeartbeatInterval = 6 * time.Second
		seat := election.LeaderRecord{Term: 1, Ballot: 7, Identity: election.Identity{ID: "ash"}, LeaseDuration: config.LeaseDuration}
		var out bytes.Buffer
		w := screenOf(&out, 100, 40)
		look := update{sight: &sight{Status: election.Status{Leader: seat, Config: config}}, seen: time.Now().Add(6 * time.Second)}
		look.seat.BallotSince = time.Now()
		require.NoError(t, w.show(&look))
		require.NoError(t, clock.Sleep(t.Context(), Virtual{}, 7*time.Second))
		out.Reset()
		require.NoError(t, w.draw())
		require.Contains(t, out.String(), leaseGood)
		out.Reset()
		require.NoError(t, w.show(&update{trouble: "the store is gone"}))
		require.Contains(t, out.String(), leaseWarn)
		w.close()
	})
}
