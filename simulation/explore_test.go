package simulation

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

type acts = [][]act

// over is a step of time after which every lease has expired and every candidate has
// timed out.
var over = []time.Duration{fdbelection.RecipeConfig().CandidateTimeout + 1}

// TestReductions checks that the reductions reach every state that a run of all schedules
// reaches, and no others. The quick form runs the smallest worlds. EXPLORE adds the
// largest one to the long form.
func TestReductions(t *testing.T) {
	worlds := []smallElection{
		{actors: acts{{actRegister}, {actRegister}, {actRegister}}, priorities: []int32{0, 0, 0}},
		{actors: acts{{actCycle}, {actCycle}}, registered: true, limits: limits{lost: 1}, priorities: []int32{0, 1}},
		{actors: acts{{actCycle, actResign}, {actCycle}}, registered: true, limits: limits{lost: 1}, priorities: []int32{0, 1}},
		{actors: acts{{actCycle, actCycle}, {actCycle, actFencedWrite}}, registered: true, priorities: []int32{0, 1}},
		{actors: acts{{actLeave, actRegister}, {actCycle}}, registered: true, limits: limits{lost: 1}, priorities: []int32{0, 0}},
		// Above, a run of all schedules takes at most 7,000 steps; below, up to 360,000.
		{actors: acts{{actRegister, actLeave}, {actRegister, actEvict}}, limits: limits{passing: over}, priorities: []int32{0, 0}},
		{actors: acts{{actCycle, actFencedWrite}, {actCycle}}, registered: true, limits: limits{passing: over}, priorities: []int32{0, 1}},
		{actors: acts{{actCycle}, {actCycle}, {actFencedWrite}}, registered: true, limits: limits{passing: over}, priorities: []int32{0, 1, 1}},
		{actors: acts{{actCycle, actLeave}, {actCycle, actEvict}}, registered: true, limits: limits{passing: over}, priorities: []int32{0, 1}},
		// The largest one, with EXPLORE only.
		{actors: acts{{actCycle}, {actEvict}, {actLeave}}, registered: true, limits: limits{lost: 1, passing: over}, priorities: []int32{0, 0, 1}},
	}
	count := longtest.Pick(5, len(worlds)-1)
	if os.Getenv("EXPLORE") != "" {
		count = len(worlds)
	}
	for _, world := range worlds[:count] {
		compareReductions(t, world)
	}
}

// compareReductions explores a world without any reduction and with each, and compares.
func compareReductions(t *testing.T, world smallWorld) {
	t.Helper()
	all := explore(world, everySchedule)
	states := explore(world, everyState)
	traces := explore(world, everyTrace)
	t.Logf("%.0f schedules in %d, %d and %d steps, %d states, %d ends",
		all.schedules, all.steps, states.steps, traces.steps, all.states, all.ends)
	require.Empty(t, all.violations)
	require.InDelta(t, all.schedules, states.schedules, 0)
	require.Greater(t, all.steps, states.steps)
	for _, reduced := range []explored{states, traces} {
		require.Equal(t, all.states, reduced.states)
		require.Equal(t, all.ends, reduced.ends)
		require.Equal(t, all.digest, reduced.digest, "the same number of states, but different ones")
	}
}

// exploredWorld is a small world of TestExplore. A large one takes more than a minute.
type exploredWorld struct {
	name  string
	large bool
	world smallElection
}

func exploredWorlds() []exploredWorld {
	return []exploredWorld{
		{"2 x 2, claiming and writing", false, smallElection{
			actors: acts{{actCycle, actFencedWrite}, {actCycle, actFencedWrite}}, registered: true, limits: limits{lost: 1, passing: over},
			priorities: []int32{0, 1},
		}},
		{"2 x 2, at the end of a lease", false, smallElection{
			actors: acts{{actCycle, actCycle}, {actCycle, actFencedWrite}}, registered: true,
			limits: limits{lost: 1, passing: []time.Duration{fdbelection.RecipeConfig().LeaseDuration - 1, 1}},
		}},
		{"2 x 3, resigning", true, smallElection{
			actors: acts{{actCycle, actFencedWrite, actResign}, {actCycle, actFencedWrite, actCycle}}, registered: true, limits: limits{lost: 1, passing: over},
		}},
		{"2 x 3, writing after resigning", true, smallElection{
			actors: acts{{actCycle, actResign, actFencedWrite}, {actCycle, actResign, actFencedWrite}}, registered: true, limits: limits{lost: 1, passing: over},
		}},
		{"2 x 3, preempting", true, smallElection{
			actors: acts{{actCycle, actFencedWrite, actCycle}, {actCycle, actFencedWrite, actCycle}}, registered: true, limits: limits{lost: 1, passing: over},
			priorities: []int32{0, 1},
		}},
		{"2 x 3, coming and going", true, smallElection{
			actors: acts{{actRegister, actCycle, actLeave}, {actRegister, actCycle, actEvict}}, limits: limits{lost: 1, passing: over},
		}},
		{"3 x 2, claiming and writing", true, smallElection{
			actors: acts{{actCycle, actFencedWrite}, {actCycle, actFencedWrite}, {actCycle, actFencedWrite}}, registered: true, limits: limits{lost: 1, passing: over},
			priorities: []int32{0, 0, 1},
		}},
		{"3 x 2, evicting and leaving", true, smallElection{
			actors: acts{{actCycle, actLeave}, {actCycle, actEvict}, {actCycle, actFencedWrite}}, registered: true, limits: limits{lost: 1, passing: over},
			priorities: []int32{0, 0, 1},
		}},
	}
}

// TestExplore runs every schedule of small worlds. The quick form runs a small one.
// EXPLORE=all adds the larger ones, and EXPLORE=twice runs them with sleep sets too and
// compares.
func TestExplore(t *testing.T) {
	for i, c := range exploredWorlds() {
		t.Run(c.name, func(t *testing.T) {
			switch {
			case os.Getenv("EXPLORE") != "":
			case c.large:
				t.Skip("EXPLORE=all runs it")
			case i > 0:
				longtest.Only(t)
			}
			if c.world.priorities == nil {
				c.world.priorities = make([]int32, len(c.world.actors))
			}
			exploreAndCompare(t, c.world)
		})
	}
}

// exploreAndCompare runs every schedule of a small world. With EXPLORE=twice it also runs them with
// sleep sets, and compares.
func exploreAndCompare(t *testing.T, world smallWorld) {
	t.Helper()
	found := explore(world, everyState)
	for _, v := range found.violations { // TestMutants reads these lines
		fmt.Printf("VIOLATED %d %d %s\n", 0, v.Invariant, v.Text)
	}
	require.Empty(t, found.violations)
	t.Logf("%.0f schedules, %d states, %d ends, %d steps", found.schedules, found.states, found.ends, found.steps)
	if os.Getenv("EXPLORE") == "twice" {
		traces := explore(world, everyTrace)
		t.Logf("%d steps with sleep sets", traces.steps)
		require.Equal(t, found.digest, traces.digest)
	}
}
