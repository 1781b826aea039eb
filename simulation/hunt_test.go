package simulation_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/fdbelection/fdbelection/simulation"
)

// TestHunt runs seeds until one fails, and prints which invariants fail in it and
// in some seeds after it. It is what the matrix of the mutants runs on rewritten
// sources; without HUNT it does nothing.
func TestHunt(t *testing.T) {
	most, err := strconv.ParseUint(os.Getenv("HUNT"), 10, 64)
	if err != nil {
		t.Skip("HUNT is not set")
	}
	after, _ := strconv.ParseUint(os.Getenv("HUNT_AFTER"), 10, 64)
	found := uint64(0)
	for seed := uint64(1); seed <= most && (found == 0 || seed <= found+after); seed++ {
		opts := simulation.Options{Seed: seed, Linearize: true, KeepGoing: after > 0}
		r := simulation.Run(opts)
		if !r.Failed() && seed%4 == 0 {
			if again := simulation.Run(opts); again.Commits != r.Commits || again.Calls != r.Calls {
				r.Violations = append(r.Violations, simulation.ViolationError{Invariant: simulation.Determinism})
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
