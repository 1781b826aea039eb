package demo

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
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// TestLanesColourTheLease checks the colour of the bar below the lanes, by the time
// since the last renewal.
func TestLanesColourTheLease(t *testing.T) {
	for passed, want := range map[time.Duration]string{
		0: "\x1b[32m█", 5 * time.Second: "\x1b[33m█", 7 * time.Second: "\x1b[31m█",
	} {
		synctest.Test(t, func(t *testing.T) {
			config := fdbelection.DefaultConfig()
			leader := election.LeaderRecord{Term: 1, Ballot: 7, Identity: election.Identity{ID: lastID}, LeaseDuration: config.LeaseDuration}
			var out bytes.Buffer
			l := newLanes(&out, clitest.Virtual{}, terminal.Palette{On: true}, func() (int, int) { return 100, 40 })
			l.sample(&records.Listing{Leader: leader, Config: config})
			require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, passed))
			out.Reset()
			l.draw("")
			_, shown, _ := strings.Cut(out.String(), "lease")
			require.Contains(t, shown, want, "%s passed: %q", passed, shown)
		})
	}
}
