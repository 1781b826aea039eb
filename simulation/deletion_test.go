package simulation

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// TestDeletions runs seeds in which an operator deletes records. DELETIONS says how many
// seeds.
func TestDeletions(t *testing.T) {
	seeds := longtest.Pick[uint64](20, 40)
	if s := os.Getenv("DELETIONS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seeds = n
	}
	situations := map[string]int{}
	for seed := uint64(1); seed <= seeds; seed++ {
		opts := Options{Seed: seed, deletions: true, Linearize: true, keepGoing: true}
		r := Run(opts)
		for i := range r.Violations {
			t.Errorf("seed %d: %v", seed, &r.Violations[i])
		}
		for name := range r.Situations {
			situations[name]++
		}
		if seed%10 == 0 {
			require.Equal(t, r, Run(opts))
		}
	}
	for _, s := range []struct {
		name   string
		within uint64
	}{
		{"election deleted", 40},
		{"leader record deleted", 40},
		{"message of a deleted election", 100},
		{"leader of a deleted election still leads", 400},
	} {
		t.Logf("%s: %d seeds", s.name, situations[s.name])
		if seeds >= s.within {
			require.NotZero(t, situations[s.name], s.name)
		}
	}
}
