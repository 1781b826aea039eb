package simulation_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/simulation"
)

// TestExplore runs every schedule of small worlds. EXPLORE=all adds the larger
// ones.
func TestExplore(t *testing.T) {
	const (
		register = simulation.ActRegister
		cycle    = simulation.ActCycle
		fenced   = simulation.ActFenced
		resign   = simulation.ActResign
		leave    = simulation.ActLeave
		evict    = simulation.ActEvict
	)
	type acts = [][]simulation.Act
	for _, c := range []struct {
		name  string
		large bool
		world simulation.SmallWorld
	}{
		{"2 x 2, claiming and writing", false, simulation.SmallWorld{
			Actors: acts{{cycle, fenced}, {cycle, fenced}}, Registered: true, Lost: 1, Expiries: 1,
			Priorities: []int32{0, 1},
		}},
		{"2 x 3, resigning", true, simulation.SmallWorld{
			Actors: acts{{cycle, fenced, resign}, {cycle, fenced, cycle}}, Registered: true, Lost: 1, Expiries: 1,
		}},
		{"2 x 3, preempting", true, simulation.SmallWorld{
			Actors: acts{{cycle, fenced, cycle}, {cycle, fenced, cycle}}, Registered: true, Lost: 1, Expiries: 1,
			Priorities: []int32{0, 1},
		}},
		{"2 x 3, coming and going", true, simulation.SmallWorld{
			Actors: acts{{register, cycle, leave}, {register, cycle, evict}}, Lost: 1, Expiries: 1,
		}},
		{"3 x 2, claiming and writing", true, simulation.SmallWorld{
			Actors: acts{{cycle, fenced}, {cycle, fenced}, {cycle, fenced}}, Registered: true, Lost: 1, Expiries: 1,
			Priorities: []int32{0, 0, 1},
		}},
		{"3 x 2, evicting and leaving", true, simulation.SmallWorld{
			Actors: acts{{cycle, leave}, {cycle, evict}, {cycle, fenced}}, Registered: true, Lost: 1, Expiries: 1,
			Priorities: []int32{0, 0, 1},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.large && os.Getenv("EXPLORE") != "all" {
				t.Skip("EXPLORE=all runs it")
			}
			if c.world.Priorities == nil {
				c.world.Priorities = make([]int32, len(c.world.Actors))
			}
			found := simulation.Explore(c.world, simulation.EveryTrace)
			require.Empty(t, found.Violations)
			t.Logf("%d states, %d ends, %d steps", found.States, found.Ends, found.Steps)
		})
	}
}
