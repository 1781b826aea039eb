package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The form of a line is for scripts: fields in one order, quoted where they
// could be misread.
func TestJournal(t *testing.T) {
	var stdout, stderr bytes.Buffer
	j := newJournal(&stdout, &stderr, false)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("somewhere", 3600))
	for _, leader := range []string{"-", field("plain"), field("two words"), field(`q"t`), field("a=b"), field("-"), field("\x1b[2J")} {
		j.change(at, leader, 3, 9, "follower", "vacancy")
	}
	j.change(at, "a", 3, 9, "candidate", "stopping: leaving")
	j.note("no answer")
	j.close(Virtual{})
	require.Equal(t, strings.Join([]string{
		`2026-01-02T02:04:05.006Z leader=- term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader=plain term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader="two words" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader="q\"t" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader="a=b" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader="-" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader="\x1b[2J" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T02:04:05.006Z leader=a term=3 ballot=9 role=candidate note="stopping: leaving"`,
		``,
	}, "\n"), stdout.String())
	require.Equal(t, "fdbelect: no answer\n", stderr.String())
}

// stuck is a terminal that stands still until it is let go.
type stuck chan struct{}

func (s stuck) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

// A terminal that stands still holds up nobody, not even for ever at the end.
func TestJournalNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := make(stuck)
		start := time.Now()
		j := newJournal(terminal, terminal, false)
		for range 1000 {
			j.note("something")
		}
		require.Zero(t, time.Since(start))
		j.close(Virtual{})
		require.Equal(t, time.Second, time.Since(start))
		close(terminal)
	})
}
