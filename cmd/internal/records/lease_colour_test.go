package records

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// TestLeaseColour: the lease is yellow once the leader is in jeopardy, which is never
// before a renewal is due, and red once it has to stop its work.
func TestLeaseColour(t *testing.T) {
	p, begin := terminal.Palette{On: true}, time.Unix(1000, 0)
	for _, c := range []struct {
		heartbeat, passed time.Duration
		want              func(string) string
	}{
		{3 * time.Second, 0, p.Good},
		{3 * time.Second, 4900 * time.Millisecond, p.Good},
		{3 * time.Second, 5 * time.Second, p.Warn},
		{3 * time.Second, 6900 * time.Millisecond, p.Warn},
		{3 * time.Second, 7 * time.Second, p.Bad},
		{6 * time.Second, 6 * time.Second, p.Good},
		{6 * time.Second, 6400 * time.Millisecond, p.Warn},
		{6 * time.Second, 7500 * time.Millisecond, p.Bad},
		{8 * time.Second, 8 * time.Second, p.Good},
		{8 * time.Second, 8500 * time.Millisecond, p.Bad},
	} {
		config := fdbelection.DefaultConfig()
		config.HeartbeatInterval = c.heartbeat
		leader := election.LeaderRecord{Term: 1, Ballot: 7, Identity: election.Identity{ID: "ash"}, LeaseDuration: config.LeaseDuration}
		got := LeaseColour(p, leader, config, begin, begin.Add(c.passed))
		require.Equal(t, c.want("x"), got("x"), "heartbeat %s, %s passed", c.heartbeat, c.passed)
	}
}
