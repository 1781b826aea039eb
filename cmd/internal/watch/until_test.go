package watch

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// TestUntilEndsWithTheLine: a watch ends with the line that matches, and prints none after
// it.
func TestUntilEndsWithTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		m.Claims(m.One, time.Now())
		for until, last := range map[string]string{"event=start": "event=start", "candidate=one": "candidate=one", "candidate=": "candidate=one", "candidate=two": "candidate=two"} {
			stdout, _, err := execOn(t.Context(), clitest.Virtual{}, m, "watch", "--until", until, "--for", "1m")
			require.NoError(t, err)
			lines := strings.Split(strings.TrimSpace(stdout), "\n")
			require.Contains(t, lines[len(lines)-1], last)
			for _, line := range lines[:len(lines)-1] {
				require.NotContains(t, line, until)
			}
		}
	})
}

// TestUntilLeaderNeedsALiveLeader: the record of a dead leader does not count, even if its
// lease has not expired.
func TestUntilLeaderNeedsALiveLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		m.Claims(m.One, time.Now().Add(time.Hour)) // by its own clock, the lease has not expired
		_, stderr, err := execOn(t.Context(), clitest.Virtual{}, m, "watch", "--until", "leader", "--for", "1m")
		require.Equal(t, exit.CodeTimedOut, exit.Code(err), stderr)

		begin, token := time.Now(), m.Leader().Token()
		timer := time.AfterFunc(3*time.Second, func() {
			_ = m.Transact(t.Context(), func(tr kv.Transaction) error {
				_, err := m.RefreshLease(tr, token, time.Now().Add(time.Hour))
				return err
			})
		})
		defer timer.Stop()
		_, stderr, err = execOn(t.Context(), clitest.Virtual{}, m, "watch", "--until", "leader", "--for", "1m")
		require.NoError(t, err, stderr)
		require.InDelta(t, 3, time.Since(begin).Seconds(), 1.1, "it ends with the first renewal that it sees")
	})
	// A renewal that came while the store was unavailable may be older than the lease.
	var l lastRecord
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	record := election.LeaderRecord{Identity: election.Identity{ID: "a"}, Ballot: 1, Accepted: true, LeaseDuration: 10 * time.Second}
	require.False(t, l.written(record, at(0)))
	record.Ballot++
	require.False(t, l.written(record, at(10)))
	record.Ballot++
	require.True(t, l.written(record, at(19)))
	record.Ballot++
	record.Accepted = false
	require.False(t, l.written(record, at(20)))
}
