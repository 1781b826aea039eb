package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// Leadership is given up only for a candidate that can lead now.
func TestOthersCanLead(t *testing.T) {
	voter := func(id string, change func(m *elector.Member)) []elector.Member {
		m := elector.Member{Candidate: election.Candidate{Registration: election.Registration{Identity: election.Identity{ID: id}}}, Alive: true}
		change(&m)
		return []elector.Member{m}
	}
	unchanged := func(*elector.Member) {}
	require.False(t, othersCanLead("a", nil))
	require.False(t, othersCanLead("a", voter("a", unchanged)), "this candidate")
	require.True(t, othersCanLead("a", voter("b", unchanged)))
	require.True(t, othersCanLead("a", voter("b", func(m *elector.Member) { m.Delay.Rule = string(elector.DelayPreempt) })))
	for why, change := range map[string]func(m *elector.Member){
		"dead":      func(m *elector.Member) { m.Alive = false },
		"not ready": func(m *elector.Member) { m.NotReady = "cold" },
		"holds off": func(m *elector.Member) { m.Delay.Rule = string(elector.DelayHoldOff) },
	} {
		require.False(t, othersCanLead("a", voter("b", change)), why)
		require.True(t, othersCanLead("a", append(voter("b", change), voter("c", unchanged)...)), why)
	}
}
