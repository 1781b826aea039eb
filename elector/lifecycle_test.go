package elector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

func TestStartLeadsAndStopLeaves(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		require.Equal(w, uint64(1), p.leads().Term)
		require.True(w, p.believes())
		require.Equal(w, "a", p.LeaderID())
		require.Equal(w, uint64(1), p.Term())
		time.Sleep(5 * lease)
		require.Equal(w, uint64(1), w.seat().Term)
		p.stop()
		require.False(w, p.believes())
		require.Equal(w, elector.StateStopped, p.State())
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		require.Equal(w, []elector.State{
			elector.StateCandidate, elector.StateLeader, elector.StateCandidate, elector.StateStopped,
		}, p.history())
	})
}
