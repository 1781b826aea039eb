package elector_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Crashed processes leave records behind. There is no leader because the election is
// disabled, so the first live voter evicts them. No other candidate is evicted.
func TestEvictionInADisabledElection(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.config.ElectionEnabled = false
		tc.initialize()
		a, b := tc.begin("a"), tc.begin("b")
		watcher := tc.begin("watcher", observer, priority(9))
		for i := range 50 {
			crashed := tc.begin(fmt.Sprintf("start %d", i), priority(int32(i%3)))
			for !tc.listed(crashed.id) {
				time.Sleep(time.Millisecond)
			}
			crashed.Abandon()
		}
		require.Len(tc, tc.candidates(), 53)
		// One timeout until a list shows all of them, two until the first by rank have timed
		// out, and two for the others.
		time.Sleep(5*tc.config.CandidateTimeout + heartbeat)
		require.Len(tc, tc.candidates(), 3)
		for _, p := range []*process{a, b, watcher} {
			require.True(tc, tc.listed(p.id))
		}
	})
}
