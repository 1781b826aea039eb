package supervise

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// A successor does not lead before it has accepted.
func TestStateOf(t *testing.T) {
	a := election.Identity{ID: "a"}
	for _, c := range []struct {
		record election.LeaderRecord
		term   uint64 // zero if there is no leader
	}{
		{election.LeaderRecord{}, 0},
		{election.LeaderRecord{Term: 4, Accepted: true}, 0},
		{election.LeaderRecord{Term: 5, Identity: a}, 0},
		{election.LeaderRecord{Term: 5, Identity: a, Accepted: true}, 5},
	} {
		s := stateOf(c.record)
		require.True(t, s.known)
		require.Equal(t, c.term, s.term, "%+v", c.record)
		require.Equal(t, c.term != 0, s.leader == a, "%+v", c.record)
	}
}
