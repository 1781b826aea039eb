package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// TestStatusColour: a leader whose lease has expired does not have the colour of one that
// leads.
func TestStatusColour(t *testing.T) {
	p, now := terminal.Palette{On: true}, time.Unix(1000, 0)
	for over, want := range map[time.Duration]string{-time.Second: p.Good("x"), time.Second: p.Warn("x")} {
		expiry := now.Add(-over)
		s := &status{Status: report.Status{Tenure: &report.Tenure{LeaseExpiry: expiry}}, record: election.LeaderRecord{Identity: election.Identity{ID: "a"}, LeaseExpiry: expiry}}
		s.judge(now)
		require.Equal(t, want, s.table(now).Style(p, 1)("x"))
	}
	require.Equal(t, p.Warn("x"), (&status{}).table(now).Style(p, 1)("x"), "there is no leader")
}
