package elector_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Crashed starts leave records behind. Without a leader, here because the election is
// disabled, the first live voter removes them, and no other candidate is removed.
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
		// One timeout until all have registered before a list, two until the first by rank are
		// known to be dead, and two for the others.
		time.Sleep(5*tc.config.CandidateTimeout + heartbeat)
		require.Len(tc, tc.candidates(), 3)
		for _, p := range []*process{a, b, watcher} {
			require.True(tc, tc.listed(p.id))
		}
	})
}
