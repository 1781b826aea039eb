package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
)

// The form of a line is for scripts: fields in one order, quoted where they
// could be misread.
func TestJournal(t *testing.T) {
	var stdout, stderr bytes.Buffer
	j := newJournal(&stdout, &stderr, false)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	led := func(id string) campaign.Change {
		return campaign.Change{At: at, Leader: election.Leader{Identity: election.Identity{ID: id}, Term: 3, Ballot: 9}, Note: "vacancy"}
	}
	own := led("a")
	own.Leads, own.Note = true, "stopping: leaving"
	for _, c := range []campaign.Change{led(""), led("plain"), own, led("two words"), led(`q"t`), led("a=b"), led("-"), led("\x1b[2J")} {
		j.changed(c)
	}
	j.trouble(errors.New("no answer"))
	j.trouble(nil)
	j.close(clock.Real())
	require.Equal(t, strings.Join([]string{
		`2026-01-02T03:04:05.006Z leader=- term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T03:04:05.006Z leader=plain term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T03:04:05.006Z leader=a term=3 ballot=9 role=leader note="stopping: leaving"`,
		`2026-01-02T03:04:05.006Z leader="two words" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T03:04:05.006Z leader="q\"t" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T03:04:05.006Z leader="a=b" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T03:04:05.006Z leader="-" term=3 ballot=9 role=follower note=vacancy`,
		`2026-01-02T03:04:05.006Z leader="\x1b[2J" term=3 ballot=9 role=follower note=vacancy`,
		``,
	}, "\n"), stdout.String())
	require.Equal(t, "fdbelect: no answer (trying again)\nfdbelect: all is well again\n", stderr.String())
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
		j.close(clock.Real())
		require.Equal(t, time.Second, time.Since(start))
		close(terminal)
	})
}
