package simulation_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/simulation"
)

func TestSeeds(t *testing.T) {
	first, n := uint64(1), uint64(100)
	if s := os.Getenv("SIMULATION_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		n = 1
	}
	if s := os.Getenv("SIMULATION_SEEDS"); s != "" {
		n, _ = strconv.ParseUint(s, 10, 64)
	}
	var simulated time.Duration
	begin := time.Now()
	failures := 0
	situations := map[string]int{}
	for seed := first; seed < first+n; seed++ {
		opts := simulation.Options{Seed: seed, Linearize: seed%4 == 0}
		if os.Getenv("SIMULATION_TRACE") != "" {
			opts.Trace = func(line simulation.Line) { t.Log(line.Format()) }
		}
		r := simulation.Run(opts)
		simulated += r.Simulated
		for k, v := range r.Situations {
			situations[k] += v
		}
		if r.Failed() {
			failures++
			t.Errorf("seed %d: %v", seed, &r.Violations[0])
		}
	}
	t.Logf("%d seeds, %d failed, %s simulated in %s", n, failures, simulated, time.Since(begin))
	t.Log(situations)
}
