package system

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCountsOfEngines: a leader of this project has two watches, and none after it has left,
// and each of its transactions has at least one request.
func TestCountsOfEngines(t *testing.T) {
	for _, s := range []System{Memkv(), Filekv()} {
		t.Run(s.Name, func(t *testing.T) {
			c := newWorld(t, s, true).client()
			leads := make(chan struct{}, 1)
			one, err := c.Campaign(t.Context(), "counted", "only", Candidacy{Lead: func() { leads <- struct{}{} }})
			require.NoError(t, err)
			<-leads
			watches := func(n int64) {
				t.Helper()
				require.Eventually(t, func() bool { return c.Traffic().Watches() == n }, patience, time.Millisecond, "%d watches", n)
			}
			watches(2) // of the leader and of the candidates
			counts := c.Traffic().Counts()
			assert.Positive(t, counts.Transactions)
			assert.Greater(t, counts.Requests, counts.Transactions)
			require.NoError(t, one.Resign(t.Context()))
			watches(0)
		})
	}
}
