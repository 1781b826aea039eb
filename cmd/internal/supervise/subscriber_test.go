package supervise

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
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
		s := stateOf(elector.LeaderInfo{LeaderRecord: c.record})
		require.True(t, s.known)
		require.Equal(t, c.term, s.term, "%+v", c.record)
		require.Equal(t, c.term != 0, s.leader == a, "%+v", c.record)
	}
}

// A change of the metadata is another state, which the environment shows as JSON.
func TestStateHasTheMetadata(t *testing.T) {
	info := elector.LeaderInfo{LeaderRecord: election.LeaderRecord{Term: 5, Identity: election.Identity{ID: "a"}, Accepted: true}}
	none := stateOf(info)
	require.Equal(t, "{}", none.tags)
	info.Metadata = map[string]string{}
	require.True(t, none.sameAs(stateOf(info)))
	info.Metadata = map[string]string{"zone": "b", "addr": "10.0.0.1:80\x00"}
	tagged := stateOf(info)
	require.JSONEq(t, `{"addr":"10.0.0.1:80\u0000","zone":"b"}`, tagged.tags)
	require.NotContains(t, tagged.tags, "\x00", "a variable cannot hold NUL")
	require.False(t, none.sameAs(tagged))
	info.Accepted = false
	require.Equal(t, "{}", stateOf(info).tags, "it does not lead yet")
}
