package simulation

import (
	"os"
	"strconv"
	"testing"
	"time"
)

func TestSeeds(t *testing.T) {
	first, n := uint64(1), uint64(200)
	if s := os.Getenv("SIMULATION_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		n = 1
	}
	if s := os.Getenv("SIMULATION_SEEDS"); s != "" {
		n, _ = strconv.ParseUint(s, 10, 64)
	}
	counts := map[string]int{}
	var simulated time.Duration
	begin := time.Now()
	failures := 0
	for seed := first; seed < first+n; seed++ {
		opts := Options{Seed: seed, Faulty: 3 * time.Minute, Quiet: time.Minute + 30*time.Second}
		if os.Getenv("SIMULATION_TRACE") != "" {
			opts.Trace = func(line string) { t.Log(line) }
		}
		r := Run(opts)
		simulated += r.Simulated
		for k, v := range r.Counts {
			counts[k] += v
		}
		if r.Failure != nil {
			failures++
			t.Errorf("%v", r.Failure)
			if failures > 2 {
				break
			}
		}
	}
	t.Logf("%d seeds, %s simulated in %s", n, simulated, time.Since(begin))
	for _, k := range sortedKeys(counts) {
		t.Logf("%8d %s", counts[k], k)
	}
}
