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
	inWorld(t, func(w *world) {
		w.config.ElectionEnabled = false
		w.initialize()
		a, b := w.begin("a"), w.begin("b")
		watcher := w.begin("watcher", observer, priority(9))
		for i := range 50 {
			crashed := w.begin(fmt.Sprintf("start %d", i), priority(int32(i%3)))
			for !w.listed(crashed.id) {
				time.Sleep(time.Millisecond)
			}
			crashed.Abandon()
		}
		require.Len(w, w.candidates(), 53)
		// One timeout until all have registered before a list, two until the first by rank are
		// known to be dead, and two for the others.
		time.Sleep(5*w.config.CandidateTimeout + heartbeat)
		require.Len(w, w.candidates(), 3)
		for _, p := range []*process{a, b, watcher} {
			require.True(w, w.listed(p.id))
		}
	})
}
