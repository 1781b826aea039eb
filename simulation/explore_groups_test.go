package simulation

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// TestExploreGroups runs every schedule of small groups. The quick form runs the quick ones, and
// the long form those that are not large. EXPLORE is as in TestExplore.
func TestExploreGroups(t *testing.T) {
	for _, c := range exploredGroups() {
		t.Run(c.name, func(t *testing.T) {
			switch {
			case os.Getenv("EXPLORE") != "":
			case c.size == largeGroup:
				t.Skip("EXPLORE=all runs it")
			case c.size == longGroup:
				longtest.Only(t)
			}
			c.world.reached = map[string]bool{}
			exploreAndCompare(t, c.world)
			c.world.checkReached(t)
		})
	}
}

// checkReached checks that each act has read or committed in some schedule.
func (small smallGroup) checkReached(t *testing.T) {
	t.Helper()
	for i, acts := range small.acts {
		first := 1
		if i < len(small.before) {
			first += len(small.before[i])
		}
		for k := range acts {
			label := actLabel(small.id(i)+strconv.Itoa(i+1), first+k)
			require.True(t, small.reached[label], "act %d of actor %d does nothing in any schedule", k+1, i+1)
		}
	}
}

// TestGroupReductions is TestReductions for groups. The quick form runs two.
func TestGroupReductions(t *testing.T) {
	runs := 0
	for _, c := range exploredGroups() {
		if c.reduced && (longtest.Enabled() || c.size == quickGroup && runs < 2) {
			runs++
			t.Run(c.name, func(t *testing.T) { compareReductions(t, c.world) })
		}
	}
	require.GreaterOrEqual(t, runs, 2)
}
