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
		require.Equal(t, uint64(1), p.leads().Term)
		require.True(t, p.believes())
		require.Equal(t, "a", p.LeaderID())
		require.Equal(t, uint64(1), p.Term())
		time.Sleep(5 * lease)
		require.Equal(t, uint64(1), w.seat().Term)
		p.stop()
		require.False(t, p.believes())
		require.Equal(t, elector.StateStopped, p.State())
		require.True(t, w.seat().Vacant())
		require.Empty(t, w.candidates())
		require.Equal(t, []elector.State{
			elector.StateCandidate, elector.StateLeader, elector.StateCandidate, elector.StateStopped,
		}, p.history())
	})
}
