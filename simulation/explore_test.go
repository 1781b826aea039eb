package simulation_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/simulation"
)

const (
	register = simulation.ActRegister
	cycle    = simulation.ActCycle
	fenced   = simulation.ActFenced
	resign   = simulation.ActResign
	leave    = simulation.ActLeave
	evict    = simulation.ActEvict
)

type acts = [][]simulation.Act

// over is time in which every lease, and every silence, comes to its end.
var over = []time.Duration{fdbelection.RecipeConfig().CandidateTimeout + 1}

// TestReductions: neither reduction leaves out a state that any schedule comes to.
// Small worlds are run without any, all of their schedules from beginning to end,
// the largest with EXPLORE only.
func TestReductions(t *testing.T) {
	for _, world := range []simulation.SmallWorld{
		{Actors: acts{{register}, {register}, {register}}, Priorities: []int32{0, 0, 0}},
		{Actors: acts{{cycle}, {cycle}}, Registered: true, Lost: 1, Priorities: []int32{0, 1}},
		{Actors: acts{{register, leave}, {register, evict}}, Passing: over, Priorities: []int32{0, 0}},
		{Actors: acts{{cycle, fenced}, {cycle}}, Registered: true, Passing: over, Priorities: []int32{0, 1}},
		{Actors: acts{{cycle}, {evict}, {leave}}, Registered: true, Lost: 1, Passing: over, Priorities: []int32{0, 0, 1}},
		{Actors: acts{{cycle, resign}, {cycle}}, Registered: true, Lost: 1, Priorities: []int32{0, 1}},
		{Actors: acts{{cycle}, {cycle}, {fenced}}, Registered: true, Passing: over, Priorities: []int32{0, 1, 1}},
		{Actors: acts{{cycle, cycle}, {cycle, fenced}}, Registered: true, Priorities: []int32{0, 1}},
		{Actors: acts{{cycle, leave}, {cycle, evict}}, Registered: true, Passing: over, Priorities: []int32{0, 1}},
		{Actors: acts{{leave, register}, {cycle}}, Registered: true, Lost: 1, Priorities: []int32{0, 0}},
	} {
		if testing.Short() && len(world.Passing) > 0 || os.Getenv("EXPLORE") == "" && len(world.Actors) > 2 && world.Lost > 0 {
			continue
		}
		all := simulation.Explore(world, simulation.EverySchedule)
		states := simulation.Explore(world, simulation.EveryState)
		traces := simulation.Explore(world, simulation.EveryTrace)
		t.Logf("%.0f schedules in %d, %d and %d steps, %d states, %d ends",
			all.Schedules, all.Steps, states.Steps, traces.Steps, all.States, all.Ends)
		require.Empty(t, all.Violations)
		require.InDelta(t, all.Schedules, states.Schedules, 0)
		require.Greater(t, all.Steps, states.Steps)
		for _, reduced := range []simulation.Explored{states, traces} {
			require.Equal(t, all.States, reduced.States)
			require.Equal(t, all.Ends, reduced.Ends)
			require.Equal(t, all.Digest, reduced.Digest, "as many states, and not the same")
		}
	}
}

// TestExplore runs every schedule of small worlds. EXPLORE=all adds the larger
// ones, EXPLORE=twice runs them once more with sleep sets, and compares.
func TestExplore(t *testing.T) {
	for _, c := range []struct {
		name  string
		large bool
		world simulation.SmallWorld
	}{
		{"2 x 2, claiming and writing", false, simulation.SmallWorld{
			Actors: acts{{cycle, fenced}, {cycle, fenced}}, Registered: true, Lost: 1, Passing: over,
			Priorities: []int32{0, 1},
		}},
		{"2 x 2, at the end of a lease", false, simulation.SmallWorld{
			Actors: acts{{cycle, cycle}, {cycle, fenced}}, Registered: true, Lost: 1,
			Passing: []time.Duration{fdbelection.RecipeConfig().LeaseDuration - 1, 1},
		}},
		{"2 x 3, resigning", true, simulation.SmallWorld{
			Actors: acts{{cycle, fenced, resign}, {cycle, fenced, cycle}}, Registered: true, Lost: 1, Passing: over,
		}},
		{"2 x 3, writing after resigning", true, simulation.SmallWorld{
			Actors: acts{{cycle, resign, fenced}, {cycle, resign, fenced}}, Registered: true, Lost: 1, Passing: over,
		}},
		{"2 x 3, preempting", true, simulation.SmallWorld{
			Actors: acts{{cycle, fenced, cycle}, {cycle, fenced, cycle}}, Registered: true, Lost: 1, Passing: over,
			Priorities: []int32{0, 1},
		}},
		{"2 x 3, coming and going", true, simulation.SmallWorld{
			Actors: acts{{register, cycle, leave}, {register, cycle, evict}}, Lost: 1, Passing: over,
		}},
		{"3 x 2, claiming and writing", true, simulation.SmallWorld{
			Actors: acts{{cycle, fenced}, {cycle, fenced}, {cycle, fenced}}, Registered: true, Lost: 1, Passing: over,
			Priorities: []int32{0, 0, 1},
		}},
		{"3 x 2, evicting and leaving", true, simulation.SmallWorld{
			Actors: acts{{cycle, leave}, {cycle, evict}, {cycle, fenced}}, Registered: true, Lost: 1, Passing: over,
			Priorities: []int32{0, 0, 1},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			which := os.Getenv("EXPLORE")
			if which == "" && (c.large || testing.Short()) {
				t.Skip("EXPLORE=all runs it")
			}
			if c.world.Priorities == nil {
				c.world.Priorities = make([]int32, len(c.world.Actors))
			}
			found := simulation.Explore(c.world, simulation.EveryState)
			for _, v := range found.Violations { // for TestMutants
				fmt.Printf("VIOLATED %d %d %s\n", 0, v.Invariant, v.Text)
			}
			require.Empty(t, found.Violations)
			t.Logf("%.0f schedules, %d states, %d ends, %d steps", found.Schedules, found.States, found.Ends, found.Steps)
			if which == "twice" {
				traces := simulation.Explore(c.world, simulation.EveryTrace)
				t.Logf("%d steps with sleep sets", traces.Steps)
				require.Equal(t, found.Digest, traces.Digest)
			}
		})
	}
}
