package simulation

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// TestHunt runs as many seeds as HUNT says until one fails, and HUNT_AFTER more. It prints
// the first seed that fails and the invariants that fail. TestMutants runs it on sources
// with a mutant.
func TestHunt(t *testing.T) {
	most, err := strconv.ParseUint(os.Getenv("HUNT"), 10, 64)
	if err != nil {
		t.Skip("HUNT is not set")
	}
	after, _ := strconv.ParseUint(os.Getenv("HUNT_AFTER"), 10, 64)
	found := uint64(0)
	for seed := uint64(1); seed <= most && (found == 0 || seed <= found+after); seed++ {
		opts := Options{Seed: seed, Linearize: true, keepGoing: after > 0, Groups: os.Getenv("HUNT_GROUPS") != ""}
		r := Run(opts)
		if !r.Failed() && seed%4 == 0 {
			if again := Run(opts); again.Commits != r.Commits || again.Calls != r.Calls {
				r.Violations = append(r.Violations, ViolationError{Invariant: invDeterminism})
			}
		}
		if r.Failed() && found == 0 {
			found = seed
			fmt.Printf("KILLED %d\n", seed)
		}
		for _, v := range r.Violations {
			fmt.Printf("VIOLATED %d %d %s\n", seed, v.Invariant, v.Text)
		}
	}
}
