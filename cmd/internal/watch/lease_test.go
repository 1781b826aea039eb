package watch

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// How the bar of a lease begins, by colour.
const (
	leaseGood = "\x1b[32m█"
	leaseWarn = "\x1b[33m█"
	leaseBad  = "\x1b[31m█"
)

// TestViewColoursTheLease: the bar has the colour of the lease.
func TestViewColoursTheLease(t *testing.T) {
	for passed, want := range map[time.Duration]string{0: leaseGood, 5 * time.Second: leaseWarn, 7 * time.Second: leaseBad} {
		synctest.Test(t, func(t *testing.T) {
			config := fdbelection.DefaultConfig()
			leader := election.LeaderRecord{Term: 1, Ballot: 7, Identity: election.Identity{ID: "ash"}, LeaseDuration: config.LeaseDuration}
			begin := time.Now()
			var out bytes.Buffer
			w := screenOf(&out, 100, 40)
			require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, passed))
			u := update{snapshot: &records.Snapshot{Status: election.Status{Leader: leader, Config: config}}, seen: time.Now()}
			u.observation.BallotSince = begin
			require.NoError(t, w.show(&u))
			w.close()
			_, shown, _ := strings.Cut(out.String(), "lease")
			require.Contains(t, shown, want, "%s passed: %q", passed, shown)
		})
	}
}

// TestLeaseColourBetweenReads: the lease of a leader that renews in time stays green from one
// read to the next, even if a read is late. It turns yellow while the store cannot be read.
func TestLeaseColourBetweenReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fdbelection.DefaultConfig()
		config.HeartbeatInterval = 6 * time.Second
		leader := election.LeaderRecord{Term: 1, Ballot: 7, Identity: election.Identity{ID: "ash"}, LeaseDuration: config.LeaseDuration}
		var out bytes.Buffer
		w := screenOf(&out, 100, 40)
		u := update{snapshot: &records.Snapshot{Status: election.Status{Leader: leader, Config: config}}, seen: time.Now().Add(6 * time.Second)}
		u.observation.BallotSince = time.Now()
		require.NoError(t, w.show(&u))
		require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, 7*time.Second))
		out.Reset()
		require.NoError(t, w.draw())
		require.Contains(t, out.String(), leaseGood)
		out.Reset()
		require.NoError(t, w.show(&update{problem: "the store is gone"}))
		require.Contains(t, out.String(), leaseWarn)
		w.close()
	})
}
